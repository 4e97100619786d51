/* SPDX-License-Identifier: MIT */
/* How public functions return, so that shmx_os_error speaks of the last failure and of nothing
 * else. */
#ifndef SHMX_REPORT_H
#define SHMX_REPORT_H

/* Return `status` from a public function that asked the system: a failure is put down with the
 * system's number, if there was one. */
int shmx_result(int status);

/* Return a failure in which the system had no part. */
int shmx_refuse(int status);

#endif
