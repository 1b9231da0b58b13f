/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_DIRECTORY_H
#define DEEPPROXY_TLS_DIRECTORY_H

#include "base/must_check.h"
#include "tls/certificates/tls_access.h"
#include "tls/certificates/tls_keys.h"
#include "tls/tls_report.h"

/*
 * Finds which files of a folder belong together as a chain and its key. It knows what certificate tools
 * write:
 *
 *     NAME.pem (or .crt, .cer, .cert) with NAME.key, NAME-key.pem or NAME.pem.key
 *     NAME.pem that has both (HAProxy), and NAME.pem.rsa and NAME.pem.ecdsa
 *     tls.crt with tls.key (Kubernetes)
 *     NAME/fullchain.pem (or .cer) with privkey.pem or the only .key (certbot, dehydrated, acme.sh)
 *     AUTHORITY/NAME/NAME.crt with NAME.key (Caddy)
 *
 * It reads the folder, its folders and theirs, and no deeper. It skips names that begin with a dot, and what
 * is no chain by its name. Whether a chain can be used is for tls_certificate.h. Private to tls/.
 */

/* What looks like a certificate or a key, and is not used: paths, in any order. All zero is an empty list. */
struct tls_left_out {
    char **paths;
    size_t count;
    size_t cap;
};

/* Frees the paths; leaves an empty list. */
void tls_left_out_free(struct tls_left_out *left_out);

struct tls_directory_pair {
    char *chain; /* a path; the list owns both */
    char *key;   /* a path, may be the same file */
    struct tls_seen_files seen;
};

struct tls_directory {
    struct tls_directory_pair *pairs; /* in the order of the chains' names, folder by folder */
    size_t count;
    size_t cap;
    struct tls_left_out left_out;
};

enum {
    TLS_DIRECTORY_DEPTH = 2, /* folders below the first one */
    /* Names in one folder: ten times what the largest provider has, so that memory stays bounded. */
    TLS_DIRECTORY_MAX = 100000
};

/*
 * Scans the folder at `path` into `into`, which the caller frees in any case. `keys`, unless it is NULL,
 * tells whether a file has a key: this process must not read it then. `source` is the folder's index for
 * the report. False after an error was reported: the folder can't be read, or memory is short. A
 * certificate without a key or a key without a certificate, unless it is in `known` (sorted by strcmp;
 * NULL: nothing is), or a folder below that can't be read, is a warning.
 */
MUST_CHECK bool tls_directory_scan(const char *path, const struct tls_key_source *keys,
                                   const struct tls_left_out *known, int source,
                                   const struct tls_report *report, struct tls_directory *into);

/* Frees the paths; leaves an empty list. */
void tls_directory_free(struct tls_directory *directory);

#endif
