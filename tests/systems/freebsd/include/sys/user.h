/* SPDX-License-Identifier: MIT */
/* As FreeBSD's header of that name, as far as shmx uses it: what kern.ipc.posix_shm_list is a list
 * of. Entries are cut behind the path's end; kf_structsize leads to the next. */
#ifndef SIM_SYS_USER_H
#define SIM_SYS_USER_H

#include <limits.h>
#include <stdint.h>

#define KF_TYPE_SHM 8
#define KF_ATTR_VALID 0x0001

struct kinfo_file {
    int kf_structsize;
    int kf_type;
    int kf_fd;
    int kf_ref_count;
    int kf_flags;
    int kf_pad0;
    int64_t kf_offset;
    union {
        struct {
            uint64_t kf_file_size;
            uint16_t kf_file_mode;
        } kf_file;
    } kf_un;
    uint16_t kf_status;
    char kf_path[PATH_MAX];
};

#endif
