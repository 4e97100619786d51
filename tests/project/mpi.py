# SPDX-License-Identifier: MIT
"""The two demo processes by one-sided MPI: mpi.py MPIRUN PROCESS_1 PROCESS_2"""

import os
import subprocess
import sys

WANTED = {"process_1": ["1 0 0 0", "1 2 3 4"], "process_2": ["1 2 3 4"]}
PATIENCE = 100


def main():
    launcher, first, second = sys.argv[1:]
    environment = dict(os.environ, OMPI_MCA_rmaps_base_oversubscribe="1",
                       OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run([launcher, "-n", "1", first, ":", "-n", "1", second], env=environment,
                          stdout=subprocess.PIPE, text=True, check=False, timeout=PATIENCE)
    print(done.stdout, end="")
    # Lines of two processes may come in any order, those of one do not.
    said = {}
    for line in done.stdout.splitlines():
        program, _, values = line.partition(": ")
        said.setdefault(program, []).append(values)
    return done.returncode or said != WANTED


sys.exit(main())
