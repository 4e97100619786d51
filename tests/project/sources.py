# SPDX-License-Identifier: MIT
"""CMakeLists.txt knows the files, the version and the defines that Meson knows: sources.py ROOT VERSION

Files are compared with what lies in src, all of which is some system's.
"""

import pathlib
import re
import sys


def main():
    root, version = pathlib.Path(sys.argv[1]), sys.argv[2]
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    text = re.sub(r"#.*", "", text)
    named = set(re.findall(r"\bsrc/[\w/]+\.c\b", text))
    there = {str(path.relative_to(root)) for path in (root / "src").rglob("*.c")}
    status = 0
    for path in sorted(named ^ there):
        print(f"{path} is {'not in src' if path in named else 'not in CMakeLists.txt'}")
        status = 1
    if f"project(shmx VERSION {version} " not in text:
        print(f"CMakeLists.txt has another version than {version}")
        status = 1
    meson = "".join((root / "src" / name / "meson.build").read_text(encoding="utf-8")
                    for name in ("posix", "win32"))
    for define in sorted(set(re.findall(r"-D([A-Z_]\w*)", meson))):
        if define not in text:
            print(f"CMakeLists.txt does not define {define}")
            status = 1
    return status


sys.exit(main())
