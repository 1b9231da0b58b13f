/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/server_state.h"

#include "run_suite.h"

#include <string.h>

enum { NOW = 1000000, RISE = 2, FALL = 3, SLOW_START_MS = 60000 };

static const struct server_rules rules = {
    .weight = 2, .rise = RISE, .fall = FALL, .slow_start_ms = SLOW_START_MS, .is_checked = true};

/* ---- an observer that remembers ---- */

static struct server_change last_change;
static unsigned change_count;

static void note_change(void *arg, const struct server_change *change)
{
    (void)arg;
    last_change = *change;
    change_count++;
}

static const struct server_observer observer = {note_change, NULL};

static struct server_state *make_server(const struct server_rules *with)
{
    struct server_identity identity = {
        .pool = "stores", .name = "s1", .tls_name = "mail.example.com", .address_len = 16};
    struct server_state *server = server_state_new(&identity);
    ck_assert_ptr_nonnull(server);
    server_state_configure(server, with, NOW, &observer);
    change_count = 0;
    return server;
}

static enum server_health happens(struct server_state *server, enum server_event event, uint64_t now)
{
    static const enum server_cause causes[] = {[SERVER_EVENT_CHECK_PASSED] = SERVER_CAUSE_CHECK_PASSED,
                                               [SERVER_EVENT_CHECK_FAILED] = SERVER_CONNECT_TIMEOUT,
                                               [SERVER_EVENT_EJECT] = SERVER_CONNECT_REFUSED,
                                               [SERVER_EVENT_SERVED] = SERVER_CAUSE_SERVED,
                                               [SERVER_EVENT_WARMED] = SERVER_CAUSE_WARMED,
                                               [SERVER_EVENT_NAME_GONE] = SERVER_CAUSE_NAME_GONE,
                                               [SERVER_EVENT_NAME_FOUND] = SERVER_CAUSE_NAME_FOUND,
                                               [SERVER_EVENT_CHECKS_OFF] = SERVER_CAUSE_CHECKS_OFF};
    return server_state_event(server, event, causes[event], now, &observer);
}

static void check(struct server_state *server, bool passed, enum server_health expected)
{
    enum server_event event = passed ? SERVER_EVENT_CHECK_PASSED : SERVER_EVENT_CHECK_FAILED;
    ck_assert_str_eq(server_health_word(happens(server, event, NOW)), server_health_word(expected));
    ck_assert_int_eq(server_state_health(server), expected);
}

/* ---- the table ---- */

/* By words, what follows each event. "-": nothing; a/b: before the row is long enough, and after it. */
static const char *const manual[SERVER_HEALTHS][SERVER_EVENTS] = {
    /* passed, failed, eject, served, warmed, name gone, name found, checks off */
    [SERVER_UNCHECKED] = {"up", "-/down", "ejected", "-", "-", "unresolved", "-", "-"},
    [SERVER_UP] = {"-", "failing/down", "ejected", "-", "-", "unresolved", "-", "-"},
    [SERVER_FAILING] = {"up", "-/down", "ejected", "-", "-", "unresolved", "-", "unchecked"},
    [SERVER_DOWN] = {"rising/warming", "-", "-", "-", "-", "unresolved", "-", "unchecked"},
    [SERVER_RISING] = {"-/warming", "down", "-", "-", "-", "unresolved", "-", "unchecked"},
    [SERVER_WARMING] = {"-", "failing/down", "ejected", "-", "up", "unresolved", "-", "-"},
    [SERVER_EJECTED] = {"up", "down", "-", "up", "-", "unresolved", "-", "-"},
    [SERVER_UNRESOLVED] = {"-", "-", "-", "-", "-", "-", "unchecked", "-"},
};

static void expect_word(const char *expected, size_t len, enum server_health from, enum server_health to)
{
    const char *word = from == to ? "-" : server_health_word(to);
    ck_assert_msg(strlen(word) == len && memcmp(word, expected, len) == 0, "%s: expected %.*s, got %s",
                  server_health_word(from), (int)len, expected, word);
}

START_TEST(every_transition)
{
    enum server_health from = (enum server_health)(_i / SERVER_EVENTS);
    enum server_event event = (enum server_event)(_i % SERVER_EVENTS);
    const char *text = manual[from][event];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    const char *reached = slash != NULL ? slash + 1 : text;
    expect_word(text, len, from, server_state_next(from, event, false));
    expect_word(reached, strlen(reached), from, server_state_next(from, event, true));
}
END_TEST

START_TEST(words)
{
    for (int i = 0; i < SERVER_CAUSES; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(server_cause_word((enum server_cause)i),
                             server_cause_word((enum server_cause)j));
    ck_assert_str_eq(server_value_word(SERVER_AXIS_STATE, SERVER_EJECTED), "ejected");
    ck_assert_str_eq(server_value_word(SERVER_AXIS_ADMIN, SERVER_DRAIN), "drain");
    ck_assert_str_eq(server_axis_word(SERVER_AXIS_ADMIN), "admin");
    ck_assert_str_eq(server_cause_word(SERVER_NO_GREETING), "no-greeting");
}
END_TEST

/* ---- checks ---- */

START_TEST(falls_and_rises_in_rows)
{
    struct server_state *server = make_server(&rules);
    check(server, true, SERVER_UP);
    check(server, false, SERVER_FAILING);
    check(server, false, SERVER_FAILING);
    check(server, true, SERVER_UP); /* the row begins anew */
    check(server, false, SERVER_FAILING);
    check(server, false, SERVER_FAILING);
    check(server, false, SERVER_DOWN);
    ck_assert_int_eq(last_change.cause, SERVER_CONNECT_TIMEOUT);
    check(server, false, SERVER_DOWN);
    check(server, true, SERVER_RISING);
    check(server, false, SERVER_DOWN);
    check(server, true, SERVER_RISING);
    check(server, true, SERVER_WARMING);
    server_state_unref(&server);
}
END_TEST

START_TEST(unchecked_falls_after_a_whole_row)
{
    struct server_state *server = make_server(&rules);
    check(server, false, SERVER_UNCHECKED);
    check(server, false, SERVER_UNCHECKED);
    check(server, false, SERVER_DOWN);
    ck_assert_uint_eq(change_count, 1);
    server_state_unref(&server);
}
END_TEST

START_TEST(rows_of_one)
{
    struct server_rules quick = rules;
    quick.rise = quick.fall = 1;
    quick.slow_start_ms = 0;
    struct server_state *server = make_server(&quick);
    check(server, false, SERVER_DOWN);
    check(server, true, SERVER_UP); /* without a slow start it is not warming for a moment */
    check(server, false, SERVER_DOWN);
    ck_assert_uint_eq(change_count, 3);
    server_state_unref(&server);
}
END_TEST

START_TEST(maintenance_ignores_checks)
{
    struct server_state *server = make_server(&rules);
    ck_assert(server_state_set_admin(server, SERVER_MAINTENANCE, SERVER_CAUSE_OPERATOR, NOW, &observer));
    for (int i = 0; i < FALL; i++)
        check(server, false, SERVER_UNCHECKED);
    ck_assert(server_state_set_admin(server, SERVER_READY, SERVER_CAUSE_OPERATOR, NOW, &observer));
    check(server, false, SERVER_UNCHECKED); /* and counts none of them later */
    check(server, false, SERVER_UNCHECKED);
    check(server, false, SERVER_DOWN);
    server_state_unref(&server);
}
END_TEST

/* ---- the operator ---- */

START_TEST(admin_changes_once)
{
    struct server_state *server = make_server(&rules);
    ck_assert(!server_state_set_admin(server, SERVER_READY, SERVER_CAUSE_OPERATOR, NOW, &observer));
    ck_assert_uint_eq(change_count, 0);
    ck_assert(server_state_set_admin(server, SERVER_DRAIN, SERVER_CAUSE_OPERATOR, NOW, &observer));
    ck_assert_uint_eq(change_count, 1);
    ck_assert_ptr_eq(last_change.server, server);
    ck_assert_int_eq(last_change.axis, SERVER_AXIS_ADMIN);
    ck_assert_uint_eq(last_change.from, SERVER_READY);
    ck_assert_uint_eq(last_change.to, SERVER_DRAIN);
    ck_assert_int_eq(last_change.cause, SERVER_CAUSE_OPERATOR);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NONE);
    ck_assert_uint_eq(server->changes[SERVER_AXIS_ADMIN], 1);
    server_state_unref(&server);
}
END_TEST

START_TEST(the_operators_weight_holds_until_the_file_changes_it)
{
    struct server_state *server = make_server(&rules);
    struct server_rules other = rules;
    server_state_set_weight(server, 7, NOW);
    other.max_connections = 10;
    server_state_configure(server, &other, NOW, &observer);
    ck_assert_uint_eq(server_state_weight(server), 7);
    ck_assert_uint_eq(server_state_effective_weight(server), 7 * SERVER_WEIGHT_ONE);
    other.weight = 3;
    server_state_configure(server, &other, NOW, &observer);
    ck_assert_uint_eq(server_state_weight(server), 3);
    server_state_unref(&server);
}
END_TEST

START_TEST(weight_zero_takes_none)
{
    struct server_state *server = make_server(&rules);
    server_state_set_weight(server, 0, NOW);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NONE);
    server_state_set_weight(server, 1, NOW);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL);
    server_state_unref(&server);
}
END_TEST

START_TEST(a_successor_inherits_the_operators_wishes)
{
    struct server_state *before = make_server(&rules);
    check(before, true, SERVER_UP);
    server_state_set_admin(before, SERVER_DRAIN, SERVER_CAUSE_OPERATOR, NOW, NULL);
    server_state_set_weight(before, 9, NOW);
    struct server_state *server = make_server(&rules);
    server_state_inherit(server, before, NOW, &observer);
    ck_assert_int_eq(server_state_admin(server), SERVER_DRAIN);
    ck_assert_uint_eq(server_state_weight(server), 9);
    ck_assert_int_eq(server_state_health(server), SERVER_UNCHECKED);
    ck_assert_uint_eq(change_count, 1); /* who reads the log sees no gap */
    ck_assert_uint_eq(last_change.from, SERVER_UP);
    ck_assert_uint_eq(last_change.to, SERVER_UNCHECKED);
    server_state_unref(&server);
    server_state_unref(&before);
}
END_TEST

START_TEST(a_successor_with_another_weight_in_the_file_keeps_that)
{
    struct server_rules other = rules;
    other.weight = 5;
    struct server_state *before = make_server(&rules);
    server_state_set_weight(before, 9, NOW);
    struct server_state *server = make_server(&other);
    server_state_inherit(server, before, NOW, &observer);
    ck_assert_uint_eq(server_state_weight(server), 5);
    server_state_unref(&server);
    server_state_unref(&before);
}
END_TEST

/* ---- slow start ---- */

START_TEST(warming_grows)
{
    struct server_state *server = make_server(&rules);
    uint32_t full = 2 * SERVER_WEIGHT_ONE;
    for (int i = 0; i < FALL; i++)
        happens(server, SERVER_EVENT_CHECK_FAILED, NOW);
    for (int i = 0; i < RISE; i++)
        happens(server, SERVER_EVENT_CHECK_PASSED, NOW);
    ck_assert_int_eq(server_state_health(server), SERVER_WARMING);
    ck_assert_uint_eq(server_state_effective_weight(server), full / 20);
    server_state_tick(server, NOW + SLOW_START_MS / 2, &observer);
    ck_assert_uint_eq(server_state_effective_weight(server), full / 2);
    server_state_tick(server, NOW + SLOW_START_MS - 1, &observer);
    ck_assert_int_eq(server_state_health(server), SERVER_WARMING);
    server_state_tick(server, NOW + SLOW_START_MS, &observer);
    ck_assert_int_eq(server_state_health(server), SERVER_UP);
    ck_assert_int_eq(last_change.cause, SERVER_CAUSE_WARMED);
    ck_assert_uint_eq(server_state_effective_weight(server), full);
    server_state_unref(&server);
}
END_TEST

/* ---- names, and checks that are switched off ---- */

START_TEST(a_name_that_is_found_again_awaits_a_check)
{
    struct server_state *server = make_server(&rules);
    happens(server, SERVER_EVENT_NAME_GONE, NOW);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NONE);
    happens(server, SERVER_EVENT_NAME_FOUND, NOW);
    ck_assert_int_eq(server_state_health(server), SERVER_UNCHECKED);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_LAST_RESORT);
    check(server, true, SERVER_UP);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL);
    server_state_unref(&server);
}
END_TEST

START_TEST(a_new_server_awaits_its_first_check)
{
    struct server_state *server = make_server(&rules);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL);
    server_state_await_check(server);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_LAST_RESORT);
    check(server, true, SERVER_UP);
    server_state_await_check(server); /* it has passed one */
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL);
    server_state_unref(&server);
}
END_TEST

START_TEST(without_checks_a_server_that_was_down_is_tried)
{
    struct server_rules unchecked = rules;
    struct server_state *server = make_server(&rules);
    unchecked.is_checked = false;
    for (int i = 0; i < FALL; i++)
        happens(server, SERVER_EVENT_CHECK_FAILED, NOW);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NONE);
    server_state_configure(server, &unchecked, NOW, &observer);
    ck_assert_int_eq(server_state_health(server), SERVER_UNCHECKED);
    ck_assert_int_eq(last_change.cause, SERVER_CAUSE_CHECKS_OFF);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_TRIAL);
    server_state_unref(&server);
}
END_TEST

/* ---- what sessions report ---- */

START_TEST(one_failure_makes_it_suspected_at_once)
{
    struct server_state *server = make_server(&rules);
    server_state_failed(server, SERVER_CONNECT_REFUSED, false, NOW);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_SOON);
    ck_assert_int_eq(server_state_use(server, NOW + SERVER_RETRY_FLOOR_MS), SERVER_USE_LAST_RESORT);
    ck_assert_int_eq(server_state_use(server, NOW + SERVER_FIRST_AVOID_MS), SERVER_USE_TRIAL);
    ck_assert_int_eq(server_state_health(server), SERVER_UNCHECKED); /* the control thread's to change */
    server_state_served(server);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL);
    ck_assert_uint_eq(server->failures[SERVER_CONNECT_REFUSED], 1);
    server_state_unref(&server);
}
END_TEST

/* A thousand sessions that hang at one server are one finding. */
START_TEST(stragglers_extend_nothing)
{
    struct server_state *server = make_server(&rules);
    server_state_failed(server, SERVER_NO_GREETING, false, NOW);
    for (int i = 1; i < 1000; i++)
        server_state_failed(server, SERVER_NO_GREETING, false, NOW + 1);
    ck_assert_uint_eq(server->strikes, 1);
    ck_assert_uint_eq(server->retry_at_ms, NOW + SERVER_FIRST_AVOID_MS);
    ck_assert_uint_eq(server->failures[SERVER_NO_GREETING], 1000);
    server_state_failed(server, SERVER_NO_GREETING, true, NOW + 2);
    ck_assert_uint_eq(server->strikes, 2);
    ck_assert_uint_eq(server->failed_trials, 1);
    ck_assert_uint_eq(server->retry_at_ms, NOW + 2 + SERVER_FIRST_AVOID_MS);
    server_state_unref(&server);
}
END_TEST

START_TEST(a_check_that_passes_ends_suspicion)
{
    struct server_state *server = make_server(&rules);
    server_state_failed(server, SERVER_CONNECT_REFUSED, false, NOW);
    happens(server, SERVER_EVENT_EJECT, NOW);
    ck_assert_int_ne(server_state_use(server, NOW), SERVER_USE_NORMAL);
    check(server, true, SERVER_UP);
    ck_assert_int_eq(server_state_use(server, NOW), SERVER_USE_NORMAL);
    server_state_unref(&server);
}
END_TEST

/* ---- all that can happen, in any order ---- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* What the design says, from the state alone. */
static void hold_invariants(const struct server_state *server, uint64_t now, const unsigned seen[SERVER_AXES])
{
    enum server_health health = server_state_health(server);
    bool serves = health != SERVER_DOWN && health != SERVER_RISING && health != SERVER_UNRESOLVED;
    bool takes = serves && server_state_admin(server) == SERVER_READY && server_state_weight(server) > 0;
    enum server_use use = server_state_use(server, now);
    ck_assert_int_eq(use != SERVER_USE_NONE, takes);
    ck_assert(use != SERVER_USE_NORMAL || server->strikes == 0);
    ck_assert(server_state_effective_weight(server) <= server_state_weight(server) * SERVER_WEIGHT_ONE);
    ck_assert_int_eq(server_state_effective_weight(server) == 0, server_state_weight(server) == 0);
    ck_assert(health == SERVER_WARMING ||
              server_state_effective_weight(server) == server_state_weight(server) * SERVER_WEIGHT_ONE);
    ck_assert_uint_lt(server->streak, health == SERVER_RISING ? RISE : FALL);
    /* The log has the whole story. */
    ck_assert_uint_eq(seen[SERVER_AXIS_STATE], health);
    ck_assert_uint_eq(seen[SERVER_AXIS_ADMIN], server_state_admin(server));
}

struct story {
    unsigned seen[SERVER_AXES];
    unsigned told;
};

static void follow(void *arg, const struct server_change *change)
{
    struct story *story = arg;
    ck_assert_uint_eq(story->seen[change->axis], change->from); /* no gap */
    ck_assert_uint_ne(change->from, change->to);
    ck_assert_int_lt(change->cause, SERVER_CAUSES);
    story->seen[change->axis] = change->to;
    story->told++;
}

static void do_anything(struct server_state *server, uint64_t now, const struct server_observer *to)
{
    struct server_rules some = rules;
    switch (draw(9)) {
    case 0:
        server_state_set_admin(server, (enum server_admin)draw(SERVER_ADMINS), SERVER_CAUSE_OPERATOR, now,
                               to);
        break;
    case 1:
        server_state_set_weight(server, draw(3), now);
        break;
    case 2:
        some.is_checked = draw(4) > 0;
        server_state_configure(server, &some, now, to);
        break;
    case 3:
        server_state_tick(server, now, to);
        break;
    case 4:
        server_state_failed(server, (enum server_cause)draw(SERVER_FAILURES), draw(2) == 0, now);
        break;
    case 5:
        server_state_served(server);
        break;
    case 6:
        server_state_await_check(server);
        break;
    default:
        server_state_event(server, (enum server_event)draw(SERVER_EVENTS), SERVER_CAUSE_OPERATOR, now, to);
    }
}

START_TEST(any_sequence)
{
    struct server_state *server = make_server(&rules);
    struct story story = {{SERVER_UNCHECKED, SERVER_READY}, 0};
    struct server_observer to = {follow, &story};
    uint64_t now = NOW;
    seed = (uint32_t)_i + 1;
    for (int i = 0; i < 8000; i++) {
        now += draw(SLOW_START_MS / 4);
        do_anything(server, now, &to);
        hold_invariants(server, now, story.seen);
    }
    ck_assert_uint_eq(story.told, server->changes[SERVER_AXIS_STATE] + server->changes[SERVER_AXIS_ADMIN]);
    ck_assert_uint_gt(story.told, 500);
    server_state_unref(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server_state");
    TCase *tests = tcase_create("server_state");
    tcase_add_loop_test(tests, every_transition, 0, SERVER_HEALTHS * SERVER_EVENTS);
    tcase_add_test(tests, words);
    tcase_add_test(tests, falls_and_rises_in_rows);
    tcase_add_test(tests, unchecked_falls_after_a_whole_row);
    tcase_add_test(tests, rows_of_one);
    tcase_add_test(tests, maintenance_ignores_checks);
    tcase_add_test(tests, admin_changes_once);
    tcase_add_test(tests, the_operators_weight_holds_until_the_file_changes_it);
    tcase_add_test(tests, weight_zero_takes_none);
    tcase_add_test(tests, a_successor_inherits_the_operators_wishes);
    tcase_add_test(tests, a_successor_with_another_weight_in_the_file_keeps_that);
    tcase_add_test(tests, warming_grows);
    tcase_add_test(tests, a_name_that_is_found_again_awaits_a_check);
    tcase_add_test(tests, a_new_server_awaits_its_first_check);
    tcase_add_test(tests, without_checks_a_server_that_was_down_is_tried);
    tcase_add_test(tests, one_failure_makes_it_suspected_at_once);
    tcase_add_test(tests, stragglers_extend_nothing);
    tcase_add_test(tests, a_check_that_passes_ends_suspicion);
    tcase_add_loop_test(tests, any_sequence, 0, 6);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
