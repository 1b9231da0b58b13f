/* SPDX-License-Identifier: BSD-2-Clause */
/* What a check's result means for its server: each of them, and what is remembered. */
#include "proxy/backends/check_effect.h"

#include "proxy/backends/pool_protocol.h"
#include "run_suite.h"

#include <string.h>

enum { NOW = 5000 };

static const struct server_identity identity = {.pool = "stores", .name = "s1"};
static const struct server_rules rules = {.weight = 1, .rise = 1, .fall = 1, .is_checked = true};

static struct server_state *server;

static void set_up(void)
{
    server = server_state_new(&identity);
    ck_assert_ptr_nonnull(server);
    server_state_configure(server, &rules, 0, NULL);
}

static void tear_down(void)
{
    server_state_unref(&server);
}

static void apply(enum check_result result, const char *detail, struct server_facts *facts, uint64_t now_ms)
{
    struct check_found found = {.result = result, .detail = detail, .duration_ms = 7, .facts = facts};
    check_effect_apply(server, &found, now_ms, NULL);
}

/* The words are the same in log, metrics and control, but for the one that sessions had before. */
START_TEST(each_failure_is_a_cause)
{
    struct check_effect effect;
    if (_i == CHECK_NOT_MADE) {
        ck_assert(!check_effect_of(CHECK_NOT_MADE, &effect));
        return;
    }
    ck_assert(check_effect_of((enum check_result)_i, &effect));
    ck_assert_int_eq(effect.event, _i == CHECK_OK ? SERVER_EVENT_CHECK_PASSED : SERVER_EVENT_CHECK_FAILED);
    ck_assert_int_eq(effect.cause < SERVER_FAILURES, _i != CHECK_OK);
    const char *expected = _i == CHECK_OK            ? "check-passed"
                           : _i == CHECK_TLS_REFUSED ? "tls-failed"
                                                     : check_result_name((enum check_result)_i);
    ck_assert_str_eq(server_cause_word(effect.cause), expected);
}
END_TEST

START_TEST(each_result_changes_the_state_or_not)
{
    apply((enum check_result)_i, NULL, NULL, NOW);
    enum server_health expected = _i == CHECK_OK         ? SERVER_UP
                                  : _i == CHECK_NOT_MADE ? SERVER_UNCHECKED
                                                         : SERVER_DOWN;
    ck_assert_int_eq(server_state_health(server), expected);
    for (int i = 0; i < CHECK_RESULTS; i++)
        ck_assert_uint_eq(server->checks[i], i == _i);
}
END_TEST

/* However often this machine lacks something, a row of failures neither grows nor ends by it. */
START_TEST(what_is_not_made_does_not_count)
{
    struct server_rules slow = rules;
    slow.fall = 2;
    server_state_configure(server, &slow, 0, NULL);
    apply(CHECK_OK, NULL, NULL, NOW);
    for (int i = 0; i < 10; i++)
        apply(CHECK_NOT_MADE, "too many open files", NULL, NOW);
    ck_assert_int_eq(server_state_health(server), SERVER_UP);
    apply(CHECK_NO_GREETING, NULL, NULL, NOW);
    ck_assert_int_eq(server_state_health(server), SERVER_FAILING);
    apply(CHECK_NOT_MADE, NULL, NULL, NOW);
    ck_assert_int_eq(server_state_health(server), SERVER_FAILING);
    apply(CHECK_NO_GREETING, NULL, NULL, NOW);
    ck_assert_int_eq(server_state_health(server), SERVER_DOWN);
    ck_assert_uint_eq(server->checks[CHECK_NOT_MADE], 11);
}
END_TEST

START_TEST(the_last_one_is_remembered)
{
    char longer[2 * SERVER_CHECK_DETAIL_MAX];
    ck_assert_uint_eq(server->last_check.at_ms, 0);
    apply(CHECK_TLS_UNTRUSTED, "the name \"\x1b[31m\xc3\xa4\n\"", NULL, NOW);
    ck_assert_int_eq(server->last_check.result, CHECK_TLS_UNTRUSTED);
    ck_assert_uint_eq(server->last_check.at_ms, NOW);
    ck_assert_uint_eq(server->last_check.duration_ms, 7);
    ck_assert_str_eq(server->last_check.detail, "the name \"?[31m???\"");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    apply(CHECK_BAD_GREETING, longer, NULL, NOW);
    ck_assert_uint_eq(strlen(server->last_check.detail), SERVER_CHECK_DETAIL_MAX - 1);
    apply(CHECK_OK, NULL, NULL, NOW + 1);
    ck_assert_str_eq(server->last_check.detail, "");
    ck_assert_uint_eq(server->last_check.at_ms, NOW + 1);
}
END_TEST

/* What a failing server says, or one that says nothing, replaces nothing. */
START_TEST(facts_of_the_last_one_that_passed)
{
    struct server_facts *first = server_facts_new(slice_of("IMAP4rev1\n"), slice_of("PLAIN"), slice_of(""));
    struct server_facts *second = server_facts_new(slice_of("IMAP4rev2\n"), slice_of("PLAIN"), slice_of(""));
    ck_assert(first != NULL && second != NULL);
    apply(CHECK_OK, NULL, first, NOW);
    ck_assert_ptr_eq(server->facts, first);
    apply(CHECK_NO_LOGIN_OFFERED, NULL, second, NOW);
    ck_assert_ptr_eq(server->facts, first);
    apply(CHECK_OK, NULL, NULL, NOW);
    ck_assert_ptr_eq(server->facts, first);
    server_facts_unref(&first); /* the server has its own reference */
    ck_assert(slice_equals(server->facts->capabilities, slice_of("IMAP4rev1\n")));
    apply(CHECK_OK, NULL, second, NOW);
    ck_assert_ptr_eq(server->facts, second);
    server_facts_unref(&second);
}
END_TEST

/* ---- which protocol a pool's servers speak ---- */

START_TEST(protocol_of_a_pool)
{
    struct cfg_service services[] = {{.protocol = PROTOCOL_IMAP, .pool = 1},
                                     {.protocol = PROTOCOL_POP3, .pool = 0},
                                     {.protocol = PROTOCOL_SUBMISSION, .pool = 1}};
    struct cfg_host hosts[] = {{.pools = {CFG_NO_POOL, CFG_NO_POOL, CFG_NO_POOL}},
                               {.pools = {CFG_NO_POOL, CFG_NO_POOL, CFG_NO_POOL}}};
    struct cfg cfg = {
        .services = services, .service_count = 3, .hosts = hosts, .host_count = 2, .pool_count = 4};
    enum protocol protocol = PROTOCOL_IMAP;
    hosts[1].pools[PROTOCOL_SUBMISSION] = 2;
    ck_assert(pool_protocol_find(&cfg, 0, &protocol));
    ck_assert_int_eq(protocol, PROTOCOL_POP3);
    ck_assert(pool_protocol_find(&cfg, 1, &protocol)); /* a warning of the file: the first one counts */
    ck_assert_int_eq(protocol, PROTOCOL_IMAP);
    ck_assert(pool_protocol_find(&cfg, 2, &protocol));
    ck_assert_int_eq(protocol, PROTOCOL_SUBMISSION);
    ck_assert(!pool_protocol_find(&cfg, 3, &protocol));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check_effect");
    TCase *tests = tcase_create("check_effect");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, each_failure_is_a_cause, 0, CHECK_RESULTS);
    tcase_add_loop_test(tests, each_result_changes_the_state_or_not, 0, CHECK_RESULTS);
    tcase_add_test(tests, what_is_not_made_does_not_count);
    tcase_add_test(tests, the_last_one_is_remembered);
    tcase_add_test(tests, facts_of_the_last_one_that_passed);
    tcase_add_test(tests, protocol_of_a_pool);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
