/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TRIAL_H
#define DEEPPROXY_TLS_TRIAL_H

#include "base/must_check.h"
#include "tls/certificates/tls_certificate.h"

/*
 * Puts a certificate to use before anybody depends on it. The library refuses some certificates only in a
 * handshake, and then refuses each: whoever takes up such a certificate in place of one that works serves
 * nobody any more. So a server in memory gets the certificate and a ClientHello, once with TLS 1.3 and once
 * with TLS 1.2, up to where it asks for the signature. A key that is in this process then signs, and the
 * leaf's public key verifies. An external key has done so where it is (keys/key_sign.h).
 *
 * It takes a tenth of a millisecond, and a signature. It never waits, and nothing of it stays but one
 * ClientHello and the scratch context, which all trials of the process share. Private to tls/.
 */

/*
 * Returns NULL if the certificate works, or else the library's reason, static, as a message has it after
 * "can't be used: ". The certificate has its chain and its key, and `leaf` is its first one. Any thread
 * may call this.
 */
MUST_CHECK const char *tls_trial_run(const struct tls_certificate *certificate, X509 *leaf);

#endif
