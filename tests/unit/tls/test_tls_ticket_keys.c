/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tickets/tls_ticket_keys.h"
#include "run_suite.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR = 3600, START = 1000 };

static struct tls_ticket_set get(const struct tls_ticket_keys *keys)
{
    struct tls_ticket_set set;
    tls_ticket_keys_get(keys, &set);
    return set;
}

static struct tls_ticket_set new_set(unsigned count)
{
    struct tls_ticket_set set = {0};
    for (unsigned i = 0; i < count; i++)
        tls_ticket_set_add_new(&set);
    return set;
}

static struct tls_ticket_keys *new_keys(void)
{
    struct tls_ticket_keys *keys = tls_ticket_keys_new(START);
    ck_assert_ptr_nonnull(keys);
    return keys;
}

START_TEST(a_key_seals_for_a_turn_and_opens_for_two_more)
{
    struct tls_ticket_keys *keys = new_keys();
    struct tls_ticket_set first = get(keys);
    ck_assert_uint_eq(first.count, 1);
    ck_assert_uint_eq(first.sealing, 0);
    ck_assert(!tls_ticket_keys_rotate_if_due(keys, START));
    ck_assert(!tls_ticket_keys_rotate_if_due(keys, START + TLS_TICKET_KEY_PERIOD - 1));
    for (unsigned turn = 1; turn < 3; turn++) {
        ck_assert(tls_ticket_keys_rotate_if_due(keys, START + turn * TLS_TICKET_KEY_PERIOD));
        struct tls_ticket_set set = get(keys);
        ck_assert_uint_eq(set.count, turn + 1);
        ck_assert_uint_eq(set.sealing, turn);
        ck_assert_uint_eq(tls_ticket_set_find(&set, first.keys[0].name), 0);
    }
    ck_assert(!tls_ticket_keys_rotate_if_due(keys, START + 3 * TLS_TICKET_KEY_PERIOD - 1));
    ck_assert(tls_ticket_keys_rotate_if_due(keys, START + 3 * TLS_TICKET_KEY_PERIOD));
    struct tls_ticket_set last = get(keys);
    ck_assert_uint_eq(last.count, 3);
    ck_assert_uint_eq(tls_ticket_set_find(&last, first.keys[0].name), TLS_TICKET_KEYS);
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(a_ticket_never_outlives_its_key)
{
    /* At worst it was sealed at the very end of its key's turn. */
    ck_assert_int_le(TLS_TICKET_LIFETIME, (TLS_TICKET_KEYS - 1) * TLS_TICKET_KEY_PERIOD);
    ck_assert_int_le(2 * TLS_TICKET_LIFETIME, TLS_TICKET_KEYS * TLS_TICKET_KEY_PERIOD);
    ck_assert_int_le(TLS_TICKET_KEYS * TLS_TICKET_KEY_PERIOD, 7 * 24 * HOUR);
}
END_TEST

START_TEST(turns_do_not_drift_when_the_clock_is_looked_at_late)
{
    struct tls_ticket_keys *keys = new_keys();
    ck_assert(tls_ticket_keys_rotate_if_due(keys, START + TLS_TICKET_KEY_PERIOD + HOUR));
    ck_assert(!tls_ticket_keys_rotate_if_due(keys, START + 2 * TLS_TICKET_KEY_PERIOD - 1));
    ck_assert(tls_ticket_keys_rotate_if_due(keys, START + 2 * TLS_TICKET_KEY_PERIOD));
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(keys_whose_time_is_over_go_after_a_long_sleep)
{
    struct tls_ticket_keys *keys = new_keys();
    struct tls_ticket_set first = get(keys);
    ck_assert(tls_ticket_keys_rotate_if_due(keys, START + 2 * TLS_TICKET_KEY_PERIOD + HOUR));
    struct tls_ticket_set set = get(keys);
    ck_assert_uint_eq(tls_ticket_set_find(&set, first.keys[0].name), 0);
    ck_assert_uint_eq(set.sealing, 2);
    ck_assert(tls_ticket_keys_rotate_if_due(keys, START + 1000LL * TLS_TICKET_KEY_PERIOD));
    struct tls_ticket_set later = get(keys);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(tls_ticket_set_find(&later, set.keys[i].name), TLS_TICKET_KEYS);
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(a_clock_that_goes_back_all_the_same_stops_nothing)
{
    struct tls_ticket_keys *keys = new_keys();
    ck_assert(tls_ticket_keys_rotate_if_due(keys, START + 1000LL * TLS_TICKET_KEY_PERIOD));
    ck_assert(!tls_ticket_keys_rotate_if_due(keys, START));
    ck_assert(tls_ticket_keys_rotate_if_due(keys, START + TLS_TICKET_KEY_PERIOD));
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(keys_from_elsewhere_take_the_place_of_all)
{
    struct tls_ticket_keys *keys = new_keys();
    struct tls_ticket_set set = new_set(3);
    set.sealing = 1;
    ck_assert(tls_ticket_keys_replace(keys, &set));
    struct tls_ticket_set found = get(keys);
    ck_assert(tls_ticket_set_equals(&found, &set));
    ck_assert(!tls_ticket_keys_replace(keys, &set));
    tls_ticket_set_add_new(&set);
    ck_assert(tls_ticket_keys_replace(keys, &set));
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(a_copy_goes_on_where_the_other_was)
{
    struct tls_ticket_keys *keys = new_keys();
    struct tls_ticket_keys *next = tls_ticket_keys_new(START + HOUR);
    tls_ticket_keys_copy(next, keys);
    struct tls_ticket_set set = get(keys);
    struct tls_ticket_set copied = get(next);
    ck_assert(tls_ticket_set_equals(&copied, &set));
    tls_ticket_keys_unref(&keys);
    ck_assert(!tls_ticket_keys_rotate_if_due(next, START + TLS_TICKET_KEY_PERIOD - 1));
    ck_assert(tls_ticket_keys_rotate_if_due(next, START + TLS_TICKET_KEY_PERIOD));
    tls_ticket_keys_unref(&next);
}
END_TEST

static bool holds(const struct tls_ticket_keys *keys, const uint8_t *secret)
{
    return memmem(keys, malloc_usable_size((void *)keys), secret, TLS_TICKET_SECRET) != NULL;
}

START_TEST(a_key_that_is_gone_is_not_in_memory)
{
    struct tls_ticket_keys *keys = new_keys();
    struct tls_ticket_set set = new_set(3);
    struct tls_ticket_set next = set;
    tls_ticket_set_add_new(&next);
    tls_ticket_keys_replace(keys, &set);
    ck_assert(holds(keys, set.keys[0].aes));
    tls_ticket_keys_replace(keys, &next);
    ck_assert(!holds(keys, set.keys[0].aes));
    ck_assert(!holds(keys, set.keys[0].hmac));
    ck_assert(holds(keys, set.keys[1].aes));
    tls_ticket_keys_unref(&keys);
}
END_TEST

START_TEST(the_last_reference_ends_it)
{
    struct tls_ticket_keys *keys = new_keys();
    struct tls_ticket_keys *other = tls_ticket_keys_ref(keys);
    tls_ticket_keys_unref(&keys);
    ck_assert_ptr_null(keys);
    tls_ticket_keys_unref(&keys);
    ck_assert_uint_eq(get(other).count, 1);
    tls_ticket_keys_unref(&other);
}
END_TEST

/* ---- threads ---- */

enum { READERS = 3, EDITIONS = 20000 };

struct crowd {
    struct tls_ticket_keys *keys;
    atomic_bool over;
    atomic_uint torn;
    atomic_uint editions_seen;
};

/* All octets of an edition are the same, so that a set made of two shows. */
static struct tls_ticket_set edition(unsigned number)
{
    struct tls_ticket_set set = {.count = 3, .sealing = 1 + number % 2};
    memset(set.keys, (int)(number % 251 + 1), sizeof set.keys);
    return set;
}

static void *read_always(void *arg)
{
    struct crowd *crowd = arg;
    uint8_t last = 0;
    while (!atomic_load(&crowd->over)) {
        struct tls_ticket_set set = get(crowd->keys);
        struct tls_ticket_set whole = set;
        memset(whole.keys, set.keys[0].name[0], sizeof whole.keys);
        if (set.count != 3 || !tls_ticket_set_equals(&set, &whole))
            atomic_fetch_add(&crowd->torn, 1);
        if (set.keys[0].name[0] != last)
            atomic_fetch_add(&crowd->editions_seen, 1);
        last = set.keys[0].name[0];
    }
    return NULL;
}

START_TEST(readers_never_see_half_a_change)
{
    struct crowd crowd = {.keys = new_keys()};
    pthread_t readers[READERS];
    struct tls_ticket_set set = edition(0);
    tls_ticket_keys_replace(crowd.keys, &set);
    for (size_t i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_always, &crowd), 0);
    /* As many as that, and then until they were seen. */
    for (unsigned i = 1; i < EDITIONS || atomic_load(&crowd.editions_seen) < 2 * READERS; i++) {
        set = edition(i);
        ck_assert(tls_ticket_keys_replace(crowd.keys, &set));
    }
    atomic_store(&crowd.over, true);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    ck_assert_uint_eq(atomic_load(&crowd.torn), 0);
    tls_ticket_keys_unref(&crowd.keys);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_ticket_keys");
    TCase *tests = tcase_create("keys");
    tcase_add_test(tests, a_key_seals_for_a_turn_and_opens_for_two_more);
    tcase_add_test(tests, a_ticket_never_outlives_its_key);
    tcase_add_test(tests, turns_do_not_drift_when_the_clock_is_looked_at_late);
    tcase_add_test(tests, keys_whose_time_is_over_go_after_a_long_sleep);
    tcase_add_test(tests, a_clock_that_goes_back_all_the_same_stops_nothing);
    tcase_add_test(tests, keys_from_elsewhere_take_the_place_of_all);
    tcase_add_test(tests, a_copy_goes_on_where_the_other_was);
    tcase_add_test(tests, a_key_that_is_gone_is_not_in_memory);
    tcase_add_test(tests, the_last_reference_ends_it);
    tcase_add_test(tests, readers_never_see_half_a_change);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
