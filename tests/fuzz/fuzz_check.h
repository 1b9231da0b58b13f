/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_CHECK_H
#define DEEPPROXY_TESTS_FUZZ_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define NO_LIMIT ((size_t)1 << 30)

/* What libFuzzer and replay.c call. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Ends the program as a crash does, so that a fuzzer keeps the input. `what` should hold. */
static inline void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

#endif
