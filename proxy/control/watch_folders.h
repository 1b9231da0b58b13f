/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_WATCH_FOLDERS_H
#define DEEPPROXY_PROXY_CONTROL_WATCH_FOLDERS_H

#include "config/cfg.h"
#include "tls/endpoint/tls_context.h"

/*
 * The folders of all files that a change of certificates can change: certificates with their keys,
 * passphrases and OCSP responses, authorities for servers, and each folder in a certificate_dir, empty ones
 * too. Of each file both the folder in its path and the one that it really is in count, if symbolic links
 * make two of them.
 */
enum {
    /* Of the 8,192 and more watches that Linux allows a user, most are for others. */
    WATCH_FOLDERS_MAX = 1024
};

struct watch_folders {
    char *paths[WATCH_FOLDERS_MAX]; /* in the order of strcmp */
    size_t count;
    /* There are more. */
    bool incomplete;
};

/*
 * Finds them. It asks the file system several times for each file, and may block, so it must not run in a
 * worker. The caller frees `into`.
 */
void watch_folders_collect(const struct cfg *cfg, const struct tls_context *tls, struct watch_folders *into);

/* Frees the paths, and leaves none. */
void watch_folders_free(struct watch_folders *folders);

#endif
