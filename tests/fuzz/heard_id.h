/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_HEARD_ID_H
#define DEEPPROXY_TESTS_FUZZ_HEARD_ID_H

#include "protocols/engine.h"

/*
 * The list of an ID command as a backend reads it, which knows only the one form that the proxy writes:
 * quoted strings, literals of what they can't have, or NIL for a value, and one space between them. check
 * ends the program where it is another.
 */

/* Takes a quoted string off the front; what is returned still has its backslashes. */
struct slice heard_id_quoted(struct slice *rest);

/* Takes the octet off the front that must stand there. */
void heard_id_octet(struct slice *rest, uint8_t octet);

/*
 * At most 30 pairs; `tls` once, with this value; of the fields that backends believe of a proxy those alone
 * that are true of the client, and none where that is NULL.
 */
void heard_id_check(struct slice list, const char *cipher, const struct engine_client *client);

#endif
