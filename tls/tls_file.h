/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_FILE_H
#define DEEPPROXY_TLS_FILE_H

#include "base/bytes.h"
#include "base/must_check.h"

#include <dirent.h>
#include <sys/stat.h>

/*
 * Files with certificates and keys. They are read whole, up to a limit, and a file that has not changed is
 * recognized without reading it. Nothing here decodes what a file has, or writes one. Reading a file may
 * block, so it is not for the threads that serve clients.
 */

enum {
    /* Octets. A chain of sixteen certificates has some 40 KB; a bundle of all public authorities 250 KB. */
    TLS_FILE_MAX = 1024 * 1024,
    /*
     * Octets. For lists of authorities and of revoked certificates: an entry takes some 40 octets, and there
     * may be many.
     */
    TLS_LIST_MAX = 64 * 1024 * 1024
};

/*
 * Reads a regular file of at most TLS_FILE_MAX octets. Never waits for a pipe or a device: it does not open
 * them. On success the caller owns `*into` and calls bytes_free, which wipes it. Returns false with errno,
 * and nothing in `*into`, if the file can't be read: EFBIG if it is too large, EISDIR for a folder, ENOTSUP
 * for anything else that is no regular file.
 */
MUST_CHECK bool tls_file_read(const char *path, struct bytes *into);

/*
 * Whether a file may be opened to be read piece by piece: it is a regular file of at most TLS_LIST_MAX
 * octets. Returns false with errno as tls_file_read does.
 */
MUST_CHECK bool tls_file_may_be_opened(const char *path);

/*
 * What a file looked like at some time. Equal marks mean the same content, as far as the file system tells.
 */
struct tls_file_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
};

/* The mark of the file now; all zero if `path` is NULL or there is no such file. */
struct tls_file_mark tls_file_mark(const char *path);

/* The mark of the file that stat(2) has described. */
struct tls_file_mark tls_file_mark_of(const struct stat *status);

/* Whether both marks are the same, so that the file has not changed in between. */
bool tls_file_mark_equals(const struct tls_file_mark *a, const struct tls_file_mark *b);

/*
 * As opendir(3): the caller closes the stream with closedir. NULL with errno on failure. The descriptor is
 * opened by a call of its own, which a thread sanitizer sees.
 */
MUST_CHECK DIR *tls_file_open_folder(const char *path);

#endif
