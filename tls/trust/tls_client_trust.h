/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_TRUST_H
#define DEEPPROXY_TLS_CLIENT_TRUST_H

#include "tls/endpoint/tls_context.h"

/*
 * Whose client certificates a service takes (draft section 9.1.1): the authorities, and their lists of what they have
 * revoked. Immutable, safe to use from all threads, counted by reference. Files are read when it is made, never later.
 *
 * A client's chain is verified (RFC 5280) up to any certificate in the file of authorities, whether that is a root or
 * not; each must be in its time and, where its use is restricted, be meant for TLS clients. What does not verify ends
 * the handshake, also where no certificate would have been needed: who shows a wrong one is told so.
 *
 * A session that is resumed is verified anew, with what its ticket has of it: what has expired or was revoked
 * meanwhile does not get in, and no ticket of a service with other authorities, or none, is taken here.
 */
struct tls_client_trust;

struct tls_client_trust_settings {
    const char *authorities; /* a PEM file with certificates; their names are sent to clients, to choose by */
    const char *revoked;     /* a PEM file with CRLs; NULL: none is looked at. Else each certificate below the
                            authorities must be covered by one that is in force: without it none is good */
    bool required;           /* else a client without a certificate is served */
    long long (*now)(void);  /* seconds since 1970, from any thread; NULL: the library's clock */
};

/* NULL where an error was reported; its `source` is TLS_NO_SOURCE. One reference is the caller's. */
struct tls_client_trust *tls_client_trust_new(const struct tls_client_trust_settings *settings,
                                              const struct tls_report *report);
struct tls_client_trust *tls_client_trust_ref(struct tls_client_trust *trust);
void tls_client_trust_unref(struct tls_client_trust **trust);

#endif
