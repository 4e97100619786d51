# SPDX-License-Identifier: MIT
"""Shared by both demo programs; only the standard library. The twin of options.c."""

import struct
import sys

TYPES = {
    "uint8": ("B", (1, 2, 3, 4)),
    "float64": ("d", (1.5, 2.5, 3.5, 4.5)),
}


class Options:
    """The options of the command line; ends the program if they are wrong."""

    def __init__(self, program, wait, arguments):
        self.program = program
        self.name = "MyMemory"
        self.seconds = 10.0
        self._set_type("uint8")
        self._has_wait = wait
        self._read(list(arguments))

    def _usage(self, stream, status):
        wait = " [--wait SECONDS]" if self._has_wait else ""
        print(f"usage: {self.program} [--name NAME] [--type uint8|float64]{wait} [--help]",
              file=stream)
        sys.exit(status)

    def _set_type(self, name):
        code, self.values = TYPES[name]
        self.format = "=4" + code

    def _read(self, arguments):
        while arguments:
            option = arguments.pop(0)
            if option == "--help":
                self._usage(sys.stdout, 0)
            try:
                self._read_option(option, arguments.pop(0))
            except (IndexError, KeyError, ValueError):
                self._usage(sys.stderr, 2)

    def _read_option(self, option, value):
        if option == "--name":
            self.name = value
        elif option == "--type":
            self._set_type(value)
        elif option == "--wait" and self._has_wait:
            self.seconds = float(value)
            if not 0 <= self.seconds <= 1e6:
                raise ValueError(value)
        else:
            raise KeyError(option)

    def read(self, memory):
        """The four values as they are in the memory now."""
        return struct.unpack_from(self.format, memory.buf)

    def write(self, memory, index):
        """Write one of the four values to its place."""
        code = "=" + self.format[-1]
        struct.pack_into(code, memory.buf, index * struct.calcsize(code), self.values[index])

    def print(self, memory):
        """Print all four, zeros included."""
        print(f"{self.program}:", *self.read(memory), flush=True)

    def complain(self, what, error):
        """Say on standard error what could not be done; the program's status."""
        hint = ""
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, FileNotFoundError):
            reason, hint = "no such segment", "; start process_1 first"
        elif isinstance(error, FileExistsError):
            reason = "segment already exists"
        print(f'{self.program}: {what} "{self.name}": {reason}{hint}', file=sys.stderr)
        return 1
