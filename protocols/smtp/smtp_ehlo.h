/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_EHLO_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_EHLO_H

#include "protocols/engine_out.h"
#include "protocols/smtp/smtp_reply.h"

/*
 * The reply to EHLO (RFC 5321 section 4.1.1.1), edited line by line as it comes. Nothing of it is held: the
 * proxy's own DEEP line is always the last, so that every line of the backend's goes out as "250-" and it
 * does not matter which of them are left out.
 */

/* What the backend's reply has announced that the proxy itself goes by. */
struct smtp_ehlo {
    bool pipelining; /* RFC 2920 */
    bool chunking;   /* RFC 3030 */
    bool deep;       /* draft section 7.3: it knows CLIENT */
    bool auth;       /* RFC 4954 ... */
    bool mechanisms; /* ... with something behind it */
};

/* What is shown of the backend's AUTH. */
enum smtp_auth_shown {
    SMTP_AUTH_WITHOUT_EXTERNAL, /* the mechanisms that can work (sasl_mechanism.h) ... */
    SMTP_AUTH_WITH_EXTERNAL,    /* ... as the backend knows the client's certificate */
    SMTP_AUTH_HIDDEN            /* nothing: the client is logged in there already */
};

/* The first line: the backend's name and greeting, whatever it says. Begins `ehlo` anew. */
void smtp_ehlo_begin(struct smtp_ehlo *ehlo, struct slice text, struct engine_out *out);

/*
 * Each further line, without code and separator: lets it out, or what may be shown of it, or nothing.
 * Left out: STARTTLS, XCLIENT, XFORWARD, Exim's PIPECONNECT (it lets clients speak before the greeting),
 * DEEP, extensions whose dialogue this engine does not follow (PRDR and others), and of AUTH what `shown` says.
 */
void smtp_ehlo_line(struct smtp_ehlo *ehlo, struct slice text, enum smtp_auth_shown shown,
                    struct engine_out *out);

/* Behind the last one. */
void smtp_ehlo_end(const char *deep_status, struct engine_out *out);

#endif
