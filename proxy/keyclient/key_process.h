/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_PROCESS_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_PROCESS_H

#include "keys/keys_wire.h"

#include <sys/types.h>

/*
 * deepproxy-keys as a child of this process: started, asked, ended. For the main thread, which waits for its answers;
 * what comes unasked is kept until key_process_hear.
 */
enum { KEY_PROCESS_ERROR_MAX = 512 };

struct key_process {
    int control; /* -1: not there */
    pid_t pid;
    unsigned late;   /* answers that are still to come to what nobody waits for any more */
    bool runs;       /* its signer does: KEYS_START was answered, and it has not ended since */
    char ended[128]; /* why the signer has ended; "" where nothing is to be told */
    char note[KEY_PROCESS_ERROR_MAX]; /* a warning of its own; "" where there is none */
    char library[128];                /* what it signs with */
    size_t answer_len;
    uint8_t answer[KEYS_REPLY_MAX];
};

/* The user to sign as, where this is root. */
struct key_process_user {
    bool changes;
    uid_t uid;
    gid_t gid;
};

/* All of these return false with words in `error`. */

/* Starts the program; it is found beside this one, or where it was installed. */
bool key_process_open(struct key_process *process, const struct key_process_user *user,
                      char error[KEY_PROCESS_ERROR_MAX]);

/* Starts its signer, with the far ends of workers' sockets, which are the caller's still. */
bool key_process_start(struct key_process *process, const int *channels, size_t count,
                       char error[KEY_PROCESS_ERROR_MAX]);

/* Waits for the answer, which is valid until the next call. */
bool key_process_ask(struct key_process *process, const struct keys_command *command, struct slice *answer,
                     char error[KEY_PROCESS_ERROR_MAX]);

/* Nothing comes back. False where it could not be told now: it has much to do. */
bool key_process_drop(struct key_process *process, uint32_t key);

/* Takes in what has come unasked, without waiting. False where the program has ended. */
bool key_process_hear(struct key_process *process);

/* Its end, which is waited for. Nothing where it is not there. */
void key_process_close(struct key_process *process);

/* The path of the program; static. NULL where it is in neither place: then `error` says what to do. */
const char *key_process_path(char error[KEY_PROCESS_ERROR_MAX]);

#endif
