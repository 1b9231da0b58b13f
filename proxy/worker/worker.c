/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/worker.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "proxy/backends/server_state.h"
#include "proxy/common/confine.h"
#include "tls/tls_random.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Timeouts are exact to half a second. */
#define TICK_MS 500
/* Those for servers to a tenth. */
#define QUICK_MS 100

/* One address in an update: a socket to take over, or a listener that continues for another service. */
struct update_slot {
    int fd;
    int reused; /* index of the listener, or LISTENER_NEW */
    size_t service;
    struct listener *listener; /* memory for a new one */
};

struct worker_update {
    struct generation *generation; /* NULL: certificates and TLS towards pools alone change */
    struct runtime runtime;        /* after the update: what it has replaced */
    struct worker_limits limits;
    struct listener **listeners; /* memory for the list */
    size_t slot_count;
    struct update_slot slots[];
};

uint64_t worker_now(const struct worker *worker)
{
    return uv_now(&worker->loop);
}

/* It stops by itself if there are no sessions and no waiting connections. */
static void start_tick(struct worker *worker)
{
    if (!uv_is_active((const uv_handle_t *)&worker->tick))
        uv_timer_again(&worker->tick);
}

/* ---- sessions ---- */

void worker_add_session(struct worker *worker, struct worker_session *session, struct generation *generation)
{
    session->previous = NULL;
    session->next = worker->sessions;
    if (worker->sessions != NULL)
        worker->sessions->previous = session;
    worker->sessions = session;
    session->generation = generation;
    generation->sessions++;
    worker->session_count++;
    start_tick(worker);
}

bool worker_admit_session(struct worker *worker, struct worker_session *session)
{
    session->has_place = shared_limit_take(worker->shared.sessions, worker->index);
    return session->has_place;
}

size_t worker_waiting_max(const struct worker *worker)
{
    const struct shared_limit *sessions = worker->shared.sessions;
    uint64_t part = shared_limit_max(sessions) / shared_limit_holders(sessions) / 2;
    bool is_scarce = shared_limit_max(sessions) > 0 && part < HANDSHAKES_WAITING_MAX;
    return is_scarce ? (size_t)part : HANDSHAKES_WAITING_MAX;
}

void worker_end_if_empty(struct worker *worker)
{
    if (worker->phase == WORKER_RUNNING || worker->session_count > 0 ||
        accepting_is_open(&worker->accepting) || uv_is_closing((uv_handle_t *)&worker->wake))
        return;
    worker->calls->end_watches(worker);
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_close((uv_handle_t *)&worker->tick, NULL);
    uv_close((uv_handle_t *)&worker->quick, NULL);
}

void worker_remove_session(struct worker *worker, struct worker_session *session)
{
    if (session->previous != NULL)
        session->previous->next = session->next;
    else
        worker->sessions = session->next;
    if (session->next != NULL)
        session->next->previous = session->previous;
    if (session->has_place)
        shared_limit_give(worker->shared.sessions, worker->index);
    if (worker->to_end == session)
        worker->to_end = session->next;
    if (worker->to_survey == session)
        worker->to_survey = session->next;
    if (worker->to_part == session)
        worker->to_part = session->next;
    if (--session->generation->sessions == 0)
        generation_drop_empty(worker->generation);
    worker->session_count--;
    worker_end_if_empty(worker);
}

static void on_slots(void *arg)
{
    struct worker *worker = arg;
    accepting_retry(&worker->accepting);
}

static struct worker_session *session_of_deadline(struct deadline *deadline)
{
    return (struct worker_session *)((char *)deadline - offsetof(struct worker_session, deadline));
}

static bool expire_one(void *arg)
{
    struct worker *worker = arg;
    struct deadline *expired = generation_take_expired(worker->generation, worker_now(worker));
    if (expired != NULL)
        worker->calls->expire(session_of_deadline(expired));
    return expired != NULL;
}

static void on_tick(uv_timer_t *tick)
{
    struct worker *worker = tick->data;
    batch_start(&worker->expiries);
    handshakes_tick(&worker->handshakes);
    if (!accepting_retry(&worker->accepting) && worker->session_count == 0)
        uv_timer_stop(tick);
}

static void on_quick(uv_timer_t *quick)
{
    struct worker *worker = quick->data;
    batch_start(&worker->expiries);
    if (!generation_has_quick(worker->generation))
        uv_timer_stop(quick);
}

void worker_begin_quick(struct worker *worker)
{
    if (!uv_is_active((const uv_handle_t *)&worker->quick))
        uv_timer_start(&worker->quick, on_quick, QUICK_MS, QUICK_MS);
}

/* ---- places at servers ---- */

void worker_wake(struct worker *worker)
{
    uv_async_send(&worker->wake);
}

/* Those of pools that the configuration has no more wait, too. */
static void take_turns(const struct worker *worker)
{
    for (const struct generation *at = worker->generation; at != NULL; at = at->older)
        for (size_t i = 0; i < at->snapshot->cfg->pool_count; i++) {
            struct wait_queue *queue = at->members->lists[i]->pool->queue;
            struct waiter *waiter = NULL;
            if (wait_queue_count(queue) == 0)
                continue;
            do
                waiter = wait_queue_turn(queue, worker->index);
            while (waiter != NULL && worker->calls->take_turn(waiter));
        }
}

/* ---- updates ---- */

void worker_update_free(struct worker_update **update)
{
    struct worker_update *last = *update;
    *update = NULL;
    if (last == NULL)
        return;
    for (size_t i = 0; i < last->slot_count; i++) {
        free(last->slots[i].listener);
        if (last->slots[i].fd >= 0)
            close(last->slots[i].fd);
    }
    free(last->listeners);
    generation_free(&last->generation);
    runtime_unref(&last->runtime);
    free(last);
}

static bool fill_slots(struct worker_update *update, const struct worker_config *config)
{
    bool ok = true;
    for (size_t i = 0; i < config->socket_count; i++) {
        struct listener_socket *socket = &config->sockets[i];
        update->slots[i] =
            (struct update_slot){.fd = -1, .reused = socket->reused, .service = socket->service};
        if (socket->reused == LISTENER_NEW) {
            update->slots[i].listener = accepting_new_listener();
            ok = update->slots[i].listener != NULL && ok;
        }
    }
    update->slot_count = config->socket_count;
    /* Last, so that a failure leaves the sockets to the caller. */
    for (size_t i = 0; ok && i < config->socket_count; i++) {
        update->slots[i].fd = config->sockets[i].fd;
        config->sockets[i].fd = -1;
    }
    return ok;
}

struct worker_update *worker_update_new(const struct worker_config *config)
{
    struct worker_update *update = calloc(1, sizeof *update + config->socket_count * sizeof update->slots[0]);
    if (update == NULL)
        return NULL;
    update->runtime = runtime_ref(&config->runtime);
    update->limits = config->limits;
    if (config->runtime.snapshot == NULL)
        return update;
    update->generation = generation_new(&config->runtime);
    update->listeners = calloc(config->socket_count, sizeof(struct listener *));
    if (update->generation == NULL || update->listeners == NULL || !fill_slots(update, config))
        worker_update_free(&update);
    return update;
}

/* 0, or the first error of a new listener. Listeners that are reused lose no connection. */
static int change_listeners(struct worker *worker, struct worker_update *update)
{
    struct accepting *accepting = &worker->accepting;
    struct listener **before = accepting->listeners;
    struct generation *older = worker->generation->older;
    size_t count = accepting->count;
    int error = 0;
    accepting->listeners = update->listeners;
    accepting->count = 0;
    update->listeners = before;
    for (size_t i = 0; i < update->slot_count; i++) {
        struct update_slot *slot = &update->slots[i];
        struct service *service = &worker->generation->snapshot->services[slot->service];
        if (slot->reused == LISTENER_NEW) {
            int failed = accepting_listen(accepting, &slot->listener, &slot->fd, service);
            error = error != 0 ? error : failed;
            continue;
        }
        accepting_continue(accepting, before[slot->reused], service);
        before[slot->reused] = NULL;
    }
    if (older != NULL)
        older->leaving++; /* it stays until the last of them has been told to leave */
    for (size_t i = 0; i < count; i++)
        if (before[i] != NULL)
            accepting_leave(accepting, before[i], older);
    if (older != NULL)
        older->leaving--;
    return error;
}

static int apply_update(struct worker *worker, struct worker_update *update)
{
    struct tls_context *tls = worker->tls;
    worker->tls = update->runtime.tls;
    update->runtime.tls = tls;
    if (update->generation == NULL) {
        struct pool_tls_set *pools = worker->generation->pools;
        worker->generation->pools = update->runtime.pools;
        update->runtime.pools = pools;
        struct member_lists *members = worker->generation->members;
        worker->generation->members = update->runtime.members;
        update->runtime.members = members;
        return 0;
    }
    update->generation->older = worker->generation;
    worker->generation = update->generation;
    update->generation = NULL;
    worker->limits = update->limits;
    handshakes_set_limit(&worker->handshakes, update->limits.handshakes_per_address);
    int error = change_listeners(worker, update);
    generation_drop_empty(worker->generation);
    return error;
}

static void log_listen_failed(const struct worker *worker, int error)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_ERROR, "listen-failed");
    log_line_add_text(&line, "error", uv_strerror(error));
    log_queue_put(worker->log, &line);
}

static void take_update(struct worker *worker)
{
    struct worker_update *update = atomic_exchange(&worker->update, NULL);
    if (update == NULL)
        return;
    int error = worker->phase == WORKER_RUNNING ? apply_update(worker, update) : 0;
    if (error != 0)
        log_listen_failed(worker, error);
    worker_update_free(&update);
    worker->on_event(worker->on_event_arg, WORKER_UPDATED);
}

void worker_give_update(struct worker *worker, struct worker_update *update)
{
    ENSURE(atomic_exchange(&worker->update, update) == NULL);
    uv_async_send(&worker->wake);
}

/* ---- surveys ---- */

/* In place of a survey: none is taken any more. */
static struct survey closed;

static void end_survey(struct worker *worker)
{
    worker->survey = NULL;
    worker->on_event(worker->on_event_arg, WORKER_SURVEYED);
}

static bool survey_one(void *arg)
{
    struct worker *worker = arg;
    struct worker_session *session = worker->to_survey;
    if (worker->survey == NULL)
        return false;
    if (session == NULL) {
        end_survey(worker);
        return false;
    }
    worker->to_survey = session->next;
    worker->calls->survey(session, worker->survey);
    return true;
}

static void take_survey(struct worker *worker)
{
    struct survey *survey = atomic_exchange(&worker->wanted_survey, NULL);
    if (survey == NULL)
        return;
    worker->survey = survey;
    worker->to_survey = worker->sessions;
    batch_start(&worker->surveys);
}

bool worker_give_survey(struct worker *worker, struct survey *survey)
{
    struct survey *none = NULL;
    if (!atomic_compare_exchange_strong(&worker->wanted_survey, &none, survey))
        return false;
    uv_async_send(&worker->wake);
    return true;
}

/* The last session has gone: whoever waits for an answer has one. */
static void close_surveys(struct worker *worker)
{
    struct survey *late = atomic_exchange(&worker->wanted_survey, &closed);
    if (worker->survey != NULL || late != NULL)
        end_survey(worker);
}

/* ---- partings ---- */

static bool part_one(void *arg)
{
    struct worker *worker = arg;
    struct worker_session *session = worker->to_part;
    if (session == NULL && worker->parts_again) {
        worker->parts_again = false;
        worker->to_part = session = worker->sessions;
    }
    if (session == NULL)
        return false;
    worker->to_part = session->next;
    worker->calls->part(session);
    return true;
}

static void take_partings(struct worker *worker)
{
    if (!atomic_exchange(&worker->wanted_partings, false))
        return;
    worker->parts_again = true;
    batch_start(&worker->partings);
}

void worker_begin_partings(struct worker *worker)
{
    atomic_store(&worker->wanted_partings, true);
    uv_async_send(&worker->wake);
}

uint64_t worker_parting_delay_ms(struct worker *worker, uint64_t over_ms)
{
    return server_goodbye_delay_ms(over_ms, worker->parting_start, worker->parting_count++);
}

/* ---- phases ---- */

/* Sessions end meanwhile; none begins. */
static bool shut_down_one(void *arg)
{
    struct worker *worker = arg;
    struct worker_session *session = worker->to_end;
    if (session == NULL)
        return false;
    worker->to_end = session->next;
    worker->calls->shut_down(session);
    return true;
}

static void shut_down_all(struct worker *worker)
{
    worker->ending_since = worker_now(worker);
    worker->to_end = worker->sessions;
    batch_start(&worker->goodbyes);
}

static void take_key_channel(struct worker *worker)
{
    int channel = atomic_exchange(&worker->wanted_channel, -1);
    if (channel >= 0)
        key_client_connect(&worker->keys, channel);
    else if (channel == WORKER_NO_KEYS)
        key_client_give_up(&worker->keys);
}

void worker_set_key_channel(struct worker *worker, int channel)
{
    int unused = atomic_exchange(&worker->wanted_channel, channel);
    if (unused >= 0)
        close(unused);
    uv_async_send(&worker->wake);
}

static void on_wake(uv_async_t *wake)
{
    struct worker *worker = wake->data;
    take_key_channel(worker);
    take_update(worker);
    take_survey(worker);
    take_partings(worker);
    take_turns(worker);
    enum worker_phase wanted = (enum worker_phase)atomic_load(&worker->wanted_phase);
    if (wanted <= worker->phase)
        return;
    worker->phase = wanted;
    if (wanted == WORKER_DRAINING)
        accepting_leave_all(&worker->accepting);
    if (wanted == WORKER_ENDING) {
        accepting_close(&worker->accepting);
        shut_down_all(worker);
    }
    worker_end_if_empty(worker);
}

void worker_set_phase(struct worker *worker, enum worker_phase phase)
{
    atomic_store(&worker->wanted_phase, (int)phase);
    uv_async_send(&worker->wake);
}

/* ---- the thread ---- */

static void on_pulse(uv_timer_t *pulse)
{
    struct worker *worker = pulse->data;
    heartbeat_beat(&worker->heartbeat);
}

/* As debuggers and `top -H` show it. */
static void name_thread(const struct worker *worker)
{
    char name[16];
    snprintf(name, sizeof name, "worker-%u", worker->index);
    pthread_setname_np(pthread_self(), name);
}

/* Nothing has been read from anybody yet. */
static bool confine(struct worker *worker)
{
    bool failed = confine_worker() == CONFINE_FAILED;
    worker->confine_error = failed ? uv_translate_sys_error(errno) : 0;
    uv_sem_post(&worker->begun);
    return !failed;
}

static void run_worker(void *arg)
{
    struct worker *worker = arg;
    disposal_leave_to(worker->disposals);
    name_thread(worker);
    if (!confine(worker))
        return;
    uv_timer_start(&worker->pulse, on_pulse, 0, HEARTBEAT_MS);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    heartbeat_end(&worker->heartbeat);
    close_surveys(worker);
    limit_log_flush(&worker->limit_log);
    worker->on_event(worker->on_event_arg, WORKER_ENDED);
}

static bool allocate_buffers(struct worker *worker)
{
    size_t sealed = tls_sealed_bound(WORKER_PLAIN_CAP + ENGINE_OUT_SCRATCH, ENGINE_OUT_SLICES);
    worker->tls_io = tls_io_new(sealed);
    worker->out = engine_out_new();
    worker->read_buffer = malloc(WORKER_READ_CAP);
    worker->plain_buffer = malloc(WORKER_PLAIN_CAP);
    return worker->tls_io != NULL && worker->out != NULL && worker->read_buffer != NULL &&
           worker->plain_buffer != NULL;
}

static void free_all(struct worker *worker)
{
    int unused = atomic_exchange(&worker->wanted_channel, -1);
    if (unused >= 0)
        close(unused);
    key_client_close(&worker->keys);
    struct worker_update *late = atomic_exchange(&worker->update, NULL);
    worker_update_free(&late);
    if (worker->plain_buffer != NULL)
        wipe(worker->plain_buffer, WORKER_PLAIN_CAP);
    if (worker->read_buffer != NULL)
        wipe(worker->read_buffer, WORKER_READ_CAP);
    free(worker->plain_buffer);
    free(worker->read_buffer);
    engine_out_free(&worker->out);
    tls_io_free(&worker->tls_io);
    free(worker->accepting.listeners);
    generation_free(&worker->generation);
    tls_context_unref(&worker->tls);
}

static int open_handles(struct worker *worker, const struct worker_config *config)
{
    worker->wake.data = worker->tick.data = worker->pulse.data = worker->quick.data = worker;
    int error = uv_async_init(&worker->loop, &worker->wake, on_wake);
    if (error != 0)
        return error;
    uv_timer_init(&worker->loop, &worker->tick);
    uv_timer_start(&worker->tick, on_tick, TICK_MS, TICK_MS);
    uv_timer_stop(&worker->tick);
    uv_timer_init(&worker->loop, &worker->quick);
    uv_timer_init(&worker->loop, &worker->pulse);
    uv_unref((uv_handle_t *)&worker->pulse);
    error = key_client_open(&worker->keys, &worker->loop, worker->log);
    if (error != 0)
        return error;
    take_key_channel(worker);
    /* The configuration that it starts with is its first update. */
    struct worker_update *update = worker_update_new(config);
    if (update == NULL)
        return UV_ENOMEM;
    error = apply_update(worker, update);
    worker_update_free(&update);
    return error;
}

static void close_if_open(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_loop(struct worker *worker)
{
    accepting_close(&worker->accepting);
    uv_walk(&worker->loop, close_if_open, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    ENSURE(uv_loop_close(&worker->loop) == 0);
}

/* Starts the thread, and waits until it is confined. Returns 0, or a libuv error with no thread there. */
static int start_thread(struct worker *worker)
{
    int error = uv_sem_init(&worker->begun, 0);
    if (error != 0)
        return error;
    error = uv_thread_create(&worker->thread, run_worker, worker);
    if (error == 0) {
        uv_sem_wait(&worker->begun);
        error = worker->confine_error;
        if (error != 0)
            uv_thread_join(&worker->thread);
    }
    uv_sem_destroy(&worker->begun);
    return error;
}

int worker_start(struct worker *worker, const struct worker_settings *settings,
                 const struct worker_config *config)
{
    memset(worker, 0, sizeof *worker);
    worker->index = settings->index;
    tls_random_text(worker->id, sizeof worker->id - 1);
    worker->log = settings->log;
    worker->shared = settings->shared;
    worker->disposals = settings->disposals;
    atomic_init(&worker->wanted_channel, settings->key_channel);
    worker->on_event = settings->on_event;
    worker->on_event_arg = settings->on_event_arg;
    int error = uv_loop_init(&worker->loop);
    if (error != 0)
        return error;
    worker->loop.data = worker;
    worker->calls = settings->calls;
    worker->handshakes_events = (struct handshakes_events){.proceed = settings->calls->continue_handshake,
                                                           .evict = settings->calls->evict,
                                                           .begin = settings->calls->begin,
                                                           .accept = on_slots};
    handshakes_init(&worker->handshakes, &worker->loop, worker->index, &worker->shared.handshakes,
                    &worker->handshakes_events, worker);
    accepting_init(&worker->accepting, worker);
    limit_log_init(&worker->limit_log, &worker->loop, worker->log);
    batch_init(&worker->expiries, &worker->loop, expire_one, worker);
    batch_init(&worker->goodbyes, &worker->loop, shut_down_one, worker);
    batch_init(&worker->surveys, &worker->loop, survey_one, worker);
    batch_init(&worker->partings, &worker->loop, part_one, worker);
    worker->parting_start = (uint32_t)server_name_hash(worker->id);
    error = allocate_buffers(worker) ? open_handles(worker, config) : UV_ENOMEM;
    if (error == 0)
        error = start_thread(worker);
    if (error != 0) {
        close_loop(worker);
        free_all(worker);
    }
    return error;
}

void worker_join(struct worker *worker)
{
    uv_thread_join(&worker->thread);
    close_loop(worker);
    free_all(worker);
}
