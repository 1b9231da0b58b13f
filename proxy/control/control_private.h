/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_CONTROL_PRIVATE_H
#define DEEPPROXY_PROXY_CONTROL_CONTROL_PRIVATE_H

#include "proxy/admin/admin.h"
#include "proxy/keyclient/key_manager.h"
#include "proxy/worker/listeners.h"
#include "proxy/common/log.h"
#include "proxy/control/reload.h"
#include "proxy/control/file_watch.h"
#include "proxy/worker/worker.h"

/* The main thread's own, between control.c (start, signals, end), control_reload.c (what changes in between) and
 * control_admin.c (what is told of it). */

enum reload_step {
    RELOAD_IDLE,
    RELOAD_READING, /* in a thread of the pool */
    RELOAD_APPLYING /* the workers have updates that are not in effect yet */
};

struct control {
    uv_loop_t loop;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    uv_signal_t hangup;
    uv_signal_t user; /* SIGUSR1 */
    uv_timer_t limit; /* timeouts.shutdown */
    uv_timer_t daily;
    uv_timer_t tickets; /* the next look at the ticket keys */
    uv_async_t news;    /* of a worker */
    struct file_watch *watch;
    struct snapshot *snapshot;
    struct tls_context *tls;
    struct pool_tls_set *pools;
    struct listeners listeners;
    struct admin_listeners admin_listeners; /* until they are served */
    struct admin *admin;
    struct address_counts *connections; /* by address, of all workers */
    struct address_counts *handshakes;
    struct log *log;
    struct key_manager *keys; /* NULL: keys are in this process */
    struct worker *workers;
    unsigned worker_count;          /* started */
    _Atomic unsigned workers_ended; /* their threads have nothing left to do */
    _Atomic unsigned updates_due;   /* given to workers, and not in effect yet */
    enum worker_phase phase;
    struct reload reload;
    enum reload_step step;
    bool in_part;  /* what is being put into effect is not all that was read: the rest was refused */
    bool wants[2]; /* by enum reload_kind: to be read again as soon as the last one is in effect */
    struct metrics_reload reloads[2];
    size_t stale_certificates;    /* when they were last read */
    struct cfg_problems problems; /* those of the certificates, as they were last logged */
};

/* What one worker is to serve. */
struct worker_config control_service(const struct control *control, const struct loaded *loaded,
                                      struct listeners *listeners, unsigned worker);

/* What is in effect; the references stay the control's. */
static inline struct loaded control_loaded(const struct control *control)
{
    return (struct loaded){control->snapshot, control->tls, control->pools};
}

/* A line for each address that is served anew. */
void control_log_listening(struct control *control);

/* Writes down what clients have been promised, where the configuration has a file for it. */
void control_remember_promises(const struct control *control);

/* All workers have the update that they were given. */
void control_reload_is_in_effect(struct control *control);

/* What has been read is in effect. */
void control_note_reload(struct control *control, enum reload_kind kind);

/* Serves the admin endpoint, on control->admin_listeners. 0, or a libuv error. */
int control_start_admin(struct control *control);

/* Begins what `wants` says, where no reload is under way and the program does not end. */
void control_begin_reload(struct control *control);

#endif
