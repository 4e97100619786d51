/* SPDX-License-Identifier: MIT */
/* A stranger's program: two attachments, a lock, an answer. */
#include <shmx.h>
#include <stdio.h>
#include <string.h>

struct shared {
    shmx_mutex mutex;
    int number;
};

static int fail(const char *what, int status)
{
    fprintf(stderr, "%s: %s\n", what, shmx_strerror(status));
    return 1;
}

static int use(shmx *one, shmx *two)
{
    struct shared *first = shmx_data(one);
    struct shared *second = shmx_data(two);
    int status = shmx_mutex_lock(one, &first->mutex, SHMX_FOREVER);
    if (status != SHMX_OK)
        return fail("lock", status);
    first->number = 42;
    status = shmx_mutex_unlock(one, &first->mutex);
    if (status != SHMX_OK)
        return fail("unlock", status);
    printf("%d %s\n", second->number, strcmp(shmx_version(), SHMX_VERSION) == 0 ? "good" : "bad");
    return 0;
}

int main(void)
{
    shmx *one, *two;
    int status = shmx_create(&one, NULL, sizeof(struct shared), 0);
    if (status != SHMX_OK)
        return fail("create", status);
    status = shmx_open(&two, shmx_name(one), 0);
    int result = status == SHMX_OK ? use(one, two) : fail("open", status);
    shmx_close(&two);
    shmx_close(&one);
    return result;
}
