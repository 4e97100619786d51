# SPDX-License-Identifier: MIT
"""tests/systems/README.md says of each rule how it was broken and which tests failed: bites.py ROOT"""

import pathlib
import re
import sys


def table(text):
    """Rows of five cells: systems, rule, in rules_test.c, broken by, then fails."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0] != "system" and not cells[0].startswith("--"):
            yield cells


def rules(systems):
    """Systems and their rules' tests."""
    for path in [*sorted(systems.glob("*/rules_test.c")), systems / "common/rules.h"]:
        system = "all" if path.suffix == ".h" else path.parent.name
        for name in re.findall(r"cmocka_unit_test\w*\((\w+)", path.read_text(encoding="utf-8")):
            yield system, name


def complaints(rows, tests):
    programs = {path.stem.removesuffix("_test") for path in tests.rglob("*.c")}
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests.rglob("*.c"))
    functions = set(re.findall(r"^(?:static )?void (\w+)\(void \*\*state\)", text, re.MULTILINE))
    for system, rule, test, broken, fails in rows:
        for cell, known in ((test, functions), (fails, functions | programs)):
            for name in re.findall(r"`(\w+)`", cell):
                if name not in known and not name.endswith("_test"):
                    yield f"{system}, {rule}: there is no {name}"
        if broken in ("", "—") or fails in ("", "—"):
            yield f"{system}, {rule}: it was not broken, or nothing failed"
    for system, name in rules(tests / "systems"):
        if not any(f"`{name}`" in row[2] and ("all" in (system, row[0]) or system in row[0].lower().split(", "))
                   for row in rows):
            yield f"{system}: {name} is in no row"


def main():
    tests = pathlib.Path(sys.argv[1]) / "tests"
    rows = list(table((tests / "systems/README.md").read_text(encoding="utf-8")))
    wrong = list(complaints(rows, tests))
    print("\n".join([*wrong, f"{len(rows)} rules"]))
    return bool(wrong)


sys.exit(main())
