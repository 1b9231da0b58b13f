/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_NAMES_NAME_SET_H
#define DEEPPROXY_PROXY_NAMES_NAME_SET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The addresses of a name, without ports: a set. It is kept in an order of its own, as the name service gives
 * them in another one each time. It is a plain value, which owns nothing.
 */
enum {
    /*
     * A name with more addresses is a mistake, or an attack on the name service. The lowest are kept: which
     * they are does not depend on the answer's order.
     */
    NAME_ADDRESSES_MAX = 64
};

/* Its port is 0. What the kind of address leaves unused is zero. */
union name_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct name_set {
    size_t count;
    size_t left_out; /* so many did not fit */
    union name_address addresses[NAME_ADDRESSES_MAX];
};

/* Adds an IPv4 or IPv6 address without its port. Does nothing if it is of another family, or there. */
void name_set_add(struct name_set *set, const struct sockaddr *address);

/* Have both the same addresses? */
bool name_set_equals(const struct name_set *a, const struct name_set *b);

#endif
