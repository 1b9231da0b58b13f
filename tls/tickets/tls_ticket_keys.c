/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tickets/tls_ticket_keys.h"

#include "base/bytes.h"
#include "base/ensure.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (sizeof(struct tls_ticket_set) / sizeof(uint64_t))

struct tls_ticket_keys {
    atomic_uint references;
    int64_t period_began; /* used only by the thread that changes the keys */
    /* How often the keys have changed. Its last bit tells which place is in use. */
    _Atomic uint64_t edition;
    _Atomic uint64_t places[2][WORDS];
};

/*
 * Words are stored with release and loaded with acquire: a reader that sees a word of a later edition then
 * also sees that the edition has changed since it began. (Fences would do as well, but ThreadSanitizer does
 * not know them.)
 */
static void store(_Atomic uint64_t place[WORDS], const struct tls_ticket_set *set)
{
    uint64_t words[WORDS];
    memcpy(words, set, sizeof words);
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&place[i], words[i], memory_order_release);
    wipe(words, sizeof words);
}

static void load(const _Atomic uint64_t place[WORDS], struct tls_ticket_set *set)
{
    uint64_t words[WORDS];
    for (size_t i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&place[i], memory_order_acquire);
    memcpy(set, words, sizeof words);
    wipe(words, sizeof words);
}

static void publish(struct tls_ticket_keys *keys, const struct tls_ticket_set *set)
{
    static const struct tls_ticket_set nothing;
    uint64_t edition = atomic_load_explicit(&keys->edition, memory_order_relaxed);
    ENSURE(set->sealing < set->count);
    store(keys->places[(edition + 1) % 2], set);
    atomic_store_explicit(&keys->edition, edition + 1, memory_order_release);
    store(keys->places[edition % 2], &nothing);
}

void tls_ticket_keys_get(const struct tls_ticket_keys *keys, struct tls_ticket_set *set)
{
    uint64_t edition;
    do {
        edition = atomic_load_explicit(&keys->edition, memory_order_acquire);
        load(keys->places[edition % 2], set);
    } while (atomic_load_explicit(&keys->edition, memory_order_relaxed) != edition);
}

struct tls_ticket_keys *tls_ticket_keys_new(int64_t now)
{
    struct tls_ticket_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL)
        return NULL;
    atomic_init(&keys->references, 1);
    keys->period_began = now - TLS_TICKET_KEY_PERIOD;
    tls_ticket_keys_rotate_if_due(keys, now);
    return keys;
}

struct tls_ticket_keys *tls_ticket_keys_ref(struct tls_ticket_keys *keys)
{
    atomic_fetch_add_explicit(&keys->references, 1, memory_order_relaxed);
    return keys;
}

void tls_ticket_keys_unref(struct tls_ticket_keys **keys)
{
    if (*keys != NULL && atomic_fetch_sub_explicit(&(*keys)->references, 1, memory_order_acq_rel) == 1) {
        wipe((void *)(*keys)->places, sizeof(*keys)->places);
        free(*keys);
    }
    *keys = NULL;
}

bool tls_ticket_keys_rotate_if_due(struct tls_ticket_keys *keys, int64_t now)
{
    struct tls_ticket_set set;
    tls_ticket_keys_get(keys, &set);
    int64_t periods = (now - keys->period_began) / TLS_TICKET_KEY_PERIOD;
    keys->period_began += periods * TLS_TICKET_KEY_PERIOD;
    /*
     * After a long sleep there is a new key for each missed period, so that expired keys are dropped all the
     * same.
     */
    for (int64_t i = 0; i < periods && i < TLS_TICKET_KEYS; i++)
        tls_ticket_set_add_new(&set);
    if (periods > 0) {
        set.sealing = set.count - 1;
        publish(keys, &set);
    }
    tls_ticket_set_wipe(&set);
    return periods > 0;
}

bool tls_ticket_keys_replace(struct tls_ticket_keys *keys, const struct tls_ticket_set *set)
{
    struct tls_ticket_set before;
    tls_ticket_keys_get(keys, &before);
    bool differs = !tls_ticket_set_equals(&before, set);
    if (differs)
        publish(keys, set);
    tls_ticket_set_wipe(&before);
    return differs;
}

void tls_ticket_keys_copy(struct tls_ticket_keys *keys, const struct tls_ticket_keys *from)
{
    struct tls_ticket_set set;
    tls_ticket_keys_get(from, &set);
    tls_ticket_keys_replace(keys, &set);
    keys->period_began = from->period_began;
    tls_ticket_set_wipe(&set);
}
