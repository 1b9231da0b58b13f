/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/parent/parent_link.h"

#include "keys/keys_message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A word on the wire: its kind, the signal's number, and the text without a NUL. */
enum { AT_KIND, AT_SIGNAL, AT_TEXT, WORD_MAX = AT_TEXT + PARENT_LINK_TEXT_MAX - 1 };

static bool set_one_way(int parent, int proxy)
{
    return shutdown(parent, SHUT_RD) == 0 && shutdown(proxy, SHUT_WR) == 0 &&
           fcntl(parent, F_SETFL, O_NONBLOCK) == 0;
}

bool parent_link_pair(int *parent, int *proxy)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    if (!set_one_way(ends[0], ends[1])) {
        keys_close_all(ends, 2);
        return false;
    }
    *parent = ends[0];
    *proxy = ends[1];
    return true;
}

bool parent_link_send(int link, const struct parent_word *word)
{
    uint8_t message[WORD_MAX];
    size_t len = strnlen(word->text, sizeof word->text - 1);
    message[AT_KIND] = (uint8_t)word->kind;
    message[AT_SIGNAL] = (uint8_t)word->signal;
    memcpy(message + AT_TEXT, word->text, len);
    return keys_message_send(link, (struct slice){message, AT_TEXT + len}, &word->control,
                             word->control >= 0 ? 1 : 0);
}

static bool parse(struct slice message, struct parent_word *word)
{
    if (message.len < AT_TEXT || message.data[AT_KIND] < PARENT_GUARD ||
        message.data[AT_KIND] > PARENT_SIGNAL)
        return false;
    word->kind = message.data[AT_KIND];
    word->signal = message.data[AT_SIGNAL];
    snprintf(word->text, sizeof word->text, "%.*s", (int)(message.len - AT_TEXT),
             (const char *)message.data + AT_TEXT);
    return (word->kind == PARENT_GUARD) == (word->control >= 0);
}

enum parent_received parent_link_receive(int link, struct parent_word *word)
{
    uint8_t message[WORD_MAX];
    size_t fds = 1;
    struct pollfd socket = {link, POLLIN, 0};
    if (poll(&socket, 1, 0) == 0)
        return PARENT_SILENT;
    word->control = -1;
    ssize_t len = keys_message_receive(link, message, sizeof message, &word->control, &fds);
    if (len > 0 && parse((struct slice){message, (size_t)len}, word))
        return PARENT_WORD;
    if (word->control >= 0)
        close(word->control);
    word->control = -1;
    return PARENT_GONE;
}

bool parent_link_open(struct parent_word *first)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(PARENT_LINK_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET &&
           fcntl(PARENT_LINK_FD, F_SETFD, FD_CLOEXEC) == 0 &&
           parent_link_receive(PARENT_LINK_FD, first) == PARENT_WORD && first->kind != PARENT_SIGNAL;
}
