/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_ADDRESS_RATES_H
#define DEEPPROXY_PROXY_COMMON_ADDRESS_RATES_H

#include "base/must_check.h"

#include <stdint.h>

/*
 * How fast something comes from each address, over all workers: a token bucket for each, which holds one
 * second's tokens, and lends those of a short while to come. It is a fixed table of atomic words and no list
 * of addresses: however many addresses come, it neither grows, nor fills up, nor takes a lock, nor has to be
 * cleaned. A word has the time until which its tokens are spent, so that an old one means a full bucket. As
 * in address_counts.h an address has two words, chosen by its key (address_counts_key), and the emptier of
 * its debts holds: an address is taken for faster than it is only if others share both its words.
 *
 * Two workers that ask for one address at the same moment may both get its last token.
 */
struct address_rates;

enum {
    /* More than any wait: nothing was taken. */
    ADDRESS_RATES_REFUSED = INT32_MAX
};

/* Full buckets. The caller frees them. NULL if memory is short. */
MUST_CHECK struct address_rates *address_rates_new(void);

/* Frees them, and sets the pointer to NULL. */
void address_rates_free(struct address_rates **rates);

/*
 * Takes a token, from any thread. `per_second` is not 0, and at most 1,000,000. Returns for how many
 * milliseconds the taker has to wait until the token is there: 0 if there was one; ADDRESS_RATES_REFUSED if
 * that would be more than `wait_max_ms`, and then none is taken. `now_ms` is of one clock, whose time never
 * goes back, in all calls.
 */
MUST_CHECK uint32_t address_rates_take(struct address_rates *rates, uint64_t key, uint64_t now_ms,
                                       uint32_t per_second, uint32_t wait_max_ms);

#endif
