# SPDX-License-Identifier: MIT
"""The tests that tests/systems/README.md says fail when a rule is broken are there: bites.py ROOT"""

import pathlib
import re
import sys


def main():
    tests = pathlib.Path(sys.argv[1]) / "tests"
    programs = {path.stem.removesuffix("_test") for path in tests.rglob("*.c")}
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests.rglob("*.c"))
    functions = set(re.findall(r"^(?:static )?void (\w+)\(void \*\*state\)", text, re.MULTILINE))
    rows = [re.split(r"(?<!\\) \| ", line.strip("| \n")) for line in
            (tests / "systems/README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    wrong = 0
    for row in (row for row in rows if len(row) == 5):
        for cell, known in ((row[2], functions), (row[4], functions | programs)):
            for name in re.findall(r"`(\w+)`", cell):
                if name not in known and not name.endswith("_test"):
                    print(f"{row[0]}, {row[1]}: there is no {name}")
                    wrong += 1
    print(f"{len([row for row in rows if len(row) == 5]) - 1} rules")
    return wrong != 0


sys.exit(main())
