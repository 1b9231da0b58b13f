/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_CHANNEL_H
#define DEEPPROXY_KEYS_CHANNEL_H

#include "keys/key_sign.h"

#include <pthread.h>

/* A worker's socket, and the thread that signs what comes by it. */
struct channel {
    int socket;
    pthread_t thread;
    pthread_mutex_t busy; /* held while signing: who forgets a key waits for it */
    struct key_signer *signer;
    uint8_t requests[KEYS_REQUESTS_MAX];
    uint8_t answers[KEYS_ANSWERS_MAX];
};

/* Takes the socket over. NULL with errno. */
struct channel *channel_new(int socket);

/* Until the worker closes its end, or says what it should not; then closes the socket. */
void channel_serve(struct channel *channel);

/* From another thread: nothing is signed with this key any more, and what was kept of it has gone. */
void channel_forget(struct channel *channel, uint32_t key);

/* For tests: the thread must have ended. */
void channel_free(struct channel **channel);

#endif
