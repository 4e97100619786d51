/* SPDX-License-Identifier: MIT */
/* Feeds the files DIRECTORY/01, /02 ... to a fuzz target, without libFuzzer and on every system. */
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    static unsigned char data[65536];
    char path[4096];
    int count = 0;
    if (argc != 2)
        return fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]), 2;
    for (;;) {
        snprintf(path, sizeof path, "%s/%02d", argv[1], count + 1);
        FILE *file = fopen(path, "rb");
        if (file == NULL)
            break;
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        if (LLVMFuzzerTestOneInput(data, size) != 0)
            return 1;
        count++;
    }
    printf("%d inputs\n", count);
    return count == 0;
}
