/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control.h"

#include "base/ensure.h"
#include "proxy/address.h"
#include "proxy/listeners.h"
#include "proxy/log.h"
#include "proxy/privileges.h"
#include "proxy/worker.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors that are not sessions': standard streams, loops, listeners, the log. */
#define DESCRIPTORS_OWN         256
#define DESCRIPTORS_PER_SESSION 2

struct control {
    uv_loop_t loop;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    uv_signal_t hangup;
    uv_signal_t user;   /* SIGUSR1 */
    uv_timer_t limit;   /* timeouts.shutdown */
    uv_timer_t tickets; /* the next look at the ticket keys */
    uv_async_t ended;   /* a worker's thread is about to end */
    struct snapshot *snapshot;
    struct listeners listeners;
    struct log *log;
    struct worker *workers;
    unsigned worker_count;          /* started */
    _Atomic unsigned workers_ended; /* their threads have nothing left to do */
    enum worker_phase phase;
};

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
}

static void on_limit(uv_timer_t *limit)
{
    struct control *control = limit->data;
    log_event(control, CFG_LOG_INFO, "shutdown", "step", "time is up, ending the sessions that are left");
    set_phase(control, WORKER_ENDING);
}

static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct control *control = handle->data;
    (void)number;
    if (control->phase == WORKER_RUNNING) {
        log_event(control, CFG_LOG_INFO, "shutdown", "step", "no new sessions; those there may finish");
        uv_timer_start(&control->limit, on_limit, control->snapshot->cfg->timeouts.shutdown, 0);
        set_phase(control, WORKER_DRAINING);
    } else if (control->phase == WORKER_DRAINING) {
        log_event(control, CFG_LOG_INFO, "shutdown", "step", "second signal, ending the sessions at once");
        set_phase(control, WORKER_ENDING);
    }
}

/* ---- ticket keys ---- */

static void look_at_tickets(struct control *control)
{
    tickets_look(&control->snapshot->tickets, tickets_time_now(), control->log);
}

static void on_tickets(uv_timer_t *tickets)
{
    look_at_tickets(tickets->data);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    look_at_tickets(handle->data);
    log_event(handle->data, CFG_LOG_WARNING, "signal", "note",
              "SIGHUP looks at the ticket keys alone yet; restart to use a changed configuration");
}

/* ---- reports ---- */

static void log_reports(struct control *control)
{
    const struct snapshot *snapshot = control->snapshot;
    for (size_t i = 0; i < snapshot->cfg->service_count; i++)
        reports_log(&snapshot->services[i].reports, snapshot->cfg->services[i].name, control->log);
}

static void on_user_signal(uv_signal_t *handle, int number)
{
    (void)number;
    log_reports(handle->data);
}

/* ---- workers ---- */

/* libuv gives closed signals their default action back: one more SIGTERM must not turn a clean end into a kill. */
static void hold_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* In the worker's thread, as its last act. */
static void on_worker_end(void *arg)
{
    struct control *control = arg;
    atomic_fetch_add(&control->workers_ended, 1);
    uv_async_send(&control->ended);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    const struct control *control = arg;
    bool is_log = handle->type == UV_ASYNC && handle != (const uv_handle_t *)&control->ended;
    if (!is_log && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_ended(uv_async_t *ended)
{
    struct control *control = ended->data;
    if (atomic_load(&control->workers_ended) < control->worker_count)
        return;
    for (unsigned i = 0; i < control->worker_count; i++)
        worker_join(&control->workers[i]);
    log_reports(control);
    hold_signals();
    uv_walk(&control->loop, close_handle, control);
    log_close(control->log);
}

static unsigned cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* As many sessions as the file allows and as there are descriptors for, all workers together. */
static size_t session_limit(const struct cfg *cfg)
{
    struct rlimit limit;
    ENSURE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    size_t descriptors =
        limit.rlim_cur > 2 * DESCRIPTORS_OWN ? limit.rlim_cur - DESCRIPTORS_OWN : limit.rlim_cur / 2;
    size_t possible = descriptors / DESCRIPTORS_PER_SESSION;
    return cfg->max_connections > 0 && cfg->max_connections < possible ? cfg->max_connections : possible;
}

static int start_workers(struct control *control, unsigned count)
{
    size_t each = session_limit(control->snapshot->cfg) / count;
    control->workers = calloc(count, sizeof control->workers[0]);
    if (control->workers == NULL)
        return UV_ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        struct log_queue *queue = log_add_queue(control->log);
        struct worker_settings settings = {.index = i,
                                           .snapshot = control->snapshot,
                                           .sockets =
                                               control->listeners.sockets + i * control->listeners.per_worker,
                                           .socket_count = control->listeners.per_worker,
                                           .session_max = each > 0 ? each : 1,
                                           .log = queue,
                                           .on_end = on_worker_end,
                                           .on_end_arg = control};
        int error = queue != NULL ? worker_start(&control->workers[i], &settings) : UV_ENOMEM;
        if (error != 0)
            return error;
        control->worker_count = i + 1;
    }
    return 0;
}

/* ---- start ---- */

static void log_listening(struct control *control)
{
    const struct listeners *listeners = &control->listeners;
    for (size_t i = 0; i < listeners->per_worker; i++) {
        char address[ADDRESS_TEXT_MAX];
        struct log_line line;
        address_format((const struct sockaddr *)&listeners->sockets[i].address, address);
        log_line_begin(&line, CFG_LOG_INFO, "listening");
        log_line_add_text(&line, "service",
                          control->snapshot->cfg->services[listeners->sockets[i].service].name);
        log_line_add_text(&line, "address", address);
        log_write(control->log, &line);
    }
}

static bool open_listeners(struct control *control, unsigned workers)
{
    struct cfg_problems problems = {0};
    bool ok = listeners_open(control->snapshot->cfg, workers, &control->listeners, &problems);
    cfg_problems_print(&problems, stderr);
    cfg_problems_free(&problems);
    return ok;
}

static int open_handles(struct control *control)
{
    int error = uv_loop_init(&control->loop);
    if (error != 0)
        return error;
    control->log = log_new(&control->loop, control->snapshot->cfg->log_level);
    if (control->log == NULL)
        return UV_ENOMEM;
    uv_signal_init(&control->loop, &control->terminate);
    uv_signal_init(&control->loop, &control->interrupt);
    uv_signal_init(&control->loop, &control->hangup);
    uv_signal_init(&control->loop, &control->user);
    uv_timer_init(&control->loop, &control->limit);
    uv_timer_init(&control->loop, &control->tickets);
    error = uv_async_init(&control->loop, &control->ended, on_ended);
    control->terminate.data = control->interrupt.data = control->hangup.data = control;
    control->user.data = control->limit.data = control->ended.data = control->tickets.data = control;
    if (error == 0)
        error = uv_signal_start(&control->terminate, on_stop_signal, SIGTERM);
    if (error == 0)
        error = uv_signal_start(&control->interrupt, on_stop_signal, SIGINT);
    if (error == 0)
        error = uv_signal_start(&control->hangup, on_hangup, SIGHUP);
    if (error == 0)
        error = uv_signal_start(&control->user, on_user_signal, SIGUSR1);
    return error;
}

static int serve(struct control *control, unsigned workers)
{
    int error = open_handles(control);
    if (error == 0)
        error = start_workers(control, workers);
    if (error != 0) {
        /* What runs already holds nothing that is worth an orderly end. */
        fprintf(stderr, "deepproxy: can't start: %s\n", uv_strerror(error));
        exit(EXIT_FAILURE);
    }
    log_listening(control);
    look_at_tickets(control);
    uv_timer_start(&control->tickets, on_tickets, TICKETS_LOOK_EACH, TICKETS_LOOK_EACH);
    log_event(control, CFG_LOG_INFO, "ready", "version", DEEPPROXY_VERSION);
    uv_run(&control->loop, UV_RUN_DEFAULT);
    ENSURE(uv_loop_close(&control->loop) == 0);
    return EXIT_SUCCESS;
}

int control_run(struct snapshot *snapshot)
{
    struct control control = {.snapshot = snapshot};
    const struct cfg *cfg = snapshot->cfg;
    unsigned workers = cfg->workers > 0 ? cfg->workers : cores();
    int status = EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    if (open_listeners(&control, workers) && privileges_drop(cfg->user, cfg->group))
        status = serve(&control, workers);
    listeners_close(&control.listeners);
    free(control.workers);
    return status;
}
