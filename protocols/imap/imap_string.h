/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_STRING_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_STRING_H

#include "protocols/engine_out.h"

/*
 * IMAP's strings (RFC 3501 section 4.3): NIL, "quoted", literals that follow their announcement in the same
 * slice, and atoms, which servers accept in place of a string. Views only; nothing is allocated.
 */
enum imap_string_form { IMAP_STRING_NIL, IMAP_STRING_ATOM, IMAP_STRING_QUOTED, IMAP_STRING_LITERAL };

struct imap_string {
    enum imap_string_form form;
    struct slice raw;   /* as it came, with quotation marks or announcement */
    struct slice inner; /* without; still with backslashes if it is quoted */
};

/* Takes a string off the front of `*rest`. False, and `*rest` undefined, if there is no whole one. */
bool imap_string_take(struct slice *rest, struct imap_string *s);

/*
 * Writes the first `cap` octets of the value, without backslashes, and returns its whole length. NIL has
 * none.
 */
size_t imap_string_decode(const struct imap_string *s, uint8_t *into, size_t cap);

/*
 * Sends octets as a quoted string. What such a string cannot hold (CR, LF, NUL and, before UTF8=ACCEPT,
 * octets above 0x7F) becomes "?": the alternative would be a literal, and so a wait or an extension of the
 * backend's.
 */
void imap_string_quote(struct slice octets, enum side to, struct engine_out *out);

#endif
