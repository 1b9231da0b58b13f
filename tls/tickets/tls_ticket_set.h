/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TICKET_SET_H
#define DEEPPROXY_TLS_TICKET_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The keys of session tickets as a plain value: up to three, of which one seals new tickets and all open those
 * that clients bring back (RFC 5077 section 4). Secret: who has one on the stack wipes it after use.
 */
enum { TLS_TICKET_KEYS = 3, TLS_TICKET_NAME = 16, TLS_TICKET_SECRET = 32 };

/* In the order in which a file has it. The name goes over the wire in clear, in front of each ticket. */
struct tls_ticket_key {
    uint8_t name[TLS_TICKET_NAME];
    uint8_t aes[TLS_TICKET_SECRET];  /* AES-256-CBC: as strong as any suite (RFC 9325 section 3.4) */
    uint8_t hmac[TLS_TICKET_SECRET]; /* HMAC-SHA256 over name, IV and ciphertext */
};

/* Without padding, and a multiple of eight octets: it is copied and compared as a whole. */
struct tls_ticket_set {
    struct tls_ticket_key keys[TLS_TICKET_KEYS]; /* the oldest first */
    uint64_t count;
    uint64_t sealing; /* index of the one that seals; below count unless there is none */
};

/* Adds a key behind the others; the oldest goes where there are three. `sealing` stays as it is. */
void tls_ticket_set_add(struct tls_ticket_set *set, const struct tls_ticket_key *key);

/* Likewise, with a new key that nobody can guess, name and all. */
void tls_ticket_set_add_new(struct tls_ticket_set *set);

/* Index of the key with this name; TLS_TICKET_KEYS where there is none. */
size_t tls_ticket_set_find(const struct tls_ticket_set *set, const uint8_t name[TLS_TICKET_NAME]);

/* Equal keys in equal order, of which the same one seals. */
bool tls_ticket_set_equals(const struct tls_ticket_set *a, const struct tls_ticket_set *b);

/* Leaves an empty set. */
void tls_ticket_set_wipe(struct tls_ticket_set *set);

#endif
