/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_STRING_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_STRING_H

#include "protocols/engine_out.h"

/*
 * IMAP's strings (RFC 3501 section 4.3): NIL, "quoted", literals that follow their announcement in the same
 * slice, and atoms, which servers take where a string should stand. Views only; nothing is allocated.
 */
enum imap_string_form { IMAP_STRING_NIL, IMAP_STRING_ATOM, IMAP_STRING_QUOTED, IMAP_STRING_LITERAL };

struct imap_string {
    enum imap_string_form form;
    struct slice raw;   /* as it stands, with quotation marks or announcement */
    struct slice inner; /* without; still with backslashes where it is quoted */
};

/* Takes a string off the front of `*rest`. False, and `*rest` undefined, where none stands there whole. */
bool imap_string_take(struct slice *rest, struct imap_string *s);

/* The value without backslashes: returns its length and writes the first `cap` octets of it. NIL has none. */
size_t imap_string_decode(const struct imap_string *s, uint8_t *into, size_t cap);

/*
 * Lets octets out as a quoted string. What such a string can't hold (CR, LF, NUL and, before UTF8=ACCEPT,
 * octets above 0x7F) becomes "?": the alternative would be a literal, and so a wait or an extension of the
 * backend's.
 */
void imap_string_quote(struct slice octets, enum side to, struct engine_out *out);

#endif
