/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TICKET_SET_H
#define DEEPPROXY_TLS_TICKET_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The keys of session tickets as a plain value: up to three, of which one seals new tickets, and all open
 * those that clients send back (RFC 5077 section 4). It is secret: a function that has one on the stack wipes
 * it before it returns.
 */
enum { TLS_TICKET_KEYS = 3, TLS_TICKET_NAME = 16, TLS_TICKET_SECRET = 32 /* octets, but for the first */ };

/* The order of the fields is that of a file (tls_ticket_file.h). */
struct tls_ticket_key {
    uint8_t name[TLS_TICKET_NAME];   /* sent in the clear before each ticket */
    uint8_t aes[TLS_TICKET_SECRET];  /* AES-256-CBC: as strong as any suite (RFC 9325 section 3.4) */
    uint8_t hmac[TLS_TICKET_SECRET]; /* HMAC-SHA256 over name, IV and ciphertext */
};

/* Has no padding, and is a multiple of eight octets: it is copied and compared as a whole. */
struct tls_ticket_set {
    struct tls_ticket_key keys[TLS_TICKET_KEYS]; /* the oldest first */
    uint64_t count;
    uint64_t sealing; /* index of the key that seals; below `count`, unless the set is empty */
};

/* Adds a copy of a key at the end; drops the oldest one if there are three. Does not change `sealing`. */
void tls_ticket_set_add(struct tls_ticket_set *set, const struct tls_ticket_key *key);

/* Adds a new random key, name included, in the same way. */
void tls_ticket_set_add_new(struct tls_ticket_set *set);

/* The index of the key with this name; TLS_TICKET_KEYS if there is none. */
size_t tls_ticket_set_find(const struct tls_ticket_set *set, const uint8_t name[TLS_TICKET_NAME]);

/* Whether both have equal keys in the same order, and the same one seals. In constant time. */
bool tls_ticket_set_equals(const struct tls_ticket_set *a, const struct tls_ticket_set *b);

/* Wipes the keys; leaves an empty set. */
void tls_ticket_set_wipe(struct tls_ticket_set *set);

#endif
