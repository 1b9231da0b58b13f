/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_process.h"

#include "keys/keys_message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* False, for the caller to return. */
static bool explain(char error[KEY_PROCESS_ERROR_MAX], const char *what, const char *why)
{
    snprintf(error, KEY_PROCESS_ERROR_MAX, "%s%s", what, why);
    return false;
}

static void copy_text(char *into, size_t cap, struct slice text)
{
    snprintf(into, cap, "%.*s", (int)text.len, (const char *)text.data);
}

bool key_process_open(struct key_process *process, int control, char error[KEY_PROCESS_ERROR_MAX])
{
    *process = (struct key_process){.control = control};
    if (fcntl(control, F_SETFL, O_NONBLOCK) == 0)
        return true;
    explain(error, "can't set its socket up: ", strerror(errno));
    key_process_close(process);
    return false;
}

void key_process_close(struct key_process *process)
{
    if (process->control < 0)
        return;
    close(process->control);
    process->control = -1;
}

bool key_process_send(const struct key_process *process, const struct keys_command *command, const int *fds,
                      size_t fd_count)
{
    uint8_t message[KEYS_COMMAND_MAX];
    size_t len = keys_put_command(message, command);
    if (len == 0) {
        errno = ENAMETOOLONG;
        return false;
    }
    return keys_message_send(process->control, (struct slice){message, len}, fds, fd_count);
}

enum key_received key_process_receive(struct key_process *process, enum keys_reply_type *type,
                                      struct slice *payload)
{
    ssize_t len;
    do
        len = recv(process->control, process->message, sizeof process->message, MSG_DONTWAIT);
    while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN)
        return KEY_RECEIVED_NOTHING;
    struct slice message = {process->message, len > 0 ? (size_t)len : 0};
    return keys_take_reply(message, type, payload) ? KEY_RECEIVED_REPLY : KEY_RECEIVED_END;
}

bool key_process_start(const struct key_process *process, const int *channels, size_t count)
{
    struct keys_command command = {.type = KEYS_CHANNELS};
    for (size_t i = 0; i < count; i += KEYS_CHANNELS_EACH) {
        size_t some = count - i < KEYS_CHANNELS_EACH ? count - i : KEYS_CHANNELS_EACH;
        if (!key_process_send(process, &command, channels + i, some))
            return false;
    }
    command.type = KEYS_START;
    return key_process_send(process, &command, NULL, 0);
}

/* ---- waiting ---- */

static bool wait_for(const struct key_process *process, short event, int timeout_ms)
{
    struct pollfd socket = {process->control, event, 0};
    int ready;
    do
        ready = poll(&socket, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

bool key_process_wait(struct key_process *process, struct slice *answer, char error[KEY_PROCESS_ERROR_MAX])
{
    for (;;) {
        enum keys_reply_type type;
        if (!wait_for(process, POLLIN, KEY_PROCESS_ANSWER_MS)) {
            key_process_close(process);
            return explain(error, "can't be used: ", "the key process does not answer");
        }
        enum key_received received = key_process_receive(process, &type, answer);
        if (received == KEY_RECEIVED_END)
            return explain(error, "can't be used: ", "the key process has ended");
        if (received == KEY_RECEIVED_NOTHING || type == KEYS_WANTED)
            continue;
        if (type == KEYS_DONE)
            return true;
        if (type == KEYS_NOTE) {
            copy_text(process->note, sizeof process->note, *answer);
            continue;
        }
        if (type == KEYS_FAILED) {
            copy_text(error, KEY_PROCESS_ERROR_MAX, *answer);
            return false;
        }
        copy_text(process->ended, sizeof process->ended, *answer);
        return explain(error, "could not be used, as the key process ended: ", process->ended);
    }
}

bool key_process_ask(struct key_process *process, const struct keys_command *command, struct slice *answer,
                     char error[KEY_PROCESS_ERROR_MAX])
{
    if (process->control < 0)
        return explain(error, "can't be used: ", "the key process does not run");
    while (!key_process_send(process, command, NULL, 0))
        if ((errno != EAGAIN && errno != ENOBUFS) || !wait_for(process, POLLOUT, KEY_PROCESS_ANSWER_MS))
            return explain(error, "can't be sent to the key process: ", strerror(errno));
    return key_process_wait(process, answer, error);
}
