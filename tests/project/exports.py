# SPDX-License-Identifier: MIT
"""The header, src/shmx.def and what the shared library shows are the same set of functions.

exports.py HEADER DEFINITIONS LIBRARY [nm|objdump COMMAND...]
"""

import re
import subprocess
import sys


def declared(path):
    with open(path, encoding="utf-8") as header:
        text = re.sub(r"/\*.*?\*/", "", header.read(), flags=re.DOTALL)
    return set(re.findall(r"^SHMX_API\s[^;(]*?\b(\w+)\(", text, flags=re.MULTILINE))


def listed(path):
    with open(path, encoding="utf-8") as definitions:
        lines = [line.strip() for line in definitions]
    return set(lines[lines.index("EXPORTS") + 1 :]) - {""}


def exported(library, tool):
    lines = subprocess.run([*tool, library], check=True, capture_output=True, text=True).stdout
    if library.endswith(".dll"):
        table = lines.partition("[Ordinal/Name Pointer] Table")[2].partition("\n\n")[0]
        return set(re.findall(r"\b([A-Za-z_]\w*)\s*$", table, flags=re.MULTILINE))
    names = {line.split()[-1].partition("@")[0] for line in lines.splitlines() if line.strip()}
    if library.endswith(".dylib"):
        names = {name.removeprefix("_") for name in names}
    return names - {"_init", "_fini", "_edata", "_end", "__bss_start"}


def compare(what, first, second):
    for name in sorted(first ^ second):
        print(f"{what}: {name} is only in the {'first' if name in first else 'second'}")
    return first == second


def main():
    header, definitions, library, *tool = sys.argv[1:]
    functions = declared(header)
    same = compare("header, definitions", functions, listed(definitions))
    if tool:
        same = compare("header, library", functions, exported(library, tool)) and same
    else:
        print("no tool here that lists what a library exports")
    return 0 if same else 1


sys.exit(main())
