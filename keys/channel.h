/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_CHANNEL_H
#define DEEPPROXY_KEYS_CHANNEL_H

#include "base/must_check.h"
#include "keys/key_sign.h"

#include <pthread.h>

/*
 * A worker's socket to the signer, and the thread that signs what the worker requests. The thread alone uses
 * the socket and the buffers. Another thread may only call channel_forget.
 */
struct channel {
    int socket; /* owned; -1: closed */
    pthread_t thread;
    /* Held while the signer is used, which channel_forget waits for; never while the thread waits. */
    pthread_mutex_t busy;
    struct key_signer *signer;
    void (*wanted)(uint32_t key);
    uint8_t requests[KEYS_REQUESTS_MAX];
    uint8_t answers[KEYS_ANSWERS_MAX];
};

/*
 * Makes a channel that owns the socket. It starts no thread. `wanted` is called, in the channel's thread,
 * before that waits for a key (key_table.h). NULL if memory is short: the socket stays the caller's.
 */
MUST_CHECK struct channel *channel_new(int socket, void (*wanted)(uint32_t key));

/*
 * Signs, in this thread, until the worker closes its end or sends a malformed message. Then closes the
 * socket. A request for a key that is still to come waits for it, and so do the worker's later ones.
 */
void channel_serve(struct channel *channel);

/*
 * From another thread, after key_table_drop: when it returns, nothing is signed with this key any more, and
 * nothing is kept of it. Waits for at most one signature, and never for the worker.
 */
void channel_forget(struct channel *channel, uint32_t key);

/*
 * Closes the socket and frees the channel, whose thread must have ended. For tests, and for a channel without
 * a thread.
 */
void channel_free(struct channel **channel);

#endif
