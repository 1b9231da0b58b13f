/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of names, with a clock of the test's own. */
#include "proxy/names/name_table.h"

#include "base/array.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { RESOLVE = 10000, HOLD = 60000 };

static const struct name_wish store = {"store.example", RESOLVE, HOLD};
static struct name_table *table;
static const struct name_set none;

static void set_up(void)
{
    table = name_table_new(7);
    ck_assert(name_table_prepare(table, &store, 1));
    name_table_keep(table, &store, 1);
}

static void tear_down(void)
{
    name_table_free(&table);
    ck_assert_ptr_null(table);
}

static void add(struct name_set *set, const char *text, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        name_set_add(set, (const struct sockaddr *)&v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        name_set_add(set, (const struct sockaddr *)&v6);
    else
        ck_abort_msg("%s", text);
}

/* Of texts with a space between. */
static struct name_set set_of(const char *texts)
{
    struct name_set set = {0};
    char copy[256];
    snprintf(copy, sizeof copy, "%s", texts);
    for (char *rest = NULL, *one = strtok_r(copy, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest))
        add(&set, one, 143);
    return set;
}

static void ask(uint64_t now)
{
    bool is_slow;
    ck_assert_str_eq(name_table_next(table, now, &is_slow), "store.example");
}

static struct name_change say(const char *texts, uint64_t now)
{
    struct name_set set = set_of(texts);
    return name_table_answer(table, "store.example", &set, "nothing there", now);
}

static size_t count_known(void)
{
    struct name_knowledge known;
    ck_assert(name_table_find(table, "store.example", &known));
    return known.set->count;
}

/* ---- sets ---- */

START_TEST(order_and_ports_are_irrelevant)
{
    struct name_set a = set_of("10.0.0.2 fd00::1 10.0.0.1 10.0.0.2");
    struct name_set b = {0};
    add(&b, "10.0.0.1", 1);
    add(&b, "10.0.0.2", 2);
    ck_assert(!name_set_equals(&a, &b));
    add(&b, "fd00::1", 3);
    ck_assert_uint_eq(a.count, 3);
    ck_assert(name_set_equals(&a, &b));
    b = set_of("10.0.0.1 10.0.0.2 fd00::2");
    ck_assert(!name_set_equals(&a, &b));
}
END_TEST

START_TEST(other_families_are_left_out)
{
    struct name_set set = {0};
    name_set_add(&set, &(struct sockaddr){.sa_family = AF_UNIX});
    ck_assert_uint_eq(set.count, 0);
}
END_TEST

/* Whatever the order, the same ones are kept. */
START_TEST(too_many_addresses)
{
    struct name_set up = {0};
    struct name_set down = {0};
    char text[32];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "10.0.0.%d", i);
        add(&up, text, 1);
        snprintf(text, sizeof text, "10.0.0.%d", 99 - i);
        add(&down, text, 1);
    }
    ck_assert_uint_eq(up.count, NAME_ADDRESSES_MAX);
    ck_assert_uint_eq(up.left_out, 100 - NAME_ADDRESSES_MAX);
    ck_assert_uint_eq(down.left_out, 100 - NAME_ADDRESSES_MAX);
    ck_assert(name_set_equals(&up, &down));
}
END_TEST

/* ---- questions ---- */

START_TEST(new_names_are_due_at_once_and_asked_for_once)
{
    bool is_slow = true;
    ck_assert_uint_eq(name_table_wait_ms(table, 5), 0);
    ck_assert_str_eq(name_table_next(table, 5, &is_slow), "store.example");
    ck_assert(!is_slow);
    ck_assert_ptr_null(name_table_next(table, 1000000, &is_slow));
    ck_assert_uint_eq(name_table_unanswered(table), 1);
    say("10.0.0.1", 10);
    ck_assert_uint_eq(name_table_unanswered(table), 0);
}
END_TEST

/* Each time after "resolve", a fifth sooner or later, and never twice the same. */
START_TEST(jitter)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    uint64_t now = 0;
    for (int i = 0; i < 1000; i++) {
        ask(now);
        say("10.0.0.1", now);
        uint64_t wait = name_table_wait_ms(table, now);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
        now += wait;
    }
    ck_assert_uint_ge(least, RESOLVE * 8 / 10);
    ck_assert_uint_le(most, RESOLVE * 12 / 10);
    ck_assert_uint_lt(least, RESOLVE * 82 / 100);
    ck_assert_uint_gt(most, RESOLVE * 118 / 100);
}
END_TEST

/* 1, 2, 4, 8, 10, 10 s; and "resolve" again after a good answer. */
START_TEST(sooner_after_a_failure)
{
    static const uint64_t waits[] = {1000, 2000, 4000, 8000, 10000, 10000};
    uint64_t now = 0;
    bool is_slow;
    ask(now);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        say("", now);
        uint64_t wait = name_table_wait_ms(table, now);
        ck_assert_uint_ge(wait, waits[i] * 8 / 10);
        ck_assert_uint_le(wait, waits[i] * 12 / 10);
        now += wait;
        ck_assert_ptr_nonnull(name_table_next(table, now, &is_slow));
        ck_assert(is_slow);
    }
    say("10.0.0.1", now);
    ck_assert_uint_ge(name_table_wait_ms(table, now), RESOLVE * 8 / 10);
}
END_TEST

START_TEST(slow_names_are_told)
{
    bool is_slow;
    ask(0);
    say("10.0.0.1", NAME_SLOW_MS - 1);
    ck_assert_ptr_nonnull(name_table_next(table, 20000, &is_slow));
    ck_assert(!is_slow);
    say("10.0.0.1", 20000 + NAME_SLOW_MS);
    ck_assert_ptr_nonnull(name_table_next(table, 40000, &is_slow));
    ck_assert(is_slow);
}
END_TEST

START_TEST(postponed)
{
    ask(100);
    name_table_postpone(table, "store.example", 100);
    uint64_t wait = name_table_wait_ms(table, 100);
    ck_assert(wait >= 800 && wait <= 1200);
    ck_assert_uint_eq(name_table_unanswered(table), 1);
    name_table_postpone(table, "unknown.example", 100);
    ask(100 + wait);
}
END_TEST

/* ---- answers ---- */

START_TEST(changes_are_told)
{
    struct name_change change = say("10.0.0.1 10.0.0.2", 0);
    ck_assert(change.is_other_set && !change.has_failed && !change.is_back);
    ck_assert_str_eq(change.host, "store.example");
    ck_assert(change.from == 0 && change.to == 2);
    change = say("10.0.0.2 10.0.0.1", 100);
    ck_assert(!change.is_other_set && change.to == 2);
    change = say("10.0.0.2 10.0.0.3", 200);
    ck_assert(change.is_other_set && change.from == 2 && change.to == 2);
}
END_TEST

/* Once each, however often it fails. */
START_TEST(failure_and_return_are_told_once)
{
    struct name_knowledge known;
    say("10.0.0.1", 0);
    struct name_change change = say("", 10000);
    ck_assert(change.has_failed && !change.is_other_set);
    ck_assert_str_eq(change.error, "nothing there");
    change = say("", 11000);
    ck_assert(!change.has_failed);
    name_table_find(table, "store.example", &known);
    ck_assert_str_eq(known.error, "nothing there");
    change = say("10.0.0.1", 12000);
    ck_assert(change.is_back && !change.is_other_set && !change.has_failed);
    ck_assert(!say("10.0.0.1", 13000).is_back);
    name_table_find(table, "store.example", &known);
    ck_assert_ptr_null(known.error);
}
END_TEST

START_TEST(never_resolved)
{
    struct name_knowledge known;
    ck_assert(say("", 0).has_failed);
    ck_assert(name_table_find(table, "store.example", &known));
    ck_assert(known.was_answered && !known.has_ever_resolved && known.set->count == 0);
    ck_assert(say("10.0.0.1", 0).is_back);
    name_table_find(table, "store.example", &known);
    ck_assert(known.has_ever_resolved);
}
END_TEST

START_TEST(left_out_is_told_once)
{
    struct name_set many = set_of("10.0.0.1");
    many.left_out = 3;
    ck_assert_uint_eq(name_table_answer(table, "store.example", &many, NULL, 0).left_out, 3);
    ck_assert_uint_eq(name_table_answer(table, "store.example", &many, NULL, 10).left_out, 0);
    say("10.0.0.1", 20);
    ck_assert_uint_eq(name_table_answer(table, "store.example", &many, NULL, 30).left_out, 3);
}
END_TEST

/* ---- the time without a good answer ---- */

START_TEST(last_good_set_stays_for_hold)
{
    struct name_change change;
    say("10.0.0.1 10.0.0.2", 1000);
    say("", 11000);
    ck_assert(!name_table_pass(table, 1000 + HOLD - 1, &change));
    say("", 1000 + HOLD - 1);
    ck_assert_uint_eq(count_known(), 2);
    ck_assert_uint_eq(name_table_wait_ms(table, 1000 + HOLD - 1), 1);
    ck_assert(name_table_pass(table, 1000 + HOLD, &change));
    ck_assert(change.is_other_set && change.from == 2 && change.to == 0);
    ck_assert_str_eq(change.error, "nothing there");
    ck_assert(!name_table_pass(table, 1000 + HOLD, &change));
    ck_assert_uint_eq(count_known(), 0);
    ck_assert(say("10.0.0.1", 1000 + HOLD).is_other_set);
}
END_TEST

/* A shorter hold than the time between two questions takes nothing from a name that resolves. */
START_TEST(hold_is_shorter_than_resolve)
{
    struct name_wish brief = {"store.example", RESOLVE, 0};
    struct name_change change;
    name_table_keep(table, &brief, 1);
    say("10.0.0.1", 0);
    ck_assert(!name_table_pass(table, 9000, &change));
    ask(12000);
    ck_assert(!name_table_pass(table, 12500, &change));
    say("", 12500);
    ck_assert(name_table_pass(table, 12500, &change));
}
END_TEST

/* The resolver does not come back at all. */
START_TEST(stuck_question)
{
    struct name_change change;
    bool is_slow;
    say("10.0.0.1", 0);
    ask(12000);
    ck_assert(!name_table_pass(table, 12000 + NAME_STUCK_MS - 1, &change));
    ck_assert_uint_eq(name_table_wait_ms(table, 12000), NAME_STUCK_MS);
    ck_assert(name_table_pass(table, 12000 + NAME_STUCK_MS, &change));
    ck_assert(change.has_failed && !change.is_other_set);
    ck_assert_str_eq(change.error, NAME_STUCK_WORDS);
    ck_assert(!name_table_pass(table, 12000 + NAME_STUCK_MS, &change));
    ck_assert_ptr_null(name_table_next(table, 1000000, &is_slow)); /* it is still under way */
    ck_assert_uint_eq(name_table_wait_ms(table, HOLD - 1), 1);
    ck_assert(name_table_pass(table, HOLD, &change));
    ck_assert(change.is_other_set && change.to == 0);
    ck_assert_uint_eq(name_table_wait_ms(table, HOLD), NAME_NEVER);
    change = say("10.0.0.1", 2 * HOLD);
    ck_assert(change.is_back && change.is_other_set);
}
END_TEST

START_TEST(stuck_at_the_start)
{
    struct name_change change;
    ask(0);
    ck_assert(name_table_pass(table, NAME_STUCK_MS, &change));
    ck_assert(change.has_failed);
    ck_assert_uint_eq(name_table_unanswered(table), 0);
}
END_TEST

/* ---- names come and go ---- */

START_TEST(reload_keeps_what_is_known)
{
    const struct name_wish both[] = {{"new.example", RESOLVE, HOLD}, {"STORE.example", RESOLVE, HOLD}};
    struct name_knowledge known;
    ask(0);
    say("10.0.0.1", 0);
    ck_assert(name_table_prepare(table, both, 2));
    ck_assert_uint_eq(name_table_unanswered(table), 1);
    name_table_keep(table, both, 2);
    ck_assert_uint_eq(count_known(), 1);
    bool is_slow;
    ck_assert_str_eq(name_table_next(table, 1, &is_slow), "new.example");
    ck_assert_ptr_null(name_table_next(table, 1, &is_slow));
    name_table_keep(table, both, 1);
    ck_assert(!name_table_find(table, "store.example", &known));
    ck_assert_uint_eq(known.set->count, 0);
    ck_assert(!say("10.0.0.2", 5).is_other_set); /* an answer that comes too late */
    name_table_answer(table, "new.example", &none, "nothing there", 6);
    name_table_keep(table, NULL, 0);
    ck_assert_uint_eq(name_table_wait_ms(table, 6), NAME_NEVER);
}
END_TEST

/* A refused configuration has changed nothing. */
START_TEST(refused_reload)
{
    const struct name_wish other = {"new.example", RESOLVE, HOLD};
    struct name_knowledge known;
    say("10.0.0.1", 0);
    ck_assert(name_table_prepare(table, &other, 1));
    name_table_keep(table, &store, 1);
    ck_assert(!name_table_find(table, "new.example", &known));
    ck_assert_uint_eq(count_known(), 1);
}
END_TEST

START_TEST(two_pools_have_one_name)
{
    const struct name_wish wishes[] = {
        {"store.example", 8000, 1000}, {"store.example", 2000, 500}, {"store.example", 9000, HOLD}};
    struct name_change change;
    ask(0);
    say("10.0.0.1", 0);
    name_table_keep(table, wishes, 3);
    ck_assert_uint_le(name_table_wait_ms(table, 0), 2400); /* the shorter time holds at once */
    ask(2000);
    say("", 2000);
    ck_assert(!name_table_pass(table, HOLD - 1, &change));
    ck_assert(name_table_pass(table, HOLD, &change));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("name_table");
    TCase *sets = tcase_create("sets");
    suite_add_tcase(suite, sets);
    tcase_add_test(sets, order_and_ports_are_irrelevant);
    tcase_add_test(sets, other_families_are_left_out);
    tcase_add_test(sets, too_many_addresses);
    TCase *names = tcase_create("names");
    suite_add_tcase(suite, names);
    tcase_add_checked_fixture(names, set_up, tear_down);
    tcase_add_test(names, new_names_are_due_at_once_and_asked_for_once);
    tcase_add_test(names, jitter);
    tcase_add_test(names, sooner_after_a_failure);
    tcase_add_test(names, slow_names_are_told);
    tcase_add_test(names, postponed);
    tcase_add_test(names, changes_are_told);
    tcase_add_test(names, failure_and_return_are_told_once);
    tcase_add_test(names, never_resolved);
    tcase_add_test(names, left_out_is_told_once);
    tcase_add_test(names, last_good_set_stays_for_hold);
    tcase_add_test(names, hold_is_shorter_than_resolve);
    tcase_add_test(names, stuck_question);
    tcase_add_test(names, stuck_at_the_start);
    tcase_add_test(names, reload_keeps_what_is_known);
    tcase_add_test(names, refused_reload);
    tcase_add_test(names, two_pools_have_one_name);
    return run_suite(suite);
}
