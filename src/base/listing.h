/* SPDX-License-Identifier: MIT */
/* Listing names in a directory that others change meanwhile. */
#ifndef SHMX_LISTING_H
#define SHMX_LISTING_H

/* Note that there is something with this name; one that no segment can have is passed over. A
 * visitor of directories: its context is the listing. */
int shmx_listing_note(const char *name, void *listing);

/* Visit each name once, after the directory has been read as often as it takes: where others add
 * and remove entries, one reading may show an entry twice, and pass over another. `read` notes all
 * names, in any order; other than SHMX_OK ends the listing. */
int shmx_listing_each(int (*read)(void *listing), int (*visit)(const char *name, void *context),
                      void *context);

#endif
