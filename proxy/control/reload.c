/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/reload.h"

#include "proxy/control/pool_job.h"
#include "proxy/runtime/commitment_guard.h"
#include "proxy/runtime/snapshot_certificates.h"

/* A renewed certificate has to keep what was promised, as one of a new configuration has. */
static void read_certificates(struct reload *reload)
{
    reload->result.tls =
        snapshot_certificates_load(reload->before.snapshot, reload->before.tls, &reload->problems);
    if (reload->result.tls == NULL || tls_context_same_certificates(reload->result.tls, reload->before.tls))
        return;
    commitment_guard_mend(reload->before.snapshot, &reload->before, &reload->result.tls, &reload->problems);
}

/* A file that can't be used is no error here: what was read before stays in use. */
static void read_pools(struct reload *reload)
{
    reload->result.pools = snapshot_certificates_load_pools(reload->before.snapshot, reload->before.members,
                                                            &reload->before, &reload->problems);
}

/* Runs in a thread of libuv's pool. */
static void read_in_pool(uv_work_t *request)
{
    struct reload *reload = request->data;
    if (reload->kind == RELOAD_CONFIGURATION)
        runtime_load(reload->before.snapshot->cfg->path, reload->before.snapshot->keys, &reload->before,
                     &reload->result, &reload->problems);
    else {
        read_certificates(reload);
        read_pools(reload);
    }
    /* If it failed, what was there before runs on, and its folders are watched. */
    const struct snapshot *snapshot =
        reload->result.snapshot != NULL ? reload->result.snapshot : reload->before.snapshot;
    watch_folders_collect(snapshot->cfg, reload->result.tls != NULL ? reload->result.tls : reload->before.tls,
                          &reload->folders);
}

static void finish_reading(uv_work_t *request, int status)
{
    struct reload *reload = request->data;
    (void)status;
    reload->on_done(reload);
}

int reload_start(struct reload *reload, uv_loop_t *loop, enum reload_kind kind, const struct runtime *before)
{
    reload->work.data = reload;
    reload->kind = kind;
    reload->before = runtime_ref(before);
    int error = pool_queue(loop, &reload->work, read_in_pool, finish_reading);
    if (error != 0)
        reload_end(reload);
    return error;
}

void reload_end(struct reload *reload)
{
    runtime_unref(&reload->before);
    runtime_unref(&reload->result);
    watch_folders_free(&reload->folders);
    cfg_problems_free(&reload->problems);
}
