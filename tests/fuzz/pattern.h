/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_PATTERN_H
#define DEEPPROXY_TESTS_FUZZ_PATTERN_H

#include "base/slice.h"

/*
 * Grammars as extended regular expressions of POSIX: a second implementation that shares nothing with the
 * program. Each is compiled once and kept: a handful of static strings.
 */

/* Does it match the slice from end to end? Nothing with a NUL does. */
bool pattern_matches(const char *pattern, struct slice s);

/* The same without regard to case. */
bool pattern_matches_word(const char *pattern, struct slice s);

#endif
