/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_REPLY_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_REPLY_H

#include "protocols/line.h"

/* Reads the backend's replies: their first word, the greeting, and the end of a multi-line one. */

enum pop3_indicator {
    POP3_INDICATOR_OK,
    POP3_INDICATOR_ERR,
    POP3_INDICATOR_CHALLENGE, /* "+" of RFC 5034 section 4 */
    POP3_INDICATOR_NONE       /* no reply at all */
};

/* What a line, without its end, begins with. */
enum pop3_indicator pop3_indicator_of(struct slice text);

/* Has the greeting, a line that begins with +OK, "[XCLIENT]"? Dovecot shows it to proxies that it trusts. */
bool pop3_greeting_offers_xclient(struct slice text);

/*
 * Sends the greeting to the client, without "[XCLIENT]", which is not for clients. APOP's timestamp stays.
 */
void pop3_greeting_send(const struct line *line, struct engine_out *out);

enum {
    /*
     * `*matched` at the start of a multi-line reply: its first line has ended with the CR LF of CR LF "." CR
     * LF.
     */
    POP3_END_AFTER_LINE = 2
};

/*
 * Looks for the end of a multi-line reply (RFC 1939 section 3): CRLF, ".", CRLF and nothing else. `*matched`
 * counts the octets of it that the last chunk ended with: begin with POP3_END_AFTER_LINE, and keep it from
 * chunk to chunk. Returns how many octets of `s` belong to the reply if it ends in `s`, else 0.
 */
size_t pop3_end_find(uint8_t *matched, struct slice s);

#endif
