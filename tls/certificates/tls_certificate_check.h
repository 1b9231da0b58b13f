/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CERTIFICATE_CHECK_H
#define DEEPPROXY_TLS_CERTIFICATE_CHECK_H

#include "base/must_check.h"
#include "tls/certificates/tls_hello.h"
#include "tls/certificates/tls_keys.h"
#include "tls/tls_report.h"
#include "tls/tls_settings.h"

#include <openssl/base.h>
#include <stddef.h>

/*
 * Tells an operator beforehand what peers will reject, each with what to do about it: a certificate that TLS
 * takes, and that clients do not. It looks at what was read, and at the mode of the key's file. It decides
 * nothing but whether the leaf may sign at all. Private to tls/.
 */
struct tls_certificate_check {
    X509 *const *chain; /* the leaf first */
    size_t count;       /* at least 1, at most TLS_CHAIN_MAX */
    const struct tls_certificate_files *files;
    enum tls_key_role role;
    enum tls_key_kind kind; /* of the leaf's key */
    bool has_ocsp;          /* there is a response to staple */
};

/*
 * Whether the leaf allows a signature, which each handshake needs. False after an error was reported;
 * `source` is the certificate's index for the report.
 */
MUST_CHECK bool tls_certificate_may_sign(const struct tls_certificate_check *check, int source,
                                         const struct tls_report *report);

/* Reports what peers will reject, as warnings. */
void tls_certificate_check(const struct tls_certificate_check *check, int source,
                           const struct tls_report *report);

#endif
