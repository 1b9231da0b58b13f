/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/address_counts.h"

#include "base/ensure.h"
#include "tls/tls_hash.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * Cells of each of the two rows: far more than concurrent handshakes. The kernel provides only the used part
 * of the 512 KB.
 */
enum { CELLS = 65536, NETWORK_LEN = 8 };

struct address_counts {
    struct tls_hash_key secret;
    _Atomic uint32_t rows[2][CELLS];
};

struct address_counts *address_counts_new(void)
{
    struct address_counts *counts = calloc(1, sizeof *counts);
    if (counts != NULL)
        counts->secret = tls_hash_new_key();
    return counts;
}

void address_counts_free(struct address_counts **counts)
{
    free(*counts);
    *counts = NULL;
}

uint64_t address_counts_key(const struct address_counts *counts, const struct sockaddr *address)
{
    uint8_t octets[1 + NETWORK_LEN] = {(uint8_t)address->sa_family};
    if (address->sa_family == AF_INET)
        memcpy(octets + 1, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
               sizeof(struct in_addr));
    else if (address->sa_family == AF_INET6)
        memcpy(octets + 1, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, NETWORK_LEN);
    return tls_hash(&counts->secret, (struct slice){octets, sizeof octets});
}

static _Atomic uint32_t *cell(struct address_counts *counts, unsigned row, uint64_t key)
{
    return &counts->rows[row][(key >> (32 * row)) % CELLS];
}

bool address_counts_add(struct address_counts *counts, uint64_t key, uint32_t limit)
{
    uint32_t first = atomic_fetch_add_explicit(cell(counts, 0, key), 1, memory_order_relaxed);
    uint32_t second = atomic_fetch_add_explicit(cell(counts, 1, key), 1, memory_order_relaxed);
    if (limit == 0 || first < limit || second < limit)
        return true;
    address_counts_drop(counts, key);
    return false;
}

void address_counts_drop(struct address_counts *counts, uint64_t key)
{
    for (unsigned row = 0; row < 2; row++)
        ENSURE(atomic_fetch_sub_explicit(cell(counts, row, key), 1, memory_order_relaxed) > 0);
}
