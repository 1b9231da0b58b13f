/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_service.h"

#include "base/array.h"
#include "base/ensure.h"
#include "proxy/keyclient/key_entries.h"
#include "proxy/keyclient/key_process.h"
#include "proxy/common/privileges.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * How long a key process that ended is left alone: at first hardly at all, as handshakes fail meanwhile; then twice as
 * long each time, as one that somebody ends on purpose should not be there to be tried again soon.
 */
#define RESTART_FIRST_MS 100
#define RESTART_MAX_MS   (60 * 1000)
/* One that ran this long begins anew with the first. */
#define RESTART_STABLE_MS (10 * 60 * 1000)

struct key_service {
    struct key_process process;
    struct key_process_user user;
    uid_t euid; /* whoever started the process */
    struct tls_key_source source;
    struct key_entries entries;
    int *channels; /* the workers' ends, until they are taken */
    unsigned workers;
    uv_mutex_t lock;         /* of the process and the entries */
    _Atomic bool is_awaited; /* the lock, by the main thread, which looks again when it is told */
    uv_mutex_t release_lock;
    uint32_t *released; /* under release_lock: numbers whose last user has gone, to be dropped */
    size_t released_count;
    size_t released_cap;
    bool watched;
    struct key_service_hooks hooks;
    uv_poll_t control;
    uv_timer_t restart;
    uv_async_t wake;
    uint64_t wait_ms;
    uint64_t started_at;
    unsigned restarts;
};

static void say(const struct key_service *service, enum cfg_log_level level, const char *event,
                const char *key, const char *value)
{
    struct log_line line;
    log_line_begin(&line, level, event);
    log_line_add_text(&line, key, value);
    log_write(service->hooks.log, &line);
}

/* ---- keys ---- */

/* Under release_lock. Without memory the key stays, which is no harm. */
static void note_released(struct key_service *service, uint32_t number)
{
    uint32_t *released =
        array_make_room(service->released, service->released_count, &service->released_cap, sizeof *released);
    if (released == NULL)
        return;
    service->released = released;
    service->released[service->released_count++] = number;
}

/* Drops what has been let go of; a key process that has much to do hears of the rest later. Under the lock. */
static void drop_released(struct key_service *service)
{
    uv_mutex_lock(&service->release_lock);
    uint32_t *released = service->released;
    size_t count = service->released_count;
    service->released = NULL;
    service->released_count = service->released_cap = 0;
    uv_mutex_unlock(&service->release_lock);
    size_t dropped = 0;
    while (dropped < count && key_process_drop(&service->process, released[dropped]))
        key_entries_drop(&service->entries, released[dropped++]);
    uv_mutex_lock(&service->release_lock);
    for (size_t i = dropped; i < count; i++)
        note_released(service, released[i]);
    uv_mutex_unlock(&service->release_lock);
    free(released);
}

/* tls_key_source.release, from any thread. */
static void release(void *arg, uint32_t number)
{
    struct key_service *service = arg;
    uv_mutex_lock(&service->release_lock);
    note_released(service, number);
    if (service->watched)
        uv_async_send(&service->wake);
    uv_mutex_unlock(&service->release_lock);
}

/* The main thread does not wait for the lock: whoever has it calls the main thread again when it is free. */
static void unlock(struct key_service *service)
{
    uv_mutex_unlock(&service->lock);
    if (atomic_exchange(&service->is_awaited, false))
        uv_async_send(&service->wake);
}

/* That the signer has ended may come to light while it is asked: then it is seen to as soon as the loop runs. */
static bool ask(struct key_service *service, const struct keys_command *command, struct slice *answer,
                char error[KEY_PROCESS_ERROR_MAX])
{
    bool ok = key_process_ask(&service->process, command, answer, error);
    if (service->watched && service->process.ended[0] != '\0')
        uv_async_send(&service->wake);
    return ok;
}

static bool ask_for_key(struct key_service *service, uint32_t number, const struct key_entry *entry,
                        struct slice *spki, char error[KEY_PROCESS_ERROR_MAX])
{
    bool is_client = entry->role == TLS_KEY_OF_CLIENT;
    struct keys_command command = {
        .type = is_client ? KEYS_LOAD_CLIENT : KEYS_LOAD, .key = number, .path = slice_of(entry->path)};
    if (entry->passphrase_path != NULL)
        command.passphrase_path = slice_of(entry->passphrase_path);
    return ask(service, &command, spki, error);
}

static bool keep_public_half(struct key_entry *entry, struct slice spki, struct tls_outside_key *into)
{
    if (spki.len > sizeof into->spki || !key_entry_keep_public_half(entry, spki))
        return false;
    memcpy(into->spki, spki.data, spki.len);
    into->spki_len = spki.len;
    return true;
}

static bool load_locked(struct key_service *service, const char *path, const char *passphrase_path,
                        enum tls_key_role role, struct tls_outside_key *into)
{
    uint32_t number;
    struct slice spki;
    _Static_assert((int)TLS_KEY_ERROR_MAX >= (int)KEY_PROCESS_ERROR_MAX, "errors are passed on");
    drop_released(service);
    snprintf(into->error, sizeof into->error, "can't be kept: out of memory");
    if (!key_entries_add(&service->entries, path, passphrase_path, role, &number))
        return false;
    struct key_entry *entry = &service->entries.items[number];
    if (ask_for_key(service, number, entry, &spki, into->error) && keep_public_half(entry, spki, into)) {
        into->number = number;
        return true;
    }
    key_process_drop(&service->process, number);
    key_entries_drop(&service->entries, number);
    return false;
}

static bool load(void *arg, const char *path, const char *passphrase_path, enum tls_key_role role,
                 struct tls_outside_key *into)
{
    struct key_service *service = arg;
    uv_mutex_lock(&service->lock);
    bool ok = load_locked(service, path, passphrase_path, role, into);
    unlock(service);
    return ok;
}

/* tls_key_source.has */
static bool has(void *arg, uint32_t number)
{
    struct key_service *service = arg;
    uv_mutex_lock(&service->lock);
    bool has = !service->entries.items[number].is_lost;
    unlock(service);
    return has;
}

static bool read_chain(void *arg, const char *path, struct bytes *into, char *error)
{
    struct key_service *service = arg;
    struct keys_command command = {.type = KEYS_CHAIN, .path = slice_of(path)};
    struct slice chain;
    uv_mutex_lock(&service->lock);
    bool ok = ask(service, &command, &chain, error);
    if (ok && !bytes_append(into, chain, KEYS_REPLY_MAX)) {
        snprintf(error, KEY_PROCESS_ERROR_MAX, "can't be kept: out of memory");
        ok = false;
    }
    unlock(service);
    return ok;
}

/* ---- start ---- */

static void close_channels(struct key_service *service)
{
    for (unsigned i = 0; i < service->workers; i++) {
        if (service->channels[i] >= 0)
            close(service->channels[i]);
        service->channels[i] = -1;
    }
}

/* A socket for each worker; the far ends into `far`. */
static bool open_channels(struct key_service *service, int *far)
{
    for (unsigned i = 0; i < service->workers; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
            for (unsigned j = 0; j < i; j++)
                close(far[j]);
            return false;
        }
        service->channels[i] = ends[0];
        far[i] = ends[1];
    }
    return true;
}

static bool start_signer(struct key_service *service, char error[KEY_PROCESS_ERROR_MAX])
{
    int far[KEYS_CHANNELS_MAX];
    close_channels(service);
    if (!open_channels(service, far)) {
        snprintf(error, KEY_PROCESS_ERROR_MAX, "no sockets for it: %s", strerror(errno));
        close_channels(service);
        return false;
    }
    bool ok = key_process_start(&service->process, far, service->workers, error);
    for (unsigned i = 0; i < service->workers; i++)
        close(far[i]);
    if (!ok)
        close_channels(service);
    return ok;
}

static bool start(struct key_service *service, char error[KEY_PROCESS_ERROR_MAX])
{
    return key_process_open(&service->process, &service->user, error) && start_signer(service, error);
}

static struct key_service *allocate(unsigned workers)
{
    struct key_service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return NULL;
    service->process.control = -1;
    service->workers = workers;
    service->channels = malloc((workers + 1) * sizeof service->channels[0]);
    if (service->channels == NULL || uv_mutex_init(&service->lock) != 0 ||
        uv_mutex_init(&service->release_lock) != 0) {
        free(service->channels);
        free(service);
        return NULL;
    }
    for (unsigned i = 0; i < workers; i++)
        service->channels[i] = -1;
    service->source = (struct tls_key_source){
        .load = load, .has = has, .release = release, .read_chain = read_chain, .arg = service};
    return service;
}

struct key_service *key_service_new(const struct cfg *cfg, unsigned workers, struct cfg_problems *problems)
{
    char error[KEY_PROCESS_ERROR_MAX] = "out of memory";
    ENSURE(workers <= KEYS_CHANNELS_MAX);
    struct key_service *service = allocate(workers);
    bool ok = service != NULL;
    if (ok) {
        const char *user = cfg->key_user != NULL ? cfg->key_user : cfg->user;
        service->euid = geteuid();
        service->user.changes = user != NULL && service->euid == 0;
        ok = !service->user.changes ||
             privileges_find(user, cfg->key_user != NULL ? NULL : cfg->group, &service->user.uid,
                             &service->user.gid, error, sizeof error);
        ok = ok && start(service, error);
    }
    if (!ok) {
        cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){cfg->path, 0}, "no key process: %s", error);
        key_service_free(&service);
    } else if (service->process.note[0] != '\0' && workers > 0) {
        cfg_problems_add(problems, CFG_WARNING, (struct cfg_place){cfg->path, 0}, "%s",
                         service->process.note);
        service->process.note[0] = '\0';
    }
    return service;
}

const struct tls_key_source *key_service_source(const struct key_service *service)
{
    return &service->source;
}

int key_service_take_channel(struct key_service *service, unsigned worker)
{
    if (worker >= service->workers)
        return -1;
    int channel = service->channels[worker];
    service->channels[worker] = -1;
    return channel;
}

/* ---- start again ---- */

/* What it had, under the same numbers. A key whose file has become another is not the certificate's any more. */
static void load_again(struct key_service *service)
{
    char error[KEY_PROCESS_ERROR_MAX];
    bool lost = false;
    for (uint32_t i = 0; i < service->entries.count && service->process.runs; i++) {
        struct key_entry *entry = &service->entries.items[i];
        struct slice spki;
        if (entry->path == NULL)
            continue;
        bool ok = ask_for_key(service, i, entry, &spki, error);
        entry->is_lost = !ok || !slice_equals(spki, (struct slice){entry->spki, entry->spki_len});
        if (!entry->is_lost)
            continue;
        if (ok)
            key_process_drop(&service->process, i);
        struct log_line line;
        log_line_begin(&line, CFG_LOG_ERROR, "key-lost");
        log_line_add_text(&line, "key", entry->path);
        log_line_add_text(&line, "error", ok ? "its file has another key now" : error);
        log_write(service->hooks.log, &line);
        lost = true;
    }
    if (lost)
        service->hooks.lost(service->hooks.arg);
}

static void on_control(uv_poll_t *control, int status, int events);

static bool file_watch_control(struct key_service *service, uv_loop_t *loop)
{
    if (uv_poll_init(loop, &service->control, service->process.control) != 0)
        return false;
    service->control.data = service;
    return uv_poll_start(&service->control, UV_READABLE, on_control) == 0;
}

static void on_restart(uv_timer_t *timer);

static void restart_later(struct key_service *service)
{
    uint64_t now = uv_now(service->restart.loop);
    if (now - service->started_at > RESTART_STABLE_MS)
        service->wait_ms = 0;
    service->wait_ms = service->wait_ms == 0 ? RESTART_FIRST_MS : 2 * service->wait_ms;
    if (service->wait_ms > RESTART_MAX_MS)
        service->wait_ms = RESTART_MAX_MS;
    uv_timer_start(&service->restart, on_restart, service->wait_ms, 0);
}

/* The guard too, where it has gone: only as whoever started it, or it could do less than it should. */
static bool open_again(struct key_service *service, char error[KEY_PROCESS_ERROR_MAX])
{
    if (service->process.control >= 0)
        return start_signer(service, error);
    if (geteuid() == service->euid)
        return start(service, error);
    snprintf(error, KEY_PROCESS_ERROR_MAX,
             "what could start it again has been ended, and this process has given up the privileges for it: "
             "restart "
             "deepproxy");
    return false;
}

static void connect_workers(struct key_service *service)
{
    for (unsigned i = 0; i < service->workers; i++)
        service->hooks.connect(service->hooks.arg, i, key_service_take_channel(service, i));
}

/* Under the lock. */
static void start_again(struct key_service *service, uv_loop_t *loop)
{
    char error[KEY_PROCESS_ERROR_MAX];
    bool was_gone = service->process.control < 0;
    bool ok = open_again(service, error);
    if (was_gone && service->process.control >= 0 && !file_watch_control(service, loop))
        ok = false;
    if (ok)
        load_again(service);
    service->started_at = uv_now(loop);
    if (!ok || !service->process.runs) {
        say(service, CFG_LOG_ERROR, "keys-not-restarted", "error", ok ? service->process.ended : error);
        service->process.ended[0] = '\0';
        restart_later(service);
        return;
    }
    connect_workers(service);
    service->restarts++;
    say(service, CFG_LOG_WARNING, "keys-restarted", "library", service->process.library);
}

static void on_restart(uv_timer_t *timer)
{
    struct key_service *service = timer->data;
    uv_mutex_lock(&service->lock);
    start_again(service, timer->loop);
    uv_mutex_unlock(&service->lock);
}

static void lose_guard(struct key_service *service)
{
    say(service, CFG_LOG_ERROR, "keys-ended", "error", "its guard has ended");
    uv_poll_stop(&service->control);
    uv_close((uv_handle_t *)&service->control, NULL);
    key_process_close(&service->process);
    restart_later(service);
}

/* What it said besides answers. */
static void notice(struct key_service *service)
{
    if (service->process.note[0] != '\0')
        say(service, CFG_LOG_WARNING, "keys-note", "note", service->process.note);
    service->process.note[0] = '\0';
    if (service->process.ended[0] == '\0')
        return;
    say(service, CFG_LOG_ERROR, "keys-ended", "error", service->process.ended);
    service->process.ended[0] = '\0';
    restart_later(service);
}

static void on_control(uv_poll_t *control, int status, int events)
{
    struct key_service *service = control->data;
    (void)events;
    /* Where another thread waits for an answer this may be it; what is left afterwards brings us here again. */
    if (uv_mutex_trylock(&service->lock) != 0)
        return;
    if (status < 0 || !key_process_hear(&service->process))
        lose_guard(service);
    else
        notice(service);
    uv_mutex_unlock(&service->lock);
}

/* ---- watching ---- */

static void on_wake(uv_async_t *wake)
{
    struct key_service *service = wake->data;
    atomic_store(&service->is_awaited, true);
    if (uv_mutex_trylock(&service->lock) != 0)
        return;
    atomic_store(&service->is_awaited, false);
    drop_released(service);
    notice(service);
    uv_mutex_unlock(&service->lock);
}

int key_service_watch(struct key_service *service, uv_loop_t *loop, const struct key_service_hooks *hooks)
{
    service->hooks = *hooks;
    int error = uv_async_init(loop, &service->wake, on_wake);
    if (error != 0)
        return error;
    uv_timer_init(loop, &service->restart);
    service->wake.data = service->restart.data = service;
    uv_mutex_lock(&service->release_lock);
    service->watched = true;
    uv_mutex_unlock(&service->release_lock);
    service->started_at = uv_now(loop);
    /* It may have ended before. */
    uv_async_send(&service->wake);
    return file_watch_control(service, loop) ? 0 : UV_ENOMEM;
}

/* Whoever has the lock is being answered. */
bool key_service_is_up(struct key_service *service)
{
    if (uv_mutex_trylock(&service->lock) != 0)
        return true;
    bool runs = service->process.runs;
    unlock(service);
    return runs;
}

unsigned key_service_restarts(const struct key_service *service)
{
    return service->restarts;
}

void key_service_unwatch(struct key_service *service)
{
    uv_mutex_lock(&service->release_lock);
    service->watched = false;
    uv_mutex_unlock(&service->release_lock);
    uv_close((uv_handle_t *)&service->wake, NULL);
    uv_close((uv_handle_t *)&service->restart, NULL);
    if (service->process.control >= 0)
        uv_close((uv_handle_t *)&service->control, NULL);
}

void key_service_free(struct key_service **service)
{
    struct key_service *it = *service;
    *service = NULL;
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

const char *key_service_library(void)
{
    static char library[128];
    char error[KEY_PROCESS_ERROR_MAX];
    struct key_process_user nobody = {0};
    struct key_process process;
    if (key_process_open(&process, &nobody, error) && key_process_start(&process, NULL, 0, error))
        snprintf(library, sizeof library, "%s", process.library);
    key_process_close(&process);
    return library[0] != '\0' ? library : NULL;
}
