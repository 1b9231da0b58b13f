/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/reload.h"

#include <signal.h>

static void read_configuration(struct reload *reload)
{
    const struct cfg *before = reload->previous->cfg;
    struct cfg *cfg = cfg_load_to_check(before->path, &reload->problems);
    if (reload->problems.errors > 0) {
        snapshot_check_certificates(cfg, &reload->problems);
        cfg_free(&cfg);
        return;
    }
    reload->tls = snapshot_load_tls(cfg, reload->previous_tls, &reload->problems);
    reload->snapshot = snapshot_new(&cfg, reload->previous, &reload->problems);
}

/* In a thread of the pool. */
static void work(uv_work_t *request)
{
    struct reload *reload = request->data;
    if (reload->kind == RELOAD_CONFIGURATION)
        read_configuration(reload);
    else
        reload->tls = snapshot_load_tls(reload->previous->cfg, reload->previous_tls, &reload->problems);
}

static void after_work(uv_work_t *request, int status)
{
    struct reload *reload = request->data;
    (void)status;
    reload->on_done(reload);
}

/*
 * The pool's threads begin with the first request, and with its mask: signals are the main thread's, which holds them when the
 * program ends (libuv has given them their default action back by then).
 */
static int queue_work(uv_loop_t *loop, uv_work_t *request)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = uv_queue_work(loop, request, work, after_work);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int reload_start(struct reload *reload, uv_loop_t *loop, enum reload_kind kind, struct snapshot *previous,
                 struct tls_context *previous_tls)
{
    reload->work.data = reload;
    reload->kind = kind;
    reload->previous = snapshot_ref(previous);
    reload->previous_tls = tls_context_ref(previous_tls);
    int error = queue_work(loop, &reload->work);
    if (error != 0)
        reload_end(reload);
    return error;
}

void reload_end(struct reload *reload)
{
    snapshot_unref(&reload->previous);
    snapshot_unref(&reload->snapshot);
    tls_context_unref(&reload->previous_tls);
    tls_context_unref(&reload->tls);
    cfg_problems_free(&reload->problems);
}
