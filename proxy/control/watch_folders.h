/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_WATCH_FOLDERS_H
#define DEEPPROXY_PROXY_CONTROL_WATCH_FOLDERS_H

#include "config/cfg.h"
#include "tls/endpoint/tls_context.h"

/*
 * The folders that certificates come from, and authorities for pools' servers, each file's as it is named and as it really is, and those of a certificate_dir in
 * which there is nothing yet. Finding them out asks the file system several times for each file: not for a thread that
 * others wait for.
 */
enum {
    /* Of the 8,192 and more watches that Linux allows a user, most are for others. */
    WATCH_FOLDERS_MAX = 1024
};

struct watch_folders {
    char *paths[WATCH_FOLDERS_MAX]; /* in order */
    size_t count;
    bool incomplete; /* there are more */
};

/* `into` is to be freed. */
void watch_folders_collect(const struct cfg *cfg, const struct tls_context *tls, struct watch_folders *into);
void watch_folders_free(struct watch_folders *folders);

#endif
