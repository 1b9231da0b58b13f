/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SASL_MECHANISM_H
#define DEEPPROXY_PROTOCOLS_SASL_MECHANISM_H

#include "base/slice.h"

/*
 * Which SASL mechanisms (RFC 4422) can work through a proxy that ends the client's TLS, in all three protocols: what is
 * shown of a backend's list, and which of those that a client asks for may reach it. Pure functions over slices.
 *
 * Two kinds stand on the TLS session, of which the backend has another one than the client:
 *   -PLUS      binds to the channel (RFC 5801), which can't cross a proxy
 *   EXTERNAL   takes the identity that the connection comes with (RFC 4422 appendix A). Where the backend knows nothing
 *              of the client's own certificate that is the proxy's: its address, or its certificate. Whoever may ask for
 *              it then is logged in as the proxy.
 */
enum sasl_mechanism {
    SASL_MECHANISM_PASSES,
    SASL_MECHANISM_BINDS_CHANNEL,
    SASL_MECHANISM_EXTERNAL, /* and the backend does not know this client by a certificate */
    SASL_MECHANISM_MALFORMED /* no name at all: two servers could read it as two mechanisms */
};

/* `external`: the backend has been told of a certificate of this client's, which was verified. */
enum sasl_mechanism sasl_mechanism_judge(struct slice name, bool external);

/* Whether a name in a backend's list is shown. What is no name says nothing to a client, and stays. */
bool sasl_mechanism_is_shown(struct slice name, bool external);

#endif
