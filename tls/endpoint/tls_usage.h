/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_USAGE_H
#define DEEPPROXY_TLS_USAGE_H

#include "tls/endpoint/tls_endpoint.h"

/*
 * What handshakes have negotiated, as small numbers to count by: versions, cipher suites and key exchange
 * groups that are known here, and one more of each for all others. So a peer can't make a new one. All of it
 * is static.
 */
enum { TLS_USAGE_VERSIONS = 5, TLS_USAGE_CIPHERS = 16, TLS_USAGE_GROUPS = 7 };

/* Each below its TLS_USAGE_ number, which is how many there are; the last one is "other". */
struct tls_usage {
    unsigned version;
    unsigned cipher;
    unsigned group;
};

/* What an endpoint uses, from TLS_OPEN on. */
struct tls_usage tls_endpoint_usage(const struct tls_endpoint *endpoint);

/* The same for numbers as they are sent in a handshake. */
struct tls_usage tls_usage_of(uint16_t version, uint16_t cipher, uint16_t group);

/* Their names: "TLSv1.3", the registered name of a suite, a group as in the setting "groups"; or "other". */
const char *tls_usage_version_name(size_t version);
const char *tls_usage_cipher_name(size_t cipher);
const char *tls_usage_group_name(size_t group);

#endif
