/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_SIGN_INPUT_H
#define DEEPPROXY_KEYS_SIGN_INPUT_H

#include "base/slice.h"

/*
 * Recognizes what an end of TLS signs in a handshake, and which end. Any other input is refused. So an
 * attacker who controls a worker can't have certificate requests, S/MIME or JWT signed, nor a TLS client's
 * proof with a server's key.
 *
 * Both ends in TLS 1.3: 64 blanks, "TLS 1.3, server CertificateVerify" or "client", NUL, and a hash of the
 * transcript (RFC 8446 section 4.4.3).
 *
 * A server before that: both randoms, and its ephemeral point on a named curve (RFC 8422 section 5.4).
 *
 * A client in TLS 1.2: all messages of the handshake so far (RFC 5246 section 7.4.8). They must be those of a
 * full handshake with an ephemeral key exchange, in their order, and fill the input to the octet. Our clients
 * speak no older version.
 *
 * A server that used ephemeral Diffie-Hellman in a finite field, which none of ours does, signs an input
 * without a form of its own: a transcript that by chance begins like both randoms could be read as one.
 */
enum sign_input_kind {
    SIGN_INPUT_UNKNOWN,      /* to be refused */
    SIGN_INPUT_TLS13_SERVER, /* a CertificateVerify of TLS 1.3 */
    SIGN_INPUT_ECDHE,        /* a ServerKeyExchange, before TLS 1.3 */
    SIGN_INPUT_TLS13_CLIENT, /* a CertificateVerify of TLS 1.3 */
    SIGN_INPUT_TRANSCRIPT    /* a client's CertificateVerify in TLS 1.2 */
};

/* The end of TLS that a key signs for. */
enum sign_role { SIGN_AS_SERVER, SIGN_AS_CLIENT };

/* What the input is. Never more than one kind fits. */
enum sign_input_kind sign_input_kind_of(struct slice input);

/* Whether an end of this role signs such an input; never SIGN_INPUT_UNKNOWN. */
bool sign_input_fits_role(enum sign_input_kind kind, enum sign_role role);

/* Whether it is of TLS 1.3. */
static inline bool sign_input_is_tls13(enum sign_input_kind kind)
{
    return kind == SIGN_INPUT_TLS13_SERVER || kind == SIGN_INPUT_TLS13_CLIENT;
}

#endif
