/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_CONTENT_H
#define DEEPPROXY_TESTS_FUZZ_CONTENT_H

#include "session.h"

/*
 * Plays a well-behaved session in which a fuzzer's octets are content: literals and strings, message bodies,
 * chunks, the words for people behind a status. Whatever they look like, they arrive on the other side as
 * they were sent; check ends the program where they don't. One for each protocol.
 */
void content_play(struct session *s, struct slice octets);

/* ---- for those that play ---- */

/* A side sends the octets, and the other side receives these, or exactly the same. */
void content_step(struct session *s, enum side from, struct slice octets, struct slice arrives);
void content_same(struct session *s, enum side from, struct slice octets);
void content_text(struct session *s, enum side from, const char *text, const char *arrives);
void content_same_text(struct session *s, enum side from, const char *text);

/*
 * Before, the octets and behind, as one; with the octets as they are, or as they fit into a line: at most
 * 200.
 */
struct bytes content_frame(const char *before, struct slice octets, const char *behind);
struct bytes content_line(const char *before, struct slice octets, const char *behind);

/*
 * Octets as the body of a message, with dots stuffed (RFC 1939 section 3, RFC 5321 section 4.5.2) and a CRLF
 * at the end.
 */
struct bytes content_stuffed(struct slice octets);

/* As base64, 100 octets of it at most, in one line. */
struct bytes content_base64(struct slice octets);

#endif
