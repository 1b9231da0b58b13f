/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_NAMES_H
#define DEEPPROXY_TLS_NAMES_H

#include "base/slice.h"

/*
 * What a server name (SNI, RFC 6066 section 3) stands for: an index over names as they are in certificates, exact ones
 * and those with a wildcard as their whole leftmost label (RFC 9525 section 6.3), each with a value. A lookup takes the
 * logarithm of the number of names.
 */
struct tls_names {
    struct tls_name *items;
    size_t count;
    size_t cap;
};

/* Adds a name as it stands in a certificate ("*.example.com"). False where memory is short. */
bool tls_names_add(struct tls_names *names, struct slice name, size_t value);

/* To be called once after the last addition. */
void tls_names_sort(struct tls_names *names);

/*
 * The first value of a name, in the order of addition, or `fallback` where nothing has it; an exact name comes before a
 * wildcard. Case and a final dot do not matter.
 */
size_t tls_names_find(const struct tls_names *names, struct slice name, size_t fallback);

/* All values of a name, in the order of addition: of the exact one, or of the wildcard that covers it. At most `max`. */
enum tls_names_kind { TLS_NAMES_EXACT, TLS_NAMES_WILDCARD };
size_t tls_names_find_all(const struct tls_names *names, struct slice name, enum tls_names_kind kind,
                          size_t values[], size_t max);

void tls_names_free(struct tls_names *names);

#endif
