/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/control/control_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is said ---- */

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
}

static void log_reload(struct control *control, enum reload_kind kind, const char *result)
{
    struct log_line line;
    log_line_begin(&line, result[0] == 'd' ? CFG_LOG_INFO : CFG_LOG_ERROR, "reload");
    log_line_add_text(&line, "of", kind == RELOAD_CONFIGURATION ? "configuration" : "certificates");
    log_line_add_text(&line, "result", result);
    log_write(control->log, &line);
}

/* ---- putting it into effect ---- */

/* What is settled when the program starts. */
static void warn_of_settled(const struct cfg *before, const struct cfg *after, struct cfg_problems *problems)
{
    const struct {
        const char *key;
        bool same;
    } settled[] = {{"workers", before->workers == after->workers},
                   {"user", text_is_same(before->user, after->user)},
                   {"group", text_is_same(before->group, after->group)},
                   {"key_isolation", before->key_isolation == after->key_isolation},
                   {"key_user", text_is_same(before->key_user, after->key_user)}};
    for (size_t i = 0; i < ARRAY_LEN(settled); i++)
        if (!settled[i].same)
            cfg_problems_add(problems, CFG_WARNING, (struct cfg_place){after->path, 0},
                             "\"%s\" has changed: that takes a restart", settled[i].key);
}

static void free_updates(struct worker_update **updates, unsigned count)
{
    for (unsigned i = 0; updates != NULL && i < count; i++)
        worker_update_free(&updates[i]);
    free(updates);
}

/* An update for each worker, or NULL. */
static struct worker_update **make_updates(const struct control *control, const struct loaded *loaded,
                                           struct listeners *listeners)
{
    struct worker_update **updates = calloc(control->worker_count, sizeof(struct worker_update *));
    for (unsigned i = 0; updates != NULL && i < control->worker_count; i++) {
        struct worker_config service = {.tls = loaded->tls, .pools = loaded->pools};
        if (loaded->snapshot != NULL)
            service = control_service(control, loaded, listeners, i);
        updates[i] = worker_update_new(&control->workers[i], &service);
        if (updates[i] == NULL) {
            free_updates(updates, i);
            return NULL;
        }
    }
    return updates;
}

static void give_updates(struct control *control, struct worker_update **updates)
{
    control->step = RELOAD_APPLYING;
    atomic_store(&control->updates_due, control->worker_count);
    for (unsigned i = 0; i < control->worker_count; i++)
        worker_give_update(&control->workers[i], updates[i]);
    free(updates);
}

static void note_stale(struct control *control, const struct loaded *result)
{
    if (result->tls != NULL && result->pools != NULL)
        control->stale_certificates = tls_context_stale_count(result->tls) + result->pools->stale;
}

static void keep_certificates(struct control *control, const struct loaded *loaded)
{
    tls_context_unref(&control->tls);
    pool_tls_set_unref(&control->pools);
    control->tls = tls_context_ref(loaded->tls);
    control->pools = pool_tls_set_ref(loaded->pools);
    admin_certificates_changed(control->admin);
}

static bool apply_certificates(struct control *control, const struct loaded *loaded)
{
    struct worker_update **updates = make_updates(control, loaded, NULL);
    if (updates == NULL)
        return false;
    give_updates(control, updates);
    keep_certificates(control, loaded);
    return true;
}

/* The sockets for addresses that are new; what is wrong changes nothing. */
static bool open_listeners(struct control *control, const struct cfg *cfg, struct listeners *listeners,
                           struct admin_listeners *admin_listeners, struct cfg_problems *problems)
{
    if (!listeners_open(cfg, control->listeners.workers, &control->listeners, listeners, problems))
        return false;
    bool ok = admin_listeners_open(cfg, admin_listening(control->admin), admin_listeners, problems);
    if (ok && (admin_listeners->count == 0 || admin_prepare(control->admin)))
        return true;
    admin_listeners_give_up(admin_listeners);
    listeners_close(listeners);
    return false;
}

static bool apply_configuration(struct control *control, const struct loaded *loaded,
                                struct cfg_problems *problems)
{
    struct listeners listeners;
    struct admin_listeners admin_listeners;
    struct snapshot *snapshot = loaded->snapshot;
    if (!open_listeners(control, snapshot->cfg, &listeners, &admin_listeners, problems))
        return false;
    struct worker_update **updates = make_updates(control, loaded, &listeners);
    if (updates == NULL) {
        listeners_close(&listeners);
        admin_listeners_give_up(&admin_listeners);
        return false;
    }
    warn_of_settled(control->snapshot->cfg, snapshot->cfg, problems);
    tickets_inherit(&snapshot->tickets, &control->snapshot->tickets);
    give_updates(control, updates);
    listeners_close(&control->listeners);
    control->listeners = listeners;
    admin_serve(control->admin, &admin_listeners);
    keep_certificates(control, loaded);
    note_stale(control, loaded);
    snapshot_unref(&control->snapshot);
    control->snapshot = snapshot_ref(snapshot);
    log_set_level(control->log, snapshot->cfg->log_level);
    return true;
}

/* ---- from one to the next ---- */

static void end_configuration(struct control *control, struct reload *reload)
{
    bool ok =
        reload->result.snapshot != NULL && apply_configuration(control, &reload->result, &reload->problems);
    log_problems(control, &reload->problems);
    control->reloads[RELOAD_CONFIGURATION].failed = !ok;
    tickets_look(&control->snapshot->tickets, tickets_time_now(), control->log);
    if (ok) {
        control_remember_promises(control);
    } else {
        log_reload(control, RELOAD_CONFIGURATION, "refused: the one before stays in effect");
        control->wants[RELOAD_CERTIFICATES] = true; /* it would have brought them */
    }
}

/* They are looked at often: what is wrong with them is said once. */
static void end_certificates(struct control *control, struct reload *reload)
{
    if (!cfg_problems_equal(&control->problems, &reload->problems)) {
        log_problems(control, &reload->problems);
        cfg_problems_free(&control->problems);
        control->problems = reload->problems;
        reload->problems = (struct cfg_problems){0};
    }
    /* Those of the service are no reason to refuse those of pools, and the other way round. */
    struct loaded loaded = {.tls = reload->result.tls != NULL ? reload->result.tls : control->tls,
                            .pools = reload->result.pools != NULL ? reload->result.pools : control->pools};
    bool same = tls_context_same_certificates(loaded.tls, control->tls) &&
                pool_tls_set_equals(loaded.pools, control->pools);
    bool whole = reload->result.tls != NULL && reload->result.pools != NULL;
    bool applied = !same && apply_certificates(control, &loaded);
    note_stale(control, &reload->result);
    control->in_part = applied && !whole;
    control->reloads[RELOAD_CERTIFICATES].failed = !whole || (!same && !applied);
    if (!applied && control->reloads[RELOAD_CERTIFICATES].failed)
        log_reload(control, RELOAD_CERTIFICATES, "refused: those before stay in use");
}

/* Who reads it may rely on it: every worker serves what is new. */
void control_reload_is_in_effect(struct control *control)
{
    control->step = RELOAD_IDLE;
    if (control->reload.kind == RELOAD_CONFIGURATION)
        control_log_listening(control);
    control_note_reload(control, control->reload.kind);
    control->reloads[control->reload.kind].failed = control->in_part;
    log_reload(control, control->reload.kind,
               control->in_part ? "done in part: some were refused, and those before stay in use" : "done");
    control->in_part = false;
    control_begin_reload(control);
}

static void on_reload_done(struct reload *reload)
{
    struct control *control = reload->arg;
    bool running = control->phase == WORKER_RUNNING;
    control->step = RELOAD_IDLE;
    if (running && reload->kind == RELOAD_CONFIGURATION)
        end_configuration(control, reload);
    else if (running)
        end_certificates(control, reload);
    if (running)
        file_watch_set(control->watch, &reload->folders);
    reload_end(reload);
    if (control->step == RELOAD_IDLE)
        control_begin_reload(control);
    uv_async_send(&control->news); /* the workers may have ended meanwhile */
}

/* The next one that is wanted, where none is under way. */
void control_begin_reload(struct control *control)
{
    if (control->step != RELOAD_IDLE || control->phase != WORKER_RUNNING)
        return;
    enum reload_kind kind = control->wants[RELOAD_CONFIGURATION] ? RELOAD_CONFIGURATION : RELOAD_CERTIFICATES;
    if (!control->wants[kind])
        return;
    /* The configuration brings its certificates. */
    control->wants[RELOAD_CERTIFICATES] = control->wants[kind] = false;
    struct loaded before = control_loaded(control);
    control->reload = (struct reload){.on_done = on_reload_done, .arg = control};
    int error = reload_start(&control->reload, &control->loop, kind, &before);
    if (error == 0)
        control->step = RELOAD_READING;
    else {
        control->reloads[kind].failed = true;
        log_reload(control, kind, uv_strerror(error));
    }
}
