/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_CLIENT_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_CLIENT_H

#include "proxy/common/log.h"
#include "tls/certificates/tls_keys.h"

#include <uv.h>

/*
 * A worker's end of its socket to the key process. What the sessions ask for in one iteration of the loop goes out in one
 * message at its end; answers come in any order. It never blocks: what the socket does not take waits here, bounded by
 * the worker's sessions, each of which asks for one signature towards either side at a time (64 octets here). Nothing here is shared with another thread.
 *
 * Where the key process ends, or says what it should not, all that was asked is answered with nothing, and so is what is
 * asked from then on, until key_client_connect.
 */
typedef void (*key_client_cb)(void *arg, struct slice signature);

/* What an asker holds; all zero is none. It must not move while it is open. */
struct key_ticket {
    uint32_t slot; /* its number, and one; 0: nothing was asked */
};

struct key_slot;

struct key_client {
    uv_loop_t *loop;
    uv_poll_t *poll; /* on the heap, as it outlives its socket's use; NULL: not connected */
    uv_prepare_t flush;
    int socket;
    bool blocked; /* the socket took no more */
    bool opened;
    struct log_queue *log;
    struct key_slot *slots;
    uint32_t slot_count;
    uint32_t first_free;   /* lists of slots by number and one; 0: the end */
    uint32_t first_unsent; /* the oldest */
    uint32_t last_unsent;
    uint8_t *buffer; /* messages, in both directions */
};

/* 0, or a libuv error. Not connected yet. */
int key_client_open(struct key_client *client, uv_loop_t *loop, struct log_queue *log);

/* Takes the socket over, in place of the one before: what was asked there fails. */
void key_client_connect(struct key_client *client, int socket);

/*
 * Asks for a signature. `answer` is called from the loop, never from in here, with the signature or with an empty slice;
 * wanted->input must stay until then, or until key_client_cancel. False where nobody is there to sign, or memory is short.
 */
bool key_client_ask(struct key_client *client, const struct tls_wanted *wanted, struct key_ticket *ticket,
                    key_client_cb answer, void *arg);

static inline bool key_ticket_is_open(const struct key_ticket *ticket)
{
    return ticket->slot != 0;
}

/* The asker has gone: a late answer is dropped. Nothing where the ticket is not open. */
void key_client_cancel(struct key_client *client, struct key_ticket *ticket);

/* Frees what it owns; its handles were closed with the loop (uv_walk). Nothing where it was never opened. */
void key_client_close(struct key_client *client);

#endif
