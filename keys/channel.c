/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/channel.h"

#include "keys/keys_message.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * How long an answer waits for later ones of the same message. Some 30 ECDSA signatures are sent in one
 * system call; with RSA the worker continues the first handshakes while the others are signed.
 */
#define ANSWER_NS (1000 * 1000)

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* False, and no answer, if the key is still to come. */
static bool try_to_sign(struct channel *channel, const struct keys_request *request, uint8_t *signature,
                        struct keys_answer *answer)
{
    struct known_key key = {0};
    bool is_awaited = false;
    size_t len = 0;
    pthread_mutex_lock(&channel->busy);
    if (!key_signer_has(channel->signer, request->key, request->algorithm))
        key = key_table_get(request->key, &is_awaited);
    if (!is_awaited)
        len = key_signer_sign(channel->signer, &key, request, signature);
    pthread_mutex_unlock(&channel->busy);
    EVP_PKEY_free(key.pkey);
    *answer = (struct keys_answer){.number = request->number,
                                   .status = len > 0 ? KEYS_SIGNED : KEYS_REFUSED,
                                   .signature = {signature, len}};
    return !is_awaited;
}

static bool flush(struct channel *channel, size_t *used)
{
    bool ok =
        *used == 0 || keys_message_send(channel->socket, (struct slice){channel->answers, *used}, NULL, 0);
    *used = 0;
    return ok;
}

/* False if the worker has gone. */
static bool sign(struct channel *channel, const struct keys_request *request, uint8_t *signature,
                 struct keys_answer *answer, size_t *used)
{
    while (!try_to_sign(channel, request, signature, answer)) {
        /* What is signed already must not wait for the key. */
        if (!flush(channel, used))
            return false;
        channel->wanted(request->key);
        key_table_await(request->key);
    }
    return true;
}

/* Answers one message. False if it is malformed, or the worker has gone. */
static bool serve_batch(struct channel *channel, struct slice batch)
{
    uint8_t signature[KEYS_SIGNATURE_MAX];
    size_t used = 0;
    long long begun = now_ns();
    struct keys_request request;
    while (batch.len > 0) {
        struct keys_answer answer;
        if (!keys_take_request(&batch, &request) || !sign(channel, &request, signature, &answer, &used) ||
            !keys_put_answer(channel->answers, sizeof channel->answers, &used, &answer))
            return false;
        if (batch.len > 0 && now_ns() - begun < ANSWER_NS &&
            used + KEYS_ANSWER_HEADER + KEYS_SIGNATURE_MAX <= sizeof channel->answers)
            continue;
        if (!flush(channel, &used))
            return false;
        begun = now_ns();
    }
    return true;
}

void channel_serve(struct channel *channel)
{
    bool alive = true;
    while (alive) {
        size_t fds = 0;
        ssize_t len =
            keys_message_receive(channel->socket, channel->requests, sizeof channel->requests, NULL, &fds);
        if (len <= 0)
            break;
        alive = serve_batch(channel, (struct slice){channel->requests, (size_t)len});
    }
    close(channel->socket);
    channel->socket = -1;
}

void channel_forget(struct channel *channel, uint32_t key)
{
    pthread_mutex_lock(&channel->busy);
    key_signer_forget(channel->signer, key);
    pthread_mutex_unlock(&channel->busy);
}

struct channel *channel_new(int socket, void (*wanted)(uint32_t key))
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        return NULL;
    channel->socket = socket;
    channel->wanted = wanted;
    channel->signer = key_signer_new();
    int error = pthread_mutex_init(&channel->busy, NULL);
    if (channel->signer == NULL || error != 0) {
        key_signer_free(&channel->signer);
        free(channel);
        return NULL;
    }
    return channel;
}

void channel_free(struct channel **channel)
{
    if (*channel == NULL)
        return;
    key_signer_free(&(*channel)->signer);
    pthread_mutex_destroy(&(*channel)->busy);
    if ((*channel)->socket >= 0)
        close((*channel)->socket);
    free(*channel);
    *channel = NULL;
}
