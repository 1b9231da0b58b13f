/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_LITERAL_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_LITERAL_H

#include "base/slice.h"

/*
 * The announcement of a literal right before the end of a line: {n}, {n+} (RFC 7888) and, with a ~ before it
 * that makes no difference here, literal8 (RFC 3516). The caller knows whether a line may end in one: data
 * responses and commands may, text (RFC 3501 section 9, resp-text) may not. Values that own nothing.
 */
struct imap_literal {
    uint64_t octets;    /* above IMAP_LITERAL_MAX: absurd */
    bool synchronizing; /* its sender waits for a go-ahead */
};

/* number64 of RFC 9051 section 9 */
#define IMAP_LITERAL_MAX ((uint64_t)INT64_MAX)

enum imap_tail_state {
    IMAP_TAIL_NONE,
    IMAP_TAIL_OPEN,   /* { */
    IMAP_TAIL_DIGITS, /* {12 */
    IMAP_TAIL_PLUS,   /* {12+ */
    IMAP_TAIL_CLOSED, /* {12} */
    IMAP_TAIL_CR      /* {12} and a CR */
};

/*
 * What has to be remembered of a line that comes in pieces and is not held. All zero is the start of a line.
 */
struct imap_tail {
    uint64_t octets;
    enum imap_tail_state state;
    bool plus;
};

/* Adds the next octets of a line, without its LF. Costs one search for "{", whatever the length. */
void imap_tail_feed(struct imap_tail *tail, struct slice part);

/* Does the line, whose LF comes now, end in a literal's announcement? Fills `*literal` in then. */
bool imap_tail_literal(const struct imap_tail *tail, struct imap_literal *literal);

/* The same for a whole line without its end. */
bool imap_literal_at_end(struct slice text, struct imap_literal *literal);

#endif
