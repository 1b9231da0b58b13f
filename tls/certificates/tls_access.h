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

/* The file's mark (tls_file_mark). */
struct tls_file_mark tls_access_mark(const struct tls_key_source *keys, const char *path);

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
 * Appends the names in a folder to `into`, each with a NUL after it, in any order, without those that begin
 * with a dot; at most `max` names. The caller frees `*into` in any case. False as
 * tls_access_read_certificates.
 */
MUST_CHECK bool tls_access_list(const struct tls_key_source *keys, const char *path, size_t max,
                                struct bytes *into, char *error);

#endif
