/* SPDX-License-Identifier: MIT */
#include "shmx.h"

#include "os.h"
#include "report.h"

/* The system's number behind this thread's last failure, and what a backend met last, in calls that
 * succeeded too. */
static _Thread_local int reported, met;

/* The one list of statuses: name, sentence. */
#define STATUS(code, sentence) [-(code)] = {#code, sentence}

static const char *const statuses[][2] = {
    STATUS(SHMX_OK, "success"),
    STATUS(SHMX_EINVAL, "invalid argument"),
    STATUS(SHMX_ENAMETOOLONG, "segment name is longer than 128 bytes"),
    STATUS(SHMX_EEXIST, "segment already exists"),
    STATUS(SHMX_ENOENT, "no such segment"),
    STATUS(SHMX_EACCES, "access denied"),
    STATUS(SHMX_ENOSPC, "not enough shared memory"),
    STATUS(SHMX_ENOMEM, "not enough memory or address space in this process"),
    STATUS(SHMX_EMFILE, "too many open descriptors or handles"),
    STATUS(SHMX_EAGAIN, "segment is still being created; try again"),
    STATUS(SHMX_EPROTO, "segment's control block is damaged or of another version"),
    STATUS(SHMX_ERANGE, "outside the segment, or what is there has another size than asked for"),
    STATUS(SHMX_ETIMEDOUT, "time ran out"),
    STATUS(SHMX_EOWNERDEAD, "lock is held by the caller, its last owner died holding it"),
    STATUS(SHMX_EDEADLK, "caller holds this mutex already"),
    STATUS(SHMX_EPERM, "caller does not hold this mutex"),
    STATUS(SHMX_EOVERFLOW, "semaphore count is at its maximum"),
    STATUS(SHMX_EMSGSIZE, "message is larger than the queue takes or than the buffer given"),
    STATUS(SHMX_ENOTSUP, "not supported by this system"),
    STATUS(SHMX_EIO, "the system reported an unexpected error"),
    STATUS(SHMX_EHANGUP, "nobody is left on the other side, or it was shut down"),
};

static const char *text_of(int status, int which)
{
    bool known = status <= 0 && status > -(int)(sizeof statuses / sizeof statuses[0]);
    return known ? statuses[-status][which] : "unknown status";
}

const char *shmx_strerror(int status)
{
    return text_of(status, 1);
}

const char *shmx_status_name(int status)
{
    return text_of(status, 0);
}

int shmx_os_last_error(void)
{
    return met;
}

void shmx_os_set_error(int number)
{
    met = number;
}

int shmx_os_error(void)
{
    return reported;
}

int shmx_result(int status)
{
    if (status < 0)
        reported = met;
    met = 0;
    return status;
}

int shmx_refuse(int status)
{
    met = 0;
    return shmx_result(status);
}

const char *shmx_version(void)
{
    return SHMX_VERSION;
}
