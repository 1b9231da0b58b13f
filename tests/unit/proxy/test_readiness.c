/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/readiness.h"

#include "base/array.h"
#include "run_suite.h"
#include "server_pool.h"

#include <string.h>

enum { NOW = SERVER_POOL_NOW };

static char name_of_msa[] = "msa";
static char name_of_stores[] = "stores";
static char name_of_others[] = "others";
static struct cfg_pool cfg_pools[] = {
    {.name = name_of_stores}, {.name = name_of_msa}, {.name = name_of_others}};
static struct cfg cfg = {.pools = cfg_pools, .pool_count = ARRAY_LEN(cfg_pools)};
static struct snapshot snapshot = {.cfg = &cfg};
static struct runtime runtime = {.snapshot = &snapshot};
static size_t needs[ARRAY_LEN(cfg_pools)];
static char why[128];

static void set_up(void)
{
    cfg.admin = (struct cfg_admin){.ready_needs = needs};
    runtime.members = member_lists_new(ARRAY_LEN(cfg_pools));
    ck_assert_ptr_nonnull(runtime.members);
    for (size_t i = 0; i < ARRAY_LEN(cfg_pools); i++)
        runtime.members->lists[i] = server_pool_new(2);
    why[0] = '\0';
}

static void tear_down(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cfg_pools); i++)
        server_pool_free(&runtime.members->lists[i]);
    member_lists_unref(&runtime.members);
}

static void need(size_t pool)
{
    needs[cfg.admin.ready_need_count++] = pool;
}

static struct server_state *server(size_t pool, size_t index)
{
    return runtime.members->lists[pool]->members[index].server;
}

static void lose(size_t pool)
{
    for (size_t i = 0; i < 2; i++)
        server_state_event(server(pool, i), SERVER_EVENT_CHECK_FAILED, SERVER_CONNECT_REFUSED, NOW, NULL);
}

static void expect(const char *words)
{
    why[0] = '\0';
    ck_assert_int_eq(readiness_of_pools(&runtime, why, sizeof why), words == NULL);
    ck_assert_str_eq(why, words != NULL ? words : "");
}

/* Nothing was checked yet: a container that has just begun is not killed for it. */
START_TEST(it_begins_ready)
{
    expect(NULL);
    need(0);
    need(1);
    expect(NULL);
}
END_TEST

START_TEST(one_pool_is_enough)
{
    lose(0);
    lose(2);
    expect(NULL);
    lose(1);
    expect("no server takes sessions in any pool");
    server_state_event(server(1, 1), SERVER_EVENT_CHECK_PASSED, SERVER_CAUSE_CHECK_PASSED, NOW, NULL);
    expect(NULL);
}
END_TEST

START_TEST(each_pool_that_is_needed)
{
    need(1);
    lose(0);
    expect(NULL);
    lose(1);
    expect("no server takes sessions in the pool msa");
    need(0);
    expect("no server takes sessions in the pool msa, nor in 1 more");
    server_state_event(server(1, 0), SERVER_EVENT_CHECK_PASSED, SERVER_CAUSE_CHECK_PASSED, NOW, NULL);
    expect("no server takes sessions in the pool stores");
    server_state_event(server(0, 0), SERVER_EVENT_CHECK_PASSED, SERVER_CAUSE_CHECK_PASSED, NOW, NULL);
    expect(NULL);
}
END_TEST

/* The states of a server, and if it is one that takes sessions. */
static const struct {
    enum server_health health;
    bool is_available;
} states[] = {{SERVER_UNCHECKED, true}, {SERVER_UP, true},         {SERVER_FAILING, true},
              {SERVER_DOWN, false},     {SERVER_RISING, false},    {SERVER_WARMING, true},
              {SERVER_EJECTED, false},  {SERVER_UNRESOLVED, false}};
_Static_assert(ARRAY_LEN(states) == SERVER_HEALTHS, "all of them");

START_TEST(each_state)
{
    need(0);
    lose(0);
    atomic_store(&server(0, 0)->health, states[_i].health);
    server_state_set_weight(server(0, 0), 1, NOW); /* it is seen */
    expect(states[_i].is_available ? NULL : "no server takes sessions in the pool stores");
}
END_TEST

START_TEST(what_the_operator_takes_out)
{
    need(0);
    server_state_set_admin(server(0, 0), SERVER_DRAIN, SERVER_CAUSE_OPERATOR, NOW, NULL);
    expect(NULL);
    server_state_set_admin(server(0, 1), SERVER_MAINTENANCE, SERVER_CAUSE_OPERATOR, NOW, NULL);
    expect("no server takes sessions in the pool stores");
    server_state_set_admin(server(0, 0), SERVER_READY, SERVER_CAUSE_OPERATOR, NOW, NULL);
    expect(NULL);
    server_state_set_weight(server(0, 0), 0, NOW);
    expect("no server takes sessions in the pool stores");
}
END_TEST

START_TEST(a_long_name)
{
    static char name[300];
    memset(name, 'x', sizeof name - 1);
    cfg_pools[1].name = name;
    need(1);
    need(0);
    lose(0);
    lose(1);
    ck_assert(!readiness_of_pools(&runtime, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "xxx, nor in 1 more"));
    cfg_pools[1].name = name_of_msa;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("readiness");
    TCase *tests = tcase_create("readiness");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_begins_ready);
    tcase_add_test(tests, one_pool_is_enough);
    tcase_add_test(tests, each_pool_that_is_needed);
    tcase_add_loop_test(tests, each_state, 0, (int)(ARRAY_LEN(states)));
    tcase_add_test(tests, what_the_operator_takes_out);
    tcase_add_test(tests, a_long_name);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
