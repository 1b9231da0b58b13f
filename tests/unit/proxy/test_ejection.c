/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/ejection.h"

#include "run_suite.h"
#include "server_pool.h"

enum { NOW = SERVER_POOL_NOW };

static uint32_t middle(void *arg)
{
    (void)arg;
    return UINT32_MAX / 2; /* no jitter */
}

static unsigned told;

static void note_change(void *arg, const struct server_change *change)
{
    (void)arg;
    (void)change;
    told++;
}

static const struct server_observer observer = {note_change, NULL};

static bool review(const struct membership *members, uint64_t now)
{
    return ejection_review(members, now, middle, NULL, &observer);
}

static struct server_state *server_of(const struct membership *members, size_t index)
{
    return members->members[index].server;
}

static size_t count_ejected(const struct membership *members)
{
    size_t count = 0;
    for (size_t i = 0; i < members->count; i++)
        count += server_state_health(server_of(members, i)) == SERVER_EJECTED;
    return count;
}

START_TEST(times_grow_and_end)
{
    uint64_t before = 0;
    for (unsigned n = 1; n < 100000; n = n * 2 + 1) {
        uint64_t least = ejection_time_ms(n, 0);
        uint64_t usual = ejection_time_ms(n, UINT32_MAX / 2);
        uint64_t most = ejection_time_ms(n, UINT32_MAX);
        ck_assert_uint_le(least, usual);
        ck_assert_uint_le(usual, most);
        ck_assert_uint_le(most, EJECTION_MAX_MS);
        ck_assert_uint_ge(usual, before);
        before = usual;
    }
    ck_assert_uint_eq(ejection_time_ms(1, 0), 800);
    ck_assert_uint_eq(ejection_time_ms(1, UINT32_MAX), 1200);
    ck_assert_uint_eq(ejection_time_ms(2, 0), 3200);
    ck_assert_uint_eq(ejection_time_ms(3, UINT32_MAX), 10800);
    ck_assert_uint_lt(ejection_time_ms(UINT32_MAX, 0), ejection_time_ms(UINT32_MAX, UINT32_MAX));
}
END_TEST

START_TEST(a_failure_ejects)
{
    struct membership *members = server_pool_new(4);
    server_state_failed(server_of(members, 1), SERVER_NO_GREETING, false, NOW);
    ck_assert(!review(members, NOW + 50));
    ck_assert_int_eq(server_state_health(server_of(members, 1)), SERVER_EJECTED);
    ck_assert_int_eq(server_of(members, 1)->cause[SERVER_AXIS_STATE], SERVER_NO_GREETING);
    ck_assert_uint_eq(count_ejected(members), 1);
    review(members, NOW + 150); /* says nothing new */
    ck_assert_uint_eq(server_of(members, 1)->ejections, 1);
    uint64_t due = NOW + ejection_time_ms(1, UINT32_MAX / 2);
    ck_assert_int_ne(server_state_use(server_of(members, 1), due - 1), SERVER_USE_TRIAL);
    ck_assert_int_eq(server_state_use(server_of(members, 1), due), SERVER_USE_TRIAL);
    server_pool_free(&members);
}
END_TEST

START_TEST(a_failed_trial_extends_it)
{
    struct membership *members = server_pool_new(4);
    struct server_state *server = server_of(members, 0);
    server_state_failed(server, SERVER_NO_GREETING, false, NOW);
    review(members, NOW);
    unsigned changes = told;
    server_state_failed(server, SERVER_NO_GREETING, false, NOW + 500); /* a straggler: it extends nothing */
    review(members, NOW + 600);
    ck_assert_uint_eq(server->ejections, 1);
    server_state_failed(server, SERVER_NO_GREETING, true, NOW + 2000);
    review(members, NOW + 2100);
    ck_assert_uint_eq(server->ejections, 2);
    ck_assert_uint_eq(server->retry_at_ms, NOW + 2000 + ejection_time_ms(2, UINT32_MAX / 2));
    ck_assert_uint_eq(told, changes);
    server_pool_free(&members);
}
END_TEST

START_TEST(one_that_serves_is_back_and_its_past_is_forgotten_later)
{
    struct membership *members = server_pool_new(4);
    struct server_state *server = server_of(members, 0);
    server_state_failed(server, SERVER_CONNECT_REFUSED, false, NOW);
    review(members, NOW);
    server_state_served(server);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL); /* at once */
    review(members, NOW + 100);
    ck_assert_int_eq(server_state_health(server), SERVER_UP);
    ck_assert_int_eq(server->cause[SERVER_AXIS_STATE], SERVER_CAUSE_SERVED);
    review(members, NOW + 99 + EJECTION_FORGET_MS);
    ck_assert_uint_eq(server->ejections, 1); /* a server that comes and goes is away for longer each time */
    server_state_failed(server, SERVER_CONNECT_REFUSED, false, NOW + 90 + EJECTION_FORGET_MS);
    review(members, NOW + 99 + EJECTION_FORGET_MS);
    ck_assert_uint_eq(server->ejections, 2);
    server_state_served(server);
    review(members, NOW + 100 + EJECTION_FORGET_MS);
    review(members, NOW + 100 + 2 * EJECTION_FORGET_MS);
    ck_assert_uint_eq(server->ejections, 0);
    server_pool_free(&members);
}
END_TEST

START_TEST(at_most_half_and_panic)
{
    struct membership *members = server_pool_new(5);
    for (size_t i = 0; i < 2; i++)
        server_state_failed(server_of(members, i), SERVER_CONNECT_REFUSED, false, NOW);
    ck_assert(!review(members, NOW));
    ck_assert(!members->pool->panic); /* the cap holds nothing back */
    server_state_failed(server_of(members, 2), SERVER_CONNECT_REFUSED, false, NOW);
    ck_assert(review(members, NOW)); /* told once */
    ck_assert(!review(members, NOW));
    ck_assert(members->pool->panic);
    ck_assert_uint_eq(count_ejected(members), 2);
    ck_assert_int_eq(server_state_health(server_of(members, 2)), SERVER_UNCHECKED);
    /* What the operator takes out is nothing to panic about. */
    ck_assert(
        server_state_set_admin(server_of(members, 2), SERVER_MAINTENANCE, SERVER_CAUSE_OPERATOR, NOW, NULL));
    ck_assert(review(members, NOW) && !members->pool->panic);
    ck_assert(server_state_set_admin(server_of(members, 2), SERVER_READY, SERVER_CAUSE_OPERATOR, NOW, NULL));
    ck_assert(review(members, NOW) && members->pool->panic);
    /* It is suspected all the same. */
    ck_assert_int_ne(server_state_use(server_of(members, 2), NOW), SERVER_USE_NORMAL);
    /* Another one serves, which makes room for it; so the panic ends. */
    server_state_served(server_of(members, 0));
    ck_assert(review(members, NOW + 100));
    ck_assert(!members->pool->panic);
    ck_assert_int_eq(server_state_health(server_of(members, 2)), SERVER_EJECTED);
    server_pool_free(&members);
}
END_TEST

START_TEST(one_server_is_never_ejected)
{
    struct membership *members = server_pool_new(1);
    server_state_failed(server_of(members, 0), SERVER_CONNECT_REFUSED, false, NOW);
    ck_assert(review(members, NOW));
    ck_assert_uint_eq(count_ejected(members), 0);
    server_state_served(server_of(members, 0));
    ck_assert(review(members, NOW));
    ck_assert(!members->pool->panic);
    server_pool_free(&members);
}
END_TEST

/* ---- all that can happen ---- */

static uint32_t seed;

static uint32_t draw(void *arg)
{
    (void)arg;
    seed = seed * 1664525u + 1013904223u;
    return seed ^ seed >> 15;
}

START_TEST(any_sequence)
{
    struct membership *members = server_pool_new(7);
    uint64_t now = NOW;
    seed = (uint32_t)_i + 1;
    for (int i = 0; i < 4000; i++) {
        struct server_state *server = server_of(members, draw(NULL) % members->count);
        now += draw(NULL) % 3000;
        switch (draw(NULL) % 4) {
        case 0:
            server_state_served(server);
            break;
        case 1:
            server_state_event(server, (enum server_event)(draw(NULL) % 2), SERVER_CONNECT_REFUSED, now,
                               NULL);
            break;
        default:
            server_state_failed(server, SERVER_CONNECT_REFUSED, draw(NULL) % 2 == 0, now);
        }
        ejection_review(members, now, draw, NULL, NULL);
        size_t suspected = 0;
        for (size_t j = 0; j < members->count; j++) {
            const struct server_state *one = server_of(members, j);
            enum server_use use = server_state_use(one, now);
            suspected += one->strikes > 0 && use != SERVER_USE_NONE;
            /* A server that serves again is tried within 30 s. */
            ck_assert_uint_le(one->strikes > 0 ? one->retry_at_ms : 0, now + 30000);
            ck_assert(server_state_health(one) != SERVER_EJECTED || one->strikes > 0);
        }
        ck_assert_uint_le(count_ejected(members), ejection_cap(members->count));
        ck_assert_int_eq(members->pool->panic, suspected > count_ejected(members));
    }
    server_pool_free(&members);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ejection");
    TCase *tests = tcase_create("ejection");
    tcase_add_test(tests, times_grow_and_end);
    tcase_add_test(tests, a_failure_ejects);
    tcase_add_test(tests, a_failed_trial_extends_it);
    tcase_add_test(tests, one_that_serves_is_back_and_its_past_is_forgotten_later);
    tcase_add_test(tests, at_most_half_and_panic);
    tcase_add_test(tests, one_server_is_never_ejected);
    tcase_add_loop_test(tests, any_sequence, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
