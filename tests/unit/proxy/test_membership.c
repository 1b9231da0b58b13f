/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/membership.h"

#include "proxy/backends/server_registry.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

enum { NOW = 1000000, WORKERS = 2 };

static const struct server_rules checked = {.weight = 1, .rise = 1, .fall = 1, .is_checked = true};

static struct server_registry *registry;
static struct pool_state *pool;

static void set_up(void)
{
    registry = server_registry_new(WORKERS);
    ck_assert_ptr_nonnull(registry);
    pool = server_registry_pool(registry, "stores");
    ck_assert_ptr_nonnull(pool);
}

static void tear_down(void)
{
    pool_state_unref(&pool);
    ck_assert_uint_eq(server_registry_sweep(registry), 0);
    server_registry_unref(&registry);
}

static struct server_state *find_server(const char *pool_name, const char *name, uint16_t port)
{
    struct server_identity identity = {.pool = pool_name, .name = name};
    struct sockaddr_in *in = (struct sockaddr_in *)&identity.address;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    identity.address_len = sizeof *in;
    struct server_state *server = server_registry_server(registry, &identity);
    ck_assert_ptr_nonnull(server);
    return server;
}

/* A list of one server "s1" at this port. */
static struct membership *make_list(uint16_t port, const struct server_rules *rules)
{
    struct membership *members = membership_new(pool, 1, WORKERS);
    ck_assert_ptr_nonnull(members);
    membership_add(members, find_server("stores", "s1", port), rules, false);
    return members;
}

/* ---- the registry ---- */

START_TEST(known_by_pool_and_name)
{
    struct server_state *first = find_server("stores", "s1", 143);
    struct server_state *same = find_server("stores", "s1", 143);
    struct server_state *others[] = {find_server("stores", "s2", 143), find_server("pop", "s1", 143),
                                     find_server("stores", "s1", 144)};
    ck_assert_ptr_eq(first, same);
    server_state_unref(&same);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_ne(first, others[i]);
        server_state_unref(&others[i]);
    }
    ck_assert_uint_eq(server_registry_sweep(registry), 1);
    ck_assert_str_eq(first->identity.name, "s1");
    server_state_unref(&first);
}
END_TEST

START_TEST(pools_are_known_by_name)
{
    struct pool_state *same = server_registry_pool(registry, "stores");
    struct pool_state *other = server_registry_pool(registry, "pop");
    ck_assert_ptr_eq(pool, same);
    ck_assert_ptr_ne(pool, other);
    pool_state_unref(&same);
    pool_state_unref(&other);
    server_registry_sweep(registry);
    ck_assert_str_eq(pool->name, "stores");
}
END_TEST

static void *find_and_drop(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5000; i++) {
        struct server_state *server = find_server("stores", i % 2 == 0 ? "s1" : "s2", 143);
        server_state_unref(&server);
        server_registry_sweep(registry);
    }
    return NULL;
}

START_TEST(threads_find_and_forget)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, find_and_drop, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* ---- lists ---- */

START_TEST(find_and_compare)
{
    struct server_rules heavy = checked;
    heavy.weight = 3;
    struct membership *lists[] = {make_list(143, &checked), make_list(143, &checked),
                                  make_list(144, &checked), make_list(143, &heavy)};
    ck_assert_ptr_eq(membership_find(lists[0], "s1"), &lists[0]->members[0]);
    ck_assert_ptr_null(membership_find(lists[0], "s2"));
    ck_assert(membership_equals(lists[0], lists[1]));
    ck_assert(!membership_equals(lists[0], lists[2]));
    ck_assert(!membership_equals(lists[0], lists[3]));
    for (size_t i = 0; i < 4; i++)
        membership_unref(&lists[i]);
}
END_TEST

/* Each worker's part is on cache lines of its own. */
START_TEST(parts_of_workers)
{
    struct membership *members = make_list(143, &checked);
    ck_assert_uint_eq(members->stride % SERVER_LINE, 0);
    ck_assert_uint_ge(members->stride, members->count);
    ck_assert_uint_eq((uintptr_t)members->credits % SERVER_LINE, 0);
    ck_assert_uint_eq((uintptr_t)members->candidates % SERVER_LINE, 0);
    membership_unref(&members);
}
END_TEST

START_TEST(a_reload_forgets_nothing)
{
    struct membership *before = make_list(143, &checked);
    membership_install(before, NULL, NOW, NULL);
    struct server_state *server = before->members[0].server;
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL); /* at the start all are used */
    server_state_event(server, SERVER_EVENT_CHECK_FAILED, SERVER_CONNECT_REFUSED, NOW, NULL);
    server_state_set_admin(server, SERVER_DRAIN, SERVER_CAUSE_OPERATOR, NOW, NULL);
    struct membership *after = make_list(143, &checked);
    ck_assert_ptr_eq(after->members[0].server, server);
    membership_install(after, before, NOW, NULL);
    membership_unref(&before);
    ck_assert_int_eq(server_state_health(server), SERVER_DOWN);
    ck_assert_int_eq(server_state_admin(server), SERVER_DRAIN);
    membership_unref(&after);
}
END_TEST

START_TEST(another_address_is_checked_first_and_inherits)
{
    struct membership *before = make_list(143, &checked);
    membership_install(before, NULL, NOW, NULL);
    server_state_set_weight(before->members[0].server, 7, NOW);
    struct membership *after = make_list(144, &checked);
    membership_install(after, before, NOW, NULL);
    struct server_state *server = after->members[0].server;
    ck_assert_uint_eq(server_state_weight(server), 7);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_LAST_RESORT);
    server_state_event(server, SERVER_EVENT_CHECK_PASSED, SERVER_CAUSE_CHECK_PASSED, NOW, NULL);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL);
    membership_unref(&before);
    membership_unref(&after);
}
END_TEST

START_TEST(without_checks_a_new_server_counts_at_once)
{
    struct server_rules unchecked = checked;
    unchecked.is_checked = false;
    struct membership *before = make_list(143, &unchecked);
    membership_install(before, NULL, NOW, NULL);
    struct membership *after = make_list(144, &unchecked);
    membership_install(after, before, NOW, NULL);
    ck_assert_int_eq(server_state_use(after->members[0].server, NOW), SERVER_USE_NORMAL);
    membership_unref(&before);
    membership_unref(&after);
}
END_TEST

/* ---- the pool's state ---- */

/* A member that stands for a name without an address. */
static struct membership *make_unresolved(void)
{
    struct server_identity identity = {.pool = "stores", .name = "s1"};
    struct membership *members = membership_new(pool, 1, WORKERS);
    struct server_state *server = server_registry_server(registry, &identity);
    ck_assert_ptr_nonnull(members);
    ck_assert_ptr_nonnull(server);
    membership_add(members, server, &checked, false);
    return members;
}

START_TEST(member_without_an_address_takes_no_sessions)
{
    struct membership *members = make_unresolved();
    const struct server_state *server = members->members[0].server;
    membership_install(members, NULL, NOW, NULL);
    membership_note_addresses(members, NOW, NULL);
    ck_assert_int_eq(server_state_health(server), SERVER_UNRESOLVED);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NONE);
    membership_unref(&members);
}
END_TEST

/* Its sessions go on; when it comes back it is checked before it counts, with all else as it was. */
START_TEST(address_goes_and_comes_back)
{
    struct membership *both = membership_new(pool, 2, WORKERS);
    struct membership *one = make_list(143, &checked);
    struct server_state *gone = find_server("stores", "s2", 143);
    membership_add(both, find_server("stores", "s1", 143), &checked, false);
    membership_add(both, server_state_ref(gone), &checked, false);
    membership_install(both, NULL, NOW, NULL);
    membership_note_addresses(both, NOW, NULL);
    ck_assert_int_eq(server_state_health(gone), SERVER_UNCHECKED);
    server_state_event(gone, SERVER_EVENT_CHECK_PASSED, SERVER_CAUSE_CHECK_PASSED, NOW, NULL);
    server_state_set_admin(gone, SERVER_DRAIN, SERVER_CAUSE_OPERATOR, NOW, NULL);

    membership_retire(both, one, NOW, NULL);
    membership_install(one, both, NOW, NULL);
    membership_note_addresses(one, NOW, NULL);
    ck_assert_int_eq(server_state_health(gone), SERVER_UNRESOLVED);
    ck_assert_int_eq(gone->cause[SERVER_AXIS_STATE], SERVER_CAUSE_NAME_GONE);
    ck_assert_int_eq(server_state_health(one->members[0].server), SERVER_UNCHECKED);

    membership_retire(one, both, NOW, NULL);
    membership_install(both, one, NOW, NULL);
    membership_note_addresses(both, NOW, NULL);
    ck_assert_int_eq(server_state_health(gone), SERVER_UNCHECKED);
    ck_assert_int_eq(gone->cause[SERVER_AXIS_STATE], SERVER_CAUSE_NAME_FOUND);
    ck_assert_int_eq(server_state_admin(gone), SERVER_DRAIN);
    server_state_set_admin(gone, SERVER_READY, SERVER_CAUSE_OPERATOR, NOW, NULL);
    ck_assert_int_eq(server_state_use(gone, NOW), SERVER_USE_LAST_RESORT); /* it awaits its check */
    server_state_unref(&gone);
    membership_unref(&one);
    membership_unref(&both);
}
END_TEST

START_TEST(usual_greeting)
{
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, false), POOL_GREETING_UNKNOWN_MS);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, true), POOL_GREETING_LEAST_MS / 2);
    pool_state_greeted(pool, 3000);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, false), POOL_GREETING_LEAST_MS);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, true), POOL_GREETING_LEAST_MS / 2);
    for (int i = 0; i < 100; i++)
        pool_state_greeted(pool, 2000000); /* servers that wait on purpose */
    ck_assert_uint_ge(pool_state_greeting_limit_ms(pool, false), 6000);
    ck_assert_uint_le(pool_state_greeting_limit_ms(pool, false), 8000);
    for (int i = 0; i < 100; i++)
        pool_state_greeted(pool, 0);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, false), POOL_GREETING_LEAST_MS);
    pool_state_greeted(pool, UINT64_MAX);
    ck_assert_uint_gt(pool_state_greeting_limit_ms(pool, false), POOL_GREETING_LEAST_MS);
}
END_TEST

START_TEST(told_once_a_second)
{
    ck_assert(pool_state_may_tell_down(pool, NOW));
    ck_assert(!pool_state_may_tell_down(pool, NOW + POOL_TELL_DOWN_MS - 1));
    ck_assert(pool_state_may_tell_down(pool, NOW + POOL_TELL_DOWN_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("membership");
    TCase *tests = tcase_create("membership");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, known_by_pool_and_name);
    tcase_add_test(tests, pools_are_known_by_name);
    tcase_add_test(tests, threads_find_and_forget);
    tcase_add_test(tests, find_and_compare);
    tcase_add_test(tests, parts_of_workers);
    tcase_add_test(tests, a_reload_forgets_nothing);
    tcase_add_test(tests, another_address_is_checked_first_and_inherits);
    tcase_add_test(tests, without_checks_a_new_server_counts_at_once);
    tcase_add_test(tests, member_without_an_address_takes_no_sessions);
    tcase_add_test(tests, address_goes_and_comes_back);
    tcase_add_test(tests, usual_greeting);
    tcase_add_test(tests, told_once_a_second);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
