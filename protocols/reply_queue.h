/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_REPLY_QUEUE_H
#define DEEPPROXY_PROTOCOLS_REPLY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The replies that a client still expects, in the order of its commands. POP3 and SMTP have no tags: this
 * order alone tells which command a reply of the backend belongs to (RFC 2449 section 6.6, RFC 2920 section
 * 3.1). Each command takes a slot. A slot is an octet whose values the protocol defines (pop3_slot.h,
 * smtp_slot.h): who replies, and what the reply is like. The proxy's own replies take slots too, so that they
 * keep their place among the backend's. The queue is a value that owns nothing; all zero is an empty queue.
 * IMAP has tags, and no queue.
 */
enum {
    /*
     * Commands without a reply: MAIL, 100 RCPT (RFC 5321 section 4.5.3.1.8) and DATA in one group, and some
     * more.
     */
    REPLY_QUEUE_MAX = 128,
    /* No slot: 0 in each protocol. */
    REPLY_SLOT_NONE = 0
};

struct reply_queue {
    uint8_t first; /* index of the oldest slot */
    uint8_t count;
    uint8_t slots[REPLY_QUEUE_MAX];
};

/* Is there room for `more` slots? */
bool reply_queue_has_room(const struct reply_queue *queue, size_t more);

/* Is no reply outstanding? */
bool reply_queue_is_empty(const struct reply_queue *queue);

/* Adds a slot at the end. The caller has asked for room. */
void reply_queue_add(struct reply_queue *queue, uint8_t slot);

/* The oldest slot; REPLY_SLOT_NONE if the queue is empty. */
uint8_t reply_queue_first(const struct reply_queue *queue);

/* The same, and removes it. */
uint8_t reply_queue_take(struct reply_queue *queue);

/* How many slots have this value. */
size_t reply_queue_count(const struct reply_queue *queue, uint8_t slot);

#endif
