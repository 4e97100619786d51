/* SPDX-License-Identifier: MIT */
/* The Apache Portable Runtime: a file that is mapped. */
#include <apr_general.h>
#include <apr_shm.h>
#include <stdio.h>

#include "life_peer.h"

struct apr {
    apr_pool_t *pool;
    apr_shm_t *shm;
};

static apr_pool_t *pool_new(void)
{
    static bool begun;
    apr_pool_t *pool = NULL;
    if (!begun)
        apr_initialize();
    begun = true;
    apr_pool_create(&pool, NULL);
    return pool;
}

static bool finish(struct held *held, apr_status_t status)
{
    struct apr *apr = (struct apr *)&held->room;
    if (status == APR_SUCCESS)
        held->data = apr_shm_baseaddr_get(apr->shm);
    else
        apr_pool_destroy(apr->pool);
    return status == APR_SUCCESS;
}

static const char *path_of(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    return path;
}

static bool create(struct held *held, const char *name, size_t size)
{
    struct apr *apr = (struct apr *)&held->room;
    apr->pool = pool_new();
    return finish(held, apr_shm_create(&apr->shm, size, path_of(name), apr->pool));
}

static bool attach(struct held *held, const char *name, size_t size)
{
    struct apr *apr = (struct apr *)&held->room;
    (void)size;
    apr->pool = pool_new();
    return finish(held, apr_shm_attach(&apr->shm, path_of(name), apr->pool));
}

static void leave(struct held *held)
{
    struct apr *apr = (struct apr *)&held->room;
    apr_pool_destroy(apr->pool); /* detaches, and destroys what this handle created */
}

const struct life_peer apr_life = {"APR", create, attach, leave, NULL};
