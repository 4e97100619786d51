/* SPDX-License-Identifier: MIT */
/* Listing names in a directory that others change meanwhile. */
#ifndef SHMX_LISTING_H
#define SHMX_LISTING_H

typedef int shmx_listing_visit(const char *name, void *context);

/* A reading of the directory: call visit for each name, in any order, until it returns something
 * else than SHMX_OK; return that. */
typedef int shmx_listing_read(shmx_listing_visit *visit, void *context);

/* Visit each name once, after the directory has been read as often as it takes: where others add
 * and remove entries, one reading may show an entry twice, and pass over another. */
int shmx_listing_each(shmx_listing_read *read, shmx_listing_visit *visit, void *context);

#endif
