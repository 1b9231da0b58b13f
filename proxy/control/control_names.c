/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include "proxy/common/monotonic.h"

#include <stdio.h>
#include <strings.h>

/*
 * Names of servers are looked up again and again, by threads of their own. If a name has other addresses,
 * workers get other lists of servers, as they get certificates: one update at a time.
 */
enum { RETRY_MS = 1000 /* if memory is short */ };

/* ---- the log ---- */

static bool is_in_use(const struct control *control, const char *host)
{
    const struct cfg *cfg = control->runtime.snapshot->cfg;
    for (size_t i = 0; i < cfg->pool_count; i++)
        for (size_t k = 0; k < cfg->pools[i].server_count; k++) {
            const struct cfg_endpoint *endpoint = &cfg->pools[i].servers[k].address;
            if (endpoint->address_len == 0 && strcasecmp(endpoint->host, host) == 0)
                return true;
        }
    return false;
}

static void log_set(const struct control *control, const struct name_change *change, size_t left_out)
{
    struct log_line line;
    bool is_bad = change->to == 0 || left_out > 0;
    log_line_begin(&line, is_bad ? CFG_LOG_WARNING : CFG_LOG_INFO, "name-changed");
    log_line_add_text(&line, "name", change->host);
    log_line_add_number(&line, "from", change->from);
    log_line_add_number(&line, "to", change->to);
    if (left_out > 0)
        log_line_add_number(&line, "left_out", left_out);
    log_write(control->log, &line);
}

static void log_failure(const struct control *control, const struct name_change *change)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_WARNING, "name-failed");
    log_line_add_text(&line, "name", change->host);
    log_line_add_number(&line, "addresses", change->to);
    log_line_add_text(&line, "error", change->error);
    log_write(control->log, &line);
}

static void log_return(const struct control *control, const struct name_change *change)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_INFO, "name-resolved");
    log_line_add_text(&line, "name", change->host);
    log_line_add_number(&line, "addresses", change->to);
    log_write(control->log, &line);
}

/* Of a name that a reload brings, its warnings tell what is wrong. */
static void on_change(void *arg, const struct name_change *change)
{
    struct control *control = arg;
    if (!is_in_use(control, change->host))
        return;
    if (change->has_failed)
        log_failure(control, change);
    if (change->is_back)
        log_return(control, change);
    if (change->is_other_set || change->left_out > 0)
        log_set(control, change, change->left_out);
    control->names.is_changed = control->names.is_changed || change->is_other_set;
}

/* ---- looking ---- */

static void on_due(uv_timer_t *timer);

/* One update at a time. */
static bool may_apply(const struct control *control)
{
    return !control->names.is_applying && (control->step == RELOAD_IDLE || control->step == RELOAD_READING);
}

static void set_timer(struct control *control)
{
    uint64_t now = monotonic_ms();
    uint64_t wait = pool_names_due_ms(control->names.names, now);
    uint64_t until = control->names.wait_until_ms;
    uint64_t left = until > now ? until - now : 0;
    if (control->step == RELOAD_NAMES && left < wait)
        wait = left;
    if (control->names.is_changed && may_apply(control) && RETRY_MS < wait)
        wait = RETRY_MS;
    if (wait == NAME_NEVER) {
        uv_timer_stop(&control->names.due);
        return;
    }
    /* The loop's clock is of before what this turn has done, and counts whole milliseconds. */
    uv_update_time(&control->loop);
    uv_timer_start(&control->names.due, on_due, wait + 1, 0);
}

static void look(struct control *control)
{
    pool_names_look(control->names.names, monotonic_ms(), on_change, control);
    if (control->step == RELOAD_NAMES && !control->names.is_applying &&
        (pool_names_are_answered(control->names.names) || monotonic_ms() >= control->names.wait_until_ms))
        control_finish_reload(control);
    else
        control_apply_names(control);
    set_timer(control);
}

static void on_due(uv_timer_t *timer)
{
    look(timer->data);
}

static void on_answered(uv_async_t *answered)
{
    look(answered->data);
}

/* In a thread that looks names up. */
static void notify(void *arg)
{
    struct control *control = arg;
    uv_async_send(&control->names.answered);
}

/* ---- the start ---- */

static bool make_first_lists(struct control *control)
{
    struct cfg_problems problems = {0};
    bool ok = control_use_names(control, &control->runtime, &problems);
    cfg_problems_print(&problems, stderr);
    cfg_problems_free(&problems);
    return ok;
}

int control_open_names(struct control *control)
{
    struct control_names *names = &control->names;
    int error = uv_async_init(&control->loop, &names->answered, on_answered);
    if (error != 0)
        return error;
    uv_timer_init(&control->loop, &names->due);
    names->answered.data = names->due.data = control;
    names->names = pool_names_new(notify, control, uv_hrtime());
    if (names->names == NULL || !pool_names_prepare(names->names, control->runtime.snapshot->cfg))
        return UV_ENOMEM;
    pool_names_wait(names->names, POOL_NAMES_WAIT_MS);
    control_keep_names(control);
    return make_first_lists(control) ? 0 : UV_ENOMEM;
}

void control_watch_names(struct control *control)
{
    set_timer(control);
}

/* ---- reloads ---- */

void control_await_names(struct control *control, const struct cfg *cfg)
{
    /* If memory is short, those without an answer are told of as names without an address. */
    bool has_names = cfg != NULL && pool_names_prepare(control->names.names, cfg);
    control->names.wait_until_ms = has_names ? monotonic_ms() + POOL_NAMES_WAIT_MS : 0;
    look(control);
}

bool control_use_names(struct control *control, struct runtime *runtime, struct cfg_problems *problems)
{
    const struct snapshot *snapshot = runtime->snapshot;
    struct member_lists *lists =
        pool_names_make_lists(control->names.names, snapshot->cfg, snapshot->registry, NULL);
    if (lists == NULL)
        return false;
    member_lists_unref(&runtime->members);
    runtime->members = lists;
    pool_names_warn(control->names.names, snapshot->cfg, problems);
    return true;
}

void control_keep_names(struct control *control)
{
    pool_names_keep(control->names.names, control->runtime.snapshot->cfg);
    set_timer(control);
}

/* ---- other addresses ---- */

static bool are_same(const struct member_lists *a, const struct member_lists *b)
{
    bool same = true;
    for (size_t i = 0; i < a->count && same; i++)
        same = a->lists[i] == b->lists[i];
    return same;
}

void control_apply_names(struct control *control)
{
    const struct runtime *runtime = &control->runtime;
    if (!control->names.is_changed || !may_apply(control) || control->phase != WORKER_RUNNING)
        return;
    struct member_lists *lists = pool_names_make_lists(control->names.names, runtime->snapshot->cfg,
                                                       runtime->snapshot->registry, runtime->members);
    if (lists == NULL)
        return;
    bool same = are_same(lists, runtime->members);
    control->names.is_applying = !same && control_apply_members(control, lists);
    control->names.is_changed = !same && !control->names.is_applying;
    member_lists_unref(&lists);
}

bool control_names_are_in_effect(struct control *control)
{
    bool was_applying = control->names.is_applying;
    control->names.is_applying = false;
    if (was_applying)
        look(control);
    return was_applying;
}

/* ---- the end ---- */

void control_close_names(struct control *control)
{
    if (control->step == RELOAD_NAMES)
        control_finish_reload(control);
    pool_names_free(&control->names.names);
    uv_close((uv_handle_t *)&control->names.answered, NULL);
    uv_close((uv_handle_t *)&control->names.due, NULL);
}
