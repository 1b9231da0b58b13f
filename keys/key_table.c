/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/key_table.h"

#include "keys/keys_wire.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct place {
    struct known_key key;
    bool is_refused;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER; /* some keys are awaited no more */
static struct place *places;
static size_t room;
static bool is_complete;

static bool grow(size_t wanted)
{
    size_t more = room > 0 ? room : 16;
    while (more < wanted)
        more *= 2;
    if (more == room)
        return true;
    struct place *moved = realloc(places, more * sizeof places[0]);
    if (moved == NULL)
        return false;
    memset(moved + room, 0, (more - room) * sizeof places[0]);
    places = moved;
    room = more;
    return true;
}

bool key_table_set(uint32_t number, struct known_key key)
{
    EVP_PKEY *old = NULL;
    pthread_mutex_lock(&lock);
    bool ok = number < KEYS_COUNT_MAX && grow((size_t)number + 1);
    if (ok) {
        old = places[number].key.pkey;
        places[number] = (struct place){.key = key};
        pthread_cond_broadcast(&settled);
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
        old = places[number].key.pkey;
        places[number].key = (struct known_key){0};
    }
    pthread_mutex_unlock(&lock);
    EVP_PKEY_free(old);
}

/* Without memory the number stays awaited until all keys are there, which does no harm. */
void key_table_refuse(uint32_t number)
{
    pthread_mutex_lock(&lock);
    if (number < KEYS_COUNT_MAX && grow((size_t)number + 1))
        places[number].is_refused = true;
    pthread_cond_broadcast(&settled);
    pthread_mutex_unlock(&lock);
}

void key_table_complete(void)
{
    pthread_mutex_lock(&lock);
    is_complete = true;
    pthread_cond_broadcast(&settled);
    pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static bool is_awaited(uint32_t number)
{
    bool is_settled = number < room && (places[number].key.pkey != NULL || places[number].is_refused);
    return !is_complete && number < KEYS_COUNT_MAX && !is_settled;
}

struct known_key key_table_get(uint32_t number, bool *awaited)
{
    struct known_key key = {0};
    pthread_mutex_lock(&lock);
    if (number < room && places[number].key.pkey != NULL && EVP_PKEY_up_ref(places[number].key.pkey))
        key = places[number].key;
    *awaited = is_awaited(number);
    pthread_mutex_unlock(&lock);
    return key;
}

void key_table_await(uint32_t number)
{
    pthread_mutex_lock(&lock);
    while (is_awaited(number))
        pthread_cond_wait(&settled, &lock);
    pthread_mutex_unlock(&lock);
}
