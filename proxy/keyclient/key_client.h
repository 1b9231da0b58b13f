/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_CLIENT_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_CLIENT_H

#include "base/must_check.h"
#include "proxy/common/log.h"
#include "tls/certificates/tls_keys.h"

#include <uv.h>

/*
 * A worker's end of its socket to the key process. All requests of one iteration of the loop are sent in one
 * message at its end; answers come in any order. It never blocks: requests that the socket does not take are
 * queued here. The queue is bounded by the worker's sessions, each of which has at most one open request at
 * each of its two sides (64 octets here). Nothing here is shared with another thread.
 *
 * Before the first key_client_connect, and after the key process has ended, requests wait for the next
 * key_client_connect; the requester's own deadline is their only one. What was sent and not answered is sent
 * once more, but not a third time: it may be what ends the key process. After a malformed answer, or
 * key_client_give_up, all open requests fail, and so does each new one until key_client_connect.
 */

/* Called with the signature, which is valid only within the call; empty: there is none. */
typedef void (*key_client_cb)(void *arg, struct slice signature);

/*
 * The handle of a signing request. The requester owns it; all zero means that none is open. It must not move
 * while open.
 */
struct key_client_handle {
    uint32_t slot; /* the number of the request's slot, plus one; 0: none is open */
};

struct key_slot;

struct key_client {
    uv_loop_t *loop;
    uv_poll_t *poll; /* on the heap, as it lives until its close callback; NULL: not connected */
    uv_prepare_t flush;
    int socket;
    bool blocked; /* the socket's buffer is full */
    bool awaits;  /* not connected, and about to be: requests wait */
    bool opened;
    struct log_queue *log; /* NULL: it logs nothing */
    struct key_slot *slots;
    uint32_t slot_count;
    uint32_t first_free;   /* heads of lists; slots are counted from 1, and 0 is the end */
    uint32_t first_unsent; /* the oldest request */
    uint32_t last_unsent;
    uint8_t *buffer; /* for messages in both directions */
};

/*
 * Initializes a client that is not connected yet, and is about to be. `log` NULL: the loss of the key process
 * is not logged. Returns 0, or a libuv error. The caller calls key_client_close in any case.
 */
MUST_CHECK int key_client_open(struct key_client *client, uv_loop_t *loop, struct log_queue *log);

/*
 * Connects the client to a new socket, which it owns, in place of the one before. Open requests are sent
 * there.
 */
void key_client_connect(struct key_client *client, int socket);

/* Nobody will sign: fails all open requests, and each new one until key_client_connect. */
void key_client_give_up(struct key_client *client);

/*
 * Requests a signature. `done` is called from the loop, never within this call. request->input must stay
 * valid until then, or until key_client_cancel. False, and nothing requested, if there is nobody to wait for,
 * or memory is short.
 */
MUST_CHECK bool key_client_sign(struct key_client *client, const struct tls_sign_request *request,
                                struct key_client_handle *handle, key_client_cb done, void *arg);

/* Whether a request is open. */
static inline bool key_client_handle_is_open(const struct key_client_handle *handle)
{
    return handle->slot != 0;
}

/* Cancels a request: `done` is not called any more. Does nothing if none is open. */
void key_client_cancel(struct key_client *client, struct key_client_handle *handle);

/*
 * Disconnects, and closes the client's handles, on a loop whose other handles are closed one by one. Nobody
 * has an open request. key_client_close follows after the loop has ended. Does nothing if it was never
 * opened.
 */
void key_client_end(struct key_client *client);

/*
 * Frees what the client owns, after its handles were closed with the loop (uv_walk). Does nothing if it was
 * never opened.
 */
void key_client_close(struct key_client *client);

#endif
