/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control.h"

#include "base/array.h"
#include "base/ensure.h"
#include "keys/keys_wire.h"
#include "proxy/common/address.h"
#include "proxy/control/control_private.h"
#include "proxy/runtime/certificate_expiry.h"
#include "proxy/common/confine.h"
#include "proxy/common/privileges.h"
#include "proxy/parent/parent_link.h"
#include "proxy/session/session.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define DAY_MS (24ULL * 3600 * 1000)
/* The end of the program waits so long for the last write of the state file. */
#define LAST_FILES_MS 5000

static void log_event(struct control *control, enum cfg_log_level level, const char *event, const char *key,
                      const char *value)
{
    struct log_line line;
    log_line_begin(&line, level, event);
    log_line_add_text(&line, key, value);
    log_write(control->log, &line);
}

/* ---- stopping ---- */

static void set_phase(struct control *control, enum worker_phase phase)
{
    control->phase = phase;
    for (unsigned i = 0; i < control->worker_count; i++)
        worker_set_phase(&control->workers[i], phase);
    uv_async_send(&control->worker_event); /* they may have ended already */
}

static void on_limit(uv_timer_t *limit)
{
    struct control *control = limit->data;
    log_event(control, CFG_LOG_INFO, "shutdown", "step", "time is up, ending the sessions that are left");
    set_phase(control, WORKER_ENDING);
}

static void drain(struct control *control, const char *step)
{
    log_event(control, CFG_LOG_INFO, "shutdown", "step", step);
    uv_timer_start(&control->limit, on_limit, control->runtime.snapshot->cfg->timeouts.shutdown_ms, 0);
    set_phase(control, WORKER_DRAINING);
}

static const char no_new_sessions[] = "no new sessions; those there may finish";

static void on_grace_over(uv_timer_t *limit)
{
    drain(limit->data, no_new_sessions);
}

/* Balancers that ask now and then are to hear of it before the listeners close. */
static void begin_grace(struct control *control)
{
    log_event(control, CFG_LOG_INFO, "shutdown", "step",
              "not ready; new sessions until timeouts.grace is over");
    control->is_leaving = true;
    uv_timer_start(&control->limit, on_grace_over, control->runtime.snapshot->cfg->timeouts.grace_ms, 0);
}

static void on_stop_signal(struct control *control)
{
    bool has_grace = control->runtime.snapshot->cfg->timeouts.grace_ms > 0;
    if (control->phase == WORKER_RUNNING && has_grace && !control->is_leaving) {
        begin_grace(control);
    } else if (control->phase == WORKER_RUNNING) {
        drain(control, no_new_sessions);
    } else if (control->phase == WORKER_DRAINING) {
        log_event(control, CFG_LOG_INFO, "shutdown", "step", "second signal, ending the sessions at once");
        set_phase(control, WORKER_ENDING);
    }
}

/* ---- ticket keys ---- */

static void on_tickets(uv_timer_t *timer)
{
    struct control *control = timer->data;
    ticket_look_request(&control->ticket_look);
}

/* ---- reports ---- */

static void log_unlogged(struct control *control)
{
    const struct snapshot *snapshot = control->runtime.snapshot;
    for (size_t i = 0; i < snapshot->cfg->service_count; i++)
        counters_log_unlogged(snapshot->services[i].counters, snapshot->cfg->services[i].name, control->log);
}

static void log_reports(struct control *control)
{
    const struct snapshot *snapshot = control->runtime.snapshot;
    log_unlogged(control);
    for (size_t i = 0; i < snapshot->cfg->service_count; i++)
        client_reports_log(snapshot->services[i].reports, snapshot->cfg->services[i].name, control->log);
}

/* ---- workers ---- */

static const int signals_for_control[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

/*
 * libuv gives closed signals their default action back: one more SIGTERM must not turn a clean end into a
 * kill.
 */
static void hold_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(signals_for_control); i++)
        sigaddset(&set, signals_for_control[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* After the handles were closed: threads of libuv's pool hold no signal, and the log may take its time. */
static void ignore_signals(void)
{
    for (size_t i = 0; i < ARRAY_LEN(signals_for_control); i++)
        signal(signals_for_control[i], SIG_IGN);
}

/* In the worker's thread. */
static void on_worker_event(void *arg, enum worker_event event)
{
    struct control *control = arg;
    if (event == WORKER_ENDED)
        atomic_fetch_add(&control->workers_ended, 1);
    else if (event == WORKER_SURVEYED)
        atomic_fetch_sub(&control->commands.surveys_due, 1);
    else
        atomic_fetch_sub(&control->updates_due, 1);
    uv_async_send(&control->worker_event);
}

/*
 * Those of struct control itself. The watch, the admin endpoint and the key service close their own.
 */
static void close_handles(struct control *control)
{
    uv_handle_t *const handles[] = {
        (uv_handle_t *)&control->terminate,    (uv_handle_t *)&control->interrupt,
        (uv_handle_t *)&control->parent,       (uv_handle_t *)&control->limit,
        (uv_handle_t *)&control->daily,        (uv_handle_t *)&control->tickets,
        (uv_handle_t *)&control->heartbeats,   (uv_handle_t *)&control->last_files,
        (uv_handle_t *)&control->worker_event, (uv_handle_t *)&control->review,
    };
    for (size_t i = 0; i < ARRAY_LEN(handles); i++)
        uv_close(handles[i], NULL);
}

static void join_workers(struct control *control)
{
    for (unsigned i = 0; i < control->worker_count; i++)
        worker_join(&control->workers[i]);
}

static void finish_control(struct control *control)
{
    join_workers(control);
    log_reports(control);
    control_close_names(control);
    if (control->keys != NULL)
        key_manager_unwatch(control->keys);
    control_checks_close(control);
    hold_signals();
    admin_close(control->admin);
    file_watch_close(&control->watch);
    close_handles(control);
    ignore_signals();
}

/*
 * The sessions have ended, or been ended, and a reload is still being read, or the state file written: by a
 * name server or a file system that does not answer, and in a thread that can't be ended.
 */
static void give_up_files(struct control *control)
{
    if (state_file_is_busy(&control->state_file))
        state_file_give_up(&control->state_file);
    if (settings_file_is_busy(&control->settings_file))
        settings_file_give_up(&control->settings_file);
    log_event(control, CFG_LOG_WARNING, "shutdown", "step",
              control->step == RELOAD_READING ? "time is up, without the end of a reload"
                                              : "time is up, without an answer of the file system");
    join_workers(control);
    log_reports(control);
    log_close(&control->log);
    _exit(EXIT_SUCCESS);
}

static void on_last_files(uv_timer_t *timer)
{
    give_up_files(timer->data);
}

/* False if a thread of the pool is at work, which is waited for, but not for long. */
static bool files_are_done(struct control *control)
{
    bool is_busy = state_file_is_busy(&control->state_file) ||
                   settings_file_is_busy(&control->settings_file) ||
                   ticket_look_is_busy(&control->ticket_look);
    if (is_busy && !uv_is_active((const uv_handle_t *)&control->last_files))
        uv_timer_start(&control->last_files, on_last_files, LAST_FILES_MS, 0);
    else if (!is_busy && control->step == RELOAD_READING && control->phase == WORKER_ENDING)
        give_up_files(control);
    return !is_busy && control->step != RELOAD_READING;
}

static void on_worker_report(uv_async_t *worker_event)
{
    struct control *control = worker_event->data;
    control_dispose(control);
    bool is_in_effect = atomic_load(&control->updates_due) == 0;
    if (is_in_effect && !control_names_are_in_effect(control) && control->step == RELOAD_APPLYING)
        control_reload_is_in_effect(control);
    control_look_at_survey(control);
    control_begin_reload(control);
    if (atomic_load(&control->workers_ended) < control->worker_count)
        return;
    if (files_are_done(control))
        finish_control(control);
}

static unsigned count_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

struct worker_config control_worker_config(const struct control *control, const struct runtime *runtime,
                                           struct listeners *listeners, unsigned worker)
{
    return (struct worker_config){.runtime = *runtime,
                                  .sockets = listeners->sockets + worker * listeners->per_worker,
                                  .socket_count = listeners->per_worker,
                                  .limits = control_worker_limits(control, runtime->snapshot->cfg)};
}

static bool make_shared(struct worker_shared *shared, unsigned workers)
{
    shared->connections = address_counts_new();
    shared->rates = address_rates_new();
    shared->handshakes.counts = address_counts_new();
    shared->handshakes.slots = handshake_slots_new(workers);
    shared->sessions = shared_limit_new(workers);
    return shared->connections != NULL && shared->rates != NULL && shared->handshakes.counts != NULL &&
           shared->handshakes.slots != NULL && shared->sessions != NULL;
}

static void free_shared(struct worker_shared *shared)
{
    address_counts_free(&shared->connections);
    address_rates_free(&shared->rates);
    address_counts_free(&shared->handshakes.counts);
    handshake_slots_free(&shared->handshakes.slots);
    shared_limit_free(&shared->sessions);
}

static int start_workers(struct control *control)
{
    unsigned count = control->listeners.workers;
    control_open_disposals(control);
    control->workers = calloc(count, sizeof control->workers[0]);
    if (control->workers == NULL || !make_shared(&control->shared, count))
        return UV_ENOMEM;
    control_set_limits(control, control->runtime.snapshot->cfg);
    for (unsigned i = 0; i < count; i++) {
        struct worker_settings settings = {
            .index = i,
            .calls = &session_calls,
            .shared = control->shared,
            .log = log_add_queue(control->log),
            .disposals = &control->disposals,
            .key_channel = control->keys != NULL ? key_manager_take_channel(control->keys, i) : -1,
            .on_event = on_worker_event,
            .on_event_arg = control};
        struct worker_config service =
            control_worker_config(control, &control->runtime, &control->listeners, i);
        int error =
            settings.log != NULL ? worker_start(&control->workers[i], &settings, &service) : UV_ENOMEM;
        if (error != 0)
            return error;
        control->worker_count = i + 1;
    }
    return 0;
}

/* ---- reload ---- */

static void on_hangup(struct control *control)
{
    control->reload_requested[RELOAD_CONFIGURATION] = true;
    control_begin_reload(control);
}

static void on_files_changed(void *arg)
{
    struct control *control = arg;
    control->reload_requested[RELOAD_CERTIFICATES] = true;
    control_begin_reload(control);
}

/* ---- the parent ---- */

static void on_signal(struct control *control, int number)
{
    if (number == SIGHUP)
        on_hangup(control);
    else if (number == SIGUSR1)
        log_reports(control);
    else
        on_stop_signal(control);
}

static void on_own_signal(uv_signal_t *handle, int number)
{
    on_signal(handle->data, number);
}

/*
 * Its words are all that counts from now on: a signal that somebody sends to each process of a group would
 * count twice, and so would the kernel's signal at the parent's end.
 */
static void listen_to_parent(void)
{
    ignore_signals();
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

/* Nobody restarts what may fail from now on. */
static void lose_parent(struct control *control)
{
    uv_poll_stop(&control->parent);
    uv_signal_start(&control->terminate, on_own_signal, SIGTERM);
    uv_signal_start(&control->interrupt, on_own_signal, SIGINT);
    if (control->phase == WORKER_RUNNING)
        drain(control, "the parent has ended: no new sessions; those there may finish");
}

static void on_word(struct control *control, const struct parent_word *word)
{
    if (word->kind == PARENT_SIGNAL)
        on_signal(control, word->signal);
    else if (control->keys != NULL && word->control >= 0)
        key_manager_replace_guard(control->keys, word->control);
    else if (word->control >= 0)
        close(word->control);
}

static void on_parent(uv_poll_t *parent, int status, int events)
{
    struct control *control = parent->data;
    struct parent_word word;
    enum parent_received received = PARENT_GONE;
    (void)events;
    if (status == 0)
        received = parent_link_receive(control->link, &word);
    if (received == PARENT_WORD)
        on_word(control, &word);
    else if (received == PARENT_GONE)
        lose_parent(control);
}

static void on_daily(uv_timer_t *timer)
{
    struct control *control = timer->data;
    certificate_expiry_log(control->runtime.tls, control->runtime.pools, (int64_t)time(NULL), control->log);
    log_unlogged(control);
}

/* ---- start ---- */

void control_log_listening(struct control *control)
{
    const struct listeners *listeners = &control->listeners;
    for (size_t i = 0; i < listeners->per_worker; i++) {
        if (listeners->sockets[i].reused != LISTENER_NEW)
            continue;
        char address[ADDRESS_TEXT_MAX];
        struct log_line line;
        address_format((const struct sockaddr *)&listeners->sockets[i].address, address);
        log_line_begin(&line, CFG_LOG_INFO, "listening");
        log_line_add_text(&line, "service",
                          control->runtime.snapshot->cfg->services[listeners->sockets[i].service].name);
        log_line_add_text(&line, "address", address);
        log_write(control->log, &line);
    }
}

static bool open_listeners(struct control *control, unsigned workers)
{
    struct cfg_problems problems = {0};
    const struct cfg *cfg = control->runtime.snapshot->cfg;
    bool ok = listeners_open(cfg, workers, NULL, &control->listeners, &problems);
    ok = admin_listeners_open(cfg, NULL, &control->admin_listeners, &problems) && ok;
    ok = admin_socket_open(cfg, &control->admin_socket, &problems) && ok;
    cfg_problems_print(&problems, stderr);
    cfg_problems_free(&problems);
    return ok;
}

static int open_handles(struct control *control)
{
    int error = uv_loop_init(&control->loop);
    if (error != 0)
        return error;
    control->log = log_new(control->runtime.snapshot->cfg->log_level);
    if (control->log == NULL)
        return UV_ENOMEM;
    uv_signal_init(&control->loop, &control->terminate);
    uv_signal_init(&control->loop, &control->interrupt);
    uv_timer_init(&control->loop, &control->limit);
    uv_timer_init(&control->loop, &control->daily);
    uv_timer_init(&control->loop, &control->tickets);
    uv_timer_init(&control->loop, &control->heartbeats);
    uv_timer_init(&control->loop, &control->review);
    uv_timer_init(&control->loop, &control->last_files);
    state_file_init(&control->state_file, &control->loop, &control->worker_event, control->log);
    ticket_look_init(&control->ticket_look, &control->loop, &control->worker_event,
                     &control->runtime.snapshot, control->log);
    control->watch = file_watch_new(&control->loop, on_files_changed, control);
    if (control->watch == NULL)
        return UV_ENOMEM;
    error = uv_async_init(&control->loop, &control->worker_event, on_worker_report);
    control->terminate.data = control->interrupt.data = control->parent.data = control;
    control->limit.data = control->daily.data = control->worker_event.data = control;
    control->tickets.data = control->last_files.data = control;
    if (error == 0)
        error = uv_poll_init(&control->loop, &control->parent, control->link);
    if (error == 0)
        error = uv_poll_start(&control->parent, UV_READABLE, on_parent);
    return error;
}

static void connect_worker(void *arg, unsigned worker, int channel)
{
    struct control *control = arg;
    if (worker == control->worker_count)
        control_checks_set_key_channel(control, channel);
    else if (worker < control->worker_count)
        worker_set_key_channel(&control->workers[worker], channel);
    else if (channel >= 0)
        close(channel);
}

static void give_up_keys(void *arg)
{
    struct control *control = arg;
    for (unsigned i = 0; i < control->worker_count; i++)
        worker_set_key_channel(&control->workers[i], WORKER_NO_KEYS);
    control_checks_give_up_keys(control);
}

static int watch_key_process(struct control *control)
{
    struct key_manager_hooks hooks = {.connect = connect_worker,
                                      .give_up = give_up_keys,
                                      .lost = on_files_changed,
                                      .arg = control,
                                      .log = control->log};
    return control->keys != NULL ? key_manager_watch(control->keys, &control->loop, &hooks) : 0;
}

/*
 * From here on nothing is executed: the key process is there. Before the first thread and the first loop, so
 * that none has begun to use what is taken from it (io_uring). False after a message.
 */
static bool confine(struct control *control)
{
    enum confinement confinement = confine_process();
    control->is_unconfined = confinement == CONFINE_MISSING;
    if (confinement == CONFINE_FAILED)
        fprintf(stderr, "deepproxy: can't filter its own system calls (seccomp): %s\n", strerror(errno));
    return confinement != CONFINE_FAILED;
}

static int serve_until_end(struct control *control)
{
    int error = open_handles(control);
    if (error == 0) {
        /* Before the first session: a signal would end it without a word, and the log's last lines. */
        listen_to_parent();
        control_open_settings(control);
        error = control_open_names(control);
    }
    if (error == 0) {
        control_open_pools(control);
        error = start_workers(control);
    }
    if (error == 0)
        error = control_checks_open(control);
    if (error == 0)
        error = watch_key_process(control);
    if (error == 0)
        error = control_start_admin(control);
    if (error != 0) {
        /* What runs already holds nothing that is worth an orderly end, except for what it has logged. */
        if (control->log != NULL)
            log_flush(control->log);
        fprintf(stderr, "deepproxy: can't start: %s\n", uv_strerror(error));
        exit(EXIT_FAILURE);
    }
    control_log_listening(control);
    struct watch_folders folders;
    watch_folders_collect(control->runtime.snapshot->cfg, control->runtime.tls, &folders);
    file_watch_set(control->watch, &folders);
    watch_folders_free(&folders);
    state_file_write(&control->state_file, control->runtime.snapshot);
    control_keep_settings(control);
    on_tickets(&control->tickets);
    uv_timer_start(&control->tickets, on_tickets, TICKETS_LOOK_MS, TICKETS_LOOK_MS);
    control_watch_heartbeats(control);
    control_watch_pools(control);
    control_watch_names(control);
    if (control->is_unconfined)
        log_event(control, CFG_LOG_WARNING, "unconfined", "missing", "seccomp, in the kernel");
    log_event(control, CFG_LOG_INFO, "ready", "version", DEEPPROXY_VERSION);
    uv_timer_start(&control->daily, on_daily, 0, DAY_MS);
    control_leave_disposals(control);
    uv_run(&control->loop, UV_RUN_DEFAULT);
    control_end_disposals(control);
    ENSURE(uv_loop_close(&control->loop) == 0);
    log_close(&control->log);
    return EXIT_SUCCESS;
}

unsigned control_worker_count(const struct cfg *cfg)
{
    unsigned count = cfg->workers > 0 ? cfg->workers : count_cores();
    return count < KEYS_CHANNELS_MAX ? count : KEYS_CHANNELS_MAX - 1;
}

unsigned control_channel_count(const struct cfg *cfg)
{
    return control_worker_count(cfg) + 1;
}

int control_run(struct runtime *runtime, struct key_manager *keys, int link)
{
    struct control control = {.runtime = *runtime, .keys = keys, .link = link, .admin_socket = {.fd = -1}};
    const struct cfg *cfg = runtime->snapshot->cfg;
    *runtime = (struct runtime){0};
    unsigned workers = control_worker_count(cfg);
    int status = EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    control.started = cfg_copy_start(cfg);
    control_read_settings(&control);
    if (control.started != NULL && open_listeners(&control, workers) &&
        privileges_drop(cfg->user, cfg->group) && confine(&control))
        status = serve_until_end(&control);
    listeners_close(&control.listeners);
    admin_listeners_give_up(&control.admin_listeners);
    if (control.started != NULL)
        (void)admin_socket_close(&control.admin_socket, control.started->admin.socket);
    control_end_commands(&control);
    control_checks_free(&control);
    admin_free(&control.admin);
    problem_log_free(&control.problems);
    server_settings_free(&control.settings);
    cfg_free(&control.started);
    free_shared(&control.shared);
    free(control.workers);
    runtime_unref(&control.runtime);
    return status;
}
