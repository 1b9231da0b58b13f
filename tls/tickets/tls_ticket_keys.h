/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TICKET_KEYS_H
#define DEEPPROXY_TLS_TICKET_KEYS_H

#include "base/must_check.h"
#include "tls/tickets/tls_ticket_set.h"

/*
 * The ticket keys that handshakes in all threads use while one thread changes them. They are counted by
 * reference: contexts hold one, and the next context takes the same keys, so that a reload costs no client
 * its session.
 *
 * Readers take no lock. There are two places for a set: the one in use, and the one that the next set is
 * written to before readers are directed there. What a reader has copied counts only if no change came in
 * between. So a writer that the kernel suspends at the worst moment delays no reader, which with a mutex, a
 * rwlock or a plain seqlock it would. The set that was in use before is wiped at once.
 *
 * Keys are only in memory. They come from a file that replicas share (tls_ticket_keys_replace), or rotate by
 * themselves (tls_ticket_keys_rotate_if_due). Then a key seals for eight hours, and opens for sixteen more:
 * after a day it is gone, and nothing that somebody recorded can be decrypted with it. A ticket is valid for
 * twelve hours, so that it does not outlive its key (RFC 9325 section 3.4; at most seven days, RFC 8446
 * section 4.6.1).
 */
struct tls_ticket_keys;

enum {
    TLS_TICKET_KEY_PERIOD = 8 * 3600, /* seconds for which a key seals */
    /* seconds for which a ticket is accepted, wherever its key comes from */
    TLS_TICKET_LIFETIME = 12 * 3600,
};

/*
 * Makes keys with a first one, whose period begins `now` (tls_ticket_keys_rotate_if_due says which clock).
 * The caller owns one reference. NULL if memory is short.
 */
MUST_CHECK struct tls_ticket_keys *tls_ticket_keys_new(int64_t now);

/* Adds a reference, and returns the keys. */
struct tls_ticket_keys *tls_ticket_keys_ref(struct tls_ticket_keys *keys);

/* Drops a reference, and sets the pointer to NULL. The last one wipes and frees the keys. */
void tls_ticket_keys_unref(struct tls_ticket_keys **keys);

/*
 * For keys that rotate by themselves: makes a new key if the period of the last one is over. True if it made
 * one. `now` is in seconds, of a clock that never goes back, and also counts while the machine sleeps; always
 * the same clock. Only from the thread that changes these keys.
 */
bool tls_ticket_keys_rotate_if_due(struct tls_ticket_keys *keys, int64_t now);

/*
 * Puts a set from elsewhere, with at least one key, in place of the one in use. False, and nothing changed,
 * if it is the same set. The caller wipes `*set`. Only from the thread that changes these keys.
 */
bool tls_ticket_keys_replace(struct tls_ticket_keys *keys, const struct tls_ticket_set *set);

/*
 * Puts the set of `from`, and the begin of its period, in place of those of `keys`. Only from the thread that
 * changes both.
 */
void tls_ticket_keys_copy(struct tls_ticket_keys *keys, const struct tls_ticket_keys *from);

/* Copies the set in use. From any thread, without waiting. The caller wipes `*set`. */
void tls_ticket_keys_get(const struct tls_ticket_keys *keys, struct tls_ticket_set *set);

#endif
