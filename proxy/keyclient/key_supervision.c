/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_manager_private.h"

#include "base/array.h"
#include "base/state_machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The life of the key process: when a signer is started, ended and started again, what comes from it, and
 * whether there is a guard. What a signer that runs is asked for is key_tasks.c.
 */

/*
 * How long to wait before a key process that has ended is restarted. The first time it is short, as
 * handshakes wait until then. It doubles each time, so that an attacker who makes the process end has few
 * tries.
 */
#define RESTART_FIRST_MS 100
#define RESTART_MAX_MS   (60 * 1000)
/* After a process has run this long the next wait is the first one again. */
#define RESTART_STABLE_MS (10 * 60 * 1000)
/* A request of another thread waits for a restart that comes within this time; otherwise it fails at once. */
#define REQUEST_PATIENCE_MS 2000
/* How long the guard has to end a signer: it has nothing else to do. */
#define KILL_MS 5000
/* How long to wait for another guard, before the program says that it does not help itself. */
#define GUARD_MS (10 * 1000)
/* Messages in one turn of the loop: other handles are served in between. */
#define MESSAGES_EACH 64

/* ---- phases ---- */

static const char *const names[] = {
    [KEYS_UP] = "up",           [KEYS_LOADING] = "loading", [KEYS_STARTING] = "starting",
    [KEYS_RESTING] = "resting", [KEYS_KILLING] = "killing", [KEYS_NO_GUARD] = "no guard",
};
static const unsigned moves[] = {
    [KEYS_UP] = STATE(KEYS_RESTING) | STATE(KEYS_KILLING) | STATE(KEYS_NO_GUARD),
    [KEYS_LOADING] = STATE(KEYS_UP) | STATE(KEYS_RESTING) | STATE(KEYS_KILLING) | STATE(KEYS_NO_GUARD),
    [KEYS_STARTING] = STATE(KEYS_LOADING) | STATE(KEYS_RESTING) | STATE(KEYS_KILLING) | STATE(KEYS_NO_GUARD),
    [KEYS_RESTING] = STATE(KEYS_STARTING) | STATE(KEYS_RESTING) | STATE(KEYS_NO_GUARD),
    [KEYS_KILLING] = STATE(KEYS_RESTING) | STATE(KEYS_NO_GUARD),
    [KEYS_NO_GUARD] = STATE(KEYS_RESTING),
};
STATE_MACHINE_ASSERT(names, moves, KEYS_NO_GUARD);

static bool keeps(const void *object, unsigned phase)
{
    const struct key_manager *manager = object;
    return (manager->process.control < 0) == (phase == KEYS_NO_GUARD) && manager->asked == ASKED_NOTHING;
}

static const struct state_machine machine = {"keys", names, moves, ARRAY_LEN(names), keeps};

void key_supervision_move(struct key_manager *manager, enum key_phase to)
{
    if (manager->phase == KEYS_UP)
        manager->ended_at = uv_now(manager->timer.loop);
    manager->phase = (enum key_phase)state_machine_move(&machine, NULL, manager, manager->phase, to);
}

bool key_supervision_has_signer(const struct key_manager *manager)
{
    return manager->phase == KEYS_UP || manager->phase == KEYS_LOADING;
}

/* ---- the log ---- */

static void log_text(const struct key_manager *manager, enum cfg_log_level level, const char *event,
                     const char *key, struct slice value)
{
    struct log_line line;
    log_line_begin(&line, level, event);
    log_line_add(&line, key, value);
    log_write(manager->hooks.log, &line);
}

static void log_failure(const struct key_manager *manager, enum cfg_log_level level, const char *event,
                        const char *error)
{
    log_text(manager, level, event, "error", slice_of(error));
}

/* ---- the guard ---- */

static void on_timer(uv_timer_t *timer);

void key_supervision_set_timer(struct key_manager *manager, uint64_t ms)
{
    manager->is_idle = false;
    uv_timer_start(&manager->timer, on_timer, ms, 0);
}

static void free_poll(uv_handle_t *poll)
{
    free(poll);
}

static void unwatch_control(struct key_manager *manager)
{
    if (manager->control == NULL)
        return;
    uv_poll_stop(manager->control);
    uv_close((uv_handle_t *)manager->control, free_poll);
    manager->control = NULL;
}

static void on_control(uv_poll_t *control, int status, int events);

static bool poll_control(struct key_manager *manager)
{
    int events = UV_READABLE | (manager->is_blocked ? UV_WRITABLE : 0);
    return uv_poll_start(manager->control, events, on_control) == 0;
}

static bool watch_control(struct key_manager *manager, uv_loop_t *loop)
{
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (poll == NULL || uv_poll_init(loop, poll, manager->process.control) != 0) {
        free(poll);
        return false;
    }
    poll->data = manager;
    manager->control = poll;
    manager->is_blocked = false;
    return poll_control(manager);
}

/* What was asked is answered by the end of the process. */
static enum key_asked forget_asked(struct key_manager *manager, const char *error)
{
    enum key_asked asked = manager->asked;
    manager->asked = ASKED_NOTHING;
    if (asked == ASKED_REQUEST)
        key_tasks_fail_asked(manager, slice_of(error));
    return asked;
}

static void close_guard(struct key_manager *manager)
{
    forget_asked(manager, "could not be used, as the key process has ended");
    unwatch_control(manager);
    key_process_close(&manager->process);
    key_supervision_move(manager, KEYS_NO_GUARD);
    key_supervision_set_timer(manager, GUARD_MS);
}

static void lose_guard(struct key_manager *manager)
{
    log_failure(manager, CFG_LOG_ERROR, "keys-ended", "its guard has ended");
    close_guard(manager);
}

/* It runs, and is of no use. The end of its socket ends it, or the parent does, which sees that it hangs. */
static void reject_guard(struct key_manager *manager, const char *error)
{
    log_failure(manager, CFG_LOG_ERROR, "keys-ended", error);
    close_guard(manager);
}

/* While no signer runs: they wait for one that is about to. */
static void judge_queued(struct key_manager *manager)
{
    bool is_soon =
        manager->phase == KEYS_NO_GUARD ? !manager->is_given_up : manager->wait_ms <= REQUEST_PATIENCE_MS;
    if (!key_supervision_has_signer(manager) && !is_soon)
        key_tasks_fail_queued(manager);
}

static void give_up(struct key_manager *manager)
{
    manager->is_given_up = true;
    log_failure(manager, CFG_LOG_ERROR, "keys-gone",
                "its guard has ended, and nobody has started another one: restart deepproxy");
    judge_queued(manager);
    manager->hooks.give_up(manager->hooks.arg);
}

/* ---- commands ---- */

/*
 * A command could not be sent, with this errno: the socket is full, and is watched for room; or the guard is
 * gone.
 */
void key_supervision_note_unsent(struct key_manager *manager, int error)
{
    if (error != EAGAIN && error != ENOBUFS) {
        lose_guard(manager);
        return;
    }
    manager->is_blocked = true;
    key_supervision_set_timer(manager, KEY_PROCESS_ANSWER_MS);
    if (!poll_control(manager))
        reject_guard(manager, "its control socket can't be watched");
}

bool key_supervision_send(struct key_manager *manager, const struct keys_command *command)
{
    if (key_process_send(&manager->process, command, NULL, 0))
        return true;
    key_supervision_note_unsent(manager, errno);
    return false;
}

void key_supervision_ask(struct key_manager *manager, enum key_asked asked,
                         const struct keys_command *command, uint64_t answer_ms)
{
    if (!key_supervision_send(manager, command))
        return;
    manager->asked = asked;
    key_supervision_set_timer(manager, answer_ms);
}

static void rest(struct key_manager *manager, uint64_t ms)
{
    key_supervision_move(manager, KEYS_RESTING);
    key_supervision_set_timer(manager, ms);
}

static void restart_later(struct key_manager *manager)
{
    if (uv_now(manager->timer.loop) - manager->started_at > RESTART_STABLE_MS)
        manager->wait_ms = 0;
    manager->wait_ms = manager->wait_ms == 0 ? RESTART_FIRST_MS : 2 * manager->wait_ms;
    if (manager->wait_ms > RESTART_MAX_MS)
        manager->wait_ms = RESTART_MAX_MS;
    rest(manager, manager->wait_ms);
    judge_queued(manager);
}

static void start_signer(struct key_manager *manager)
{
    int far[KEYS_CHANNELS_MAX];
    manager->started_at = uv_now(manager->timer.loop);
    if (!key_manager_open_channels(manager, far)) {
        log_failure(manager, CFG_LOG_ERROR, "keys-not-restarted", strerror(errno));
        restart_later(manager);
        return;
    }
    key_supervision_move(manager, KEYS_STARTING);
    bool ok = key_process_start(&manager->process, far, manager->workers);
    for (unsigned i = 0; i < manager->workers; i++)
        close(far[i]);
    if (ok) {
        manager->asked = ASKED_START;
        key_supervision_set_timer(manager, KEY_PROCESS_ANSWER_MS);
    } else {
        /* It may have some of the channels: it can't be told to begin anew. */
        reject_guard(manager, "its guard can't be sent what a signer needs");
    }
}

static const struct keys_command kill_command = {.type = KEYS_KILL};

/* The signer does not answer. If the guard does not either, it is given up after KILL_MS. */
static void kill_signer(struct key_manager *manager)
{
    log_failure(manager, CFG_LOG_ERROR, "keys-hang", "it does not answer, and is ended");
    forget_asked(manager, "can't be used: the key process does not answer");
    if (manager->is_blocked || !key_process_send(&manager->process, &kill_command, NULL, 0)) {
        reject_guard(manager, "its guard does not read");
        return;
    }
    key_supervision_move(manager, KEYS_KILLING);
    key_supervision_set_timer(manager, KILL_MS);
}

/* ---- messages ---- */

static void note_started(struct key_manager *manager, bool ok, struct slice answer)
{
    if (ok) {
        snprintf(manager->library, sizeof manager->library, "%.*s", (int)answer.len,
                 (const char *)answer.data);
        key_tasks_begin(manager);
        return;
    }
    log_text(manager, CFG_LOG_ERROR, "keys-not-restarted", "error", answer);
    restart_later(manager);
}

/*
 * An answer that nobody waits for. The end of a signer that could not start may be received after the next
 * KEYS_START was sent, and then counts for that: the signer that has started all the same is ended, and is
 * replaced when the timer expires. False: the guard is faulty.
 */
static bool take_late_answer(struct key_manager *manager, bool ok)
{
    if (manager->phase == KEYS_RESTING && ok)
        (void)key_supervision_send(manager, &kill_command);
    return manager->phase == KEYS_RESTING || manager->phase == KEYS_KILLING;
}

/* False if nothing was asked. */
static bool take_answer(struct key_manager *manager, bool ok, struct slice answer)
{
    enum key_asked asked = manager->asked;
    manager->asked = ASKED_NOTHING;
    if (ok)
        manager->drops = 0;
    switch (asked) {
    case ASKED_START:
        note_started(manager, ok, answer);
        return true;
    case ASKED_KEY:
        key_tasks_note_loaded(manager, ok, answer);
        return true;
    case ASKED_REQUEST:
        if (ok)
            key_tasks_answer(manager, answer);
        else
            key_tasks_fail_asked(manager, answer);
        return true;
    case ASKED_PING:
        return true;
    default:
        return take_late_answer(manager, ok);
    }
}

static void note_ended(struct key_manager *manager, struct slice why)
{
    char error[KEY_PROCESS_ERROR_MAX];
    bool was_starting = manager->phase == KEYS_STARTING;
    if (manager->phase == KEYS_RESTING) /* its answer to KEYS_START has said so */
        return;
    snprintf(error, sizeof error, "could not be used, as the key process ended (%.*s)", (int)why.len,
             (const char *)why.data);
    if (forget_asked(manager, error) == ASKED_KEY)
        key_tasks_note_end_by(manager, manager->asked_key);
    log_text(manager, CFG_LOG_ERROR, was_starting ? "keys-not-restarted" : "keys-ended", "error", why);
    restart_later(manager);
}

/* False if the guard is faulty. */
static bool take_message(struct key_manager *manager, enum keys_reply_type type, struct slice payload)
{
    switch (type) {
    case KEYS_NOTE:
        log_text(manager, CFG_LOG_WARNING, "keys-note", "note", payload);
        return true;
    case KEYS_ENDED:
        note_ended(manager, payload);
        return true;
    case KEYS_WANTED:
        return key_tasks_note_wanted(manager, payload);
    default:
        return take_answer(manager, type == KEYS_DONE, payload);
    }
}

static void on_control(uv_poll_t *control, int status, int events)
{
    struct key_manager *manager = control->data;
    enum key_received received = status < 0 ? KEY_RECEIVED_END : KEY_RECEIVED_REPLY;
    if ((events & UV_WRITABLE) != 0) {
        manager->is_blocked = false;
        if (!poll_control(manager))
            received = KEY_RECEIVED_END;
    }
    for (unsigned i = 0; i < MESSAGES_EACH && received == KEY_RECEIVED_REPLY; i++) {
        enum keys_reply_type type;
        struct slice payload;
        received = key_process_receive(&manager->process, &type, &payload);
        if (received == KEY_RECEIVED_REPLY && !take_message(manager, type, payload))
            reject_guard(manager, "its guard sent a message that it may not send");
        if (manager->control != control) /* it was closed */
            return;
    }
    if (received == KEY_RECEIVED_END)
        lose_guard(manager);
    else
        key_tasks_step(manager);
}

static void on_timer(uv_timer_t *timer)
{
    struct key_manager *manager = timer->data;
    switch (manager->phase) {
    case KEYS_RESTING:
        start_signer(manager);
        return;
    case KEYS_KILLING:
        reject_guard(manager, "its guard does not answer");
        return;
    case KEYS_NO_GUARD:
        give_up(manager);
        return;
    default:
        if (manager->is_idle)
            key_tasks_ping(manager);
        else
            kill_signer(manager);
    }
}

/* ---- from outside ---- */

void key_supervision_wake(struct key_manager *manager)
{
    if (key_supervision_has_signer(manager)) {
        key_tasks_step(manager);
        return;
    }
    key_tasks_forget_released(manager);
    judge_queued(manager);
}

void key_manager_replace_guard(struct key_manager *manager, int control)
{
    char error[KEY_PROCESS_ERROR_MAX] = "its control socket can't be watched";
    if (manager->phase != KEYS_NO_GUARD)
        close_guard(manager);
    bool ok = key_process_open(&manager->process, control, error);
    if (ok && !watch_control(manager, manager->timer.loop)) {
        unwatch_control(manager);
        key_process_close(&manager->process);
        ok = false;
    }
    if (!ok) {
        log_failure(manager, CFG_LOG_ERROR, "keys-not-restarted", error);
        return;
    }
    manager->is_given_up = false;
    rest(manager, 0);
}

int key_supervision_begin(struct key_manager *manager, uv_loop_t *loop)
{
    static const struct keys_command ready = {.type = KEYS_READY};
    uv_timer_init(loop, &manager->timer);
    manager->timer.data = manager;
    manager->started_at = uv_now(loop);
    if (manager->process.note[0] != '\0')
        log_text(manager, CFG_LOG_WARNING, "keys-note", "note", slice_of(manager->process.note));
    if (manager->process.control < 0) {
        lose_guard(manager);
        return 0;
    }
    if (!watch_control(manager, loop))
        return UV_ENOMEM;
    if (manager->process.ended[0] != '\0')
        note_ended(manager, slice_of(manager->process.ended));
    else if (key_supervision_send(manager, &ready))
        key_tasks_step(manager);
    return 0;
}

void key_supervision_end(struct key_manager *manager)
{
    forget_asked(manager, "can't be used: the program ends");
    key_tasks_fail_queued(manager);
    unwatch_control(manager);
    uv_close((uv_handle_t *)&manager->timer, NULL);
}
