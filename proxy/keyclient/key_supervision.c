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
/* How often an idle signer is asked whether it is alive, and how long it has for the answer. */
#define PING_EACH_MS   2000
#define PING_ANSWER_MS 8000
/* How long the guard has to end a signer: it has nothing else to do. */
#define KILL_MS 5000
/* How long to wait for another guard, before the program says that it does not help itself. */
#define GUARD_MS (10 * 1000)
/*
 * As many commands without an answer as the sockets take for certain; then the signer is asked whether it has
 * them.
 */
#define DROPS_MAX 64
/* Messages in one turn of the loop: other handles are served in between. */
#define MESSAGES_EACH 64
/* A key with which so many signers in a row have ended is the reason for it. */
#define ENDS_MAX 2

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

static void move(struct key_manager *manager, enum key_phase to)
{
    if (manager->phase == KEYS_UP)
        manager->ended_at = uv_now(manager->timer.loop);
    manager->phase = (enum key_phase)state_machine_move(&machine, NULL, manager, manager->phase, to);
}

static bool has_signer(const struct key_manager *manager)
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

static void log_restarted(struct key_manager *manager)
{
    struct log_line line;
    uint64_t keys = 0;
    uv_mutex_lock(&manager->lock);
    for (uint32_t i = 0; i < manager->entries.count; i++)
        keys += manager->entries.items[i].spki != NULL && !manager->entries.items[i].is_lost;
    uv_mutex_unlock(&manager->lock);
    log_line_begin(&line, CFG_LOG_WARNING, "keys-restarted");
    log_line_add_number(&line, "keys", keys);
    log_line_add_number(&line, "ms", uv_now(manager->timer.loop) - manager->ended_at);
    log_line_add_text(&line, "library", manager->library);
    log_write(manager->hooks.log, &line);
}

/* ---- requests ---- */

/* Under the lock. */
static void fail_request(struct key_manager *manager, struct key_request *request, const char *error)
{
    snprintf(request->error, sizeof request->error, "%s", error);
    key_manager_settle(manager, request, false);
}

/* The one that was asked. */
static void fail_asked(struct key_manager *manager, struct slice error)
{
    uv_mutex_lock(&manager->lock);
    struct key_request *request = manager->asked_request;
    manager->asked_request = NULL;
    if (request != NULL) {
        snprintf(request->error, sizeof request->error, "%.*s", (int)error.len, (const char *)error.data);
        key_manager_settle(manager, request, false);
    }
    uv_mutex_unlock(&manager->lock);
}

/* Those that were not asked yet. */
static void fail_queued(struct key_manager *manager)
{
    uv_mutex_lock(&manager->lock);
    for (struct key_request *next; manager->first != NULL; manager->first = next) {
        next = manager->first->next;
        fail_request(manager, manager->first, "could not be used, as the key process does not run");
    }
    manager->last = NULL;
    uv_mutex_unlock(&manager->lock);
}

/* While no signer runs: they wait for one that is about to. */
static void judge_queued(struct key_manager *manager)
{
    bool is_soon =
        manager->phase == KEYS_NO_GUARD ? !manager->is_given_up : manager->wait_ms <= REQUEST_PATIENCE_MS;
    if (!has_signer(manager) && !is_soon)
        fail_queued(manager);
}

/* Keeps the public half at once: the signer may end before the requester wakes. Under the lock. */
static bool keep_answer(struct key_manager *manager, struct key_request *request, struct slice answer)
{
    if (!bytes_append(&request->answer, answer, KEYS_REPLY_MAX))
        return false;
    return !keys_command_loads(request->command.type) ||
           key_entry_keep_public_half(&manager->entries.items[request->command.key], answer);
}

static void answer_request(struct key_manager *manager, struct slice answer)
{
    uv_mutex_lock(&manager->lock);
    struct key_request *request = manager->asked_request;
    manager->asked_request = NULL;
    if (request != NULL && keep_answer(manager, request, answer))
        key_manager_settle(manager, request, true);
    else if (request != NULL)
        fail_request(manager, request, "can't be kept: out of memory");
    uv_mutex_unlock(&manager->lock);
}

/* ---- the guard ---- */

static void on_timer(uv_timer_t *timer);

static void set_timer(struct key_manager *manager, uint64_t ms)
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
        fail_asked(manager, slice_of(error));
    return asked;
}

static void close_guard(struct key_manager *manager)
{
    forget_asked(manager, "could not be used, as the key process has ended");
    unwatch_control(manager);
    key_process_close(&manager->process);
    move(manager, KEYS_NO_GUARD);
    set_timer(manager, GUARD_MS);
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
static void note_unsent(struct key_manager *manager, int error)
{
    if (error != EAGAIN && error != ENOBUFS) {
        lose_guard(manager);
        return;
    }
    manager->is_blocked = true;
    set_timer(manager, KEY_PROCESS_ANSWER_MS);
    if (!poll_control(manager))
        reject_guard(manager, "its control socket can't be watched");
}

static bool send_command(struct key_manager *manager, const struct keys_command *command)
{
    if (key_process_send(&manager->process, command, NULL, 0))
        return true;
    note_unsent(manager, errno);
    return false;
}

static void ask(struct key_manager *manager, enum key_asked asked, const struct keys_command *command,
                uint64_t answer_ms)
{
    if (!send_command(manager, command))
        return;
    manager->asked = asked;
    set_timer(manager, answer_ms);
}

static void rest(struct key_manager *manager, uint64_t ms)
{
    move(manager, KEYS_RESTING);
    set_timer(manager, ms);
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
    move(manager, KEYS_STARTING);
    bool ok = key_process_start(&manager->process, far, manager->workers);
    for (unsigned i = 0; i < manager->workers; i++)
        close(far[i]);
    if (ok) {
        manager->asked = ASKED_START;
        set_timer(manager, KEY_PROCESS_ANSWER_MS);
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
    move(manager, KEYS_KILLING);
    set_timer(manager, KILL_MS);
}

/* ---- loading ---- */

static struct key_entry *entry_at(struct key_manager *manager, uint32_t number)
{
    return number < manager->entries.count && manager->entries.items[number].spki != NULL
               ? &manager->entries.items[number]
               : NULL;
}

static bool take_released(struct key_manager *manager, uint32_t *number)
{
    uv_mutex_lock(&manager->lock);
    bool found = manager->released_count > 0;
    if (found)
        *number = manager->released[--manager->released_count];
    uv_mutex_unlock(&manager->lock);
    return found;
}

static void drop_entry(struct key_manager *manager, uint32_t number)
{
    uv_mutex_lock(&manager->lock);
    key_entries_drop(&manager->entries, number);
    uv_mutex_unlock(&manager->lock);
}

/* No signer has them. */
static void forget_released(struct key_manager *manager)
{
    uint32_t number;
    while (take_released(manager, &number))
        drop_entry(manager, number);
}

static void begin_loading(struct key_manager *manager)
{
    forget_released(manager);
    uv_mutex_lock(&manager->lock);
    for (uint32_t i = 0; i < manager->entries.count; i++) {
        struct key_entry *entry = &manager->entries.items[i];
        entry->is_missing = entry->spki != NULL;
        entry->is_wanted = false;
    }
    uv_mutex_unlock(&manager->lock);
    manager->cursor = 0;
    manager->drops = 0;
    manager->wanted_at = manager->wanted_count = 0;
    manager->has_lost = false;
    move(manager, KEYS_LOADING);
    for (unsigned i = 0; i < manager->workers; i++)
        manager->hooks.connect(manager->hooks.arg, i, key_manager_take_channel(manager, i));
}

/*
 * Under the lock. The next key to be loaded: one that is wanted, or else the next in the list. False: none is
 * left.
 */
static bool find_missing(struct key_manager *manager, uint32_t *number)
{
    for (; manager->wanted_at < manager->wanted_count; manager->wanted_at++) {
        const struct key_entry *entry = entry_at(manager, manager->wanted[manager->wanted_at]);
        if (entry != NULL && entry->is_missing) {
            *number = manager->wanted[manager->wanted_at];
            return true;
        }
    }
    for (; manager->cursor < manager->entries.count; manager->cursor++)
        if (manager->entries.items[manager->cursor].is_missing) {
            *number = manager->cursor;
            return true;
        }
    return false;
}

/* Tells the signer that a key won't come: what waits for it is refused. */
static void refuse_key(struct key_manager *manager, uint32_t number)
{
    struct keys_command drop = {.type = KEYS_DROP, .key = number};
    manager->drops += send_command(manager, &drop);
}

static void finish_loading(struct key_manager *manager)
{
    static const struct keys_command ready = {.type = KEYS_READY};
    if (!send_command(manager, &ready))
        return;
    move(manager, KEYS_UP);
    manager->restarts++;
    log_restarted(manager);
    if (manager->has_lost)
        manager->hooks.lost(manager->hooks.arg);
}

static void lose_key(struct key_manager *manager, uint32_t number, struct slice error)
{
    struct log_line line;
    uv_mutex_lock(&manager->lock);
    struct key_entry *entry = &manager->entries.items[number];
    entry->is_missing = false;
    entry->is_lost = true;
    log_line_begin(&line, CFG_LOG_ERROR, "key-lost");
    log_line_add_text(&line, "key", entry->path);
    uv_mutex_unlock(&manager->lock);
    log_line_add(&line, "error", error);
    log_write(manager->hooks.log, &line);
    manager->has_lost = true;
    refuse_key(manager, number);
}

/*
 * The answer to ASKED_KEY. A different key in the file is not the certificate's any more. What was released
 * meanwhile is still there, as only this thread drops it.
 */
static void note_loaded(struct key_manager *manager, bool ok, struct slice answer)
{
    uint32_t number = manager->asked_key;
    uv_mutex_lock(&manager->lock);
    struct key_entry *entry = &manager->entries.items[number];
    bool is_same = ok && slice_equals(answer, (struct slice){entry->spki, entry->spki_len});
    entry->ends = 0;
    if (is_same)
        entry->is_missing = entry->is_lost = false;
    uv_mutex_unlock(&manager->lock);
    if (!is_same)
        lose_key(manager, number, ok ? slice_of("its file has another key now") : answer);
}

/* The signer has ended while it loaded this key. */
static void note_end_by(struct key_manager *manager, uint32_t number)
{
    uv_mutex_lock(&manager->lock);
    manager->entries.items[number].ends++;
    uv_mutex_unlock(&manager->lock);
}

/* Sends the command that loads a key, unless this is what has ended the signers before. */
static void load_key(struct key_manager *manager, uint32_t number)
{
    uv_mutex_lock(&manager->lock);
    const struct key_entry *entry = &manager->entries.items[number];
    struct keys_command command = key_manager_load_command(entry, number);
    bool is_fatal = entry->ends >= ENDS_MAX;
    uv_mutex_unlock(&manager->lock);
    if (is_fatal) {
        lose_key(manager, number, slice_of("the key process ends when it loads it"));
        return;
    }
    manager->asked_key = number;
    ask(manager, ASKED_KEY, &command, KEY_PROCESS_ANSWER_MS);
}

static bool is_free(const struct key_manager *manager)
{
    return has_signer(manager) && manager->asked == ASKED_NOTHING && !manager->is_blocked;
}

static void load_missing(struct key_manager *manager)
{
    while (manager->phase == KEYS_LOADING && is_free(manager)) {
        uint32_t number;
        uv_mutex_lock(&manager->lock);
        bool found = find_missing(manager, &number);
        uv_mutex_unlock(&manager->lock);
        if (found)
            load_key(manager, number);
        else
            finish_loading(manager);
    }
}

/* ---- what is next ---- */

static void ping(struct key_manager *manager)
{
    static const struct keys_command command = {.type = KEYS_PING};
    ask(manager, ASKED_PING, &command, PING_ANSWER_MS);
}

/* The signer drops them, as many as its sockets take at a time. What can't be sent now stays on the list. */
static void drop_released(struct key_manager *manager)
{
    uint32_t number;
    while (is_free(manager) && take_released(manager, &number)) {
        struct keys_command drop = {.type = KEYS_DROP, .key = number};
        if (send_command(manager, &drop)) {
            drop_entry(manager, number);
            manager->drops++;
        } else {
            uv_mutex_lock(&manager->lock);
            key_manager_note_released(manager, number);
            uv_mutex_unlock(&manager->lock);
        }
        if (manager->drops >= DROPS_MAX && is_free(manager))
            ping(manager);
    }
}

/* The first of the queue was sent. Under the lock. */
static void take_request(struct key_manager *manager)
{
    manager->asked = ASKED_REQUEST;
    manager->asked_request = manager->first;
    manager->first = manager->first->next;
    if (manager->first == NULL)
        manager->last = NULL;
}

/* It is sent under the lock, as its thread may stop waiting otherwise, and free its path. */
static void ask_request(struct key_manager *manager)
{
    uv_mutex_lock(&manager->lock);
    bool is_due = manager->first != NULL && is_free(manager);
    bool is_sent = is_due && key_process_send(&manager->process, &manager->first->command, NULL, 0);
    int error = errno;
    if (is_sent)
        take_request(manager);
    uv_mutex_unlock(&manager->lock);
    if (is_sent)
        set_timer(manager, KEY_PROCESS_ANSWER_MS);
    else if (is_due)
        note_unsent(manager, error);
}

/* Sends what is due, if the last command was answered: first what handshakes wait for. */
static void step(struct key_manager *manager)
{
    drop_released(manager);
    load_missing(manager);
    ask_request(manager);
    if (manager->phase == KEYS_UP && is_free(manager) && !manager->is_idle) {
        set_timer(manager, PING_EACH_MS);
        manager->is_idle = true;
    }
}

/* ---- messages ---- */

static void note_started(struct key_manager *manager, bool ok, struct slice answer)
{
    if (ok) {
        snprintf(manager->library, sizeof manager->library, "%.*s", (int)answer.len,
                 (const char *)answer.data);
        begin_loading(manager);
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
        (void)send_command(manager, &kill_command);
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
        note_loaded(manager, ok, answer);
        return true;
    case ASKED_REQUEST:
        if (ok)
            answer_request(manager, answer);
        else
            fail_asked(manager, answer);
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
        note_end_by(manager, manager->asked_key);
    log_text(manager, CFG_LOG_ERROR, was_starting ? "keys-not-restarted" : "keys-ended", "error", why);
    restart_later(manager);
}

/* Under the lock. */
static void put_wanted(struct key_manager *manager, uint32_t number, struct key_entry *entry)
{
    uint32_t *wanted =
        array_make_room(manager->wanted, manager->wanted_count, &manager->wanted_cap, sizeof *wanted);
    if (wanted == NULL) /* its turn comes all the same */
        return;
    manager->wanted = wanted;
    manager->wanted[manager->wanted_count++] = number;
    entry->is_wanted = true;
}

/* A handshake waits for a key. False if the message is malformed. */
static bool note_wanted(struct key_manager *manager, struct slice payload)
{
    uint32_t number;
    if (!keys_take_wanted(payload, &number))
        return false;
    if (manager->phase != KEYS_LOADING)
        return true;
    uv_mutex_lock(&manager->lock);
    struct key_entry *entry = entry_at(manager, number);
    if (entry != NULL && entry->is_missing && !entry->is_wanted)
        put_wanted(manager, number, entry);
    uv_mutex_unlock(&manager->lock);
    if (entry == NULL)
        refuse_key(manager, number);
    return true;
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
        return note_wanted(manager, payload);
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
        step(manager);
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
            ping(manager);
        else
            kill_signer(manager);
    }
}

/* ---- from outside ---- */

void key_supervision_wake(struct key_manager *manager)
{
    if (has_signer(manager)) {
        step(manager);
        return;
    }
    forget_released(manager);
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
    else if (send_command(manager, &ready))
        step(manager);
    return 0;
}

void key_supervision_end(struct key_manager *manager)
{
    forget_asked(manager, "can't be used: the program ends");
    fail_queued(manager);
    unwatch_control(manager);
    uv_close((uv_handle_t *)&manager->timer, NULL);
}
