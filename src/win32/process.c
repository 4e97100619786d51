/* SPDX-License-Identifier: MIT */
#include "win32.h"

/* RtlGenRandom, which some headers declare without its calling convention. */
BOOLEAN NTAPI SystemFunction036(void *bytes, ULONG count);

/* A sleep ends at a tick of 15.6 ms. */
#define SLEEP_EXCESS ((int64_t)16 * 1000 * 1000)

static struct shmx_os_facts os_facts;
static INIT_ONCE facts_once = INIT_ONCE_STATIC_INIT;

static unsigned processors(void)
{
    DWORD_PTR mine = 0, all = 0;
    unsigned count = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all))
        for (; mine != 0; mine &= mine - 1)
            count++;
    /* No mask can tell when the process runs in several groups of processors. */
    if (count == 0)
        count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return count != 0 ? count : 1;
}

static BOOL CALLBACK find_facts(INIT_ONCE *once, void *parameter, void **context)
{
    (void)once;
    (void)parameter;
    (void)context;
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    os_facts.page_size = info.dwPageSize;
    os_facts.futex = false; /* sleepers need slots in the control block; see wait.c */
    os_facts.raw_unlink = false;
    os_facts.sleep_excess = SLEEP_EXCESS;
    os_facts.processors = processors();
    return TRUE;
}

const struct shmx_os_facts *shmx_os_facts(void)
{
    InitOnceExecuteOnce(&facts_once, find_facts, NULL, NULL);
    return &os_facts;
}

int64_t shmx_os_pid(void)
{
    return (int64_t)GetCurrentProcessId();
}

void shmx_os_relax(void)
{
    YieldProcessor();
}

int shmx_os_random(void *bytes, size_t count)
{
    assert(count <= MAXDWORD);
    if (!SystemFunction036(bytes, (ULONG)count))
        return shmx_win32_error(ERROR_GEN_FAILURE); /* it does not say why */
    return SHMX_OK;
}
