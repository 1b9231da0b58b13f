/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SASL_MECHANISM_H
#define DEEPPROXY_PROTOCOLS_SASL_MECHANISM_H

#include "base/slice.h"

/*
 * Which SASL mechanisms (RFC 4422) can work through a proxy that ends the client's TLS, in all three
 * protocols: which of a backend's list the client sees, and which of those that a client asks for may reach
 * the backend. Pure functions over slices. One table in sasl_mechanism.c decides both, so that a mechanism
 * that is shown is also let through. To hide one more, add a row there; for a new kind also a value here,
 * which the compiler then misses in pop3_command.c.
 *
 * Two kinds depend on the TLS session, of which the backend has another one than the client:
 *   -PLUS      binds to the channel (RFC 5801), which cannot cross a proxy
 *   EXTERNAL   takes the identity that the connection comes with (RFC 4422 appendix A). If the backend knows
 *              nothing of the client's own certificate, that is the proxy's identity: its address, or its
 *              certificate. Any client that may ask for EXTERNAL then is logged in as the proxy.
 *
 * Seven tests have the rules a second time, written independently; a new rule goes there too:
 *   tests/unit/protocols/test_sasl_mechanism.c    what is judged how
 *   tests/fuzz/fuzz_imap_response.c, fuzz_pop3_capa.c, fuzz_smtp_ehlo.c    what is left of a list
 *   tests/fuzz/heard_line.c           what reaches a backend
 *   tests/model/dialogue.py, tests/model/model_submission.py    both
 */
enum sasl_mechanism {
    SASL_MECHANISM_PASSES,
    SASL_MECHANISM_BINDS_CHANNEL,
    SASL_MECHANISM_EXTERNAL, /* and the backend does not know this client by a certificate */
    SASL_MECHANISM_MALFORMED /* not a name: two servers could read it as two mechanisms */
};

/* May a client ask for it? `external`: the backend learns of a verified certificate of this client's. */
enum sasl_mechanism sasl_mechanism_judge(struct slice name, bool external);

/*
 * Does a client see this word of a backend's list? Not if no client may ask for it by the table. A word that
 * is not a name tells a client nothing, and stays.
 */
bool sasl_mechanism_is_shown(struct slice name, bool external);

/* Why the proxy rejects BINDS_CHANNEL and EXTERNAL: words for people, static. NULL for the others. */
const char *sasl_mechanism_why(enum sasl_mechanism mechanism);

enum {
    /* With a NUL: room for what sasl_mechanism_why returns. */
    SASL_MECHANISM_WHY_MAX = 80
};

#endif
