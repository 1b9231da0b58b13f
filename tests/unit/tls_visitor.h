/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_TLS_VISITOR_H
#define DEEPPROXY_TESTS_TLS_VISITOR_H

#include "tls/endpoint/tls_context.h"

#include <openssl/ssl.h>

/*
 * Test support: a client that comes back with the session of an earlier visit, as mail clients do. It is the
 * TLS library's own, so that it shares no code with the endpoint that it visits. From any thread.
 */
struct tls_visit {
    bool resumed;         /* both ends report so */
    SSL_SESSION *session; /* what to come back with; the caller's. NULL: the server gave no ticket */
    uint8_t key_name[TLS_TICKET_NAME]; /* in front of the ticket */
    uint32_t lifetime;                 /* of the ticket, as the server has set it, in seconds */
};

/*
 * One whole connection. `version`: TLS_1_2 or TLS_1_3; `name` and `session` may be NULL. A handshake that
 * fails ends the test.
 */
struct tls_visit tls_visit(struct tls_context *server, uint16_t version, const char *name,
                           SSL_SESSION *session);

/* Whether a visit with `session` is resumed; what is left of it is freed. */
bool tls_visit_resumes(struct tls_context *server, uint16_t version, const char *name, SSL_SESSION *session);

#endif
