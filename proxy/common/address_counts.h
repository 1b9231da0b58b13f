/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_ADDRESS_COUNTS_H
#define DEEPPROXY_PROXY_COMMON_ADDRESS_COUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * How many of something each address has now, over all workers: a fixed table of atomic counts and no list of
 * addresses, so that it neither grows, nor fills up, nor takes a lock, however many addresses come (a count-min sketch).
 * An address is counted in two cells, chosen by a hash whose key is secret, and its count is the lower of the two: never
 * too low, and too high only where both cells are shared with others that are there at the same time. While a hundred
 * addresses are at their limit, one other address in 400,000 is taken for one of them.
 *
 * An address is an IPv4 address, or the /64 of an IPv6 address: a customer has at least that many (RFC 6177).
 */
struct address_counts;

/* NULL where memory is short. */
struct address_counts *address_counts_new(void);
void address_counts_free(struct address_counts **counts);

/* What stands for an address in the calls below; the port has no part in it. */
uint64_t address_counts_key(const struct address_counts *counts, const struct sockaddr *address);

/*
 * Counts one more, from any thread. False where the address has `limit` already (0: no limit): then it is not counted,
 * and must not be dropped.
 */
bool address_counts_add(struct address_counts *counts, uint64_t key, uint32_t limit);
void address_counts_drop(struct address_counts *counts, uint64_t key);

#endif
