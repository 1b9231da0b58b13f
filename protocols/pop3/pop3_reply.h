/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_REPLY_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_REPLY_H

#include "protocols/line.h"

/* The backend's replies: their first word, the greeting, and where a multi-line one ends. */

enum {
    /*
     * A first line, or one of a list. RFC 2449 section 4 has 512 octets, but a SASL challenge ("+ " and
     * base64) may be as long as the client's lines.
     */
    POP3_REPLY_LINE_MAX = 12288 + 2
};

enum pop3_indicator {
    POP3_INDICATOR_OK,
    POP3_INDICATOR_ERR,
    POP3_INDICATOR_CHALLENGE, /* "+" of RFC 5034 section 4 */
    POP3_INDICATOR_NONE       /* no reply at all */
};

enum pop3_indicator pop3_indicator_of(struct slice text);

/* Has the greeting "[XCLIENT]", by which Dovecot says that it trusts the proxy? */
bool pop3_greeting_offers_xclient(struct slice text);

/*
 * Lets the greeting out to the client. "[XCLIENT]", which Dovecot shows to those whose word it trusts on
 * where a client comes from, is not for the client and taken out; APOP's timestamp stays.
 */
void pop3_greeting_let_out(const struct line *line, struct engine_out *out);

enum {
    /* Where a multi-line reply stands behind its first line: the CR LF of CR LF "." CR LF has been seen. */
    POP3_END_AFTER_LINE = 2
};

/*
 * Looks for the end of a multi-line reply (RFC 1939 section 3): CRLF, ".", CRLF and nothing else. `*matched`,
 * octets of it that the last chunk ended with, is kept from chunk to chunk. Returns how many octets of `s`
 * belong to the reply where it ends in `s`, else 0.
 */
size_t pop3_end_find(uint8_t *matched, struct slice s);

#endif
