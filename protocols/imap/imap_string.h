/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_STRING_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_STRING_H

#include "base/bytes.h"
#include "base/must_check.h"

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
 * Appends octets as a quoted string or, if one cannot hold them (CR, LF and, before UTF8=ACCEPT, octets above
 * 0x7F), as a synchronising literal. NUL, which no string has (RFC 3501 section 9, CHAR8), becomes "?". False
 * if memory is short, or if `into` would have more than `limit` octets.
 */
MUST_CHECK bool imap_string_append(struct bytes *into, struct slice octets, size_t limit);

#endif
