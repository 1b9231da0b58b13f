/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_NAMES_H
#define DEEPPROXY_TLS_NAMES_H

#include "base/must_check.h"
#include "base/slice.h"

/*
 * An index of server names (SNI, RFC 6066 section 3), each with a value of the caller's. Names have the form
 * that they have in certificates: exact ones, and ones with a wildcard as their whole leftmost label (RFC
 * 9525 section 6.3). Case and a final dot do not matter. A lookup takes the logarithm of the number of names.
 * All zero is an empty index.
 *
 * Add all names, call tls_names_sort once, then look names up, from any thread.
 */
struct tls_names {
    struct tls_name *items;
    size_t count;
    size_t cap;
};

/*
 * Adds a copy of a name ("*.example.com"). A text that can't be a name (empty, longer than 255 octets, with a
 * NUL) is skipped. False, and nothing added, if memory is short.
 */
MUST_CHECK bool tls_names_add(struct tls_names *names, struct slice name, size_t value);

/* Call it once after the last addition and before the first lookup. */
void tls_names_sort(struct tls_names *names);

/*
 * The value of a name, or `fallback` if the index does not have it. An exact name wins against a wildcard; of
 * equal names the one that was added first wins.
 */
size_t tls_names_find(const struct tls_names *names, struct slice name, size_t fallback);

enum tls_names_kind {
    TLS_NAMES_EXACT,   /* the name itself */
    TLS_NAMES_WILDCARD /* the wildcard that covers it */
};

/* Writes the values of a name in the order of addition, at most `max`. Returns how many it wrote. */
size_t tls_names_find_all(const struct tls_names *names, struct slice name, enum tls_names_kind kind,
                          size_t values[], size_t max);

/* Frees all names; leaves an empty index. */
void tls_names_free(struct tls_names *names);

#endif
