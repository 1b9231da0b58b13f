/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TICKET_KEYS_H
#define DEEPPROXY_TLS_TICKET_KEYS_H

#include "tls/tickets/tls_ticket_set.h"

/*
 * The ticket keys that handshakes in all threads use, and that one thread changes meanwhile. Counted by
 * reference: contexts hold it, and the next context takes it over, so that a reload costs no client its session.
 *
 * Readers take no lock. There are two places for a set: the one that is in use, and the one that the next is
 * written to before readers are sent there; what a reader copied counts only if no change came in between. So
 * a writer that the kernel suspends at the worst moment holds nobody up, which with a mutex, a rwlock or a plain
 * seqlock it would. What was in use before is wiped at once.
 *
 * Keys live in memory alone. They come from a file that replicas share (tls_ticket_keys_replace), or rotate by
 * themselves (tls_ticket_keys_keep): then one seals for eight hours and opens for sixteen more, so that after a
 * day it is gone for good, and nothing that was recorded can be opened with it. A ticket is good for twelve
 * hours, half as long as its key (RFC 9325 section 3.4; at most seven days, RFC 8446 section 4.6.1): it can't
 * outlive it.
 */
struct tls_ticket_keys;

enum {
    TLS_TICKET_KEY_TURN = 8 * 3600,  /* seconds for which a key seals */
    TLS_TICKET_LIFETIME = 12 * 3600, /* seconds for which a ticket is accepted, whoever makes the keys */
};

/* With a first key whose turn begins `now`; see tls_ticket_keys_keep. NULL where memory is short. */
struct tls_ticket_keys *tls_ticket_keys_new(int64_t now);
struct tls_ticket_keys *tls_ticket_keys_ref(struct tls_ticket_keys *keys);
/* The last reference wipes. */
void tls_ticket_keys_unref(struct tls_ticket_keys **keys);

/*
 * The three that change something: from one thread at a time.
 *
 * Keys that rotate by themselves: makes a new one whenever a turn is over. `now` in seconds, from a
 * clock that never goes back, also counts while the machine sleeps, and is the same at each call. True where there
 * is a new key.
 */
bool tls_ticket_keys_keep(struct tls_ticket_keys *keys, int64_t now);

/* Keys from elsewhere, at least one. False where they are those in use already. The caller wipes `*set`. */
bool tls_ticket_keys_replace(struct tls_ticket_keys *keys, const struct tls_ticket_set *set);

/* Puts the keys of `from`, and how far their turn is, in place of those of `keys`. */
void tls_ticket_keys_copy(struct tls_ticket_keys *keys, const struct tls_ticket_keys *from);

/* What is in use. From any thread, without waiting. The caller wipes `*set`. */
void tls_ticket_keys_get(const struct tls_ticket_keys *keys, struct tls_ticket_set *set);

#endif
