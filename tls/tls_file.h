/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_FILE_H
#define DEEPPROXY_TLS_FILE_H

#include "base/bytes.h"

#include <dirent.h>
#include <sys/stat.h>

/*
 * Files with certificates and keys: read whole, with a limit, and recognised again as unchanged.
 */

enum {
    /* A chain of sixteen certificates has some 40 KB; a bundle of all public authorities 250. */
    TLS_FILE_MAX = 1024 * 1024,
    /* Lists of authorities, and of what they have revoked: an entry of these has some 40 octets, and there may be many. */
    TLS_LIST_MAX = 64 * 1024 * 1024
};

/*
 * Reads a regular file; a pipe or a device does not hold anybody up. False, with errno set (EFBIG over the limit, EISDIR,
 * ENOTSUP for what is no file), where it can't. `into` is to be freed with bytes_free, which wipes it.
 */
bool tls_file_read(const char *path, struct bytes *into);

/*
 * May a file be opened that is to be read piece by piece? Only a regular one, of TLS_LIST_MAX octets at most: a pipe or a device
 * would hold everybody up. False with errno, as tls_file_read.
 */
bool tls_file_may_be_opened(const char *path);

/*
 * What a file looked like: equal marks mean the same content, as far as a file system tells. A path that leads nowhere
 * has a mark too.
 */
struct tls_file_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
};

struct tls_file_mark tls_file_mark(const char *path);
bool tls_file_mark_equals(const struct tls_file_mark *a, const struct tls_file_mark *b);

/* As opendir, but that the descriptor is made by a call which a thread sanitizer sees. */
DIR *tls_file_open_folder(const char *path);

#endif
