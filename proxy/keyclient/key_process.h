/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_PROCESS_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_PROCESS_H

#include "base/must_check.h"
#include "keys/keys_wire.h"

/*
 * deepproxy-keys at the other end of its control socket: sends it commands, and receives what it replies. It
 * keeps no state of the dialogue, which is the caller's. Nothing here is thread-safe: one thread uses the
 * socket. Who starts the program is in key_spawn.h.
 *
 * key_process_send and key_process_receive never wait. key_process_ask does, for a program that serves nobody
 * yet.
 */
enum {
    KEY_PROCESS_ERROR_MAX = 512, /* octets of an error, with its NUL */
    /* Decrypting a key may take some seconds by design. A process that takes this long hangs. */
    KEY_PROCESS_ANSWER_MS = 30 * 1000
};

struct key_process {
    int control;     /* the control socket, which does not block; -1: the process is not there */
    char ended[128]; /* key_process_ask: the signer has ended, for this reason; or empty */
    char note[KEY_PROCESS_ERROR_MAX]; /* key_process_ask: the last warning; or empty */
    uint8_t message[KEYS_REPLY_MAX];
};

/* Owns the control socket from then on. False with a reason in `error`: the socket is closed then. */
MUST_CHECK bool key_process_open(struct key_process *process, int control, char error[KEY_PROCESS_ERROR_MAX]);

/*
 * Sends a command with at most KEYS_CHANNELS_EACH descriptors, which stay the caller's. False with errno:
 * EAGAIN or ENOBUFS if the socket is full.
 */
MUST_CHECK bool key_process_send(const struct key_process *process, const struct keys_command *command,
                                 const int *fds, size_t fd_count);

enum key_received {
    KEY_RECEIVED_NOTHING, /* nothing is there */
    KEY_RECEIVED_REPLY,
    KEY_RECEIVED_END /* the program has ended, or is faulty */
};

/* Receives one message. The payload is valid until the next call with this process. */
MUST_CHECK enum key_received key_process_receive(struct key_process *process, enum keys_reply_type *type,
                                                 struct slice *payload);

/*
 * Starts its signer, with the far ends of the workers' sockets, which stay the caller's: sends KEYS_CHANNELS
 * and KEYS_START, whose answer is yet to come. False with errno, as key_process_send; the process can't be
 * used any more then.
 */
MUST_CHECK bool key_process_start(const struct key_process *process, const int *channels, size_t count);

/*
 * Waits for the answer to a command that was sent, up to KEY_PROCESS_ANSWER_MS; closes the socket of a
 * process that does not answer by then. `*answer` is valid until the next call. False with a reason in
 * `error`, which a message has after the path of the file ("can't be ...").
 */
MUST_CHECK bool key_process_wait(struct key_process *process, struct slice *answer,
                                 char error[KEY_PROCESS_ERROR_MAX]);

/* Sends a command, and waits for its answer, as key_process_wait. */
MUST_CHECK bool key_process_ask(struct key_process *process, const struct keys_command *command,
                                struct slice *answer, char error[KEY_PROCESS_ERROR_MAX]);

/* Closes the socket, which ends the process. Does nothing if it is not there. */
void key_process_close(struct key_process *process);

#endif
