/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/choose.h"

#include "run_suite.h"
#include "server_pool.h"

#include <pthread.h>

enum { NOW = SERVER_POOL_NOW, SERVERS_MAX = 40 };

static struct membership *members;
static struct choose_request request;

static void use_pool(struct membership *pool)
{
    members = pool;
    request = (struct choose_request){.members = members, .policy = &policy_round_robin, .now_ms = NOW};
}

static struct server_state *server_of(size_t index)
{
    return members->members[index].server;
}

static void suspect(size_t index)
{
    server_state_failed(server_of(index), SERVER_CONNECT_REFUSED, false, NOW);
}

/* The index of the server that is chosen; -1 - the verdict if none is. */
static int choose(const struct choose_tries *tries, struct reservation *reservation)
{
    enum choose_verdict verdict = choose_server(&request, tries, reservation);
    if (verdict != CHOOSE_CHOSEN) {
        ck_assert(!reservation->is_taken);
        return -1 - (int)verdict;
    }
    for (size_t i = 0; i < members->count; i++)
        if (server_of(i) == reservation->server)
            return (int)i;
    ck_abort_msg("a server of another list");
}

/* The same for a session that ends at once. */
static int choose_and_end(void)
{
    struct reservation reservation = {0};
    int index = choose(NULL, &reservation);
    reservation_forget(&reservation);
    return index;
}

enum { WAIT = -1 - CHOOSE_WAIT, WAIT_TRIAL = -1 - CHOOSE_WAIT_TRIAL, NONE = -1 - CHOOSE_NONE };

START_TEST(by_the_policy)
{
    use_pool(server_pool_new(3));
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(choose_and_end(), i % 3);
    server_pool_free(&members);
}
END_TEST

START_TEST(no_servers)
{
    use_pool(server_pool_new(0));
    ck_assert_int_eq(choose_and_end(), NONE);
    server_pool_free(&members);
}
END_TEST

/* Refusals cost nothing, so every server is tried, and none of them twice. */
START_TEST(all_are_tried_once)
{
    struct choose_tries *tries = NULL;
    bool seen[SERVERS_MAX] = {false};
    use_pool(server_pool_new(SERVERS_MAX));
    for (int i = 0; i < SERVERS_MAX; i++) {
        struct reservation reservation = {0};
        int index = choose(tries, &reservation);
        ck_assert_int_ge(index, 0);
        ck_assert(!seen[index]);
        seen[index] = true;
        reservation_failed(&reservation, SERVER_CONNECT_REFUSED, NOW);
        ck_assert(choose_add_try(&tries, members, reservation.server));
        reservation_forget(&reservation);
    }
    struct reservation reservation = {0};
    ck_assert_int_eq(choose(tries, &reservation), NONE);
    choose_tries_free(&tries);
    server_pool_free(&members);
}
END_TEST

/* Side by side in the list, or not: a client that meets refusing servers is served by one of the others. */
START_TEST(half_of_them_refuse)
{
    use_pool(server_pool_new(SERVERS_MAX));
    for (int client = 0; client < 500; client++) {
        struct choose_tries *tries = NULL;
        bool served = false;
        request.now_ms += 20;
        while (!served) {
            struct reservation reservation = {0};
            int index = choose(tries, &reservation);
            ck_assert_int_ge(index, 0);
            served = index >= SERVERS_MAX / 2;
            if (served) {
                reservation_served(&reservation);
            } else {
                reservation_failed(&reservation, SERVER_CONNECT_REFUSED, request.now_ms);
                ck_assert(choose_add_try(&tries, members, server_of((size_t)index)));
            }
            reservation_forget(&reservation);
        }
        choose_tries_free(&tries);
    }
    server_pool_free(&members);
}
END_TEST

START_TEST(full_servers_are_passed_over_and_then_waited_for)
{
    struct server_rules rules[2] = {server_pool_rules, server_pool_rules};
    struct reservation taken[3] = {{0}};
    struct reservation last = {0};
    rules[0].max_connections = 1;
    rules[1].max_connections = 2;
    use_pool(server_pool_new_with(rules, 2, 0));
    for (int i = 0; i < 3; i++)
        ck_assert_int_ge(choose(NULL, &taken[i]), 0);
    ck_assert_uint_eq(server_state_sessions(server_of(0)), 1);
    ck_assert_uint_eq(server_state_sessions(server_of(1)), 2);
    ck_assert_int_eq(choose(NULL, &last), WAIT);
    reservation_forget(&taken[0]);
    ck_assert_int_ge(choose(NULL, &last), 0);
    reservation_forget(&last);
    reservation_forget(&taken[1]);
    reservation_forget(&taken[2]);
    server_pool_free(&members);
}
END_TEST

START_TEST(sessions_that_come_later_wait_longer)
{
    struct waiter waiter = {0};
    use_pool(server_pool_new(2));
    wait_queue_set_length(members->pool->queue, 10);
    ck_assert(wait_queue_join(members->pool->queue, 1, &waiter));
    ck_assert_int_eq(choose_and_end(), WAIT);
    request.has_turn = true;
    ck_assert_int_ge(choose_and_end(), 0);
    wait_queue_leave(members->pool->queue, 1, &waiter);
    server_pool_free(&members);
}
END_TEST

START_TEST(backups_if_no_other_serves)
{
    struct server_rules rules[3] = {server_pool_rules, server_pool_rules, server_pool_rules};
    struct reservation taken = {0};
    rules[1].max_connections = 1;
    use_pool(server_pool_new_with(rules, 3, 1u << 0));
    server_state_set_admin(server_of(2), SERVER_MAINTENANCE, SERVER_CAUSE_OPERATOR, NOW, NULL);
    ck_assert_int_eq(choose(NULL, &taken), 1);
    ck_assert_int_eq(choose_and_end(), WAIT); /* a full server is no reason */
    reservation_forget(&taken);
    server_state_set_admin(server_of(1), SERVER_DRAIN, SERVER_CAUSE_OPERATOR, NOW, NULL);
    ck_assert_int_eq(choose_and_end(), 0);
    server_state_set_admin(server_of(2), SERVER_READY, SERVER_CAUSE_OPERATOR, NOW, NULL);
    ck_assert_int_eq(choose_and_end(), 2);
    suspect(2);
    ck_assert_int_eq(choose_and_end(), 0); /* rather than one that is suspected */
    server_pool_free(&members);
}
END_TEST

START_TEST(one_session_tries_what_is_suspected)
{
    struct reservation trial = {0};
    use_pool(server_pool_new(2));
    suspect(0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(choose_and_end(), 1); /* not due */
    request.now_ms += SERVER_FIRST_AVOID_MS;
    ck_assert_int_eq(choose(NULL, &trial), 0);
    ck_assert(trial.is_trial);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(choose_and_end(), 1); /* one at a time */
    reservation_served(&trial);
    unsigned seen = 0;
    for (int i = 0; i < 2; i++)
        seen |= 1u << choose_and_end();
    ck_assert_uint_eq(seen, 3);
    reservation_forget(&trial);
    server_pool_free(&members);
}
END_TEST

/* A session that has waited for one suspected server does not wait for another while some serve. */
START_TEST(no_second_trial)
{
    struct choose_tries *tries = NULL;
    struct reservation trial = {0};
    use_pool(server_pool_new(3));
    suspect(0);
    suspect(1);
    request.now_ms += SERVER_FIRST_AVOID_MS;
    int first = choose(NULL, &trial);
    ck_assert_int_lt(first, 2);
    reservation_failed(&trial, SERVER_NO_GREETING, request.now_ms);
    ck_assert(choose_add_try(&tries, members, trial.server));
    reservation_forget(&trial);
    ck_assert_int_eq(choose(tries, &trial), 2);
    reservation_forget(&trial);
    choose_tries_free(&tries);
    server_pool_free(&members);
}
END_TEST

START_TEST(all_are_suspected)
{
    struct reservation trials[2] = {{0}};
    struct reservation last = {0};
    use_pool(server_pool_new(2));
    suspect(0);
    suspect(1);
    ck_assert_int_eq(choose_and_end(), WAIT_TRIAL); /* they have failed just now */
    request.now_ms += SERVER_RETRY_FLOOR_MS;
    request.is_late = true;
    ck_assert_int_eq(choose_and_end(), NONE);
    request.is_late = false;
    ck_assert_int_ge(choose(NULL, &trials[0]), 0);
    ck_assert_int_ge(choose(NULL, &trials[1]), 0);
    ck_assert_int_eq(choose(NULL, &last), WAIT_TRIAL); /* others try them */
    reservation_forget(&trials[0]);
    reservation_forget(&trials[1]);
    server_pool_free(&members);
}
END_TEST

START_TEST(all_are_down)
{
    use_pool(server_pool_new(2));
    for (size_t i = 0; i < 2; i++)
        server_state_event(server_of(i), SERVER_EVENT_CHECK_FAILED, SERVER_CONNECT_REFUSED, NOW, NULL);
    ck_assert_int_eq(choose_and_end(), NONE);
    server_pool_free(&members);
}
END_TEST

START_TEST(is_another_one_left)
{
    struct choose_tries *tries = NULL;
    use_pool(server_pool_new(3));
    ck_assert(choose_has_other(&request, NULL, server_of(0)));
    suspect(1);
    ck_assert(choose_has_other(&request, NULL, server_of(0)));
    ck_assert(choose_add_try(&tries, members, server_of(2)));
    ck_assert(!choose_has_other(&request, tries, server_of(0)));
    ck_assert(choose_has_other(&request, tries, server_of(2)));
    choose_tries_free(&tries);
    server_pool_free(&members);
}
END_TEST

/* Tries go on in the list in which they began. */
START_TEST(tries_keep_their_list)
{
    struct choose_tries *tries = NULL;
    struct reservation reservation = {0};
    use_pool(server_pool_new(2));
    struct membership *other = server_pool_new(1);
    ck_assert(choose_add_try(&tries, members, server_of(0)));
    request.members = other;
    ck_assert_int_eq(choose(tries, &reservation), 1);
    reservation_forget(&reservation);
    choose_tries_free(&tries);
    server_pool_free(&other);
    server_pool_free(&members);
}
END_TEST

/* ---- threads ---- */

enum { ROUNDS = 20000 };

static void *be_worker(void *arg)
{
    struct choose_request mine = request;
    mine.worker = *(const unsigned *)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct reservation reservation = {0};
        mine.now_ms = NOW + i;
        mine.random = mine.random * 6364136223846793005u + mine.worker + 1;
        if (choose_server(&mine, NULL, &reservation) != CHOOSE_CHOSEN)
            continue;
        const struct server_state *server = reservation.server;
        ck_assert_uint_le(server_state_sessions(server), atomic_load(&server->max_connections));
        if (i % 16 == 0)
            reservation_failed(&reservation, SERVER_CONNECT_REFUSED, mine.now_ms);
        else
            reservation_served(&reservation);
        reservation_forget(&reservation);
    }
    return NULL;
}

START_TEST(threads_share_places)
{
    static const struct policy *const policies[] = {&policy_round_robin, &policy_least_connections,
                                                    &policy_source_hash};
    pthread_t threads[SERVER_POOL_WORKERS];
    unsigned numbers[SERVER_POOL_WORKERS];
    struct server_rules rules[3] = {server_pool_rules, server_pool_rules, server_pool_rules};
    for (int i = 0; i < 3; i++)
        rules[i].max_connections = 1;
    use_pool(server_pool_new_with(rules, 3, 0));
    request.policy = policies[_i];
    for (unsigned i = 0; i < SERVER_POOL_WORKERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, be_worker, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < SERVER_POOL_WORKERS; i++)
        pthread_join(threads[i], NULL);
    server_pool_free(&members);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("choose");
    TCase *tests = tcase_create("choose");
    tcase_add_test(tests, by_the_policy);
    tcase_add_test(tests, no_servers);
    tcase_add_test(tests, all_are_tried_once);
    tcase_add_test(tests, half_of_them_refuse);
    tcase_add_test(tests, full_servers_are_passed_over_and_then_waited_for);
    tcase_add_test(tests, sessions_that_come_later_wait_longer);
    tcase_add_test(tests, backups_if_no_other_serves);
    tcase_add_test(tests, one_session_tries_what_is_suspected);
    tcase_add_test(tests, no_second_trial);
    tcase_add_test(tests, all_are_suspected);
    tcase_add_test(tests, all_are_down);
    tcase_add_test(tests, is_another_one_left);
    tcase_add_test(tests, tries_keep_their_list);
    tcase_add_loop_test(tests, threads_share_places, 0, 3);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
