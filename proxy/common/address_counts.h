/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_ADDRESS_COUNTS_H
#define DEEPPROXY_PROXY_COMMON_ADDRESS_COUNTS_H

#include "base/must_check.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * How many of something each address has now, over all workers. It is a fixed table of atomic counts (a
 * count-min sketch) and no list of addresses: however many addresses come, it neither grows, nor fills up,
 * nor takes a lock. An address is counted in two cells, chosen by a hash with a secret key, and its count is
 * the lower of the two. That is never too low. It is too high only if other addresses that are counted now
 * share both cells: while a hundred addresses are at their limit, one other address in 400,000 is taken for
 * one of them.
 *
 * An address is an IPv4 address, or the /64 of an IPv6 address, as a customer has at least that many (RFC
 * 6177).
 */
struct address_counts;

/* An empty table. The caller frees it. NULL if memory is short. */
MUST_CHECK struct address_counts *address_counts_new(void);

/* Frees it, and sets the pointer to NULL. */
void address_counts_free(struct address_counts **counts);

/* The key of an address for the calls below. The port does not matter. */
uint64_t address_counts_key(const struct address_counts *counts, const struct sockaddr *address);

/*
 * Counts one more, from any thread. False if the address has `limit` already (0: no limit): it is not counted
 * then, and must not be dropped.
 */
MUST_CHECK bool address_counts_add(struct address_counts *counts, uint64_t key, uint32_t limit);

/* Counts one less, from any thread: once for each successful address_counts_add. */
void address_counts_drop(struct address_counts *counts, uint64_t key);

#endif
