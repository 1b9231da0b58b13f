/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/address_rates.h"

#include <stdatomic.h>
#include <stdlib.h>

/*
 * Words of each of the two rows: far more than addresses that connect within a second or two. The kernel
 * provides only the used part of the megabyte.
 */
enum { CELLS = 65536, SECOND_US = 1000 * 1000 };

struct address_rates {
    /* The time, in microseconds of the caller's clock, at which the bucket would be full again. */
    _Atomic uint64_t rows[2][CELLS];
};

struct address_rates *address_rates_new(void)
{
    return calloc(1, sizeof(struct address_rates));
}

void address_rates_free(struct address_rates **rates)
{
    free(*rates);
    *rates = NULL;
}

static _Atomic uint64_t *cell(struct address_rates *rates, unsigned row, uint64_t key)
{
    return &rates->rows[row][(key >> (32 * row)) % CELLS];
}

/* How long it takes until the bucket is full. */
static uint64_t debt(_Atomic uint64_t *at, uint64_t now_us)
{
    uint64_t full = atomic_load_explicit(at, memory_order_relaxed);
    return full > now_us ? full - now_us : 0;
}

/* Takes one token, which takes `interval` to come again. */
static void take(_Atomic uint64_t *at, uint64_t now_us, uint64_t interval)
{
    uint64_t full = atomic_load_explicit(at, memory_order_relaxed);
    uint64_t next;
    do
        next = (full > now_us ? full : now_us) + interval;
    while (
        !atomic_compare_exchange_weak_explicit(at, &full, next, memory_order_relaxed, memory_order_relaxed));
}

uint32_t address_rates_take(struct address_rates *rates, uint64_t key, uint64_t now_ms, uint32_t per_second,
                            uint32_t wait_max_ms)
{
    uint64_t now_us = now_ms * 1000;
    uint64_t interval = SECOND_US / per_second;
    uint64_t depth = SECOND_US - interval; /* a debt of this size leaves one token */
    uint64_t first = debt(cell(rates, 0, key), now_us);
    uint64_t second = debt(cell(rates, 1, key), now_us);
    uint64_t owed = first < second ? first : second;
    uint64_t wait_ms = owed > depth ? (owed - depth + 999) / 1000 : 0;
    if (wait_ms > wait_max_ms)
        return ADDRESS_RATES_REFUSED;
    take(cell(rates, 0, key), now_us, interval);
    take(cell(rates, 1, key), now_us, interval);
    return (uint32_t)wait_ms;
}
