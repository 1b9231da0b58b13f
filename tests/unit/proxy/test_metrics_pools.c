/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/metrics_pools.h"

#include "base/array.h"
#include "proxy/backends/reservation.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1000000 };

#define PLAIN   "s1"
#define ODD     "[2001:db8::1]:143"
#define FOUND   "store.example@10.0.0.1:143"
#define HOSTILE "a\"b\\c\nd\xff"

static struct server_registry *registry;
static struct cfg_pool cfg_pools[2];
static struct cfg cfg = {.pools = cfg_pools, .pool_count = 2};
static struct snapshot snapshot = {.cfg = &cfg};
static struct runtime runtime = {.snapshot = &snapshot};
static char *written;

static const struct server_rules unchecked = {.weight = 1, .rise = 2, .fall = 3};
static const struct server_rules checked = {
    .weight = 2, .rise = 2, .fall = 3, .slow_start_ms = 60000, .is_checked = true};

/* Names end with NULL. */
static struct membership *make_members(const char *name, const char *const *servers,
                                       const struct server_rules *rules)
{
    struct pool_state *pool = server_registry_pool(registry, name);
    ck_assert_ptr_nonnull(pool);
    struct membership *members = membership_new(pool, 4, 1);
    ck_assert_ptr_nonnull(members);
    pool_state_unref(&pool);
    for (size_t i = 0; servers[i] != NULL; i++) {
        const struct server_identity identity = {.pool = name, .name = servers[i]};
        struct server_state *server = server_registry_server(registry, &identity);
        ck_assert_ptr_nonnull(server);
        membership_add(members, server, rules, false);
    }
    membership_install(members, NULL, NOW, NULL);
    return members;
}

static void set_up(void)
{
    static const char *const stores[] = {PLAIN, ODD, FOUND, HOSTILE, NULL};
    static const char *const senders[] = {PLAIN, NULL};
    registry = server_registry_new(1);
    ck_assert_ptr_nonnull(registry);
    runtime.members = member_lists_new(2);
    ck_assert_ptr_nonnull(runtime.members);
    runtime.members->lists[0] = make_members("stores", stores, &unchecked);
    runtime.members->lists[1] = make_members("m\"sa", senders, &checked);
}

static void tear_down(void)
{
    member_lists_unref(&runtime.members);
    server_registry_unref(&registry);
    free(written);
    written = NULL;
}

static struct server_state *server(size_t pool, size_t index)
{
    return runtime.members->lists[pool]->members[index].server;
}

static const char *write_all(void)
{
    struct metrics_text text = {0};
    struct metrics_pools_cursor cursor = {0};
    while (!metrics_pools_write_some(&text, &runtime, &cursor))
        ;
    ck_assert(!text.failed);
    free(written);
    written = strndup((const char *)text.bytes.data, text.bytes.len);
    metrics_text_free(&text);
    return written;
}

static void expect(const char *line)
{
    char whole[512];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    ck_assert_msg(strstr(write_all(), whole) != NULL, "no %s in\n%s", line, written);
}

static size_t count_of(const char *text, const char *word)
{
    size_t found = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        found++;
    return found;
}

/* Lines of the family that begin so and end with " 1". */
static size_t count_ones(const char *begin)
{
    size_t found = 0;
    for (const char *at = write_all(); (at = strstr(at, begin)) != NULL; at++) {
        const char *end = strchr(at, '\n');
        found += end[-1] == '1' && end[-2] == ' ';
    }
    return found;
}

/* ---- states ---- */

START_TEST(a_server_in_each_state)
{
    char line[256];
    atomic_store(&server(0, 0)->health, (uint8_t)_i);
    for (int i = 0; i < SERVER_HEALTHS; i++) {
        snprintf(line, sizeof line, "deepproxy_server_state{pool=\"stores\",server=\"s1\",state=\"%s\"} %d",
                 server_health_word((enum server_health)i), i == _i);
        expect(line);
    }
    ck_assert_uint_eq(count_ones("deepproxy_server_state{pool=\"stores\",server=\"s1\","), 1);
    ck_assert_uint_eq(count_ones("deepproxy_server_state{"), 5);
}
END_TEST

START_TEST(a_server_for_each_wish)
{
    char line[256];
    server_state_set_admin(server(0, 0), (enum server_admin)_i, SERVER_CAUSE_OPERATOR, NOW, NULL);
    for (int i = 0; i < SERVER_ADMINS; i++) {
        snprintf(line, sizeof line, "deepproxy_server_admin{pool=\"stores\",server=\"s1\",admin=\"%s\"} %d",
                 server_admin_word((enum server_admin)i), i == _i);
        expect(line);
    }
    ck_assert_uint_eq(count_ones("deepproxy_server_admin{pool=\"stores\",server=\"s1\","), 1);
    ck_assert_uint_eq(count_ones("deepproxy_server_admin{"), 5);
}
END_TEST

START_TEST(changes)
{
    expect("deepproxy_server_changes_total{pool=\"m\\\"sa\",server=\"s1\",axis=\"state\"} 0");
    server_state_event(server(1, 0), SERVER_EVENT_CHECK_PASSED, SERVER_CAUSE_CHECK_PASSED, NOW, NULL);
    server_state_event(server(1, 0), SERVER_EVENT_EJECT, SERVER_NO_GREETING, NOW, NULL);
    server_state_set_admin(server(1, 0), SERVER_DRAIN, SERVER_CAUSE_OPERATOR, NOW, NULL);
    expect("deepproxy_server_changes_total{pool=\"m\\\"sa\",server=\"s1\",axis=\"state\"} 2");
    expect("deepproxy_server_changes_total{pool=\"m\\\"sa\",server=\"s1\",axis=\"admin\"} 1");
}
END_TEST

/* ---- sessions ---- */

START_TEST(sessions)
{
    struct reservation first = {0};
    struct reservation second = {0};
    ck_assert(reservation_take(&first, server(0, 1), SERVER_USE_NORMAL));
    ck_assert(reservation_take(&second, server(0, 1), SERVER_USE_NORMAL));
    reservation_served(&first);
    expect("deepproxy_server_sessions{pool=\"stores\",server=\"" ODD "\"} 2");
    expect("deepproxy_server_connecting{pool=\"stores\",server=\"" ODD "\"} 1");
    expect("deepproxy_server_connects_total{pool=\"stores\",server=\"" ODD "\"} 2");
    expect("deepproxy_server_sessions{pool=\"stores\",server=\"s1\"} 0");
    expect("deepproxy_pool_sessions{pool=\"stores\"} 2");
    reservation_failed(&second, SERVER_CLOSED_EARLY, NOW);
    reservation_forget(&first);
    reservation_forget(&second);
    expect("deepproxy_server_sessions{pool=\"stores\",server=\"" ODD "\"} 0");
    expect("deepproxy_server_connects_total{pool=\"stores\",server=\"" ODD "\"} 2");
    expect("deepproxy_pool_sessions{pool=\"stores\"} 0");
    expect("deepproxy_server_failures_total{pool=\"stores\",server=\"" ODD "\",kind=\"closed-early\"} 1");
}
END_TEST

START_TEST(each_failure)
{
    char line[256];
    server_state_failed(server(0, 2), (enum server_cause)_i, false, NOW);
    for (int i = 0; i < SERVER_FAILURES; i++) {
        snprintf(line, sizeof line,
                 "deepproxy_server_failures_total{pool=\"stores\",server=\"" FOUND "\",kind=\"%s\"} %d",
                 server_cause_word((enum server_cause)i), i == _i);
        expect(line);
    }
}
END_TEST

START_TEST(greetings)
{
    histogram_add(&server(0, 0)->greetings, 3);
    histogram_add(&server(0, 0)->greetings, 40000);
    expect("# TYPE deepproxy_server_greeting_seconds histogram");
    expect("deepproxy_server_greeting_seconds_bucket{pool=\"stores\",server=\"s1\",le=\"0.001\"} 0");
    expect("deepproxy_server_greeting_seconds_bucket{pool=\"stores\",server=\"s1\",le=\"0.005\"} 1");
    expect("deepproxy_server_greeting_seconds_bucket{pool=\"stores\",server=\"s1\",le=\"30\"} 1");
    expect("deepproxy_server_greeting_seconds_bucket{pool=\"stores\",server=\"s1\",le=\"+Inf\"} 2");
    expect("deepproxy_server_greeting_seconds_sum{pool=\"stores\",server=\"s1\"} 40.003");
    expect("deepproxy_server_greeting_seconds_count{pool=\"stores\",server=\"s1\"} 2");
    expect("deepproxy_server_greeting_seconds_count{pool=\"stores\",server=\"" ODD "\"} 0");
}
END_TEST

START_TEST(weight_of_a_server_that_warms)
{
    expect("deepproxy_server_weight{pool=\"stores\",server=\"s1\"} 1");
    expect("deepproxy_server_weight{pool=\"m\\\"sa\",server=\"s1\"} 2");
    atomic_store(&server(1, 0)->health, SERVER_WARMING);
    server(1, 0)->warming_since_ms = NOW;
    server_state_tick(server(1, 0), NOW + 30000, NULL);
    expect("deepproxy_server_weight{pool=\"m\\\"sa\",server=\"s1\"} 1");
    server_state_tick(server(1, 0), NOW + 15000, NULL);
    expect("deepproxy_server_weight{pool=\"m\\\"sa\",server=\"s1\"} 0.5");
    server_state_set_weight(server(0, 0), 0, NOW);
    expect("deepproxy_server_weight{pool=\"stores\",server=\"s1\"} 0");
}
END_TEST

/* ---- checks ---- */

/* A pool without checks has none of their series. */
START_TEST(each_check)
{
    char line[256];
    server(1, 0)->checks[_i] = 7;
    server(1, 0)->check_ms_total = 2250;
    for (int i = 0; i < CHECK_RESULTS; i++) {
        snprintf(line, sizeof line,
                 "deepproxy_server_checks_total{pool=\"m\\\"sa\",server=\"s1\",result=\"%s\"} %d",
                 check_result_name((enum check_result)i), i == _i ? 7 : 0);
        expect(line);
    }
    expect("# TYPE deepproxy_server_check_seconds summary");
    expect("deepproxy_server_check_seconds_sum{pool=\"m\\\"sa\",server=\"s1\"} 2.25");
    expect("deepproxy_server_check_seconds_count{pool=\"m\\\"sa\",server=\"s1\"} 7");
    ck_assert_ptr_null(strstr(written, "deepproxy_server_checks_total{pool=\"stores\""));
    ck_assert_ptr_null(strstr(written, "deepproxy_server_check_seconds_sum{pool=\"stores\""));
}
END_TEST

/* ---- pools ---- */

START_TEST(available_servers)
{
    expect("deepproxy_pool_servers{pool=\"stores\"} 4");
    expect("deepproxy_pool_servers_available{pool=\"stores\"} 4");
    server_state_set_admin(server(0, 0), SERVER_DRAIN, SERVER_CAUSE_OPERATOR, NOW, NULL);
    server_state_event(server(0, 1), SERVER_EVENT_EJECT, SERVER_NO_GREETING, NOW, NULL);
    server_state_event(server(0, 2), SERVER_EVENT_NAME_GONE, SERVER_CAUSE_NAME_GONE, NOW, NULL);
    expect("deepproxy_pool_servers{pool=\"stores\"} 4");
    expect("deepproxy_pool_servers_available{pool=\"stores\"} 1");
    expect("deepproxy_pool_servers_available{pool=\"m\\\"sa\"} 1");
}
END_TEST

START_TEST(a_queue)
{
    struct pool_state *pool = runtime.members->lists[0]->pool;
    struct waiter waiter = {0};
    wait_queue_set_length(pool->queue, 5);
    ck_assert(wait_queue_join(pool->queue, 0, &waiter));
    histogram_add(&pool->waits, 1500);
    atomic_store(&pool->queue_full, 3);
    atomic_store(&pool->queue_unserved, 2);
    expect("deepproxy_pool_waiting{pool=\"stores\"} 1");
    expect("deepproxy_pool_waiting{pool=\"m\\\"sa\"} 0");
    expect("deepproxy_pool_queue_length{pool=\"stores\"} 5");
    expect("deepproxy_pool_queue_full_total{pool=\"stores\"} 3");
    expect("deepproxy_pool_queue_unserved_total{pool=\"stores\"} 2");
    expect("deepproxy_pool_wait_seconds_bucket{pool=\"stores\",le=\"1\"} 0");
    expect("deepproxy_pool_wait_seconds_bucket{pool=\"stores\",le=\"2.5\"} 1");
    expect("deepproxy_pool_wait_seconds_sum{pool=\"stores\"} 1.5");
    expect("deepproxy_pool_wait_seconds_count{pool=\"stores\"} 1");
    wait_queue_leave(pool->queue, 0, &waiter);
}
END_TEST

START_TEST(panic)
{
    expect("deepproxy_pool_panic{pool=\"stores\"} 0");
    atomic_store(&runtime.members->lists[0]->pool->panic, true);
    expect("deepproxy_pool_panic{pool=\"stores\"} 1");
    expect("deepproxy_pool_panic{pool=\"m\\\"sa\"} 0");
}
END_TEST

/* ---- the text ---- */

START_TEST(names_that_need_care)
{
    expect("deepproxy_server_sessions{pool=\"stores\",server=\"" FOUND "\"} 0");
    expect("deepproxy_server_sessions{pool=\"stores\",server=\"a\\\"b\\\\c\\nd\\\\xFF\"} 0");
}
END_TEST

/* In the file's order, and the same each time. */
START_TEST(the_order_is_stable)
{
    char *first = strdup(write_all());
    ck_assert_str_eq(first, write_all());
    free(first);
    const char *at = written;
    const char *const order[] = {
        "sessions{pool=\"stores\",server=\"" PLAIN, "sessions{pool=\"stores\",server=\"" ODD,
        "sessions{pool=\"stores\",server=\"" FOUND, "sessions{pool=\"m\\\"sa\",server=\"" PLAIN};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        at = strstr(at, order[i]);
        ck_assert_msg(at != NULL, "%s", order[i]);
    }
}
END_TEST

/* One that no list has any more is not written, though a session may still have it. */
START_TEST(a_server_that_has_gone)
{
    static const char *const left[] = {ODD, NULL};
    struct server_state *held = server_state_ref(server(0, 0));
    write_all();
    ck_assert_uint_gt(count_of(written, "{pool=\"stores\",server=\"s1\""), 0);
    struct membership *after = make_members("stores", left, &unchecked);
    membership_unref(&runtime.members->lists[0]);
    runtime.members->lists[0] = after;
    write_all();
    ck_assert_uint_eq(count_of(written, "{pool=\"stores\",server=\"s1\""), 0);
    ck_assert_uint_gt(count_of(written, "{pool=\"stores\",server=\"" ODD "\""), 0);
    server_state_unref(&held);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics_pools");
    TCase *tests = tcase_create("metrics_pools");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_server_in_each_state, 0, SERVER_HEALTHS);
    tcase_add_loop_test(tests, a_server_for_each_wish, 0, SERVER_ADMINS);
    tcase_add_test(tests, changes);
    tcase_add_test(tests, sessions);
    tcase_add_loop_test(tests, each_failure, 0, SERVER_FAILURES);
    tcase_add_test(tests, greetings);
    tcase_add_test(tests, weight_of_a_server_that_warms);
    tcase_add_loop_test(tests, each_check, 0, CHECK_RESULTS);
    tcase_add_test(tests, available_servers);
    tcase_add_test(tests, a_queue);
    tcase_add_test(tests, panic);
    tcase_add_test(tests, names_that_need_care);
    tcase_add_test(tests, the_order_is_stable);
    tcase_add_test(tests, a_server_that_has_gone);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
