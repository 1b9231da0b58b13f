/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/reservation.h"

#include "run_suite.h"

#include <pthread.h>

enum { NOW = 1000000, MAX = 5, THREADS = 4, ROUNDS = 50000 };

static struct server_state *server;

static void make_server(void)
{
    struct server_identity identity = {.pool = "stores", .name = "s1"};
    struct server_rules rules = {.weight = 1, .max_connections = MAX, .rise = 1, .fall = 1};
    server = server_state_new(&identity);
    ck_assert_ptr_nonnull(server);
    server_state_configure(server, &rules, NOW, NULL);
}

static void drop_server(void)
{
    ck_assert_uint_eq(server->references.count, 1);
    ck_assert_uint_eq(server_state_sessions(server), 0);
    ck_assert_uint_eq(server->connecting, 0);
    ck_assert(!server->trial);
    server_state_unref(&server);
}

START_TEST(as_many_as_there_are_places)
{
    struct reservation taken[MAX + 1] = {{0}};
    for (int i = 0; i < MAX; i++)
        ck_assert(reservation_take(&taken[i], server, SERVER_USE_NORMAL));
    ck_assert(!reservation_take(&taken[MAX], server, SERVER_USE_NORMAL));
    ck_assert(!taken[MAX].is_taken);
    ck_assert_uint_eq(server_state_sessions(server), MAX);
    ck_assert_uint_eq(server->connecting, MAX);
    reservation_served(&taken[0]);
    ck_assert_uint_eq(server->connecting, MAX - 1);
    ck_assert_uint_eq(server_state_sessions(server), MAX);
    reservation_forget(&taken[0]);
    ck_assert(reservation_take(&taken[MAX], server, SERVER_USE_NORMAL));
    ck_assert_uint_eq(server->connects, MAX + 1);
    for (int i = 0; i <= MAX; i++)
        reservation_forget(&taken[i]); /* that of none, too */
}
END_TEST

/* The log has the server after the session has left it. */
START_TEST(the_server_stays_known)
{
    struct reservation taken = {0};
    ck_assert(reservation_take(&taken, server, SERVER_USE_NORMAL));
    reservation_end(&taken);
    reservation_end(&taken);
    ck_assert(!taken.is_taken);
    ck_assert_ptr_eq(taken.server, server);
    ck_assert_uint_eq(server_state_sessions(server), 0);
    ck_assert(reservation_take(&taken, server, SERVER_USE_NORMAL));
    ck_assert_uint_eq(server->references.count, 2);
    reservation_forget(&taken);
    ck_assert_ptr_null(taken.server);
}
END_TEST

START_TEST(no_limit)
{
    struct reservation taken[2 * MAX] = {{0}};
    struct server_rules rules = {.weight = 1, .rise = 1, .fall = 1};
    server_state_configure(server, &rules, NOW, NULL);
    for (int i = 0; i < 2 * MAX; i++)
        ck_assert(reservation_take(&taken[i], server, SERVER_USE_NORMAL));
    for (int i = 0; i < 2 * MAX; i++)
        reservation_forget(&taken[i]);
}
END_TEST

START_TEST(one_trial_at_a_time)
{
    struct reservation first = {0};
    struct reservation second = {0};
    ck_assert(reservation_take(&first, server, SERVER_USE_TRIAL));
    ck_assert(!reservation_take(&second, server, SERVER_USE_TRIAL));
    ck_assert(!reservation_take(&second, server, SERVER_USE_LAST_RESORT));
    ck_assert(reservation_take(&second, server, SERVER_USE_NORMAL));
    reservation_forget(&second);
    ck_assert(!reservation_take(&second, server, SERVER_USE_TRIAL)); /* the other's is not given back by it */
    reservation_forget(&first);
    ck_assert(reservation_take(&second, server, SERVER_USE_TRIAL));
    reservation_forget(&second);
}
END_TEST

START_TEST(a_trial_that_fails)
{
    struct reservation first = {0};
    struct reservation second = {0};
    server_state_failed(server, SERVER_CONNECT_REFUSED, false, NOW);
    ck_assert(reservation_take(&first, server, SERVER_USE_TRIAL));
    reservation_failed(&first, SERVER_NO_GREETING, NOW + 5);
    ck_assert_uint_eq(server->failed_trials, 1);
    ck_assert_uint_eq(server->last_failure, SERVER_NO_GREETING);
    ck_assert_uint_eq(server_state_sessions(server), 1); /* until its end */
    ck_assert(reservation_take(&second, server, SERVER_USE_TRIAL));
    reservation_forget(&first);
    ck_assert(server->trial);
    reservation_served(&second);
    ck_assert(!server->trial);
    ck_assert_int_eq(server_state_use(server, NOW + 5), SERVER_USE_NORMAL);
    reservation_forget(&second);
}
END_TEST

START_TEST(a_trial_without_result_says_nothing)
{
    struct reservation first = {0};
    server_state_failed(server, SERVER_CONNECT_REFUSED, false, NOW);
    ck_assert(reservation_take(&first, server, SERVER_USE_TRIAL));
    reservation_forget(&first);
    ck_assert_uint_eq(server->strikes, 1);
    ck_assert_uint_eq(server->failed_trials, 0);
    ck_assert_int_eq(server_state_use(server, NOW + SERVER_FIRST_AVOID_MS), SERVER_USE_TRIAL);
}
END_TEST

START_TEST(a_full_server_gets_no_trial)
{
    struct reservation taken[MAX] = {{0}};
    struct reservation trial = {0};
    for (int i = 0; i < MAX; i++)
        ck_assert(reservation_take(&taken[i], server, SERVER_USE_NORMAL));
    ck_assert(!reservation_take(&trial, server, SERVER_USE_TRIAL));
    ck_assert(!server->trial);
    for (int i = 0; i < MAX; i++)
        reservation_forget(&taken[i]);
}
END_TEST

/* The connection stays when the session has gone on: it still counts, and is the one trial. */
START_TEST(a_place_is_passed_on)
{
    struct reservation from = {0};
    struct reservation into = {0};
    struct reservation next = {0};
    server_state_failed(server, SERVER_NO_GREETING, false, NOW);
    ck_assert(reservation_take(&from, server, SERVER_USE_TRIAL));
    reservation_failed(&from, SERVER_NO_GREETING, NOW + 5);
    ck_assert(reservation_take(&next, server, SERVER_USE_TRIAL));
    ck_assert(!reservation_pass_on(&into, &from)); /* one at a time */
    ck_assert(from.is_taken);
    reservation_forget(&next);
    ck_assert(reservation_pass_on(&into, &from));
    ck_assert_uint_eq(server_state_sessions(server), 1);
    ck_assert_uint_eq(server->connecting, 1);
    ck_assert(!from.is_taken);
    ck_assert(from.began_as_trial);
    ck_assert_ptr_eq(from.server, server);
    reservation_forget(&from);
    ck_assert_uint_eq(server_state_sessions(server), 1);
    ck_assert(!reservation_take(&next, server, SERVER_USE_TRIAL));
    reservation_forget(&into);
    ck_assert(!server->trial);
}
END_TEST

/* The state of a server that has left its pool lives as long as its last session. */
START_TEST(it_holds_a_reference)
{
    struct reservation taken = {0};
    ck_assert(reservation_take(&taken, server, SERVER_USE_NORMAL));
    struct server_state *pools = server;
    server_state_unref(&pools);
    ck_assert_uint_eq(taken.server->references.count, 1);
    server = server_state_ref(taken.server);
    reservation_forget(&taken);
}
END_TEST

/* ---- threads ---- */

static atomic_uint most_at_once;
static atomic_uint in_trial;
static atomic_uint trials;

static void note_most(unsigned seen)
{
    unsigned most = atomic_load(&most_at_once);
    while (seen > most && !atomic_compare_exchange_weak(&most_at_once, &most, seen))
        ;
}

static void *race(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct reservation taken = {0};
        enum server_use use = i % 3 == 0 ? SERVER_USE_TRIAL : SERVER_USE_NORMAL;
        if (!reservation_take(&taken, server, use))
            continue;
        note_most(server_state_sessions(server));
        if (taken.is_trial) {
            ck_assert_uint_eq(atomic_fetch_add(&in_trial, 1), 0);
            atomic_fetch_add(&trials, 1);
            atomic_fetch_sub(&in_trial, 1);
        }
        if (i % 5 == 0)
            reservation_failed(&taken, SERVER_CONNECT_REFUSED, NOW);
        else if (i % 5 == 1)
            reservation_served(&taken);
        reservation_forget(&taken);
    }
    return NULL;
}

START_TEST(threads_race_for_places)
{
    pthread_t threads[THREADS];
    struct server_rules rules = {.weight = 1, .max_connections = 2, .rise = 1, .fall = 1};
    server_state_configure(server, &rules, NOW, NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_le(most_at_once, 2);
    ck_assert_uint_gt(trials, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reservation");
    TCase *tests = tcase_create("reservation");
    tcase_add_checked_fixture(tests, make_server, drop_server);
    tcase_add_test(tests, as_many_as_there_are_places);
    tcase_add_test(tests, the_server_stays_known);
    tcase_add_test(tests, no_limit);
    tcase_add_test(tests, one_trial_at_a_time);
    tcase_add_test(tests, a_trial_that_fails);
    tcase_add_test(tests, a_trial_without_result_says_nothing);
    tcase_add_test(tests, a_full_server_gets_no_trial);
    tcase_add_test(tests, a_place_is_passed_on);
    tcase_add_test(tests, it_holds_a_reference);
    tcase_add_test(tests, threads_race_for_places);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
