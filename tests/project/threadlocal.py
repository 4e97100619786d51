# SPDX-License-Identifier: MIT
"""The library's thread-local data is a few bytes, and where they are is said by the quick model only
where a library that is loaded later has room for it.

threadlocal.py READELF LIBRARY quick|plain

musl refuses the quick one (initial-exec); OpenBSD has none, and the compiler makes do with a call. FreeBSD has
128 bytes and NetBSD 64 for all libraries
together that dlopen loads.
"""

import re
import subprocess
import sys

MOST = 96


def main():
    readelf, library, model = sys.argv[1:]
    said = subprocess.run([readelf, "-lrW", library], check=True, capture_output=True, text=True).stdout
    segment = re.search(r"^\s*TLS(?:\s+0x[0-9a-f]+){4}\s+0x([0-9a-f]+)", said, re.MULTILINE)
    size = int(segment.group(1), 16) if segment else 0
    # How it is found: relative to the thread's pointer, or by the module and a call.
    quick = re.search(r"TPOFF|TPREL", said) is not None and re.search(r"DTPMOD|TLSDESC", said) is None
    print(f"{size} bytes, {'quick' if quick else 'plain'}")
    return 0 if size <= MOST and quick == (model == "quick") else 1


sys.exit(main())
