#include <shmx.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    shmx *shm;
    int status = shmx_create(&shm, NULL, 4096, 0);
    if (status != SHMX_OK) {
        fprintf(stderr, "%s\n", shmx_strerror(status));
        return 1;
    }
    strcpy(shmx_data(shm), "shared");
    printf("%s: %s\n", shmx_name(shm), (const char *)shmx_data(shm));
    shmx_close(&shm);
    return strcmp(shmx_version(), SHMX_VERSION) != 0;
}
