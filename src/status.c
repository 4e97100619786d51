/* SPDX-License-Identifier: MIT */
#include "shmx.h"

#include "os.h"
#include "report.h"

/* The system's number behind this thread's last failure, and what a backend met last, in calls that
 * succeeded too. */
static _Thread_local int reported, met;

/* The one list of statuses: code, sentence. */
#define STATUS_MAP(X)                                                                              \
    X(SHMX_OK, "success")                                                                          \
    X(SHMX_EINVAL, "invalid argument")                                                             \
    X(SHMX_ENAMETOOLONG, "segment name is longer than 128 bytes")                                  \
    X(SHMX_EEXIST, "segment already exists")                                                       \
    X(SHMX_ENOENT, "no such segment")                                                              \
    X(SHMX_EACCES, "access denied")                                                                \
    X(SHMX_ENOSPC, "not enough shared memory")                                                     \
    X(SHMX_ENOMEM, "not enough memory or address space in this process")                           \
    X(SHMX_EMFILE, "too many open descriptors or handles")                                         \
    X(SHMX_EAGAIN, "segment is still being created; try again")                                    \
    X(SHMX_EPROTO, "segment's control block is damaged or of another version")                     \
    X(SHMX_ERANGE, "outside the segment, or what is there has another size than asked for")        \
    X(SHMX_ETIMEDOUT, "time ran out")                                                              \
    X(SHMX_EOWNERDEAD, "lock is held by the caller, its last owner died holding it")               \
    X(SHMX_EDEADLK, "caller holds this mutex already")                                             \
    X(SHMX_EPERM, "caller does not hold this mutex")                                               \
    X(SHMX_EOVERFLOW, "semaphore count is at its maximum")                                         \
    X(SHMX_EMSGSIZE, "message is larger than the queue takes or than the buffer given")            \
    X(SHMX_ENOTSUP, "not supported by this system")                                                \
    X(SHMX_EIO, "the system reported an unexpected error")                                         \
    X(SHMX_EHANGUP, "nobody is left on the other side, or it was shut down")

const char *shmx_strerror(int status)
{
    switch (status) {
#define SENTENCE(code, sentence)                                                                   \
    case code:                                                                                     \
        return sentence;
        STATUS_MAP(SENTENCE)
#undef SENTENCE
    default:
        return "unknown status";
    }
}

const char *shmx_status_name(int status)
{
    switch (status) {
#define NAME(code, sentence)                                                                       \
    case code:                                                                                     \
        return #code;
        STATUS_MAP(NAME)
#undef NAME
    default:
        return "unknown status";
    }
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
