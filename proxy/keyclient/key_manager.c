/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_manager.h"

#include "base/array.h"
#include "base/ensure.h"
#include "proxy/keyclient/key_entries.h"
#include "proxy/keyclient/key_process.h"
#include "proxy/keyclient/key_spawn.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * How long to wait before a key process that has ended is restarted. The first time it is short, as
 * handshakes fail until then. It doubles each time, so that an attacker who makes the process end has few
 * tries.
 */
#define RESTART_FIRST_MS 100
#define RESTART_MAX_MS   (60 * 1000)
/* After a process has run this long the next wait is the first one again. */
#define RESTART_STABLE_MS (10 * 60 * 1000)

struct key_manager {
    struct key_process process;
    struct tls_key_source source;
    struct key_entries entries;
    int *channels; /* the workers' ends, until key_manager_take_channel; -1: taken, or closed */
    unsigned workers;
    uv_mutex_t lock;         /* of the process and the entries */
    _Atomic bool is_awaited; /* the main thread wants the lock, and waits for `wake` */
    uv_mutex_t release_lock;
    /* under release_lock: numbers of keys to be dropped, as no certificate has them any more */
    uint32_t *released;
    size_t released_count;
    size_t released_cap;
    bool watched;
    struct key_manager_hooks hooks;
    uv_poll_t *control; /* on the heap, as it lives until its close callback; NULL: there is no guard */
    uv_timer_t restart;
    uv_async_t wake;
    uint64_t wait_ms;
    uint64_t started_at;
    unsigned restarts;
};

static void log_text(const struct key_manager *manager, enum cfg_log_level level, const char *event,
                     const char *key, const char *value)
{
    struct log_line line;
    log_line_begin(&line, level, event);
    log_line_add_text(&line, key, value);
    log_write(manager->hooks.log, &line);
}

/* ---- keys ---- */

/* Under release_lock. If memory is short the key stays loaded, which does no harm. */
static void note_released(struct key_manager *manager, uint32_t number)
{
    uint32_t *released =
        array_make_room(manager->released, manager->released_count, &manager->released_cap, sizeof *released);
    if (released == NULL)
        return;
    manager->released = released;
    manager->released[manager->released_count++] = number;
}

/* Drops the released keys. If the key process is busy the rest stays on the list. Under the lock. */
static void drop_released(struct key_manager *manager)
{
    uv_mutex_lock(&manager->release_lock);
    uint32_t *released = manager->released;
    size_t count = manager->released_count;
    manager->released = NULL;
    manager->released_count = manager->released_cap = 0;
    uv_mutex_unlock(&manager->release_lock);
    size_t dropped = 0;
    while (dropped < count && key_process_drop(&manager->process, released[dropped]))
        key_entries_drop(&manager->entries, released[dropped++]);
    uv_mutex_lock(&manager->release_lock);
    for (size_t i = dropped; i < count; i++)
        note_released(manager, released[i]);
    uv_mutex_unlock(&manager->release_lock);
    free(released);
}

/* tls_key_source.release, from any thread. */
static void release(void *arg, uint32_t number)
{
    struct key_manager *manager = arg;
    uv_mutex_lock(&manager->release_lock);
    note_released(manager, number);
    if (manager->watched)
        uv_async_send(&manager->wake);
    uv_mutex_unlock(&manager->release_lock);
}

/* The main thread never waits for the lock: the thread that has it wakes the main thread when it is free. */
static void unlock(struct key_manager *manager)
{
    uv_mutex_unlock(&manager->lock);
    if (atomic_exchange(&manager->is_awaited, false))
        uv_async_send(&manager->wake);
}

/* The end of the signer may be noticed here: the main thread then handles it when its loop runs next. */
static bool ask(struct key_manager *manager, const struct keys_command *command, struct slice *answer,
                char error[KEY_PROCESS_ERROR_MAX])
{
    bool ok = key_process_ask(&manager->process, command, answer, error);
    if (manager->watched && manager->process.ended[0] != '\0')
        uv_async_send(&manager->wake);
    return ok;
}

static bool ask_for_key(struct key_manager *manager, uint32_t number, const struct key_entry *entry,
                        struct slice *spki, char error[KEY_PROCESS_ERROR_MAX])
{
    bool is_client = entry->role == TLS_KEY_OF_CLIENT;
    struct keys_command command = {
        .type = is_client ? KEYS_LOAD_CLIENT : KEYS_LOAD, .key = number, .path = slice_of(entry->path)};
    if (entry->passphrase_path != NULL)
        command.passphrase_path = slice_of(entry->passphrase_path);
    return ask(manager, &command, spki, error);
}

static bool keep_public_half(struct key_entry *entry, struct slice spki, struct tls_external_key *into)
{
    if (spki.len > sizeof into->spki || !key_entry_keep_public_half(entry, spki))
        return false;
    memcpy(into->spki, spki.data, spki.len);
    into->spki_len = spki.len;
    return true;
}

static bool load_locked(struct key_manager *manager, const char *path, const char *passphrase_path,
                        enum tls_key_role role, struct tls_external_key *into)
{
    uint32_t number;
    struct slice spki;
    _Static_assert((int)TLS_KEY_ERROR_MAX >= (int)KEY_PROCESS_ERROR_MAX, "an error fits");
    drop_released(manager);
    snprintf(into->error, sizeof into->error, "can't be kept: out of memory");
    if (!key_entries_add(&manager->entries, path, passphrase_path, role, &number))
        return false;
    struct key_entry *entry = &manager->entries.items[number];
    if (ask_for_key(manager, number, entry, &spki, into->error) && keep_public_half(entry, spki, into)) {
        into->number = number;
        return true;
    }
    if (key_process_drop(&manager->process, number))
        key_entries_drop(&manager->entries, number);
    else
        release(manager, number);
    return false;
}

static bool load(void *arg, const char *path, const char *passphrase_path, enum tls_key_role role,
                 struct tls_external_key *into)
{
    struct key_manager *manager = arg;
    uv_mutex_lock(&manager->lock);
    bool ok = load_locked(manager, path, passphrase_path, role, into);
    unlock(manager);
    return ok;
}

/* tls_key_source.has */
static bool has(void *arg, uint32_t number)
{
    struct key_manager *manager = arg;
    uv_mutex_lock(&manager->lock);
    bool has = !manager->entries.items[number].is_lost;
    unlock(manager);
    return has;
}

static bool read_chain(void *arg, const char *path, struct bytes *into, char *error)
{
    struct key_manager *manager = arg;
    struct keys_command command = {.type = KEYS_CHAIN, .path = slice_of(path)};
    struct slice chain;
    uv_mutex_lock(&manager->lock);
    bool ok = ask(manager, &command, &chain, error);
    if (ok && !bytes_append(into, chain, KEYS_REPLY_MAX)) {
        snprintf(error, KEY_PROCESS_ERROR_MAX, "can't be kept: out of memory");
        ok = false;
    }
    unlock(manager);
    return ok;
}

/* ---- start ---- */

static void close_channels(struct key_manager *manager)
{
    for (unsigned i = 0; i < manager->workers; i++) {
        if (manager->channels[i] >= 0)
            close(manager->channels[i]);
        manager->channels[i] = -1;
    }
}

/* A socket for each worker; the far ends into `far`. */
static bool open_channels(struct key_manager *manager, int *far)
{
    for (unsigned i = 0; i < manager->workers; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
            for (unsigned j = 0; j < i; j++)
                close(far[j]);
            return false;
        }
        manager->channels[i] = ends[0];
        far[i] = ends[1];
    }
    return true;
}

static bool start_signer(struct key_manager *manager, char error[KEY_PROCESS_ERROR_MAX])
{
    int far[KEYS_CHANNELS_MAX];
    close_channels(manager);
    if (!open_channels(manager, far)) {
        snprintf(error, KEY_PROCESS_ERROR_MAX, "no sockets for it: %s", strerror(errno));
        close_channels(manager);
        return false;
    }
    bool ok = key_process_start(&manager->process, far, manager->workers, error);
    for (unsigned i = 0; i < manager->workers; i++)
        close(far[i]);
    if (!ok)
        close_channels(manager);
    return ok;
}

static struct key_manager *allocate(unsigned workers)
{
    struct key_manager *manager = calloc(1, sizeof *manager);
    if (manager == NULL)
        return NULL;
    manager->process.control = -1;
    manager->workers = workers;
    manager->channels = malloc((workers + 1) * sizeof manager->channels[0]);
    if (manager->channels == NULL || uv_mutex_init(&manager->lock) != 0 ||
        uv_mutex_init(&manager->release_lock) != 0) {
        free(manager->channels);
        free(manager);
        return NULL;
    }
    for (unsigned i = 0; i < workers; i++)
        manager->channels[i] = -1;
    manager->source = (struct tls_key_source){
        .load = load, .has = has, .release = release, .read_chain = read_chain, .arg = manager};
    return manager;
}

struct key_manager *key_manager_new(const struct cfg *cfg, unsigned workers, int control,
                                    struct cfg_problems *problems)
{
    char error[KEY_PROCESS_ERROR_MAX] = "out of memory";
    ENSURE(workers <= KEYS_CHANNELS_MAX);
    struct key_manager *manager = allocate(workers);
    if (manager == NULL)
        close(control);
    if (manager == NULL || !key_process_open(&manager->process, control, error) ||
        !start_signer(manager, error)) {
        cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){cfg->path, 0}, "no key process: %s", error);
        key_manager_free(&manager);
    } else if (manager->process.note[0] != '\0' && workers > 0) {
        cfg_problems_add(problems, CFG_WARNING, (struct cfg_place){cfg->path, 0}, "%s",
                         manager->process.note);
        manager->process.note[0] = '\0';
    }
    return manager;
}

const struct tls_key_source *key_manager_source(const struct key_manager *manager)
{
    return &manager->source;
}

int key_manager_take_channel(struct key_manager *manager, unsigned worker)
{
    if (worker >= manager->workers)
        return -1;
    int channel = manager->channels[worker];
    manager->channels[worker] = -1;
    return channel;
}

/* ---- restart ---- */

/*
 * Loads all keys again, under the same numbers. A different key in the file is not the certificate's any
 * more.
 */
static void load_again(struct key_manager *manager)
{
    char error[KEY_PROCESS_ERROR_MAX];
    bool lost = false;
    for (uint32_t i = 0; i < manager->entries.count && manager->process.runs; i++) {
        struct key_entry *entry = &manager->entries.items[i];
        struct slice spki;
        if (entry->path == NULL)
            continue;
        bool ok = ask_for_key(manager, i, entry, &spki, error);
        entry->is_lost = !ok || !slice_equals(spki, (struct slice){entry->spki, entry->spki_len});
        if (!entry->is_lost)
            continue;
        if (ok)
            key_process_drop(&manager->process, i);
        struct log_line line;
        log_line_begin(&line, CFG_LOG_ERROR, "key-lost");
        log_line_add_text(&line, "key", entry->path);
        log_line_add_text(&line, "error", ok ? "its file has another key now" : error);
        log_write(manager->hooks.log, &line);
        lost = true;
    }
    if (lost)
        manager->hooks.lost(manager->hooks.arg);
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

static bool watch_control(struct key_manager *manager, uv_loop_t *loop)
{
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (poll == NULL || uv_poll_init(loop, poll, manager->process.control) != 0) {
        free(poll);
        return false;
    }
    poll->data = manager;
    manager->control = poll;
    return uv_poll_start(poll, UV_READABLE, on_control) == 0;
}

static void on_restart(uv_timer_t *timer);

static void restart_later(struct key_manager *manager)
{
    uint64_t now = uv_now(manager->restart.loop);
    if (now - manager->started_at > RESTART_STABLE_MS)
        manager->wait_ms = 0;
    manager->wait_ms = manager->wait_ms == 0 ? RESTART_FIRST_MS : 2 * manager->wait_ms;
    if (manager->wait_ms > RESTART_MAX_MS)
        manager->wait_ms = RESTART_MAX_MS;
    uv_timer_start(&manager->restart, on_restart, manager->wait_ms, 0);
}

static void connect_workers(struct key_manager *manager)
{
    for (unsigned i = 0; i < manager->workers; i++)
        manager->hooks.connect(manager->hooks.arg, i, key_manager_take_channel(manager, i));
}

/* Under the lock. */
static void start_again(struct key_manager *manager, uv_loop_t *loop)
{
    char error[KEY_PROCESS_ERROR_MAX];
    bool ok = start_signer(manager, error);
    if (ok)
        load_again(manager);
    manager->started_at = uv_now(loop);
    if (!ok || !manager->process.runs) {
        log_text(manager, CFG_LOG_ERROR, "keys-not-restarted", "error", ok ? manager->process.ended : error);
        manager->process.ended[0] = '\0';
        restart_later(manager);
        return;
    }
    connect_workers(manager);
    manager->restarts++;
    log_text(manager, CFG_LOG_WARNING, "keys-restarted", "library", manager->process.library);
}

static void on_restart(uv_timer_t *timer)
{
    struct key_manager *manager = timer->data;
    uv_mutex_lock(&manager->lock);
    start_again(manager, timer->loop);
    uv_mutex_unlock(&manager->lock);
}

static void lose_guard(struct key_manager *manager)
{
    log_text(manager, CFG_LOG_ERROR, "keys-ended", "error", "its guard has ended");
    unwatch_control(manager);
    uv_timer_stop(&manager->restart);
    key_process_close(&manager->process);
}

void key_manager_replace_guard(struct key_manager *manager, int control)
{
    char error[KEY_PROCESS_ERROR_MAX];
    uv_mutex_lock(&manager->lock);
    if (manager->process.control >= 0)
        lose_guard(manager);
    if (!key_process_open(&manager->process, control, error))
        log_text(manager, CFG_LOG_ERROR, "keys-not-restarted", "error", error);
    else if (watch_control(manager, manager->restart.loop))
        uv_timer_start(&manager->restart, on_restart, 0, 0);
    uv_mutex_unlock(&manager->lock);
}

/* Logs the messages that were no answers. */
static void handle_messages(struct key_manager *manager)
{
    if (manager->process.note[0] != '\0')
        log_text(manager, CFG_LOG_WARNING, "keys-note", "note", manager->process.note);
    manager->process.note[0] = '\0';
    if (manager->process.ended[0] == '\0')
        return;
    log_text(manager, CFG_LOG_ERROR, "keys-ended", "error", manager->process.ended);
    manager->process.ended[0] = '\0';
    restart_later(manager);
}

static void on_control(uv_poll_t *control, int status, int events)
{
    struct key_manager *manager = control->data;
    (void)events;
    /* Another thread may be waiting for this very answer. What it leaves makes the socket readable again. */
    if (uv_mutex_trylock(&manager->lock) != 0)
        return;
    if (status < 0 || !key_process_receive(&manager->process))
        lose_guard(manager);
    else
        handle_messages(manager);
    uv_mutex_unlock(&manager->lock);
}

/* ---- watching ---- */

static void on_wake(uv_async_t *wake)
{
    struct key_manager *manager = wake->data;
    atomic_store(&manager->is_awaited, true);
    if (uv_mutex_trylock(&manager->lock) != 0)
        return;
    atomic_store(&manager->is_awaited, false);
    drop_released(manager);
    handle_messages(manager);
    uv_mutex_unlock(&manager->lock);
}

int key_manager_watch(struct key_manager *manager, uv_loop_t *loop, const struct key_manager_hooks *hooks)
{
    manager->hooks = *hooks;
    int error = uv_async_init(loop, &manager->wake, on_wake);
    if (error != 0)
        return error;
    uv_timer_init(loop, &manager->restart);
    manager->wake.data = manager->restart.data = manager;
    uv_mutex_lock(&manager->release_lock);
    manager->watched = true;
    uv_mutex_unlock(&manager->release_lock);
    manager->started_at = uv_now(loop);
    /* The signer may have ended already. */
    uv_async_send(&manager->wake);
    return watch_control(manager, loop) ? 0 : UV_ENOMEM;
}

/* If another thread has the lock, the key process is answering it. */
bool key_manager_is_up(struct key_manager *manager)
{
    if (uv_mutex_trylock(&manager->lock) != 0)
        return true;
    bool runs = manager->process.runs;
    unlock(manager);
    return runs;
}

unsigned key_manager_restarts(const struct key_manager *manager)
{
    return manager->restarts;
}

void key_manager_unwatch(struct key_manager *manager)
{
    uv_mutex_lock(&manager->release_lock);
    manager->watched = false;
    uv_mutex_unlock(&manager->release_lock);
    uv_close((uv_handle_t *)&manager->wake, NULL);
    uv_close((uv_handle_t *)&manager->restart, NULL);
    unwatch_control(manager);
}

void key_manager_free(struct key_manager **manager)
{
    struct key_manager *it = *manager;
    *manager = NULL;
    if (it == NULL)
        return;
    key_process_close(&it->process);
    close_channels(it);
    key_entries_free(&it->entries);
    free(it->released);
    free(it->channels);
    uv_mutex_destroy(&it->lock);
    uv_mutex_destroy(&it->release_lock);
    free(it);
}

const char *key_manager_library(void)
{
    static char library[128];
    char error[KEY_PROCESS_ERROR_MAX];
    struct keys_user nobody = {0};
    struct key_process process;
    pid_t pid;
    int control = key_spawn(&nobody, &pid, error);
    if (control < 0)
        return NULL;
    if (key_process_open(&process, control, error) && key_process_start(&process, NULL, 0, error))
        snprintf(library, sizeof library, "%s", process.library);
    key_process_close(&process);
    key_spawn_wait(pid);
    return library[0] != '\0' ? library : NULL;
}
