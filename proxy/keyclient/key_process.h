/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_PROCESS_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_PROCESS_H

#include "base/must_check.h"
#include "keys/keys_wire.h"

/*
 * deepproxy-keys at the other end of its control socket: sends it commands, and starts its signer. Who starts
 * the program is in key_spawn.h. Its functions wait for
 * the answer, so they are not for a thread that serves clients. They are not thread-safe: the caller locks.
 * Messages that are no answers are stored here until the caller looks at them.
 */
enum { KEY_PROCESS_ERROR_MAX = 512 /* octets of an error, with its NUL */ };

struct key_process {
    int control;     /* the control socket; -1: the process is not there */
    unsigned late;   /* how many answers are still to come after their command has timed out */
    bool runs;       /* the signer does: it has answered KEYS_START, and has not ended since */
    char ended[128]; /* why the signer has ended; the caller empties it after it has reported that */
    char note[KEY_PROCESS_ERROR_MAX]; /* the key process's last warning; the caller empties it likewise */
    char library[128];                /* the library that it signs with */
    size_t answer_len;
    uint8_t answer[KEYS_REPLY_MAX];
};

/* Owns the control socket from then on. False with a reason in `error`: the socket is closed then. */
MUST_CHECK bool key_process_open(struct key_process *process, int control, char error[KEY_PROCESS_ERROR_MAX]);

/*
 * Starts its signer, with the far ends of the workers' sockets, which stay the caller's. False with a reason
 * in `error`.
 */
MUST_CHECK bool key_process_start(struct key_process *process, const int *channels, size_t count,
                                  char error[KEY_PROCESS_ERROR_MAX]);

/*
 * Sends a command and waits for the answer, up to a minute. `*answer` is valid until the next call. False
 * with a reason in `error`, which a message has after the path of the file ("can't be ...").
 */
MUST_CHECK bool key_process_ask(struct key_process *process, const struct keys_command *command,
                                struct slice *answer, char error[KEY_PROCESS_ERROR_MAX]);

/*
 * Tells the process to drop a key; there is no answer. False if its socket has been full for a while. The key
 * then stays there until a later call, or until another key is loaded under its number.
 */
bool key_process_drop(struct key_process *process, uint32_t key);

/* Receives all messages that are there, without waiting. False if the program has ended, or is faulty. */
MUST_CHECK bool key_process_receive(struct key_process *process);

/* Closes the socket, which ends the process. Does nothing if it is not there. */
void key_process_close(struct key_process *process);

#endif
