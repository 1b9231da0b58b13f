/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_random.h"

#include <openssl/rand.h>

#include <stdint.h>

void tls_random_text(char *into, size_t count)
{
    /* 32 characters: five bits of each octet, without a bias. */
    static const char characters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    RAND_bytes((uint8_t *)into, count);
    for (size_t i = 0; i < count; i++)
        into[i] = characters[(uint8_t)into[i] % (sizeof characters - 1)];
    into[count] = '\0';
}
