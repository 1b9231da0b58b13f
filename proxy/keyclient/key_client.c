/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_client.h"

#include "base/ensure.h"
#include "keys/keys_message.h"
#include "keys/keys_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((int)TLS_SIGN_INPUT_MAX <= (int)KEYS_INPUT_MAX, "an endpoint's request fits into a message");

/*
 *   FREE -> UNSENT -> SENT -> FREE
 *             |         |
 *             v         v
 *           FREE      ORPHANED -> FREE    (cancelled)
 */
enum slot_state { SLOT_FREE, SLOT_UNSENT, SLOT_SENT, SLOT_ORPHANED };

struct key_slot {
    struct tls_sign_request request;
    struct key_client_handle *handle;
    key_client_cb done;
    void *arg;
    enum slot_state state;
    bool was_sent;     /* to a key process that has ended */
    uint32_t next;     /* in the list of free, or of unsent slots */
    uint32_t previous; /* in the list of unsent slots */
};

#define BUFFER_CAP  ((size_t)(KEYS_ANSWERS_MAX > KEYS_REQUESTS_MAX ? KEYS_ANSWERS_MAX : KEYS_REQUESTS_MAX))
#define SLOTS_FIRST 64
/* More sessions than descriptors a process can have. */
#define SLOTS_MAX (1U << 30)

/* ---- slots ---- */

static struct key_slot *slot_at(const struct key_client *client, uint32_t number)
{
    return &client->slots[number - 1];
}

static bool add_slots(struct key_client *client)
{
    uint32_t more = client->slot_count > 0 ? client->slot_count : SLOTS_FIRST;
    struct key_slot *slots = client->slot_count + more <= SLOTS_MAX
                                 ? realloc(client->slots, (client->slot_count + more) * sizeof slots[0])
                                 : NULL;
    if (slots == NULL)
        return false;
    memset(slots + client->slot_count, 0, more * sizeof slots[0]);
    client->slots = slots;
    for (uint32_t i = client->slot_count + more; i > client->slot_count; i--) {
        slot_at(client, i)->next = client->first_free;
        client->first_free = i;
    }
    client->slot_count += more;
    return true;
}

static void free_slot(struct key_client *client, uint32_t number)
{
    *slot_at(client, number) = (struct key_slot){.next = client->first_free};
    client->first_free = number;
}

/* Frees the slot, and then calls the requester, which may make its next request at once. */
static void settle(struct key_client *client, uint32_t number, struct slice signature)
{
    struct key_slot slot = *slot_at(client, number);
    free_slot(client, number);
    if (slot.state == SLOT_ORPHANED)
        return;
    slot.handle->slot = 0;
    slot.done(slot.arg, signature);
}

/* ---- the socket ---- */

static void free_poll(uv_handle_t *poll)
{
    free(poll);
}

static void disconnect(struct key_client *client)
{
    if (client->poll == NULL)
        return;
    uv_poll_stop(client->poll);
    uv_close((uv_handle_t *)client->poll, free_poll);
    close(client->socket);
    client->poll = NULL;
    client->socket = -1;
    client->blocked = false;
    uv_prepare_stop(&client->flush);
}

/* Disconnects, and fails all open requests. */
static void fail_all(struct key_client *client)
{
    disconnect(client);
    client->awaits = false;
    client->first_unsent = client->last_unsent = 0;
    for (uint32_t i = 1; i <= client->slot_count; i++)
        if (slot_at(client, i)->state != SLOT_FREE)
            settle(client, i, (struct slice){NULL, 0});
}

static void log_loss(const struct key_client *client, const char *why, const char *consequence)
{
    struct log_line line;
    if (client->log == NULL)
        return;
    log_line_begin(&line, CFG_LOG_ERROR, "keys-lost");
    log_line_add_text(&line, "error", why);
    log_line_add_text(&line, "consequence", consequence);
    log_queue_put(client->log, &line);
}

static void fail(struct key_client *client, const char *why)
{
    log_loss(client, why, "handshakes fail until the key process is restarted");
    fail_all(client);
}

static void put_unsent(struct key_client *client, uint32_t number)
{
    struct key_slot *slot = slot_at(client, number);
    slot->state = SLOT_UNSENT;
    slot->next = 0;
    slot->previous = client->last_unsent;
    if (client->last_unsent != 0)
        slot_at(client, client->last_unsent)->next = number;
    else
        client->first_unsent = number;
    client->last_unsent = number;
}

/* Disconnects. What is open waits for the next key process, but not for a third. */
static void await_next(struct key_client *client)
{
    disconnect(client);
    client->awaits = true;
    for (uint32_t i = 1; i <= client->slot_count; i++) {
        struct key_slot *slot = slot_at(client, i);
        if (slot->state == SLOT_SENT && !slot->was_sent) {
            slot->was_sent = true;
            put_unsent(client, i);
        } else if (slot->state == SLOT_SENT || slot->state == SLOT_ORPHANED) {
            settle(client, i, (struct slice){NULL, 0});
        }
    }
}

static void lose(struct key_client *client, const char *why)
{
    log_loss(client, why, "handshakes wait until the key process is restarted");
    await_next(client);
}

/* ---- requests ---- */

/*
 * Writes unsent requests to the buffer, as far as there is room. They stay in the list. Returns how many it
 * wrote.
 */
static unsigned fill(const struct key_client *client, size_t *used)
{
    unsigned count = 0;
    *used = 0;
    for (uint32_t i = client->first_unsent; i != 0 && count < KEYS_BATCH_MAX; i = slot_at(client, i)->next) {
        const struct tls_sign_request *from = &slot_at(client, i)->request;
        struct keys_request request = {i, from->key, from->algorithm, from->input};
        if (!keys_put_request(client->buffer, KEYS_REQUESTS_MAX, used, &request))
            break;
        count++;
    }
    return count;
}

static void mark_sent(struct key_client *client, unsigned count)
{
    for (; count > 0; count--) {
        struct key_slot *slot = slot_at(client, client->first_unsent);
        client->first_unsent = slot->next;
        slot->state = SLOT_SENT;
        slot->next = slot->previous = 0;
    }
    if (client->first_unsent != 0)
        slot_at(client, client->first_unsent)->previous = 0;
    else
        client->last_unsent = 0;
}

static void on_event(uv_poll_t *poll, int status, int events);

static void send_unsent(struct key_client *client)
{
    size_t used;
    unsigned count;
    bool blocked = false;
    while (!blocked && (count = fill(client, &used)) > 0) { /* there is always room for one */
        if (keys_message_send(client->socket, (struct slice){client->buffer, used}, NULL, 0)) {
            mark_sent(client, count);
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            blocked = true;
        } else {
            lose(client, strerror(errno));
            return;
        }
    }
    if (blocked != client->blocked)
        uv_poll_start(client->poll, UV_READABLE | (blocked ? UV_WRITABLE : 0), on_event);
    client->blocked = blocked;
}

/* Before the loop sleeps: all sockets of this iteration were read, and all handshakes have run. */
static void on_flush(uv_prepare_t *flush)
{
    struct key_client *client = flush->data;
    uv_prepare_stop(flush);
    if (client->poll != NULL && !client->blocked)
        send_unsent(client);
}

bool key_client_sign(struct key_client *client, const struct tls_sign_request *request,
                     struct key_client_handle *handle, key_client_cb done, void *arg)
{
    ENSURE(handle->slot == 0);
    if ((client->poll == NULL && !client->awaits) || (client->first_free == 0 && !add_slots(client)))
        return false;
    uint32_t number = client->first_free;
    struct key_slot *slot = slot_at(client, number);
    client->first_free = slot->next;
    *slot = (struct key_slot){.request = *request, .handle = handle, .done = done, .arg = arg};
    put_unsent(client, number);
    handle->slot = number;
    if (client->poll != NULL && !client->blocked)
        uv_prepare_start(&client->flush, on_flush);
    return true;
}

/* Takes it out of the list: its input is about to be freed. */
static void forget_unsent(struct key_client *client, uint32_t number)
{
    const struct key_slot slot = *slot_at(client, number);
    if (slot.previous != 0)
        slot_at(client, slot.previous)->next = slot.next;
    else
        client->first_unsent = slot.next;
    if (slot.next != 0)
        slot_at(client, slot.next)->previous = slot.previous;
    else
        client->last_unsent = slot.previous;
    free_slot(client, number);
}

void key_client_cancel(struct key_client *client, struct key_client_handle *handle)
{
    uint32_t number = handle->slot;
    if (number == 0)
        return;
    handle->slot = 0;
    if (slot_at(client, number)->state == SLOT_UNSENT)
        forget_unsent(client, number);
    else
        slot_at(client, number)->state = SLOT_ORPHANED;
}

/* ---- answers ---- */

/* False if it answers no open request. */
static bool take_answer(struct key_client *client, const struct keys_answer *answer)
{
    if (answer->number == 0 || answer->number > client->slot_count)
        return false;
    enum slot_state state = slot_at(client, answer->number)->state;
    if (state != SLOT_SENT && state != SLOT_ORPHANED)
        return false;
    settle(client, answer->number, answer->signature);
    return true;
}

static void receive(struct key_client *client)
{
    size_t fds = 0;
    const uv_poll_t *poll = client->poll;
    struct keys_answer answer;
    ssize_t len = keys_message_receive(client->socket, client->buffer, BUFFER_CAP, NULL, &fds);
    if (len < 0 && errno == EAGAIN)
        return;
    if (len <= 0) {
        lose(client, len == 0 ? "the key process has ended" : strerror(errno));
        return;
    }
    struct slice rest = {client->buffer, (size_t)len};
    while (rest.len > 0 && client->poll == poll)
        if (!keys_take_answer(&rest, &answer) || !take_answer(client, &answer)) {
            fail(client, "the key process sent a malformed answer");
            return;
        }
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct key_client *client = poll->data;
    if (status < 0) {
        lose(client, uv_strerror(status));
        return;
    }
    if ((events & UV_READABLE) != 0)
        receive(client);
    if ((events & UV_WRITABLE) != 0 && client->poll == poll)
        send_unsent(client);
}

/* ---- life ---- */

int key_client_open(struct key_client *client, uv_loop_t *loop, struct log_queue *log)
{
    *client = (struct key_client){.loop = loop, .socket = -1, .log = log, .awaits = true, .opened = true};
    client->buffer = malloc(BUFFER_CAP);
    if (client->buffer == NULL)
        return UV_ENOMEM;
    int error = uv_prepare_init(loop, &client->flush);
    client->flush.data = client;
    /* Neither this handle nor the socket keeps a worker running. */
    uv_unref((uv_handle_t *)&client->flush);
    return error;
}

static bool watch(struct key_client *client, int socket)
{
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (poll == NULL || fcntl(socket, F_SETFL, O_NONBLOCK) != 0 ||
        uv_poll_init(client->loop, poll, socket) != 0) {
        free(poll);
        return false;
    }
    poll->data = client;
    uv_unref((uv_handle_t *)poll);
    client->poll = poll;
    client->socket = socket;
    return uv_poll_start(poll, UV_READABLE, on_event) == 0;
}

void key_client_connect(struct key_client *client, int socket)
{
    await_next(client);
    client->awaits = false;
    if (!watch(client, socket)) {
        if (client->poll == NULL)
            close(socket);
        fail(client, "no memory for the key process's socket");
    } else if (client->first_unsent != 0) {
        uv_prepare_start(&client->flush, on_flush);
    }
}

void key_client_give_up(struct key_client *client)
{
    fail_all(client);
}

void key_client_end(struct key_client *client)
{
    if (!client->opened)
        return;
    disconnect(client);
    uv_close((uv_handle_t *)&client->flush, NULL);
}

void key_client_close(struct key_client *client)
{
    if (!client->opened)
        return;
    if (client->socket >= 0)
        close(client->socket);
    free(client->poll);
    free(client->slots);
    free(client->buffer);
    *client = (struct key_client){.socket = -1};
}
