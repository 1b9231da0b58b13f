/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_TRUST_H
#define DEEPPROXY_TLS_CLIENT_TRUST_H

#include "base/must_check.h"
#include "tls/tls_report.h"

/*
 * Which client certificates a service accepts (draft section 9.1.1): authorities, and the lists of the
 * certificates that these have revoked. It never changes after it is made, is safe to use from all threads,
 * and is counted by reference. Files are read when it is made, never later.
 *
 * A client's chain is verified (RFC 5280) up to any certificate in the file of authorities, which need not be
 * a root. Each certificate must be valid now and, if its use is restricted, be meant for TLS clients. A chain
 * that does not verify fails the handshake, even if no certificate is required: a client with a wrong
 * certificate shall learn of it.
 *
 * A resumed session is verified again, with the certificate in its ticket: a certificate that has expired or
 * was revoked since then is rejected. A ticket from a service with other authorities, or with none, is not
 * accepted.
 */
struct tls_client_trust;

/* Used only within tls_client_trust_new, but for `now`. */
struct tls_client_trust_settings {
    const char *authorities; /* a PEM file with certificates; their names are sent to clients, to choose by */
    /*
     * A PEM file with revocation lists (CRLs). NULL: revocation is not checked. Otherwise each certificate
     * below the authorities must be covered by a list that is in force, or it is rejected.
     */
    const char *revoked;
    bool required;          /* false: a client without a certificate is accepted */
    long long (*now)(void); /* seconds since 1970, called from any thread; NULL: the library's clock */
};

/*
 * Reads the files. The caller owns one reference. NULL if an error was reported. All problems have the source
 * TLS_NO_SOURCE.
 */
MUST_CHECK struct tls_client_trust *tls_client_trust_new(const struct tls_client_trust_settings *settings,
                                                         const struct tls_report *report);

/*
 * As tls_client_trust_new, for settings that may be those of `other`: if they are, and its files are
 * unchanged, a reference to it, after the warnings that its files deserve now. NULL otherwise, with nothing
 * reported.
 */
MUST_CHECK struct tls_client_trust *tls_client_trust_reuse(struct tls_client_trust *other,
                                                           const struct tls_client_trust_settings *settings,
                                                           const struct tls_report *report);

/* Adds a reference, and returns the trust. */
struct tls_client_trust *tls_client_trust_ref(struct tls_client_trust *trust);

/* Drops a reference, and sets the pointer to NULL. The last one frees the trust. */
void tls_client_trust_unref(struct tls_client_trust **trust);

#endif
