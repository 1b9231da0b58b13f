/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_LANE_H
#define DEEPPROXY_TESTS_FUZZ_LANE_H

#include "base/bytes.h"
#include "protocols/engine_out.h"

/* What a parser under test lets out, and what a second, simple implementation would. */

/* Empty; one for the whole program. */
struct engine_out *lane_out(void);

/* All that goes to a side, as octets of the caller's; the value is emptied. */
struct bytes lane_take(struct engine_out *out, enum side side);

/* Adds to what is expected. */
void expect(struct bytes *b, struct slice octets);
void expect_text(struct bytes *b, const char *text);

/* Ends the program where they differ, with both on standard error; frees both. */
void lane_compare(struct bytes *came, struct bytes *expected, const char *what);

/* Takes a line without its end, CRLF or LF, off the front. */
struct slice take_line(struct slice *rest);

#endif
