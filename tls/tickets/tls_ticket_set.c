/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tickets/tls_ticket_set.h"

#include "base/bytes.h"

#include <openssl/mem.h>
#include <openssl/rand.h>

#include <string.h>

_Static_assert(sizeof(struct tls_ticket_key) == TLS_TICKET_NAME + 2 * TLS_TICKET_SECRET, "no padding");
_Static_assert(sizeof(struct tls_ticket_set) ==
                   TLS_TICKET_KEYS * sizeof(struct tls_ticket_key) + 2 * sizeof(uint64_t),
               "no padding");

void tls_ticket_set_add(struct tls_ticket_set *set, const struct tls_ticket_key *key)
{
    if (set->count == TLS_TICKET_KEYS)
        memmove(&set->keys[0], &set->keys[1], (TLS_TICKET_KEYS - 1) * sizeof set->keys[0]);
    else
        set->count++;
    set->keys[set->count - 1] = *key;
}

void tls_ticket_set_add_new(struct tls_ticket_set *set)
{
    struct tls_ticket_key key;
    /* The library ends the process if the system has no random numbers: there is no result to check. */
    RAND_bytes((uint8_t *)&key, sizeof key);
    tls_ticket_set_add(set, &key);
    wipe(&key, sizeof key);
}

size_t tls_ticket_set_find(const struct tls_ticket_set *set, const uint8_t name[TLS_TICKET_NAME])
{
    for (size_t i = 0; i < set->count; i++)
        if (memcmp(set->keys[i].name, name, TLS_TICKET_NAME) == 0)
            return i;
    return TLS_TICKET_KEYS;
}

bool tls_ticket_set_equals(const struct tls_ticket_set *a, const struct tls_ticket_set *b)
{
    return CRYPTO_memcmp(a, b, sizeof *a) == 0;
}

void tls_ticket_set_wipe(struct tls_ticket_set *set)
{
    wipe(set, sizeof *set);
}
