/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/reload.h"

#include <signal.h>

/* A renewed certificate has to keep what was promised, as one of a new configuration has. */
static void read_certificates(struct reload *reload)
{
    reload->result.tls = snapshot_load_tls(reload->before.snapshot, reload->before.tls, &reload->problems);
    if (reload->result.tls == NULL || tls_context_same_certificates(reload->result.tls, reload->before.tls))
        return;
    snapshot_keep_promises(reload->before.snapshot, &reload->before, &reload->result.tls, &reload->problems);
}

/* What can't be used is no error here: what was there before stays. */
static void read_pools(struct reload *reload)
{
    reload->result.pools = snapshot_load_pools(reload->before.snapshot, &reload->before, &reload->problems);
}

/* In a thread of the pool. */
static void work(uv_work_t *request)
{
    struct reload *reload = request->data;
    if (reload->kind == RELOAD_CONFIGURATION)
        snapshot_load(reload->before.snapshot->cfg->path, reload->before.snapshot->keys, &reload->before,
                      &reload->result, &reload->problems);
    else {
        read_certificates(reload);
        read_pools(reload);
    }
    /* Of what goes on where it failed. */
    const struct snapshot *snapshot =
        reload->result.snapshot != NULL ? reload->result.snapshot : reload->before.snapshot;
    watch_folders_collect(snapshot->cfg, reload->result.tls != NULL ? reload->result.tls : reload->before.tls,
                          &reload->folders);
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

int reload_start(struct reload *reload, uv_loop_t *loop, enum reload_kind kind, const struct loaded *before)
{
    reload->work.data = reload;
    reload->kind = kind;
    reload->before = loaded_ref(before);
    int error = queue_work(loop, &reload->work);
    if (error != 0)
        reload_end(reload);
    return error;
}

void reload_end(struct reload *reload)
{
    loaded_unref(&reload->before);
    loaded_unref(&reload->result);
    watch_folders_free(&reload->folders);
    cfg_problems_free(&reload->problems);
}
