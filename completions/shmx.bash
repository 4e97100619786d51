# bash completion of shmx(1)

_shmx_options()
{
    case $1 in
    ls) echo "-l --long --json --sort --reverse --state --help" ;;
    stat | doctor) echo "--json --help" ;;
    create) echo "--persistent --others --machine-wide --help" ;;
    write) echo "--offset --help" ;;
    cat | dump) echo "--offset --count --help" ;;
    rm) echo "-f --force --help" ;;
    prune) echo "-n --dry-run --every --help" ;;
    watch) echo "--offset --count --interval --for --help" ;;
    topic) echo "--offset --size --oldest --latest --count --for --help" ;;
    bench) echo "--quick --json --help" ;;
    *) echo "--help" ;;
    esac
}

_shmx()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="ls stat create write cat dump rm prune watch topic doctor bench help --help --version"
    elif [ "$before" = --others ]; then
        words="read write"
    elif [ "$before" = --sort ]; then
        words="name size memory users age"
    elif [ "$before" = --state ]; then
        words="live persistent foreign dead damaged"
    elif [ "${word:0:1}" = - ]; then
        words=$(_shmx_options "${COMP_WORDS[1]}")
    else
        case ${COMP_WORDS[1]} in
        stat | write | cat | dump | watch | topic)
            [ "$COMP_CWORD" -eq 2 ] && words=$(shmx ls 2>/dev/null) ;;
        ls | rm) words=$(shmx ls 2>/dev/null) ;;
        help) words="ls stat create write cat dump rm prune watch topic doctor bench" ;;
        esac
    fi
    COMPREPLY=()
    local one
    while IFS= read -r one; do
        [ -n "$one" ] && COMPREPLY+=("$one")
    done < <(compgen -W "$words" -- "$word")
}

complete -F _shmx shmx
