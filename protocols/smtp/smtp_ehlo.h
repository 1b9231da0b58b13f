/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_EHLO_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_EHLO_H

#include "protocols/engine_out.h"
#include "protocols/smtp/smtp_reply.h"

/*
 * The reply to EHLO (RFC 5321 section 4.1.1.1), edited line by line as it comes. Nothing of it is held: the
 * proxy's own DEEP line is always the last, so that every line of the backend's is sent as "250-", whichever
 * are left out.
 */

/* What the backend's reply has announced, as far as the proxy acts on it. */
struct smtp_ehlo {
    bool pipelining; /* RFC 2920 */
    bool chunking;   /* RFC 3030 */
    bool deep;       /* draft section 7.3: it knows CLIENT */
    bool auth;       /* RFC 4954 ... */
    bool mechanisms; /* ... with a mechanism */
};

/*
 * Does this line, without code and separator, announce AUTH: "AUTH PLAIN ..." or, for clients older than RFC
 * 2554, "AUTH=PLAIN ..."? `*mechanisms` is set then.
 */
bool smtp_ehlo_mechanisms(struct slice text, struct slice *mechanisms);

/* What is shown of the backend's AUTH. */
enum smtp_auth_shown {
    SMTP_AUTH_WITHOUT_EXTERNAL, /* the mechanisms that can work (sasl_mechanism.h) ... */
    SMTP_AUTH_WITH_EXTERNAL,    /* ... as the backend knows the client's certificate */
    SMTP_AUTH_HIDDEN            /* nothing: the client is logged in there already */
};

/* Sends the first line, without its code: the backend's name and greeting. Begins `ehlo` anew. */
void smtp_ehlo_begin(struct smtp_ehlo *ehlo, struct slice text, struct engine_out *out);

/*
 * Sends each further line, without code and separator: whole, what the client may see of it, or nothing. Left
 * out are STARTTLS, XCLIENT, XFORWARD, Exim's PIPECONNECT (with it clients send before the greeting), DEEP,
 * extensions whose dialogue this engine does not follow (PRDR and others), and the mechanisms of AUTH that
 * `shown` does not allow.
 */
void smtp_ehlo_line(struct smtp_ehlo *ehlo, struct slice text, enum smtp_auth_shown shown,
                    struct engine_out *out);

/* Sends the DEEP line, which ends the reply. "" is an empty status, and announced. */
void smtp_ehlo_end(const char *deep_status, struct engine_out *out);

#endif
