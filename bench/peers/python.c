/* SPDX-License-Identifier: MIT */
#include "python.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef _WIN32
#define popen _popen
#define pclose _pclose
#endif

bool python_is_here(void)
{
    return getenv("SHMX_BENCH_PYTHON") != NULL;
}

int64_t python_ns(const char *script, size_t size, int count, int times)
{
    char command[512];
    double ns = -1;
    snprintf(command, sizeof command, "%s/%s %zu %d", getenv("SHMX_BENCH_PYTHON"), script, size,
             count);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fscanf(pipe, "%lf", &ns) != 1)
        ns = -1;
    if (pipe != NULL)
        pclose(pipe);
    return ns < 0 ? -1 : (int64_t)(ns * times);
}
