/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_DEEP_DEEP_STATUS_H
#define DEEPPROXY_PROTOCOLS_DEEP_DEEP_STATUS_H

#include "base/slice.h"

/*
 * The syntax of draft-ietf-uta-email-deep-03 section 5.3:
 *   deep-status = [deep-tag *(SP deep-tag)]
 *   deep-tag    = deep-https / security-tag / deep-extend
 * Pure functions over slices; nothing is allocated.
 */

enum {
    DEEP_TAG_MAX = 64, /* section 5.1: ALPHA *63(...) */
    /* "250-DEEP ..." stays below the 512 octets of RFC 5321 4.5.3.1.5, and of RFC 2449 section 4. */
    DEEP_STATUS_MAX = 400
};

/* The registered security tags (section 11.2). */
enum { DEEP_REGISTERED_TAGS = 4 };
extern const char *const deep_registered_tags[DEEP_REGISTERED_TAGS];

/* security-tag = ALPHA *63(ALPHA / DIGIT / "-" / "_") */
bool deep_is_security_tag(struct slice s);

/*
 * An https URI as RFC 3986 has it, without the angle brackets: scheme, a host, and none but its characters.
 */
bool deep_is_https_uri(struct slice s);

/*
 * deep-extend, without the space that EXTCHAR has by an error of the draft: a space separates deep-tags. "/"
 * is not in its ranges, though the comment beside them does not exclude it: the proxy keeps to the stricter
 * reading.
 */
bool deep_is_extension(struct slice s);

/*
 * tls-cipher of section 6: a registered name (ALPHA *(ALPHA / DIGIT / "_")) or "0x" and four hexadecimal
 * digits.
 */
bool deep_is_tls_cipher(struct slice s);

/*
 * NULL if `s` is a deep-status of at most DEEP_STATUS_MAX octets, else a static sentence that says what is
 * wrong; `*at` is then the offset of the deep-tag that is wrong.
 */
const char *deep_status_check(struct slice s, size_t *at);

/* Has the status this word, without regard to case? */
bool deep_status_has(const char *status, struct slice word);

/*
 * Merges the proxy's own status and a backend's (section 9.5: a proxy advertises all that the actual server
 * does): `own` as it is, then what the backend's has and `own` lacks: security tags and extensions, and its
 * first URL if `own` has none. Words that are not deep-tags are left out, and so is all from the first one on
 * that would not fit. Tags compare without case: the registered ones are in lower case, and a client that
 * takes "TLS12" for "tls12" must not find it twice. `own` is a deep-status; the backend's is any octets. The
 * result has a NUL.
 */
void deep_status_merge(const char *own, struct slice backends, char into[DEEP_STATUS_MAX + 1]);

#endif
