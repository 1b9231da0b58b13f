/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_RELOAD_H
#define DEEPPROXY_PROXY_CONTROL_RELOAD_H

#include "proxy/runtime/snapshot.h"
#include "proxy/control/watch_folders.h"

#include <uv.h>

/*
 * Reads the configuration, or only certificates and what pools need for TLS, once more, in a thread of libuv's pool: thousands of files and a slow
 * resolver hold up neither the log nor the signals. It changes nothing by itself: what comes out is the caller's to put
 * into effect, and what is wrong is in `problems`.
 */
enum reload_kind { RELOAD_CERTIFICATES, RELOAD_CONFIGURATION };

struct reload {
    uv_work_t work;
    enum reload_kind kind;
    struct loaded before;
    struct loaded result;         /* NULL where it failed; the snapshot is NULL for certificates too */
    struct watch_folders folders; /* to be watched for the next change */
    struct cfg_problems problems;
    void (*on_done)(struct reload *reload);
    void *arg; /* the caller's */
};

/* 0, or a libuv error with nothing begun; on_done follows otherwise. References are taken until reload_end. */
int reload_start(struct reload *reload, uv_loop_t *loop, enum reload_kind kind, const struct loaded *before);

/* Frees what is left of the results; in on_done or later. */
void reload_end(struct reload *reload);

#endif
