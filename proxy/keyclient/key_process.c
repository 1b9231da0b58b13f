/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_process.h"

#include "keys/keys_message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Decrypting a key may take some seconds by design. A process that takes this long hangs. */
#define ANSWER_MS (60 * 1000)
/* How long to wait for room to send a KEYS_DROP; the caller tries again later. */
#define DROP_MS 100

__attribute__((format(printf, 2, 3))) static bool set_error(char error[KEY_PROCESS_ERROR_MAX],
                                                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, KEY_PROCESS_ERROR_MAX, format, args);
    va_end(args);
    return false;
}

/* ---- life ---- */

bool key_process_open(struct key_process *process, int control, char error[KEY_PROCESS_ERROR_MAX])
{
    *process = (struct key_process){.control = control};
    /* send_command waits itself. */
    if (fcntl(control, F_SETFL, O_NONBLOCK) == 0)
        return true;
    set_error(error, "can't set its socket up: %s", strerror(errno));
    key_process_close(process);
    return false;
}

void key_process_close(struct key_process *process)
{
    if (process->control < 0)
        return;
    close(process->control);
    process->control = -1;
    process->runs = false;
}

/* ---- receiving ---- */

static void copy_text(char *into, size_t cap, struct slice text)
{
    snprintf(into, cap, "%.*s", (int)text.len, (const char *)text.data);
}

enum received { RECEIVED_NO_ANSWER, RECEIVED_ANSWER, RECEIVED_END };

/* Receives one message without waiting; stores it if it is no answer. */
static enum received receive_one(struct key_process *process, enum keys_reply_type *type,
                                 struct slice *payload)
{
    ssize_t len;
    do
        len = recv(process->control, process->answer, sizeof process->answer, MSG_DONTWAIT);
    while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN)
        return RECEIVED_NO_ANSWER;
    struct slice message = {process->answer, len > 0 ? (size_t)len : 0};
    if (!keys_take_reply(message, type, payload))
        return RECEIVED_END;
    if (*type == KEYS_NOTE) {
        copy_text(process->note, sizeof process->note, *payload);
    } else if (*type == KEYS_ENDED) {
        copy_text(process->ended, sizeof process->ended, *payload);
        process->runs = false;
    } else if (process->late == 0) {
        return RECEIVED_ANSWER;
    } else {
        process->late--;
    }
    return RECEIVED_NO_ANSWER;
}

static bool wait_for(const struct key_process *process, short event, int timeout_ms)
{
    struct pollfd socket = {process->control, event, 0};
    int ready;
    do
        ready = poll(&socket, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

static bool wait_answer(struct key_process *process, struct slice *answer, char error[KEY_PROCESS_ERROR_MAX])
{
    enum keys_reply_type type = KEYS_FAILED;
    enum received received = RECEIVED_NO_ANSWER;
    while (received == RECEIVED_NO_ANSWER) {
        if (!wait_for(process, POLLIN, ANSWER_MS)) {
            process->late++;
            return set_error(error, "can't be used: the key process does not answer");
        }
        received = receive_one(process, &type, answer);
    }
    if (received == RECEIVED_END)
        return set_error(error, "can't be used: the key process has ended");
    if (type == KEYS_DONE)
        return true;
    copy_text(error, KEY_PROCESS_ERROR_MAX, *answer);
    return false;
}

bool key_process_receive(struct key_process *process)
{
    enum keys_reply_type type;
    struct slice payload;
    struct pollfd socket = {process->control, POLLIN, 0};
    while (poll(&socket, 1, 0) > 0)
        if (receive_one(process, &type, &payload) != RECEIVED_NO_ANSWER)
            return false; /* its end, or an answer without a command */
    return true;
}

/* ---- commands ---- */

/*
 * The socket takes some hundreds of messages; then this waits until the other end reads, up to `timeout_ms`.
 */
static bool send_command(const struct key_process *process, const struct keys_command *command,
                         const int *fds, size_t fd_count, int timeout_ms)
{
    uint8_t message[KEYS_COMMAND_MAX];
    size_t len = keys_put_command(message, command);
    if (len == 0) {
        errno = ENAMETOOLONG;
        return false;
    }
    while (!keys_message_send(process->control, (struct slice){message, len}, fds, fd_count))
        if ((errno != EAGAIN && errno != ENOBUFS) || !wait_for(process, POLLOUT, timeout_ms))
            return false;
    return true;
}

bool key_process_ask(struct key_process *process, const struct keys_command *command, struct slice *answer,
                     char error[KEY_PROCESS_ERROR_MAX])
{
    if (process->control < 0)
        return set_error(error, "can't be used: the key process does not run");
    if (!send_command(process, command, NULL, 0, ANSWER_MS))
        return set_error(error, "can't be sent to the key process: %s", strerror(errno));
    return wait_answer(process, answer, error);
}

bool key_process_drop(struct key_process *process, uint32_t key)
{
    struct keys_command command = {.type = KEYS_DROP, .key = key};
    return process->control < 0 || send_command(process, &command, NULL, 0, DROP_MS) ||
           (errno != EAGAIN && errno != ENOBUFS);
}

bool key_process_start(struct key_process *process, const int *channels, size_t count,
                       char error[KEY_PROCESS_ERROR_MAX])
{
    struct keys_command command = {.type = KEYS_CHANNELS};
    struct slice library;
    for (size_t i = 0; i < count; i += KEYS_CHANNELS_EACH) {
        size_t some = count - i < KEYS_CHANNELS_EACH ? count - i : KEYS_CHANNELS_EACH;
        if (!send_command(process, &command, channels + i, some, ANSWER_MS))
            return set_error(error, "%s", strerror(errno));
    }
    command.type = KEYS_START;
    if (!key_process_ask(process, &command, &library, error))
        return false;
    copy_text(process->library, sizeof process->library, library);
    process->runs = true;
    process->ended[0] = '\0';
    return true;
}
