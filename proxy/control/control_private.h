/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_CONTROL_PRIVATE_H
#define DEEPPROXY_PROXY_CONTROL_CONTROL_PRIVATE_H

#include "proxy/admin/admin.h"
#include "proxy/checks/checks.h"
#include "proxy/common/log.h"
#include "proxy/control/file_watch.h"
#include "proxy/control/pool_job.h"
#include "proxy/control/pool_names.h"
#include "proxy/control/problem_log.h"
#include "proxy/control/reload.h"
#include "proxy/control/settings_file.h"
#include "proxy/control/state_file.h"
#include "proxy/control/ticket_look.h"
#include "proxy/keyclient/key_manager.h"
#include "proxy/worker/listeners.h"
#include "proxy/worker/worker.h"

/*
 * The main thread's state, shared by control.c (start, signals, end), control_reload.c (reloads),
 * control_limits.c (how many clients there may be), control_admin.c (what the admin endpoint shows),
 * control_heartbeats.c (whether workers hang), control_pools.c (the states of servers), control_checks.c
 * (their active checks), control_names.c (the addresses of their names), control_servers.c (what the
 * operator wants of them) and control_disposal.c (what workers leave to be freed), and by nothing else. All
 * functions here are the main thread's.
 */

enum reload_step {
    RELOAD_IDLE,
    RELOAD_READING, /* in a thread of libuv's pool */
    RELOAD_NAMES,   /* for a while: names that are new are looked up, workers take other lists */
    RELOAD_APPLYING /* workers have updates that are not in effect yet */
};

/* Commands that are not done yet. No more wait than there are places for connections. */
struct control_commands {
    struct control_survey {
        uint64_t visit;
        struct survey_query query;
    } surveys[ADMIN_CONTROL_CONNECTIONS_MAX]; /* in turn; the first is under way */
    size_t survey_count;
    struct survey *of_workers;    /* of the one under way; NULL: none is */
    _Atomic unsigned surveys_due; /* parts of it that workers have not done */
    /* Visits that wait for a reload: the one under way, and the next. */
    uint64_t reloads[ADMIN_CONTROL_CONNECTIONS_MAX];
    size_t reload_count;
    uint64_t next_reloads[ADMIN_CONTROL_CONNECTIONS_MAX];
    size_t next_reload_count;
    struct cfg_problems warnings; /* of the one that is taking effect */
};

struct control_check;

struct control_checks {
    struct checks *checks;
    struct key_client keys;      /* for pools that show servers a certificate; unused if keys are here */
    struct control_check *first; /* of those that are checked */
    const char *detail;          /* of the check whose result is about to change a state; NULL: there is none */
    bool is_short;               /* memory was short: follow once more */
};

/* Looking up names, and what follows from it. */
struct control_names {
    struct pool_names *names;
    uv_async_t answered;    /* there is an answer */
    uv_timer_t due;         /* something is to be asked, or time is up */
    uint64_t wait_until_ms; /* in RELOAD_NAMES */
    bool is_changed;        /* workers are to have other lists */
    bool is_applying;       /* workers have lists that are not in effect yet; never in RELOAD_APPLYING */
};

struct control {
    uv_loop_t loop;
    int link; /* from the parent */
    uv_poll_t parent;
    uv_signal_t terminate; /* after the parent's end, as is the next one */
    uv_signal_t interrupt;
    uv_timer_t limit;      /* timeouts.grace, then timeouts.shutdown */
    uv_timer_t daily;      /* certificates near their end */
    uv_timer_t tickets;    /* the next look at the ticket keys */
    uv_timer_t heartbeats; /* the next look at the workers' */
    uv_timer_t review;     /* of what workers saw of servers */
    uint64_t review_seed;  /* for the jitter of back-offs */
    uint64_t reviews;
    struct wait_queue_alarm alarm;
    uv_timer_t last_files;   /* at the end: how long files are waited for */
    uv_async_t worker_event; /* a worker has ended, has an update in effect, or left what is to be freed */
    struct disposal_list disposals; /* of the workers, and of this thread */
    struct pool_job disposal_job;   /* frees them */
    struct file_watch *watch;
    struct runtime runtime; /* in effect */
    struct cfg *started;    /* the keys that take a restart, as they are in effect */
    struct state_file state_file;
    struct server_settings settings; /* what the operator has set of servers */
    struct settings_file settings_file;
    bool settings_changed;                              /* by the configuration */
    char settings_problem[SERVER_SETTINGS_PROBLEM_MAX]; /* of that file, until there is a log */
    struct ticket_look ticket_look;
    struct listeners listeners;
    struct admin_listeners admin_listeners; /* until they are served */
    struct admin_socket admin_socket;       /* likewise */
    struct admin *admin;
    struct worker_shared shared;
    struct log *log;
    struct key_manager *keys; /* NULL: keys are in this process */
    struct worker *workers;
    unsigned worker_count;          /* started */
    _Atomic unsigned workers_ended; /* their threads have nothing left to do */
    _Atomic unsigned updates_due;   /* given to workers, and not in effect yet */
    enum worker_phase phase;
    bool is_leaving;    /* timeouts.grace has begun: not ready, and all else as before */
    bool is_unconfined; /* the kernel has no seccomp */
    struct reload reload;
    enum reload_step step;
    /* What is taking effect is not all that was read: the rest was refused. */
    bool in_part;
    /* By enum reload_kind: to be read as soon as the reload under way is in effect. */
    bool reload_requested[2];
    /* By enum reload_kind. */
    struct metrics_reload reloads[2];
    size_t stale_certificates;   /* when they were last read */
    struct problem_log problems; /* of the certificates */
    struct control_commands commands;
    struct control_checks checks;
    struct control_names names;
};

/* What the worker with this index is to serve. `runtime` has a snapshot; the references stay the caller's. */
struct worker_config control_worker_config(const struct control *control, const struct runtime *runtime,
                                           struct listeners *listeners, unsigned worker);

/*
 * Puts the limits of all workers together into effect. Logs a warning if the limit of open files allows fewer
 * sessions than the configuration.
 */
void control_set_limits(const struct control *control, const struct cfg *cfg);

/* The limits that each worker applies. */
struct worker_limits control_worker_limits(const struct control *control, const struct cfg *cfg);

/* Logs each address that is served newly, event=listening. */
void control_log_listening(struct control *control);

/* Call when all workers have put their update into effect. It may begin the next reload. */
void control_reload_is_in_effect(struct control *control);

/* Looks at the workers' heartbeats from now on, and logs event=worker-hung and event=worker-back. */
void control_watch_heartbeats(struct control *control);

/* Puts the pools of the first snapshot into effect. Call it when there is a log, and no worker yet. */
void control_open_pools(struct control *control);

/* The pools of `runtime` take effect in place of those of `before`, which may be all NULL. */
void control_install_pools(struct control *control, const struct runtime *runtime,
                           const struct runtime *before);

/* Other lists take effect in place of those in control->runtime, as names have got other addresses. */
void control_replace_members(struct control *control, struct member_lists *members);

/* From now on what workers report changes states of servers, and logs event=server-state. */
void control_watch_pools(struct control *control);

/* Logs each change of a server's state as event=server-state. */
struct server_observer control_observer(struct control *control);

/* ---- control_checks.c: active checks ---- */

/*
 * Call it when the workers have been started: servers are checked from now on. Returns 0, or a libuv error.
 */
int control_checks_open(struct control *control);

/*
 * Call it after lists of members, a configuration or the pools' TLS took effect: what is new is checked, what
 * is gone is checked no more, and what is as before keeps its turn.
 */
void control_checks_follow(struct control *control);

/*
 * Some times a second: servers in maintenance are checked no more, those that come back are, and those that
 * sessions have begun to suspect are checked soon.
 */
void control_checks_review(struct control *control);

/* A new key process runs; owns `channel`, the main thread's socket to it. -1: not yet. */
void control_checks_set_key_channel(struct control *control, int channel);

/* Nobody signs any more. */
void control_checks_give_up_keys(struct control *control);

/* Ends all checks, and closes their handles; control_checks_free follows after the loop has ended. */
void control_checks_close(struct control *control);
void control_checks_free(struct control *control);

/* ---- control_names.c ---- */

/*
 * Looks up the names of the first snapshot, waits for them, though not for long, and makes the lists of
 * servers. Prints a warning for each name without an address. Call it when there is a log, the process is
 * confined, and no worker is there yet. Returns 0, or a libuv error.
 */
int control_open_names(struct control *control);

/* From now on names are looked up again and again. */
void control_watch_names(struct control *control);

/*
 * In RELOAD_NAMES: the names of a configuration that was read (NULL: none was) are looked up, if they are not
 * known yet. Calls control_finish_reload at once, or when they are known, or after a while.
 */
void control_await_names(struct control *control, const struct cfg *cfg);

/*
 * Replaces runtime->members, of a configuration that was read, by lists with the addresses that are known.
 * Adds warnings for names that have none. False if memory is short.
 */
MUST_CHECK bool control_use_names(struct control *control, struct runtime *runtime,
                                  struct cfg_problems *problems);

/* Only names of the snapshot in effect are looked up from now on: another one was refused, or took effect. */
void control_keep_names(struct control *control);

/*
 * Gives workers the lists that follow from other addresses, if there are any, and they have no update. It does
 * not wait for what a reload reads, which may take long.
 */
void control_apply_names(struct control *control);

/* Call when all workers have put their update into effect: true if that was one of lists. */
bool control_names_are_in_effect(struct control *control);

/* At the end, before the loop's: gives up a reload that waits for names, and closes its handles. */
void control_close_names(struct control *control);

/* Gives these lists to the workers, who have no update. False if memory is short: nothing has changed. */
MUST_CHECK bool control_apply_members(struct control *control, struct member_lists *members);

/* What a reload has waited for is there, or time is up. */
void control_finish_reload(struct control *control);

/* Names the workers that hang in `words`, as many as fit. Returns how many they are. */
unsigned control_describe_hung(const struct control *control, char *words, size_t cap);

/* Records for the metrics that a reload of this kind is in effect from now on. */
void control_note_reload(struct control *control, enum reload_kind kind);

/*
 * Call it before the workers begin: what they leave is freed from now on, as soon as control_dispose sees it.
 */
void control_open_disposals(struct control *control);

/*
 * From now on the main thread leaves to the list too, so that it serves signals and health checks meanwhile.
 */
void control_leave_disposals(struct control *control);

/* Has what is in the list freed in another thread. Call it if there may be something. */
void control_dispose(struct control *control);

/* Frees the rest, and from now on at once. Call it after the workers and the loop have ended. */
void control_end_disposals(struct control *control);

/* ---- control_commands.c: what the admin endpoint's socket asks for ---- */

/* As in struct admin_source; the argument is the struct control. */
bool control_survey(void *arg, uint64_t visit, const struct survey_query *query);
bool control_reload(void *arg, uint64_t visit);

/* ---- control_servers.c: what the operator wants of servers ---- */

/* As in struct admin_source. */
void control_order(void *arg, struct server_state *server, const struct admin_order *order);

/* Reads what was set before a restart. Call it before root is given up. */
void control_read_settings(struct control *control);

/* Sets the file aside if it is broken. Call it when there is a log, and no worker yet. */
void control_open_settings(struct control *control);

/* Sets what is remembered of the members of a list. Call it after each membership_install. */
void control_apply_settings(struct control *control, const struct membership *members);

/*
 * Call it when a configuration is in effect: it may name another file, and have another weight for a server
 * than when that was set.
 */
void control_keep_settings(struct control *control);

/* Call it when a worker may have done its part of a survey. */
void control_look_at_survey(struct control *control);

/* Call it when the reload of a configuration begins: those that wait for the next one wait for this. */
void control_reload_begins(struct control *control);

/* Answers those that wait for the reload under way. */
void control_reload_ends(struct control *control, enum admin_reload how, const struct cfg_problems *problems);

/* Frees what is left of surveys, after the workers have ended. */
void control_end_commands(struct control *control);

/* Serves the admin endpoint on control->admin_listeners and the socket. Returns 0, or a libuv error. */
int control_start_admin(struct control *control);

/* Begins the reload that is requested, unless there is none, one is under way, or the program is ending. */
void control_begin_reload(struct control *control);

#endif
