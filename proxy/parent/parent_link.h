/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_PARENT_PARENT_LINK_H
#define DEEPPROXY_PROXY_PARENT_PARENT_LINK_H

#include "base/must_check.h"

#include <stdbool.h>

/*
 * What the parent tells the process that serves, over a socket that goes one way: the parent reads nothing
 * from it, and the proxy can't write to it. The first word tells of the guard with which the proxy starts.
 *
 * Signals come over it as well, as words: a supervisor, a shell or a terminal often sends one signal to each
 * process of a group, and a second SIGTERM means something else than the first. Words wait until the proxy has
 * started.
 */
enum {
    PARENT_LINK_FD = 3,        /* in the process that serves */
    PARENT_LINK_TEXT_MAX = 512 /* octets of a word's text, with its NUL */
};

enum parent_word_kind {
    PARENT_GUARD = 1, /* a new guard: its control socket comes along */
    PARENT_NO_GUARD,  /* only as the first word: there is none, for the reason in the text, if there is one */
    PARENT_SIGNAL     /* the parent has got this signal */
};

struct parent_word {
    enum parent_word_kind kind;
    int signal;
    int control; /* the guard's control socket; -1: none */
    char text[PARENT_LINK_TEXT_MAX];
};

/*
 * A pair of sockets, closed on exec: the parent's end, which never blocks, and the other end. False with
 * errno.
 */
MUST_CHECK bool parent_link_pair(int *parent, int *proxy);

/*
 * Sends a word; its control socket stays the caller's. False with errno on failure: EAGAIN if the proxy has
 * to read first.
 */
MUST_CHECK bool parent_link_send(int link, const struct parent_word *word);

enum parent_received { PARENT_WORD, PARENT_SILENT, PARENT_GONE };

/*
 * Receives a word without waiting, and with it the ownership of its control socket. PARENT_GONE: the parent
 * has ended, or what it has sent is no word.
 */
MUST_CHECK enum parent_received parent_link_receive(int link, struct parent_word *word);

/*
 * Takes over PARENT_LINK_FD, which is closed on exec from then on, and receives the first word. False if this
 * process was not started by a parent.
 */
MUST_CHECK bool parent_link_open(struct parent_word *first);

#endif
