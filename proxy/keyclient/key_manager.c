/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_manager.h"

#include "base/array.h"
#include "base/ensure.h"
#include "proxy/keyclient/key_manager_private.h"
#include "proxy/keyclient/key_spawn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The supervision settles every request earlier; this bounds the waiting if the main thread hangs. */
#define REQUEST_NS (4ULL * KEY_PROCESS_ANSWER_MS * 1000 * 1000)

/* ---- requests ---- */

void key_manager_settle(struct key_manager *manager, struct key_request *request, bool is_ok)
{
    request->is_done = true;
    request->is_ok = is_ok;
    uv_cond_broadcast(&manager->done);
}

/* Under the lock. */
static void put_request(struct key_manager *manager, struct key_request *request)
{
    if (manager->last != NULL)
        manager->last->next = request;
    else
        manager->first = request;
    manager->last = request;
}

/* Its thread waits no more. Under the lock. */
static void withdraw(struct key_manager *manager, const struct key_request *request)
{
    struct key_request *before = NULL;
    struct key_request *it = manager->first;
    if (manager->asked_request == request)
        manager->asked_request = NULL;
    for (; it != NULL && it != request; it = it->next)
        before = it;
    if (it == NULL)
        return;
    *(before != NULL ? &before->next : &manager->first) = it->next;
    if (manager->last == it)
        manager->last = before;
}

/* Under the lock. */
static void wait_until_done(struct key_manager *manager, struct key_request *request)
{
    put_request(manager, request);
    uv_async_send(&manager->wake);
    while (!request->is_done)
        if (uv_cond_timedwait(&manager->done, &manager->lock, REQUEST_NS) != 0) {
            withdraw(manager, request);
            snprintf(request->error, sizeof request->error, "can't be used: the key process does not answer");
            return;
        }
}

/* Before the watching only the main thread has keys loaded, and waits for the key process itself. */
static void ask_alone(struct key_manager *manager, struct key_request *request)
{
    struct slice answer;
    request->is_ok = key_process_ask(&manager->process, &request->command, &answer, request->error);
    if (request->is_ok && !bytes_append(&request->answer, answer, KEYS_REPLY_MAX)) {
        snprintf(request->error, sizeof request->error, "can't be kept: out of memory");
        request->is_ok = false;
    }
}

bool key_manager_ask(struct key_manager *manager, struct key_request *request)
{
    if (request->command.path.len > KEYS_PATH_MAX || request->command.passphrase_path.len > KEYS_PATH_MAX) {
        snprintf(request->error, sizeof request->error,
                 "can't be sent to the key process: its path is too long");
        return false;
    }
    uv_mutex_lock(&manager->lock);
    if (manager->mode == KEYS_WATCHED)
        wait_until_done(manager, request);
    else if (manager->mode == KEYS_OVER)
        snprintf(request->error, sizeof request->error, "can't be used: the program ends");
    bool is_alone = manager->mode == KEYS_ALONE;
    uv_mutex_unlock(&manager->lock);
    if (is_alone)
        ask_alone(manager, request);
    return request->is_ok;
}

/* ---- keys ---- */

void key_manager_note_released(struct key_manager *manager, uint32_t number)
{
    uint32_t *released =
        array_make_room(manager->released, manager->released_count, &manager->released_cap, sizeof *released);
    if (released == NULL)
        return;
    manager->released = released;
    manager->released[manager->released_count++] = number;
}

/* tls_key_source.release, from any thread. */
static void release(void *arg, uint32_t number)
{
    struct key_manager *manager = arg;
    uv_mutex_lock(&manager->lock);
    key_manager_note_released(manager, number);
    if (manager->mode == KEYS_WATCHED)
        uv_async_send(&manager->wake);
    uv_mutex_unlock(&manager->lock);
}

struct keys_command key_manager_load_command(const struct key_entry *entry, uint32_t number)
{
    struct keys_command command = {.type = entry->role == TLS_KEY_OF_CLIENT ? KEYS_LOAD_CLIENT : KEYS_LOAD,
                                   .key = number,
                                   .path = slice_of(entry->path)};
    if (entry->passphrase_path != NULL)
        command.passphrase_path = slice_of(entry->passphrase_path);
    return command;
}

/* The command's slices are the entry's, which nobody frees before it is released. */
static bool add_entry(struct key_manager *manager, const char *path, const char *passphrase_path,
                      enum tls_key_role role, struct keys_command *command)
{
    uint32_t number;
    uv_mutex_lock(&manager->lock);
    bool ok = key_entries_add(&manager->entries, path, passphrase_path, role, &number);
    if (ok)
        *command = key_manager_load_command(&manager->entries.items[number], number);
    uv_mutex_unlock(&manager->lock);
    return ok;
}

/* Stores a public half both for the restart and for the certificate. */
static bool keep_public_half(struct key_manager *manager, struct slice spki, uint32_t number,
                             struct tls_external_key *into)
{
    if (spki.len > sizeof into->spki)
        return false;
    memcpy(into->spki, spki.data, spki.len);
    into->spki_len = spki.len;
    into->number = number;
    uv_mutex_lock(&manager->lock);
    struct key_entry *entry = &manager->entries.items[number];
    /* The supervision keeps it before this thread wakes: the signer may end in between. */
    bool ok = entry->spki != NULL || key_entry_keep_public_half(entry, spki);
    uv_mutex_unlock(&manager->lock);
    return ok;
}

static bool load(void *arg, const char *path, const char *passphrase_path, enum tls_key_role role,
                 struct tls_external_key *into)
{
    struct key_manager *manager = arg;
    struct key_request request = {.is_done = false};
    _Static_assert((int)TLS_KEY_ERROR_MAX >= (int)KEY_PROCESS_ERROR_MAX, "an error fits");
    snprintf(into->error, sizeof into->error, "can't be kept: out of memory");
    if (!add_entry(manager, path, passphrase_path, role, &request.command))
        return false;
    bool ok = key_manager_ask(manager, &request);
    if (!ok)
        memcpy(into->error, request.error, sizeof request.error);
    ok = ok && keep_public_half(manager, bytes_view(&request.answer), request.command.key, into);
    bytes_free(&request.answer);
    if (!ok)
        release(manager, request.command.key);
    return ok;
}

/* tls_key_source.has */
static bool has(void *arg, uint32_t number)
{
    struct key_manager *manager = arg;
    uv_mutex_lock(&manager->lock);
    bool has = !manager->entries.items[number].is_lost;
    uv_mutex_unlock(&manager->lock);
    return has;
}

/* ---- channels ---- */

void key_manager_close_channels(struct key_manager *manager)
{
    for (unsigned i = 0; i < manager->workers; i++) {
        if (manager->channels[i] >= 0)
            close(manager->channels[i]);
        manager->channels[i] = -1;
    }
}

bool key_manager_open_channels(struct key_manager *manager, int far[KEYS_CHANNELS_MAX])
{
    key_manager_close_channels(manager);
    for (unsigned i = 0; i < manager->workers; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
            int error = errno;
            for (unsigned j = 0; j < i; j++)
                close(far[j]);
            key_manager_close_channels(manager);
            errno = error;
            return false;
        }
        manager->channels[i] = ends[0];
        far[i] = ends[1];
    }
    return true;
}

int key_manager_take_channel(struct key_manager *manager, unsigned worker)
{
    if (worker >= manager->workers)
        return -1;
    int channel = manager->channels[worker];
    manager->channels[worker] = -1;
    return channel;
}

/* ---- start and end ---- */

static struct key_manager *allocate(unsigned workers)
{
    struct key_manager *manager = calloc(1, sizeof *manager);
    if (manager == NULL)
        return NULL;
    manager->process.control = -1;
    manager->workers = workers;
    manager->channels = malloc((workers + 1) * sizeof manager->channels[0]);
    if (manager->channels == NULL || uv_mutex_init(&manager->lock) != 0 ||
        uv_cond_init(&manager->done) != 0) {
        free(manager->channels);
        free(manager);
        return NULL;
    }
    for (unsigned i = 0; i < workers; i++)
        manager->channels[i] = -1;
    manager->source = (struct tls_key_source){.load = load, .has = has, .release = release, .arg = manager};
    key_files_offer(&manager->source);
    return manager;
}

static bool start_signer(struct key_manager *manager, char error[KEY_PROCESS_ERROR_MAX])
{
    int far[KEYS_CHANNELS_MAX];
    struct slice library;
    if (!key_manager_open_channels(manager, far)) {
        snprintf(error, KEY_PROCESS_ERROR_MAX, "no sockets for it: %s", strerror(errno));
        return false;
    }
    bool ok = key_process_start(&manager->process, far, manager->workers);
    if (!ok)
        snprintf(error, KEY_PROCESS_ERROR_MAX, "%s", strerror(errno));
    for (unsigned i = 0; i < manager->workers; i++)
        close(far[i]);
    return ok && key_process_wait(&manager->process, &library, error);
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
    } else {
        if (manager->process.note[0] != '\0' && workers > 0)
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

static void on_wake(uv_async_t *wake)
{
    key_supervision_wake(wake->data);
}

int key_manager_watch(struct key_manager *manager, uv_loop_t *loop, const struct key_manager_hooks *hooks)
{
    manager->hooks = *hooks;
    int error = uv_async_init(loop, &manager->wake, on_wake);
    if (error != 0)
        return error;
    manager->wake.data = manager;
    uv_mutex_lock(&manager->lock);
    manager->mode = KEYS_WATCHED;
    uv_mutex_unlock(&manager->lock);
    return key_supervision_begin(manager, loop);
}

enum key_manager_state key_manager_state(const struct key_manager *manager)
{
    switch (manager->phase) {
    case KEYS_UP:
        return KEY_MANAGER_UP;
    case KEYS_LOADING:
        return KEY_MANAGER_LOADING;
    default:
        return manager->is_given_up ? KEY_MANAGER_GONE : KEY_MANAGER_DOWN;
    }
}

unsigned key_manager_restarts(const struct key_manager *manager)
{
    return manager->restarts;
}

void key_manager_unwatch(struct key_manager *manager)
{
    uv_mutex_lock(&manager->lock);
    manager->mode = KEYS_OVER;
    uv_mutex_unlock(&manager->lock);
    key_supervision_end(manager);
    uv_close((uv_handle_t *)&manager->wake, NULL);
}

void key_manager_free(struct key_manager **manager)
{
    struct key_manager *it = *manager;
    *manager = NULL;
    if (it == NULL)
        return;
    key_process_close(&it->process);
    key_manager_close_channels(it);
    key_entries_free(&it->entries);
    free(it->released);
    free(it->wanted);
    free(it->channels);
    uv_cond_destroy(&it->done);
    uv_mutex_destroy(&it->lock);
    free(it);
}

static void copy_library(struct key_process *process, char *library, size_t cap)
{
    char error[KEY_PROCESS_ERROR_MAX];
    struct slice answer;
    if (key_process_start(process, NULL, 0) && key_process_wait(process, &answer, error))
        snprintf(library, cap, "%.*s", (int)answer.len, (const char *)answer.data);
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
    if (key_process_open(&process, control, error))
        copy_library(&process, library, sizeof library);
    key_process_close(&process);
    key_spawn_wait(pid);
    return library[0] != '\0' ? library : NULL;
}
