/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_manager_private.h"

#include "base/array.h"

#include <errno.h>
#include <stdio.h>

/*
 * What a signer that runs is asked for, and in what order: to drop keys, to load those that it does not have
 * yet, what other threads want, and whether it is alive.
 */

/* How often an idle signer is asked whether it is alive, and how long it has for the answer. */
#define PING_EACH_MS   2000
#define PING_ANSWER_MS 8000
/*
 * As many commands without an answer as the sockets take for certain; then the signer is asked whether it has
 * them.
 */
#define DROPS_MAX 64
/* A key with which so many signers in a row have ended is the reason for it. */
#define ENDS_MAX 2

/* ---- requests ---- */

/* Under the lock. */
static void fail_request(struct key_manager *manager, struct key_request *request, const char *error)
{
    snprintf(request->error, sizeof request->error, "%s", error);
    key_manager_settle(manager, request, false);
}

/* The one that was asked. */
void key_tasks_fail_asked(struct key_manager *manager, struct slice error)
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
void key_tasks_fail_queued(struct key_manager *manager)
{
    uv_mutex_lock(&manager->lock);
    for (struct key_request *next; manager->first != NULL; manager->first = next) {
        next = manager->first->next;
        fail_request(manager, manager->first, "could not be used, as the key process does not run");
    }
    manager->last = NULL;
    uv_mutex_unlock(&manager->lock);
}

/* Keeps the public half at once: the signer may end before the requester wakes. Under the lock. */
static bool keep_answer(struct key_manager *manager, struct key_request *request, struct slice answer)
{
    if (!bytes_append(&request->answer, answer, KEYS_REPLY_MAX))
        return false;
    return !keys_command_loads(request->command.type) ||
           key_entry_keep_public_half(&manager->entries.items[request->command.key], answer);
}

void key_tasks_answer(struct key_manager *manager, struct slice answer)
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

/* ---- loading ---- */

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
void key_tasks_forget_released(struct key_manager *manager)
{
    uint32_t number;
    while (take_released(manager, &number))
        drop_entry(manager, number);
}

void key_tasks_begin(struct key_manager *manager)
{
    key_tasks_forget_released(manager);
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
    key_supervision_move(manager, KEYS_LOADING);
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
    manager->drops += key_supervision_send(manager, &drop);
}

static void finish_loading(struct key_manager *manager)
{
    static const struct keys_command ready = {.type = KEYS_READY};
    if (!key_supervision_send(manager, &ready))
        return;
    key_supervision_move(manager, KEYS_UP);
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
void key_tasks_note_loaded(struct key_manager *manager, bool ok, struct slice answer)
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
void key_tasks_note_end_by(struct key_manager *manager, uint32_t number)
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
    key_supervision_ask(manager, ASKED_KEY, &command, KEY_PROCESS_ANSWER_MS);
}

static bool is_free(const struct key_manager *manager)
{
    return key_supervision_has_signer(manager) && manager->asked == ASKED_NOTHING && !manager->is_blocked;
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

void key_tasks_ping(struct key_manager *manager)
{
    static const struct keys_command command = {.type = KEYS_PING};
    key_supervision_ask(manager, ASKED_PING, &command, PING_ANSWER_MS);
}

/* The signer drops them, as many as its sockets take at a time. What can't be sent now stays on the list. */
static void drop_released(struct key_manager *manager)
{
    uint32_t number;
    while (is_free(manager) && take_released(manager, &number)) {
        struct keys_command drop = {.type = KEYS_DROP, .key = number};
        if (key_supervision_send(manager, &drop)) {
            drop_entry(manager, number);
            manager->drops++;
        } else {
            uv_mutex_lock(&manager->lock);
            key_manager_note_released(manager, number);
            uv_mutex_unlock(&manager->lock);
        }
        if (manager->drops >= DROPS_MAX && is_free(manager))
            key_tasks_ping(manager);
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
        key_supervision_set_timer(manager, KEY_PROCESS_ANSWER_MS);
    else if (is_due)
        key_supervision_note_unsent(manager, error);
}

/* Sends what is due, if the last command was answered: first what handshakes wait for. */
void key_tasks_step(struct key_manager *manager)
{
    drop_released(manager);
    load_missing(manager);
    ask_request(manager);
    if (manager->phase == KEYS_UP && is_free(manager) && !manager->is_idle) {
        key_supervision_set_timer(manager, PING_EACH_MS);
        manager->is_idle = true;
    }
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
bool key_tasks_note_wanted(struct key_manager *manager, struct slice payload)
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
