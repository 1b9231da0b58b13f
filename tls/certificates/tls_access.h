/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_ACCESS_H
#define DEEPPROXY_TLS_ACCESS_H

#include "base/must_check.h"
#include "tls/certificates/tls_keys.h"

/*
 * The files of certificates: this process reads them as long as it may, and otherwise has its key source read
 * them. A program that root has started may read all at its start, and less later. `keys` may be NULL
 * everywhere: then there is nobody else to ask. Private to tls/.
 */

/*
 * The marks of a certificate's chain, its key, and the OCSP response that has the chain's name and ".ocsp",
 * as a list of their folder has shown them. They are from some time before, in the same reading of the
 * folder.
 */
struct tls_seen_files {
    bool is_seen; /* false: there are none */
    struct tls_file_mark marks[3];
};

/* The file's mark (tls_file_mark). */
struct tls_file_mark tls_access_mark(const struct tls_key_source *keys, const char *path);

/* The mark of what a list of its folder has shown: the same, as long as the file has not changed since. */
struct tls_file_mark tls_access_mark_in(const struct tls_key_source_look *seen);

/* Whether the path leads to a folder. */
bool tls_access_is_folder(const struct tls_key_source *keys, const char *path);

/* Whether there is certainly nothing at the path, and not only nothing that may be seen. */
bool tls_access_is_absent(const struct tls_key_source *keys, const char *path);

/*
 * Reads a file with certificates, as PEM. The caller frees `*into` after it returned true. False with errno
 * and an empty `error` (TLS_KEY_ERROR_MAX) if this process could not read it; otherwise `error` has the
 * source's reason, which a message has after the path.
 */
MUST_CHECK bool tls_access_read_certificates(const struct tls_key_source *keys, const char *path,
                                             struct bytes *into, char *error);

/* Reads an OCSP response in the same way. `*is_absent` tells whether there is no such file. */
MUST_CHECK bool tls_access_read_ocsp(const struct tls_key_source *keys, const char *path, struct bytes *into,
                                     bool *is_absent, char *error);

/*
 * Appends the names in a folder to `names`, each with a NUL after it, in any order, without those that begin
 * with a dot; at most `max` names. `looks`, which the caller passes empty, becomes what the source has seen
 * of them (tls_key_source.list); it stays empty if this process lists the folder itself. The caller frees
 * both in any case. False as tls_access_read_certificates.
 */
MUST_CHECK bool tls_access_list(const struct tls_key_source *keys, const char *path, size_t max,
                                struct bytes *names, struct bytes *looks, char *error);

#endif
