/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_BENCH_PATTERN_H
#define DEEPPROXY_TESTS_BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The content of every message of the benchmark: lines as base64 has them, endless, and different at each
 * offset, so that lost, doubled or shifted octets are seen at the price of a memcmp. The load generator and
 * the backend both know it: neither has to send the other a checksum.
 */

enum {
    PATTERN_RUN = 256 * 1024 /* octets that can be read from where pattern_at points */
};

/* Makes the content; once, before anything else. */
void pattern_init(void);

/* Where the octets from `offset` on lie, PATTERN_RUN of them. Valid until the end of the program. */
const uint8_t *pattern_at(uint64_t offset);

/* Are these the octets of the content from `offset` on? */
bool pattern_matches(uint64_t offset, const uint8_t *data, size_t len);

#endif
