/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_TLS_FORM_H
#define DEEPPROXY_KEYS_TLS_FORM_H

#include "base/slice.h"

/*
 * Has this input the form of what a TLS server signs in a handshake? Anything else is refused, so that somebody who
 * has taken a worker over can't have certificate requests, S/MIME, JWT, or a TLS client's proof signed.
 *
 * TLS 1.3: 64 blanks, "TLS 1.3, server CertificateVerify", NUL and a transcript's hash (RFC 8446 section 4.4.3).
 * Before: both randoms and the server's ephemeral point on a named curve (RFC 8422 section 5.4).
 */
enum tls_form { TLS_FORM_NONE, TLS_FORM_1_3, TLS_FORM_ECDHE };

enum tls_form tls_form_of(struct slice input);

#endif
