/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_RESPONSES_H
#define DEEPPROXY_TESTS_RESPONSES_H

#include "base/slice.h"

/*
 * IMAP responses as a client tells them apart, in a few lines that know nothing of the engine: a line, or
 * where it is data ("* " and no status) and ends in {n}, the n octets behind it and the rest of the line.
 */

/* Length of the response that `s` begins with; all of `s` where it is cut short. */
size_t response_length(struct slice s);

/*
 * Is `s` made of the responses of `a` and of `b`, all of both, each in its order? `b_may_end`: of `b` the
 * last ones may be missing.
 */
bool responses_are_shuffled(struct slice s, struct slice a, struct slice b, bool b_may_end);

#endif
