/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_WATCH_FOLDERS_H
#define DEEPPROXY_PROXY_CONTROL_WATCH_FOLDERS_H

#include "config/cfg.h"
#include "tls/endpoint/tls_context.h"

#include <stdint.h>

/*
 * The folders of all files that a change of certificates can change: certificates with their keys,
 * passphrases and OCSP responses, authorities for servers, and each folder in a certificate_dir, empty ones
 * too. Of each file both the folder in its path and the one that it really is in count, if symbolic links
 * make two of them.
 *
 * A folder often has other files, which change all the time: perhaps the log of the program itself. So only
 * names count: of files that are named or were read, of the symbolic links on the way to them, and, in a
 * certificate_dir, of what would be taken from it.
 */
enum {
    /* Of the 8,192 and more watches that Linux allows a user, most are for others. */
    WATCH_FOLDERS_MAX = 1024
};

struct watch_folders {
    char *paths[WATCH_FOLDERS_MAX];    /* in the order of strcmp */
    bool takes_new[WATCH_FOLDERS_MAX]; /* what appears there may be a certificate */
    size_t count;
    uint64_t *names; /* hashes of the names that count in all folders, in their order */
    size_t name_count;
    size_t name_cap;
    bool all_names; /* memory is short: each counts */
    /* There are more. */
    bool incomplete;
};

/*
 * Finds them, with those of the certificates in `tls` (NULL: none). It asks the file system several times for
 * each file, and may block, so it must not run in a worker. The caller frees `into`.
 */
void watch_folders_collect(const struct cfg *cfg, const struct tls_context *tls, struct watch_folders *into);

/* Whether a change of the name counts in a folder that takes nothing new. */
bool watch_folders_has_name(const uint64_t *names, size_t count, const char *name);

/* Whether a file of that name may be one that a certificate_dir has for us. */
bool watch_folders_may_take(const char *name);

/* Frees paths and names, and leaves none. */
void watch_folders_free(struct watch_folders *folders);

#endif
