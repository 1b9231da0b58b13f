/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_HEARD_LINE_H
#define DEEPPROXY_TESTS_FUZZ_HEARD_LINE_H

#include "base/bytes.h"

/* What the listeners have in common: lines as they come to a backend, and words in them. */

/* Adds an octet; true where it ends the line. */
bool line_add(struct bytes *line, uint8_t octet);

/* The text of a whole line: checks that all servers agree on where it ends. */
struct slice line_text(const struct bytes *line);

/* A line of a SASL exchange is base64 or "*": no command with an argument (RFC 3501 6.2.2, 4954, 5034). */
bool is_sasl_text(struct slice text);

/*
 * Does a command to log in, of which `arguments` is all behind its name, ask for a mechanism that may pass?
 * Not with channel binding (RFC 5801), which can't cross a proxy; not EXTERNAL (RFC 4422 appendix A), unless
 * the backend knows the client's own certificate; and nothing that is no name (RFC 4422 section 3.1) to all
 * servers.
 */
bool mechanism_may_pass(struct slice arguments, bool external);

/* Takes a word and the space behind it off the front. Tabs are spaces to some servers. */
struct slice take_word(struct slice *rest);

#endif
