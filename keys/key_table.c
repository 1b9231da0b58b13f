/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/key_table.h"

#include "keys/keys_wire.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct known_key *keys;
static size_t room;

static bool grow(size_t wanted)
{
    size_t more = room > 0 ? room : 16;
    while (more < wanted)
        more *= 2;
    if (more == room)
        return true;
    struct known_key *moved = realloc(keys, more * sizeof keys[0]);
    if (moved == NULL)
        return false;
    memset(moved + room, 0, (more - room) * sizeof keys[0]);
    keys = moved;
    room = more;
    return true;
}

bool key_table_set(uint32_t number, struct known_key key)
{
    EVP_PKEY *old = NULL;
    pthread_mutex_lock(&lock);
    bool ok = number < KEYS_COUNT_MAX && grow((size_t)number + 1);
    if (ok) {
        old = keys[number].pkey;
        keys[number] = key;
    }
    pthread_mutex_unlock(&lock);
    EVP_PKEY_free(old);
    return ok;
}

void key_table_drop(uint32_t number)
{
    EVP_PKEY *old = NULL;
    pthread_mutex_lock(&lock);
    if (number < room) {
        old = keys[number].pkey;
        keys[number] = (struct known_key){0};
    }
    pthread_mutex_unlock(&lock);
    EVP_PKEY_free(old);
}

struct known_key key_table_get(uint32_t number)
{
    struct known_key key = {0};
    pthread_mutex_lock(&lock);
    if (number < room && keys[number].pkey != NULL && EVP_PKEY_up_ref(keys[number].pkey))
        key = keys[number];
    pthread_mutex_unlock(&lock);
    return key;
}
