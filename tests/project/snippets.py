# SPDX-License-Identifier: MIT
"""Compile and run every program in the documentation: snippets.py SOURCE LIBRARY PAGE...

A fenced block of c or cpp with a main, or of python, is a program that must end with 0; other
blocks of c are put into a function and compiled. Comments in a page say more:
    <!-- file: NAME -->            the next block is this file
    <!-- together: NAME NAME -->   run these at the same time, not one by one

Segment names get an ending of their own, so that runs do not disturb each other.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

CALLS = re.compile(r'((?:shmx_(?:create|open|open_or_create|open_wait|unlink|stat)|SharedMemory)'
                   r'\((?:&\w+, )?"|\bopen_or_create\(")([A-Za-z0-9._-]+)"')
PATIENCE = 60
START = 5
WRAP = """#include <shmx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int part(shmx *shm);
int part(shmx *shm)
{
(void)shm;
%s
return 0;
}
"""


class Page:
    """The blocks of one page, as files."""

    def __init__(self, path):
        self.path = path
        self.files = {}
        self.groups = []
        self.parts = set()
        self._read(path)

    def _read(self, path):
        name, language, lines = None, None, []
        with open(path, encoding="utf-8") as page:
            for line in page:
                said = re.match(r"<!-- (file|together): (.*) -->", line)
                if language is not None and line.startswith("```"):
                    self._add(name, language, "".join(lines))
                    name, language = None, None
                elif language is not None:
                    lines.append(line)
                elif line.startswith("```"):
                    language, lines = line[3:].strip(), []
                elif said and said[1] == "file":
                    name = said[2]
                elif said:
                    self.groups.append(said[2].split())

    def _add(self, name, language, text):
        endings = {"c": "c", "cpp": "cpp", "python": "py"}
        if language not in endings:
            return
        if name is None:
            name = f"block{len(self.files) + 1}.{endings[language]}"
        text = CALLS.sub(lambda call: f'{call[1]}{call[2]}-{os.getpid()}"', text)
        if language == "c" and "int main(" not in text and not name.endswith(".h"):
            self.parts.add(name)
            text = WRAP % text
        self.files[name] = text

    def runs(self):
        """Lists of files to run at the same time."""
        grouped = {name for group in self.groups for name in group}
        alone = [[name] for name in self.files
                 if name not in grouped and name not in self.parts and not name.endswith(".h")]
        return alone + self.groups


def compiler_of(name):
    compiler = {"c": ["cc", "-std=c11"], "cpp": ["c++", "-std=c++17"]}[name.rsplit(".", 1)[1]]
    own = os.environ.get({"cc": "CC", "c++": "CXX"}[compiler[0]])
    return (shlex.split(own) if own else compiler[:1]) + compiler[1:]


def compile_file(page, name, folder, source, library):
    command = [*compiler_of(name), "-Wall", "-Wextra", "-Werror", "-I",
               os.path.join(source, "include"), name, "-o", name + ".out"]
    command += ["-c"] if name in page.parts else [library, "-pthread"]
    done = subprocess.run(command, cwd=folder, check=False)
    return done.returncode == 0


def start(name, folder):
    command = [sys.executable, name] if name.endswith(".py") else [f"./{name}.out"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)


def segments():
    ending = f"-{os.getpid()}"
    if not os.path.isdir("/dev/shm"):
        return set()
    return {name for name in os.listdir("/dev/shm") if name.endswith(ending)}


def run(group, folder):
    running = []
    for name in group:
        running.append(start(name, folder))
        deadline = time.monotonic() + START
        # The first of several makes the segment that the others want.
        while (name == group[0] != group[-1] and not segments() and time.monotonic() < deadline
               and running[0].poll() is None):
            time.sleep(0.01)
    good = True
    for program in running:
        try:
            print(program.communicate(timeout=PATIENCE)[0], end="")
        except subprocess.TimeoutExpired:
            program.kill()
        good = program.wait() == 0 and good
    return good


def main():
    source, library, *paths = sys.argv[1:]
    library = os.path.abspath(library)
    failed = count = 0
    for path in paths:
        page = Page(path)
        with tempfile.TemporaryDirectory() as folder:
            for name, text in page.files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            absent = {compiler_of(name)[0] for name in page.files if not name.endswith((".h", ".py"))}
            absent = {compiler for compiler in absent if shutil.which(compiler) is None}
            if absent:
                print("left out", os.path.basename(path) + ": there is no", *absent)
                continue
            built = True
            for name in page.files:
                if not name.endswith((".h", ".py")):
                    built = compile_file(page, name, folder, source, library) and built
            for group in page.runs() if built else [[]]:
                good = built and run(group, folder)
                count += 1
                failed += not good
                print("ok   " if good else "FAIL ", os.path.basename(path), *group, flush=True)
    print(f"{count - failed} passed, {failed} failed")
    return failed != 0 or segments() != set()


sys.exit(main())
