/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_ORDER_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_ORDER_H

#include "base/slice.h"
#include "proxy/backends/server_words.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What the operator wants of one server, as the body of a PATCH has it:
 * {"admin": "drain", "within": 600, "weight": 5}. It changes nothing, and knows no server.
 */
enum {
    ADMIN_ORDER_WITHIN_MAX_S = 24 * 3600, /* a session that stays longer than a day is not being drained */
    ADMIN_ORDER_WORDS_MAX = 256           /* octets of a text that says what is wrong, with its NUL */
};

struct admin_order {
    bool has_admin;
    enum server_admin admin;
    bool has_within; /* with SERVER_DRAIN alone: the sessions there get their goodbyes meanwhile */
    unsigned within_s;
    bool has_weight;
    unsigned weight; /* at most SERVER_WEIGHT_MAX */
};

/* Reads a body. False, and `words` says what is wrong and what was expected. */
bool admin_order_read(struct slice body, struct admin_order *order, char words[ADMIN_ORDER_WORDS_MAX]);

/*
 * Writes it as a command of `deepproxy ctl` has it: "drain stores/s1 --within 600s". A server's name with
 * spaces and the like is in quotation marks, as a shell and xargs take them. What does not fit is cut off;
 * `cap` is 1 at least.
 */
void admin_order_write(const struct admin_order *order, const char *pool, const char *server, char *into,
                       size_t cap);

#endif
