/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_RELOAD_H
#define DEEPPROXY_PROXY_CONTROL_RELOAD_H

#include "proxy/control/watch_folders.h"
#include "proxy/runtime/runtime.h"

#include <uv.h>

/*
 * Reads the configuration again, or only certificates and what pools need for TLS, in a thread of libuv's
 * pool: thousands of files and a slow resolver delay neither the log nor the signals. It puts nothing into
 * effect: the caller does, with what is in `result`.
 */
enum reload_kind { RELOAD_CERTIFICATES, RELOAD_CONFIGURATION };

struct reload {
    uv_work_t work;
    enum reload_kind kind;
    struct runtime before;
    /* Of a configuration: all or nothing. Of certificates: never a snapshot, and NULL for what failed. */
    struct runtime result;
    /* To be watched for the next change. */
    struct watch_folders folders;
    struct cfg_problems problems;
    /* In the loop's thread; set by the caller, as `arg` is. */
    void (*on_done)(struct reload *reload);
    void *arg;
};

/*
 * Begins to read; `before` is in effect now, and referenced until reload_end. Returns 0, and on_done follows,
 * or a libuv error with nothing begun.
 */
int reload_start(struct reload *reload, uv_loop_t *loop, enum reload_kind kind, const struct runtime *before);

/* Drops the references and frees the rest. Call it in on_done or later. */
void reload_end(struct reload *reload);

#endif
