/* SPDX-License-Identifier: BSD-2-Clause */
/* What sessions of one snapshot have in common: how long they wait for what, and how long it stays. */
#include "proxy/worker/generation.h"

#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>

static struct snapshot *snapshot;
static struct pool_tls_set *pools;
static struct member_lists *members;

static void set_up(void)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg;
    free(cfg_text_load(
        "timeouts = { handshake = \"1 s\"; connect = \"2 s\"; greeting = \"3 s\"; login = \"4 s\"; idle = "
        "\"30 min\"; failover = \"5 s\"; };\n" CFG_TLS CFG_IMAP_SERVICE
        "backends = ( { name = \"stores\"; servers = ( { address = \"10.0.0.11:143\"; } ); },\n"
        "  { name = \"others\"; servers = ( { address = \"10.0.0.12:143\"; } ); } );\n",
        &cfg));
    ck_assert_ptr_nonnull(cfg);
    snapshot = snapshot_new(&cfg, NULL, NULL, &problems);
    pools = pool_tls_set_new(2);
    members = member_lists_new(2);
    ck_assert(snapshot != NULL && pools != NULL && members != NULL);
}

static void tear_down(void)
{
    snapshot_unref(&snapshot);
    pool_tls_set_unref(&pools);
    member_lists_unref(&members);
}

static struct generation *make(void)
{
    struct generation *made = generation_new(&(struct runtime){snapshot, NULL, pools, members});
    ck_assert_ptr_nonnull(made);
    return made;
}

static const struct {
    int class;
    uint64_t ms;
} spans[] = {
    {WORKER_TIMEOUT_HANDSHAKE, 1000},
    {WORKER_TIMEOUT_CONNECT, 2000},
    {WORKER_TIMEOUT_GREETING, 3000},
    {WORKER_TIMEOUT_ABANDONED, 1000},
    {WORKER_TIMEOUT_LOGIN, 4000},
    {WORKER_TIMEOUT_COMMAND, 4000},
    {WORKER_TIMEOUT_IDLE, 1800000},
    {WORKER_TIMEOUT_CLOSING, 10000},
    {WORKER_TIMEOUT_ENDING, 500},
    {WORKER_TIMEOUT_SLOWED, 500},
    {WORKER_TIMEOUT_SLOWED_2, 1000},
    {WORKER_TIMEOUT_SLOWED_3, 1500},
    {WORKER_TIMEOUT_SLOWED_LAST, WORKER_SLOWED_MAX_MS},
    {WORKER_TIMEOUT_FAILOVER, 5000},
    {WORKER_TIMEOUT_QUICK, 500},
    {WORKER_TIMEOUT_QUICK + 1, 1000},
    {WORKER_TIMEOUT_QUICK + 2, 2000},
    {WORKER_TIMEOUT_QUICK + 3, 4000},
    {WORKER_TIMEOUT_QUICK + 4, 8000},
    {WORKER_TIMEOUT_QUICK + 5, 16000},
    {WORKER_TIMEOUT_PARTING, 100},
    {WORKER_TIMEOUT_PARTING + 1, 200},
    {WORKER_TIMEOUT_PARTING + 2, 400},
    {WORKER_TIMEOUT_PARTING + 3, 800},
    {WORKER_TIMEOUT_PARTING + 4, 1600},
    {WORKER_TIMEOUT_PARTING + 5, 3200},
    {WORKER_TIMEOUT_PARTING + 6, 6400},
    {WORKER_TIMEOUT_PARTING + 7, 12800},
};
_Static_assert(ARRAY_LEN(spans) == WORKER_TIMEOUTS, "a row for each class");

/* Each class has a list of its own: what is set in one expires after its time, and after no other's. */
START_TEST(timeouts)
{
    struct generation *generation = make();
    struct deadline deadline = {0};
    ck_assert_uint_eq(generation->timeouts[spans[_i].class].span, spans[_i].ms);
    deadline_set(&generation->timeouts[spans[_i].class], &deadline, 77);
    ck_assert_ptr_null(generation_take_expired(generation, 77 + spans[_i].ms - 1));
    ck_assert_ptr_eq(generation_take_expired(generation, 77 + spans[_i].ms), &deadline);
    ck_assert_ptr_null(generation_take_expired(generation, UINT64_MAX));
    generation_free(&generation);
    ck_assert_ptr_null(generation);
    generation_free(&generation);
}
END_TEST

START_TEST(quick_classes)
{
    ck_assert_int_eq(generation_quick_timeout(1), WORKER_TIMEOUT_QUICK);
    ck_assert_int_eq(generation_quick_timeout(500), WORKER_TIMEOUT_QUICK);
    ck_assert_int_eq(generation_quick_timeout(501), WORKER_TIMEOUT_QUICK + 1);
    ck_assert_int_eq(generation_quick_timeout(16000), WORKER_TIMEOUT_QUICK + 5);
    ck_assert_int_eq(generation_quick_timeout(16001), WORKER_TIMEOUTS);
    struct generation *generation = make();
    struct deadline deadline = {0};
    ck_assert(!generation_has_quick(generation));
    deadline_set(&generation->timeouts[WORKER_TIMEOUT_GREETING], &deadline, 77);
    ck_assert(!generation_has_quick(generation));
    deadline_set(&generation->timeouts[WORKER_TIMEOUT_QUICK + 5], &deadline, 77);
    ck_assert(generation_has_quick(generation));
    deadline_set(&generation->timeouts[WORKER_TIMEOUT_PARTING + 7], &deadline, 77);
    ck_assert(generation_has_quick(generation));
    deadline_drop(&deadline);
    generation_free(&generation);
}
END_TEST

/* Steps that make up any time, and never more than is left but for the first. */
START_TEST(classes_for_parting)
{
    ck_assert_int_eq(generation_parting_timeout(0), WORKER_TIMEOUT_PARTING);
    ck_assert_int_eq(generation_parting_timeout(199), WORKER_TIMEOUT_PARTING);
    ck_assert_int_eq(generation_parting_timeout(200), WORKER_TIMEOUT_PARTING + 1);
    ck_assert_int_eq(generation_parting_timeout(12799), WORKER_TIMEOUT_PARTING + 6);
    ck_assert_int_eq(generation_parting_timeout(12800), WORKER_TIMEOUT_PARTING + 7);
    ck_assert_int_eq(generation_parting_timeout(UINT64_MAX), WORKER_TIMEOUT_PARTING + 7);
}
END_TEST

/* What it holds outlives its maker. */
START_TEST(of_a_worker)
{
    struct generation *generation = make();
    ck_assert_ptr_eq(generation->snapshot, snapshot);
    ck_assert_ptr_eq(generation->pools, pools);
    ck_assert_uint_eq(generation->sessions, 0);
    struct snapshot *mine = snapshot;
    snapshot_unref(&mine); /* of set_up */
    ck_assert_uint_eq(generation->snapshot->cfg->pool_count, 2);
    snapshot_ref(snapshot); /* for tear_down */
    generation_free(&generation);
}
END_TEST

/* Deadlines of all of them, the newest first; one at a time, until there are none. */
START_TEST(deadlines_of_all_generations)
{
    struct generation *generations[3];
    struct deadline deadlines[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        generations[i] = make();
        generations[i]->older = i > 0 ? generations[i - 1] : NULL;
        deadline_set(&generations[i]->timeouts[i == 1 ? WORKER_TIMEOUT_ENDING : WORKER_TIMEOUT_LOGIN],
                     &deadlines[i], 10);
    }
    ck_assert_ptr_null(generation_take_expired(generations[2], 509));
    ck_assert_ptr_eq(generation_take_expired(generations[2], 4009), &deadlines[1]);
    ck_assert_ptr_null(generation_take_expired(generations[2], 4009));
    ck_assert_ptr_eq(generation_take_expired(generations[2], 4010), &deadlines[2]);
    ck_assert_ptr_eq(generation_take_expired(generations[2], 4010), &deadlines[0]);
    ck_assert_ptr_null(generation_take_expired(generations[2], 4010));
    for (size_t i = 0; i < 3; i++)
        generation_free(&generations[i]);
}
END_TEST

/* All that are empty go, wherever they are, and the newest stays although it is empty. */
START_TEST(empty_ones_are_dropped)
{
    struct generation *generations[5];
    for (size_t i = 0; i < 5; i++) {
        generations[i] = make();
        generations[i]->older = i > 0 ? generations[i - 1] : NULL;
    }
    generations[1]->sessions = 1;
    generations[2]->sessions = 2;
    generation_drop_empty(generations[4]);
    ck_assert_ptr_eq(generations[4]->older, generations[2]);
    ck_assert_ptr_eq(generations[2]->older, generations[1]);
    ck_assert_ptr_null(generations[1]->older);
    generations[2]->sessions = 0;
    generation_drop_empty(generations[4]);
    ck_assert_ptr_eq(generations[4]->older, generations[1]);
    ck_assert_ptr_null(generations[1]->older);
    generations[1]->sessions = 0;
    generation_drop_empty(generations[4]);
    ck_assert_ptr_null(generations[4]->older);
    generation_free(&generations[4]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("generation");
    TCase *tests = tcase_create("generation");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, timeouts, 0, ARRAY_LEN(spans));
    tcase_add_test(tests, quick_classes);
    tcase_add_test(tests, classes_for_parting);
    tcase_add_test(tests, of_a_worker);
    tcase_add_test(tests, deadlines_of_all_generations);
    tcase_add_test(tests, empty_ones_are_dropped);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
