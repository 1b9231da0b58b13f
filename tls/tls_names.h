/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_NAMES_H
#define DEEPPROXY_TLS_NAMES_H

#include "base/slice.h"

/*
 * Which certificate a server name (SNI, RFC 6066 section 3) asks for: an index over the names in the
 * certificates, exact ones and those with a wildcard as their whole leftmost label (RFC 9525 section 6.3). A
 * lookup takes the logarithm of the number of names.
 */
struct tls_names {
    struct tls_name *items;
    size_t count;
    size_t cap;
};

/* Adds a name as it stands in a certificate ("*.example.com"). False where memory is short. */
bool tls_names_add(struct tls_names *names, struct slice name, size_t certificate);

/* To be called once after the last addition. Where a name was added twice the first certificate stays. */
void tls_names_sort(struct tls_names *names);

/* The certificate for a name, or `fallback` where none has it. Case and a final dot do not matter. */
size_t tls_names_find(const struct tls_names *names, struct slice name, size_t fallback);

void tls_names_free(struct tls_names *names);

#endif
