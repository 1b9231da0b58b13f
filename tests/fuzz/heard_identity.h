/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_HEARD_IDENTITY_H
#define DEEPPROXY_TESTS_FUZZ_HEARD_IDENTITY_H

#include "protocols/engine.h"

/*
 * What a backend that trusts the proxy is told of the client, as it hears it. `client` is the truth, or NULL
 * where it is to be told nothing; check ends the program where anything else is said.
 */

/* A field of ID that backends believe, x-originating-ip and its like. */
void heard_identity_field(const struct engine_client *client, struct slice name, struct slice value);

/* What stands behind XCLIENT, in the dialect of Dovecot's POP3 server or of Postfix. */
void heard_identity_pop3(const struct engine_client *client, struct slice words);
void heard_identity_smtp(const struct engine_client *client, struct slice words);

#endif
