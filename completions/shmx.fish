# fish completion of shmx(1)

set -l commands ls stat create write cat dump rm prune watch doctor bench help
set -l named ls stat write cat dump rm watch

complete -c shmx -f
complete -c shmx -n "not __fish_seen_subcommand_from $commands" -l version -d "Tell the version"
complete -c shmx -l help -d "Tell more"

complete -c shmx -n __fish_use_subcommand -a ls -d "List the segments"
complete -c shmx -n __fish_use_subcommand -a stat -d "Describe one segment"
complete -c shmx -n __fish_use_subcommand -a create -d "Create a segment of zeros"
complete -c shmx -n __fish_use_subcommand -a write -d "Copy standard input into a segment"
complete -c shmx -n __fish_use_subcommand -a cat -d "Copy a segment to standard output"
complete -c shmx -n __fish_use_subcommand -a dump -d "Show a segment in hex and text"
complete -c shmx -n __fish_use_subcommand -a rm -d "Take names away"
complete -c shmx -n __fish_use_subcommand -a prune -d "Free what killed users left"
complete -c shmx -n __fish_use_subcommand -a watch -d "Show bytes as they change"
complete -c shmx -n __fish_use_subcommand -a doctor -d "Tell what would surprise"
complete -c shmx -n __fish_use_subcommand -a bench -d "Measure this machine"
complete -c shmx -n __fish_use_subcommand -a help -d "Tell more about a command"

complete -c shmx -n "__fish_seen_subcommand_from $named" -a "(shmx ls 2>/dev/null)"
complete -c shmx -n "__fish_seen_subcommand_from help" -a "$commands"
complete -c shmx -n "__fish_seen_subcommand_from ls" -s l -l long -d "As a table"
complete -c shmx -n "__fish_seen_subcommand_from ls stat doctor bench" -l json -d "As JSON"
complete -c shmx -n "__fish_seen_subcommand_from create" -l persistent -d "Stays until it is removed"
complete -c shmx -n "__fish_seen_subcommand_from create" -l others -x -a "read write" -d "Access of other users"
complete -c shmx -n "__fish_seen_subcommand_from create" -l machine-wide -d "In all login sessions"
complete -c shmx -n "__fish_seen_subcommand_from write cat dump watch" -l offset -x -d "Start there"
complete -c shmx -n "__fish_seen_subcommand_from cat dump watch" -l count -x -d "That many bytes"
complete -c shmx -n "__fish_seen_subcommand_from watch" -l interval -x -d "How often to look"
complete -c shmx -n "__fish_seen_subcommand_from watch" -l for -x -d "Stop after that time"
complete -c shmx -n "__fish_seen_subcommand_from prune" -s n -l dry-run -d "Only print the names"
complete -c shmx -n "__fish_seen_subcommand_from prune" -l every -x -d "Again and again, in seconds"
complete -c shmx -n "__fish_seen_subcommand_from rm" -s f -l force -d "Missing names are no failure"
complete -c shmx -n "__fish_seen_subcommand_from ls" -l sort -x -a "name size memory users age" -d "Order"
complete -c shmx -n "__fish_seen_subcommand_from ls" -l reverse -d "The other way round"
complete -c shmx -n "__fish_seen_subcommand_from ls" -l state -x -a "live persistent foreign dead damaged" -d "Only those"
complete -c shmx -n "__fish_seen_subcommand_from bench" -l quick -d "A few rounds only"
