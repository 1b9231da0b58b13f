/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include "proxy/backends/ejection.h"
#include "proxy/common/monotonic.h"
#include "proxy/control/control_goodbyes.h"

/*
 * The states of servers: what workers reported becomes a state a tenth of a second later, and each change is
 * logged once.
 */
enum { REVIEW_MS = 100, REVIEWS_BETWEEN_SWEEPS = 100 };

/* ---- the log ---- */

static void log_change(void *arg, const struct server_change *change)
{
    const struct control *control = arg;
    struct log_line line;
    bool is_bad =
        change->axis == SERVER_AXIS_STATE &&
        (change->to == SERVER_DOWN || change->to == SERVER_EJECTED || change->to == SERVER_UNRESOLVED);
    log_line_begin(&line, is_bad ? CFG_LOG_WARNING : CFG_LOG_INFO, "server-state");
    log_line_add_text(&line, "pool", change->server->identity.pool);
    log_line_add_text(&line, "server", change->server->identity.name);
    log_line_add_text(&line, "axis", server_axis_word(change->axis));
    log_line_add_text(&line, "from", server_value_word(change->axis, change->from));
    log_line_add_text(&line, "to", server_value_word(change->axis, change->to));
    log_line_add_text(&line, "cause", server_cause_word(change->cause));
    log_line_add_text(&line, "detail", control->checks.detail);
    log_write(control->log, &line);
}

struct server_observer control_observer(struct control *control)
{
    return (struct server_observer){log_change, control};
}

static void log_panic(struct control *control, const struct pool_state *pool)
{
    struct log_line line;
    bool panic = atomic_load(&pool->panic);
    log_line_begin(&line, panic ? CFG_LOG_ERROR : CFG_LOG_INFO, "pool-panic");
    log_line_add_text(&line, "pool", pool->name);
    log_line_add_text(&line, "panic", panic ? "yes" : "no");
    log_write(control->log, &line);
}

/* ---- reviews ---- */

/* For the jitter of back-offs. */
static uint32_t draw(void *arg)
{
    uint64_t *seed = arg;
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 32);
}

static void review_pool(struct control *control, const struct membership *members, uint64_t now_ms)
{
    struct server_observer observer = control_observer(control);
    for (size_t i = 0; i < members->count; i++)
        server_state_tick(members->members[i].server, now_ms, &observer);
    if (ejection_review(members, now_ms, draw, &control->review_seed, &observer))
        log_panic(control, members->pool);
    /* A server may take sessions again, or be due for a trial. */
    wait_queue_place_free(members->pool->queue);
}

static void review_goodbyes(struct control *control, const struct membership *members, uint64_t spread_ms,
                            uint64_t now_ms)
{
    for (size_t i = 0; i < members->count; i++)
        control_goodbyes_review(control, members->members[i].server, spread_ms, now_ms);
}

static void on_review(uv_timer_t *timer)
{
    struct control *control = timer->data;
    const struct snapshot *snapshot = control->runtime.snapshot;
    uint64_t now_ms = monotonic_ms();
    for (size_t i = 0; i < snapshot->cfg->pool_count; i++) {
        const struct membership *members = control->runtime.members->lists[i];
        review_pool(control, members, now_ms);
        review_goodbyes(control, members, snapshot->cfg->pools[i].goodbye_spread_ms, now_ms);
    }
    control_checks_review(control);
    if (++control->reviews % REVIEWS_BETWEEN_SWEEPS == 0)
        server_registry_sweep(snapshot->registry);
}

void control_install_pools(struct control *control, const struct runtime *runtime,
                           const struct runtime *before)
{
    struct server_observer observer = control_observer(control);
    const struct cfg *cfg = runtime->snapshot->cfg;
    for (size_t i = 0; i < cfg->pool_count; i++) {
        const struct membership *members = runtime->members->lists[i];
        const struct membership *old = runtime_find_members(before, cfg->pools[i].name);
        wait_queue_set_length(members->pool->queue, cfg->pools[i].queue.length);
        membership_install(members, old, monotonic_ms(), &observer);
        control_apply_settings(control, members);
        membership_note_addresses(members, monotonic_ms(), &observer);
    }
}

void control_replace_members(struct control *control, struct member_lists *members)
{
    struct server_observer observer = control_observer(control);
    struct member_lists *before = control->runtime.members;
    struct runtime runtime = {.snapshot = control->runtime.snapshot, .members = members};
    for (size_t i = 0; i < members->count; i++)
        membership_retire(before->lists[i], members->lists[i], monotonic_ms(), &observer);
    control_install_pools(control, &runtime, &control->runtime);
    control->runtime.members = member_lists_ref(members);
    member_lists_unref(&before);
}

/* ---- the beginning ---- */

static void wake_worker(void *arg, unsigned worker)
{
    const struct control *control = arg;
    /* A worker in which sessions wait has begun, and has not ended. */
    worker_wake(&control->workers[worker]);
}

void control_open_pools(struct control *control)
{
    control->alarm = (struct wait_queue_alarm){wake_worker, control};
    control->review_seed = uv_hrtime();
    server_registry_set_alarm(control->runtime.snapshot->registry, &control->alarm);
    control_install_pools(control, &control->runtime, &(struct runtime){0});
}

void control_watch_pools(struct control *control)
{
    control->review.data = control;
    uv_timer_start(&control->review, on_review, REVIEW_MS, REVIEW_MS);
}
