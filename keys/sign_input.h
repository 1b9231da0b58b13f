/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_TLS_FORM_H
#define DEEPPROXY_KEYS_TLS_FORM_H

#include "base/slice.h"

/*
 * Has this input the form of what an end of TLS signs in a handshake, and which end's? Anything else is refused, so that
 * somebody who has taken a worker over can't have certificate requests, S/MIME or JWT signed, nor with a server's key a
 * TLS client's proof.
 *
 * TLS 1.3, both: 64 blanks, "TLS 1.3, server CertificateVerify" or "client", NUL and a transcript's hash (RFC 8446
 * section 4.4.3).
 * Before, a server: both randoms and its ephemeral point on a named curve (RFC 8422 section 5.4).
 * TLS 1.2, a client: all messages of the handshake so far (RFC 5246 section 7.4.8). They must be those of a full one with
 * an ephemeral key exchange, in their order, and fill the input to the octet. (A client of ours does not speak less.)
 *
 * What a server signed with ephemeral Diffie-Hellman in a finite field, which none of ours speaks, has no form of its own: a
 * transcript whose first octets are by chance those of both randoms could be read as one.
 */
enum tls_form { TLS_FORM_NONE, TLS_FORM_1_3, TLS_FORM_ECDHE, TLS_FORM_CLIENT_1_3, TLS_FORM_TRANSCRIPT };

enum tls_role { TLS_SERVER, TLS_CLIENT };

enum tls_form tls_form_of(struct slice input);

/* Does an end of this role sign such a thing? */
bool tls_form_is_of(enum tls_form form, enum tls_role role);

static inline bool tls_form_is_1_3(enum tls_form form)
{
    return form == TLS_FORM_1_3 || form == TLS_FORM_CLIENT_1_3;
}

#endif
