/* SPDX-License-Identifier: MIT */
/* /dev/shm, containers, systemd. */
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../command.h"
#include "../system.h"
#include "limits.h"

#define DIRECTORY "/dev/shm"
#define TMPFS_MAGIC 0x01021994
#define LITTLE_ROOM (UINT64_C(128) << 20) /* containers come with 64 MiB */

/* ---- /dev/shm ---- */

static bool check_directory(void)
{
    struct statfs facts;
    if (statfs(DIRECTORY, &facts) != 0) {
        doctor_say(VERDICT_BAD, "mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs " DIRECTORY,
                   DIRECTORY " is not there: no segment can be made");
        return false;
    }
    if (facts.f_type != TMPFS_MAGIC)
        doctor_say(VERDICT_LOOK, "mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs " DIRECTORY,
                   DIRECTORY
                   " is no tmpfs: segments lie on a disk, slow, and stay after a restart");
    if (access(DIRECTORY, W_OK) != 0)
        doctor_say(VERDICT_BAD, "chmod 1777 " DIRECTORY ", or mount it writable",
                   DIRECTORY " cannot be written by this user");
    return true;
}

static void check_room(bool container)
{
    struct statvfs facts;
    char total_text[32], free_text[32];
    if (statvfs(DIRECTORY, &facts) != 0)
        return;
    uint64_t total = (uint64_t)facts.f_blocks * facts.f_frsize;
    uint64_t left = (uint64_t)facts.f_bavail * facts.f_frsize;
    if (total == 0) {
        doctor_say(VERDICT_GOOD, NULL, DIRECTORY " has no limit but the machine's memory");
        return;
    }
    const char *more = container
                           ? "give the container more: docker run --shm-size=1g, shm_size: in "
                             "compose, an emptyDir of medium Memory in Kubernetes"
                           : "mount -o remount,size=2G " DIRECTORY;
    bool little = total < LITTLE_ROOM || left < total / 20;
    doctor_say(little ? VERDICT_LOOK : VERDICT_GOOD, little ? more : NULL,
               DIRECTORY " has %s, of which %s are free", size_text(total, total_text),
               size_text(left, free_text));
    if (facts.f_files != 0 && facts.f_ffree < 1024)
        doctor_say(VERDICT_LOOK, "mount -o remount,nr_inodes=0 " DIRECTORY,
                   DIRECTORY " has room for %" PRIu64 " more names only", (uint64_t)facts.f_ffree);
}

/* A second mount over the first hides the segments below from processes that came later. */
static void check_mounts(void)
{
    char line[1024], place[512];
    int mounts = 0;
    FILE *file = fopen("/proc/self/mountinfo", "r");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        mounts +=
            sscanf(line, "%*s %*s %*s %*s %511s", place) == 1 && strcmp(place, DIRECTORY) == 0;
    fclose(file);
    if (mounts > 1)
        doctor_say(VERDICT_LOOK,
                   "umount " DIRECTORY " until one is left, or start what must share "
                   "memory after the last mount",
                   "%d mounts lie over one another at " DIRECTORY ": what was made before the last "
                   "one is hidden",
                   mounts);
}

/* ---- containers ---- */

static bool in_container(void)
{
    return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
           getenv("container") != NULL || getenv("KUBERNETES_SERVICE_HOST") != NULL;
}

static bool own_mounts(void)
{
    char mine[64], first[64];
    ssize_t a = readlink("/proc/self/ns/mnt", mine, sizeof mine);
    ssize_t b = readlink("/proc/1/ns/mnt", first, sizeof first);
    return a > 0 && b > 0 && (a != b || memcmp(mine, first, (size_t)a) != 0);
}

static void check_container(bool container)
{
    if (container)
        doctor_say(VERDICT_GOOD, NULL,
                   "this is a container: only processes with the same " DIRECTORY " meet (docker "
                   "run --ipc=container:NAME, or one volume at " DIRECTORY ")");
    else if (own_mounts())
        doctor_say(VERDICT_LOOK, "start both sides in the same mount namespace",
                   "this process has mounts of its own: " DIRECTORY " may not be the one that "
                   "others see");
}

/* ---- systemd's RemoveIPC ---- */

static void setting_read(const char *path, bool *removes)
{
    char line[512], value[16];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, " RemoveIPC = %15[a-zA-Z01]", value) == 1 ||
            sscanf(line, " RemoveIPC=%15[a-zA-Z01]", value) == 1)
            *removes = strchr("yYtT1", value[0]) != NULL || strcmp(value, "on") == 0;
    fclose(file);
}

static void settings_read_all(const char *folder, bool *removes)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[512];
        const char *end = strrchr(entries[i]->d_name, '.');
        if (end != NULL && strcmp(end, ".conf") == 0) {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            setting_read(path, removes);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static bool lingers(void)
{
    const char *user = getenv("USER");
    char path[256];
    snprintf(path, sizeof path, "/var/lib/systemd/linger/%s", user != NULL ? user : "");
    return user != NULL && access(path, F_OK) == 0;
}

static void check_remove_ipc(void)
{
    if (access("/run/systemd/seats", F_OK) != 0)
        return; /* no logind */
    bool removes = true;
    setting_read("/etc/systemd/logind.conf", &removes);
    settings_read_all("/usr/lib/systemd/logind.conf.d", &removes);
    settings_read_all("/run/systemd/logind.conf.d", &removes);
    settings_read_all("/etc/systemd/logind.conf.d", &removes);
    if (!removes)
        doctor_say(VERDICT_GOOD, NULL, "systemd leaves segments alone at logout (RemoveIPC=no)");
    else if (getuid() < 1000 || lingers())
        doctor_say(VERDICT_GOOD, NULL, "systemd's RemoveIPC does not concern this user");
    else
        doctor_say(VERDICT_LOOK,
                   "loginctl enable-linger, or RemoveIPC=no in "
                   "/etc/systemd/logind.conf, or run the service as a system user",
                   "systemd removes this user's segments at the last logout (RemoveIPC=yes)");
}

void system_doctor(void)
{
    bool container = in_container();
    if (check_directory()) {
        check_room(container);
        check_mounts();
    }
    check_container(container);
    check_remove_ipc();
    limits_check();
}
