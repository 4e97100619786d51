# SPDX-License-Identifier: MIT
"""The commands that pages contain.

A page in Markdown has them in blocks, indented by four columns or fenced as "sh", and in `sentences`; a manual page
has them behind "$ ". A comment before a block says more:

    <!-- file: NAME -->              the fence is this file
    <!-- output -->                  the commands before it in this section printed these lines
    <!-- perhaps output -->          an example of what they print
    <!-- in another terminal -->     the commands run beside those that follow

commands.txt says of single commands what is run instead, or why they are not run.
"""

import pathlib
import re
import shutil

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TABLE = HERE / "commands.txt"
COMMENT = re.compile(r"<!-- (file|output|perhaps output|in another terminal)(?:: (.*))? -->")
FENCE = re.compile(r"\s*```(\w*)")
# A sentence has a command where `these` are followed by a word more.
PROGRAMS = """apt apt-get brew cc cl cmake docker df gdb git gpg journalctl kill kubectl ldconfig loginctl ls meson mpicc
    mpirun ninja nix pip pkg-config python3 rm shmx sudo systemctl ulimit wine""".split()


class Section:
    """What one shell runs: steps, (kind, command) with kind run, beside or output."""

    def __init__(self, title, first=True):
        self.title = title
        self.first = first  # of its page: no variables are handed on to it, and it is given the page's files
        self.files = {}
        self.steps = []

    def commands(self):
        return [command for kind, command in self.steps if kind != "output"]


class Page:
    def __init__(self, path):
        self.path = path
        self.sections = [Section("the beginning")]
        self.files = {}
        self.sentences = []
        self.strays = []  # commands in a fence that does not say so
        if path.suffix == ".scd":
            self._read_manual()
        else:
            self._read_markdown()

    def _read_manual(self):
        for line in self.path.read_text(encoding="utf-8").split("\n"):
            if line.startswith("# "):
                self.sections.append(Section(line.strip("# ").capitalize()))
            elif line.startswith("$ "):
                self._add(("run", None), line[2:])

    def _read_markdown(self):
        said, fence, blank, inside = ("run", None), None, True, False
        for line in self.path.read_text(encoding="utf-8").split("\n"):
            opened, comment = FENCE.match(line), COMMENT.match(line.strip())
            if fence is not None:
                if opened:
                    fence, said = None, ("run", None)
                else:
                    self._fenced(fence, said, line)
            elif opened:
                fence, inside = opened[1], False
            elif comment:
                said = (comment[1], comment[2])
            elif line.startswith("#"):
                self.sections.append(Section(line.strip("# ")))
            elif re.match(r" {4,}\S", line) and (blank or inside):
                inside = True
                self._add(said, line.strip())
            elif line:
                if inside:
                    inside, said = False, ("run", None)
                self.sentences += [code for code in re.findall(r"`([^`]+)`", line.replace(r"\|", "|")) if is_command(code)]
            blank = not line or comment is not None

    def _fenced(self, language, said, line):
        if said[0] == "file":
            self.files[said[1]] = self.files.get(said[1], "") + line + "\n"
        elif language == "sh" or "output" in said[0]:
            self._add(said, line.strip())
        elif language == "" and is_command(line.strip()):
            self.strays.append(line.strip())

    def _add(self, said, line):
        section = self.sections[-1]
        if said[0] == "perhaps output":
            return
        if section.steps and section.steps[-1][1].endswith("\\"):
            kind, before = section.steps.pop()
            section.steps.append((kind, before[:-1] + line))
        else:
            section.steps.append(({"in another terminal": "beside", "output": "output"}.get(said[0], "run"), line))


def is_command(text):
    words = text.split()
    if not words or (len(words) > 1 and words[1].startswith("*")):  # a pointer of C
        return False
    if words[0].startswith(("./", ".ci/", "packaging/", "build/")):
        return words[0] in ("./run", ".ci/run", "packaging/guarantees") or len(words) > 1
    return words[0] in PROGRAMS and len(words) > 1


def same(command):
    """Without the remark behind it, and with single blanks."""
    return " ".join(re.sub(r"\s#.*", "", command).split())


class Table:
    """commands.txt: what is run instead of a command, by which file it is run, or why it is not."""

    def __init__(self):
        self.rows = {}
        self.used = set()
        command = None
        for line in TABLE.read_text(encoding="utf-8").split("\n"):
            if re.match(r"\S", line) and not line.startswith("#"):
                command = same(line)
            elif line.strip() and not line.startswith("#"):
                kind, text = line.strip().split(": ", 1)
                self.rows[command] = (kind, text)

    def find(self, command):
        """(kind, text), with kind "run", "run by", "not run" or, for a command that is run as it is, "as it is"."""
        command = same(command)
        self.used.add(command)
        return self.rows.get(command, ("as it is", command))

    def unused(self):
        return sorted(set(self.rows) - self.used)


def is_run_by(command, text):
    """Whether a file has a command: "FILE", or "FILE, as WORDS"."""
    name, _, words = text.partition(", as ")
    return (words or same(command)) in (ROOT / name).read_text(encoding="utf-8")


def absent(commands):
    """A tool that these commands need and that is not here."""
    for tool in ("cmake", "x86_64-w64-mingw32-gcc", "wine", "mpicc", "mpirun", "gdb", "systemctl", "abidw"):
        if any(re.search(rf"(^|[ (&|;]){tool} ", command) for command in commands) and shutil.which(tool) is None:
            return tool
    return None
