/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control.h"
#include "proxy/control/control_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the log ---- */

static void log_problems(struct control *control, const struct cfg_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct cfg_problem *problem = &problems->items[i];
        struct log_line line;
        char place[1024];
        snprintf(place, sizeof place, problem->line > 0 ? "%s:%u" : "%s", problem->file, problem->line);
        log_line_begin(&line, problem->severity == CFG_ERROR ? CFG_LOG_ERROR : CFG_LOG_WARNING,
                       "configuration-problem");
        log_line_add_text(&line, "place", place);
        log_line_add_text(&line, "problem", problem->text);
        log_write(control->log, &line);
    }
    if (problems->lost == 0)
        return;
    struct log_line line;
    log_line_begin(&line, CFG_LOG_ERROR, "configuration-problem");
    log_line_add_text(&line, "place", control->runtime.snapshot->cfg->path);
    log_line_add_text(&line, "problem", "out of memory: there are more problems, whose texts are lost");
    log_write(control->log, &line);
}

static void log_reload(struct control *control, enum reload_kind kind, enum cfg_log_level level,
                       const char *result)
{
    struct log_line line;
    log_line_begin(&line, level, "reload");
    log_line_add_text(&line, "of", kind == RELOAD_CONFIGURATION ? "configuration" : "certificates");
    log_line_add_text(&line, "result", result);
    log_write(control->log, &line);
}

/* ---- putting it into effect ---- */

static void free_updates(struct worker_update **updates, unsigned count)
{
    for (unsigned i = 0; updates != NULL && i < count; i++)
        worker_update_free(&updates[i]);
    free(updates);
}

/* An update for each worker, or NULL. */
static struct worker_update **make_updates(const struct control *control, const struct runtime *runtime,
                                           struct listeners *listeners)
{
    struct worker_update **updates = calloc(control->worker_count, sizeof(struct worker_update *));
    for (unsigned i = 0; updates != NULL && i < control->worker_count; i++) {
        struct worker_config service = {.runtime = *runtime};
        if (runtime->snapshot != NULL)
            service = control_worker_config(control, runtime, listeners, i);
        updates[i] = worker_update_new(&service);
        if (updates[i] == NULL) {
            free_updates(updates, i);
            return NULL;
        }
    }
    return updates;
}

static void give_updates(struct control *control, struct worker_update **updates)
{
    atomic_store(&control->updates_due, control->worker_count);
    for (unsigned i = 0; i < control->worker_count; i++)
        worker_give_update(&control->workers[i], updates[i]);
    free(updates);
}

static void count_stale(struct control *control, const struct runtime *result)
{
    if (result->tls != NULL && result->pools != NULL)
        control->stale_certificates = tls_context_stale_count(result->tls) + result->pools->stale;
}

/* All but the snapshot. */
static void replace_rest(struct control *control, const struct runtime *runtime)
{
    struct member_lists *members = member_lists_ref(runtime->members);
    member_lists_unref(&control->runtime.members);
    control->runtime.members = members;
    tls_context_unref(&control->runtime.tls);
    pool_tls_set_unref(&control->runtime.pools);
    control->runtime.tls = tls_context_ref(runtime->tls);
    control->runtime.pools = pool_tls_set_ref(runtime->pools);
    admin_certificates_changed(control->admin);
}

/* False if memory is short. runtime->snapshot is NULL. */
static bool apply_certificates(struct control *control, const struct runtime *runtime)
{
    struct worker_update **updates = make_updates(control, runtime, NULL);
    if (updates == NULL)
        return false;
    control->step = RELOAD_APPLYING;
    give_updates(control, updates);
    replace_rest(control, runtime);
    control_checks_follow(control);
    return true;
}

bool control_apply_members(struct control *control, struct member_lists *members)
{
    struct runtime runtime = control->runtime;
    runtime.snapshot = NULL;
    runtime.members = members;
    struct worker_update **updates = make_updates(control, &runtime, NULL);
    if (updates == NULL)
        return false;
    control_replace_members(control, members);
    give_updates(control, updates);
    control_checks_follow(control);
    return true;
}

/* The sockets for addresses that are new; what is wrong changes nothing. */
static bool open_listeners(struct control *control, const struct cfg *cfg, struct listeners *listeners,
                           struct admin_listeners *admin_listeners, struct cfg_problems *problems)
{
    if (!listeners_open(cfg, control->listeners.workers, &control->listeners, listeners, problems))
        return false;
    if (admin_listeners_open(cfg, admin_listening(control->admin), admin_listeners, problems))
        return true;
    listeners_close(listeners);
    return false;
}

/* The number of cores, and 0 for as many, are the same. */
static void warn_of_restart(struct control *control, const struct cfg *cfg, struct cfg_problems *problems)
{
    if (control_worker_count(cfg) == control->worker_count)
        control->started->workers = cfg->workers;
    cfg_warn_of_restart(control->started, cfg, problems);
}

static bool apply_configuration(struct control *control, const struct runtime *runtime,
                                struct cfg_problems *problems)
{
    struct listeners listeners;
    struct admin_listeners admin_listeners;
    struct snapshot *snapshot = runtime->snapshot;
    if (!open_listeners(control, snapshot->cfg, &listeners, &admin_listeners, problems))
        return false;
    struct worker_update **updates = make_updates(control, runtime, &listeners);
    if (updates == NULL) {
        listeners_close(&listeners);
        admin_listeners_give_up(&admin_listeners);
        return false;
    }
    warn_of_restart(control, snapshot->cfg, problems);
    control_install_pools(control, runtime, &control->runtime);
    tickets_inherit(&snapshot->tickets, &control->runtime.snapshot->tickets);
    control->step = RELOAD_APPLYING;
    give_updates(control, updates);
    listeners_close(&control->listeners);
    control->listeners = listeners;
    control_set_limits(control, snapshot->cfg);
    admin_serve(control->admin, &admin_listeners);
    replace_rest(control, runtime);
    count_stale(control, runtime);
    snapshot_unref(&control->runtime.snapshot);
    control->runtime.snapshot = snapshot_ref(snapshot);
    control_checks_follow(control);
    log_set_level(control->log, snapshot->cfg->log_level);
    return true;
}

/* ---- from one to the next ---- */

/* What is refused has a reason. If it is none of the files, there was no memory to put them into effect. */
static void give_reason(const struct control *control, struct cfg_problems *problems)
{
    if (problems->errors == 0)
        cfg_problems_add_out_of_memory(problems, control->runtime.snapshot->cfg->path);
}

static void end_configuration(struct control *control, struct reload *reload)
{
    bool ok = reload->result.snapshot != NULL &&
              control_use_names(control, &reload->result, &reload->problems) &&
              apply_configuration(control, &reload->result, &reload->problems);
    control_keep_names(control);
    if (!ok)
        give_reason(control, &reload->problems);
    log_problems(control, &reload->problems);
    control->reloads[RELOAD_CONFIGURATION].failed = !ok;
    ticket_look_request(&control->ticket_look);
    if (ok) {
        control->commands.warnings = reload->problems;
        reload->problems = (struct cfg_problems){0};
        state_file_write(&control->state_file, control->runtime.snapshot);
        control_keep_settings(control);
    } else {
        log_reload(control, RELOAD_CONFIGURATION, CFG_LOG_ERROR, "refused: the one before stays in effect");
        control_reload_ends(control, ADMIN_RELOAD_REFUSED, &reload->problems);
        control->reload_requested[RELOAD_CERTIFICATES] = true; /* it would have brought them */
    }
}

static void end_certificates(struct control *control, struct reload *reload)
{
    /*
     * What is wrong with the clients' certificates keeps no pool from its new ones, and the other way round.
     */
    struct runtime in_use = {.tls = reload->result.tls != NULL ? reload->result.tls : control->runtime.tls,
                             .pools =
                                 reload->result.pools != NULL ? reload->result.pools : control->runtime.pools,
                             .members = control->runtime.members};
    bool same = tls_context_same_certificates(in_use.tls, control->runtime.tls) &&
                pool_tls_set_equals(in_use.pools, control->runtime.pools);
    bool whole = reload->result.tls != NULL && reload->result.pools != NULL;
    bool applied = !same && apply_certificates(control, &in_use);
    count_stale(control, &reload->result);
    control->in_part = applied && !whole;
    control->reloads[RELOAD_CERTIFICATES].failed = !whole || (!same && !applied);
    bool is_refused = !applied && control->reloads[RELOAD_CERTIFICATES].failed;
    if (is_refused)
        give_reason(control, &reload->problems);
    if (!problem_log_is_due(&control->problems, &reload->problems,
                            is_refused || control->stale_certificates > 0, uv_now(&control->loop)))
        return;
    log_problems(control, &control->problems.last);
    if (is_refused)
        log_reload(control, RELOAD_CERTIFICATES, CFG_LOG_ERROR, "refused: those before stay in use");
}

/* A reader of the log line may rely on it: every worker serves what is new. */
void control_reload_is_in_effect(struct control *control)
{
    control->step = RELOAD_IDLE;
    bool is_whole = control->reload.kind == RELOAD_CONFIGURATION;
    if (is_whole)
        control_log_listening(control);
    control_note_reload(control, control->reload.kind);
    control->reloads[control->reload.kind].failed = control->in_part;
    log_reload(control, control->reload.kind, CFG_LOG_INFO,
               control->in_part ? "done in part: some were refused, and those before stay in use" : "done");
    control->in_part = false;
    if (is_whole) {
        control_reload_ends(control, ADMIN_RELOAD_DONE, &control->commands.warnings);
        cfg_problems_free(&control->commands.warnings);
    }
    control_begin_reload(control);
}

void control_finish_reload(struct control *control)
{
    struct reload *reload = &control->reload;
    bool running = control->phase == WORKER_RUNNING;
    control->step = RELOAD_IDLE;
    if (running && reload->kind == RELOAD_CONFIGURATION)
        end_configuration(control, reload);
    else if (running)
        end_certificates(control, reload);
    else if (reload->kind == RELOAD_CONFIGURATION)
        control_reload_ends(control, ADMIN_RELOAD_ENDING, NULL);
    if (running)
        file_watch_set(control->watch, &reload->folders);
    reload_end(reload);
    if (control->step == RELOAD_IDLE)
        control_begin_reload(control);
    uv_async_send(&control->worker_event); /* the workers may have ended meanwhile */
}

static void on_reload_done(struct reload *reload)
{
    struct control *control = reload->arg;
    const struct snapshot *snapshot = reload->result.snapshot;
    control->step = RELOAD_NAMES;
    if (control->phase == WORKER_RUNNING)
        control_await_names(control, snapshot != NULL ? snapshot->cfg : NULL);
    else
        control_finish_reload(control);
}

/* Nothing is read. */
static void fail_to_begin(struct control *control, enum reload_kind kind, int error)
{
    struct cfg_problems problems = {0};
    control->reloads[kind].failed = true;
    log_reload(control, kind, CFG_LOG_ERROR, uv_strerror(error));
    cfg_problems_add(&problems, CFG_ERROR, (struct cfg_place){control->runtime.snapshot->cfg->path, 0}, "%s",
                     uv_strerror(error));
    if (kind == RELOAD_CONFIGURATION)
        control_reload_ends(control, ADMIN_RELOAD_REFUSED, &problems);
    cfg_problems_free(&problems);
}

void control_begin_reload(struct control *control)
{
    if (control->step != RELOAD_IDLE)
        return;
    if (control->phase != WORKER_RUNNING) {
        control_reload_begins(control);
        control_reload_ends(control, ADMIN_RELOAD_ENDING, NULL);
        return;
    }
    control_apply_names(control);
    enum reload_kind kind =
        control->reload_requested[RELOAD_CONFIGURATION] ? RELOAD_CONFIGURATION : RELOAD_CERTIFICATES;
    if (!control->reload_requested[kind])
        return;
    /* The configuration brings its certificates. */
    control->reload_requested[RELOAD_CERTIFICATES] = control->reload_requested[kind] = false;
    if (kind == RELOAD_CONFIGURATION)
        control_reload_begins(control);
    control->reload = (struct reload){.on_done = on_reload_done, .arg = control};
    int error = reload_start(&control->reload, &control->loop, kind, &control->runtime);
    if (error == 0)
        control->step = RELOAD_READING;
    else
        fail_to_begin(control, kind, error);
}
