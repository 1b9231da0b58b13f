/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS towards a pool's servers: what a reload keeps or reads anew, and each worker's place at each server. */
#include "proxy/backends/pool_tls.h"

#include "base/array.h"
#include "certificates.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 3, LINE_OF_CA = 7, LINE_OF_CERTIFICATE = 8, LINE_OF_POOL = 9 };

static struct cfg cfg;
static struct cfg_pool pools[3];
static struct cfg_problems problems;
static const struct pool_tls_source here; /* keys are read into this process, and nothing is known */
static const struct certificate_wish for_clients = {.names = {"proxy.example"}};

/* Three pools: in the clear, with an authority, and with a certificate of the proxy's own beside it. */
static void set_up(void)
{
    struct tls_certificate_files files = certificate_make_at(&for_clients, "own.pem", "own.key");
    problems = (struct cfg_problems){0};
    memset(pools, 0, sizeof pools);
    for (size_t i = 1; i < 3; i++)
        pools[i].tls = (struct cfg_pool_tls){.mode = CFG_POOL_TLS_IMPLICIT,
                                             .verify = true,
                                             .min_version = CFG_TLS_1_2,
                                             .ca = (char *)(uintptr_t)certificates_authority(false),
                                             .place = {"F", LINE_OF_POOL},
                                             .ca_place = {"F", LINE_OF_CA},
                                             .certificate_place = {"F", LINE_OF_CERTIFICATE}};
    pools[2].tls.certificate = (char *)(uintptr_t)files.chain;
    pools[2].tls.key = (char *)(uintptr_t)files.key;
    cfg = (struct cfg){.pools = pools, .pool_count = ARRAY_LEN(pools)};
}

static void tear_down(void)
{
    cfg_problems_free(&problems);
}

static struct pool_tls *make(size_t pool)
{
    struct pool_tls *made = pool_tls_new(&cfg, &pools[pool], SERVERS, &here, &problems);
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_ptr_nonnull(made);
    return made;
}

static char *broken_file(void)
{
    return (char *)(uintptr_t)certificates_write("broken.pem", "nothing of the kind\n");
}

/* The problem with this index is about that line, and says so with these words. */
static void expect_problem(size_t index, enum cfg_severity severity, unsigned line, const char *words)
{
    ck_assert_uint_lt(index, problems.count);
    ck_assert_int_eq(problems.items[index].severity, severity);
    ck_assert_str_eq(problems.items[index].file, "F");
    ck_assert_uint_eq(problems.items[index].line, line);
    ck_assert_msg(strstr(problems.items[index].text, words) != NULL, "no \"%s\" in: %s", words,
                  problems.items[index].text);
}

/* ---- places to resume from ---- */

static struct server_state server_at(size_t slot)
{
    return (struct server_state){.identity.tls_name = "store.example", .id = 100 + slot, .slot = slot};
}

/* A slot is for one server and one worker: sessions of two servers, or two threads, never meet. */
START_TEST(a_place_for_each_worker_at_each_server)
{
    bool taken[SERVERS * 64] = {0};
    cfg.workers = 64;
    struct pool_tls *tls = make(1);
    ck_assert_uint_ge(tls->workers, 64);
    for (size_t server = 0; server < SERVERS; server++)
        for (size_t worker = 0; worker < 64; worker++) {
            struct server_state state = server_at(server);
            struct tls_backend_server parameters = pool_tls_server(tls, &state, worker);
            ck_assert_uint_eq(parameters.owner, state.id);
            ck_assert_str_eq(parameters.name, "store.example");
            ck_assert_ptr_eq(parameters.resumption, tls->resumption);
            ck_assert_uint_lt(parameters.slot, SERVERS * tls->workers);
            ck_assert(tls->workers > 64 || !taken[parameters.slot]);
            if (tls->workers == 64)
                taken[parameters.slot] = true;
        }
    pool_tls_unref(&tls);
    ck_assert_ptr_null(tls);
    pool_tls_unref(&tls);
}
END_TEST

/* A reload can't change how many run, and one that asks for fewer still has a place for each that does. */
START_TEST(workers_and_servers_beyond_resume_nothing)
{
    long cores = sysconf(_SC_NPROCESSORS_CONF);
    cfg.workers = 1;
    struct pool_tls *tls = make(1);
    struct server_state first = server_at(0);
    struct server_state beyond = server_at(SERVERS);
    ck_assert_uint_eq(tls->workers, cores > 1 ? (size_t)cores : 1);
    ck_assert_ptr_nonnull(pool_tls_server(tls, &first, tls->workers - 1).resumption);
    ck_assert_ptr_null(pool_tls_server(tls, &first, tls->workers).resumption);
    ck_assert_ptr_null(pool_tls_server(tls, &first, tls->workers + 1).resumption);
    ck_assert_ptr_null(pool_tls_server(tls, &beyond, 0).resumption);
    pool_tls_unref(&tls);
}
END_TEST

/* ---- what is read anew ---- */

START_TEST(unchanged_files_are_not_read_again)
{
    bool stale = true;
    struct pool_tls *old = make(2);
    struct pool_tls *renewed = pool_tls_renew(old, &cfg, &pools[2], SERVERS, &here, &stale, &problems);
    ck_assert_ptr_eq(renewed, old);
    ck_assert(!stale);
    ck_assert_uint_eq(problems.count, 0);
    pool_tls_unref(&renewed);
    ck_assert_uint_eq(old->slots, SERVERS); /* it is still there */
    pool_tls_unref(&old);
}
END_TEST

START_TEST(changed_files_are)
{
    bool stale = true;
    struct tls_certificate_info info;
    struct pool_tls *old = make(2);
    static const struct certificate_wish wish = {.names = {"other.example"}};
    certificate_make_at(&wish, "own.pem", "own.key");
    struct pool_tls *renewed = pool_tls_renew(old, &cfg, &pools[2], SERVERS, &here, &stale, &problems);
    ck_assert_ptr_ne(renewed, old);
    ck_assert(!stale);
    ck_assert_uint_eq(problems.count, 0);
    ck_assert(tls_context_own_certificate(renewed->context, &info));
    ck_assert_str_eq(info.names[0], "other.example");
    pool_tls_unref(&renewed);
    pool_tls_unref(&old);
}
END_TEST

START_TEST(files_that_can_not_be_used_any_more)
{
    bool stale = false;
    struct pool_tls *old = make(2);
    certificates_write("own.pem", "nothing of the kind\n");
    struct pool_tls *renewed = pool_tls_renew(old, &cfg, &pools[2], SERVERS, &here, &stale, &problems);
    ck_assert_ptr_eq(renewed, old);
    ck_assert(stale);
    ck_assert_uint_eq(problems.errors, 0);
    expect_problem(0, CFG_WARNING, LINE_OF_CERTIFICATE, "; what was read before stays in use");
    pool_tls_unref(&renewed);
    pool_tls_unref(&old);
}
END_TEST

/* Another configuration may have more servers: the files' contents stay, and the places are its own. */
START_TEST(another_configuration_with_the_same_files)
{
    bool stale = true;
    struct tls_certificate_info info;
    struct pool_tls *old = make(2);
    struct pool_tls *after = pool_tls_new_after(old, &cfg, &pools[2], SERVERS + 1, &here, &stale, &problems);
    ck_assert(!stale);
    ck_assert_ptr_eq(after->context, old->context);
    ck_assert_ptr_ne(after->resumption, old->resumption);
    pool_tls_unref(&after);
    after = pool_tls_new_after(old, &cfg, &pools[2], SERVERS, &here, &stale, &problems);
    ck_assert_ptr_eq(after, old); /* it has room for them: sessions can be resumed */
    pool_tls_unref(&after);
    certificates_write("own.pem", "nothing of the kind\n");
    after = pool_tls_new_after(old, &cfg, &pools[2], SERVERS + 1, &here, &stale, &problems);
    ck_assert(stale);
    ck_assert_ptr_eq(after->context, old->context);
    ck_assert_ptr_ne(after->resumption, old->resumption);
    expect_problem(0, CFG_WARNING, LINE_OF_CERTIFICATE, "; what was read before stays in use");
    pool_tls_unref(&old);
    ck_assert(tls_context_own_certificate(after->context, &info));
    ck_assert_str_eq(info.names[0], "proxy.example");
    pool_tls_unref(&after);
}
END_TEST

START_TEST(what_is_the_same)
{
    struct cfg_pool_tls a = pools[2].tls;
    struct cfg_pool_tls b = a;
    a.passphrase = b.passphrase = (char *)(uintptr_t) "passphrase";
    b.place.line = 77; /* where it stands is no difference, nor are names that only some sessions ask for */
    b.name = (char *)(uintptr_t) "store.example";
    ck_assert(pool_tls_is_same(&a, &b));
    char **const texts[] = {&b.ca, &b.certificate, &b.key, &b.passphrase};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char *before = *texts[i];
        *texts[i] = (char *)(uintptr_t) "another";
        ck_assert_msg(!pool_tls_is_same(&a, &b), "text %zu", i);
        *texts[i] = NULL;
        ck_assert_msg(!pool_tls_is_same(&a, &b), "text %zu", i);
        *texts[i] = before;
    }
    b.verify = false;
    ck_assert(!pool_tls_is_same(&a, &b));
    b.verify = true;
    b.min_version = CFG_TLS_1_3;
    ck_assert(!pool_tls_is_same(&a, &b));
    b.min_version = CFG_TLS_1_2;
    ck_assert(pool_tls_is_same(&a, &b));
}
END_TEST

/* ---- what is wrong ---- */

/* Each file's error is told at its own line. */
START_TEST(files_that_can_not_be_used)
{
    pools[2].tls.ca = broken_file();
    ck_assert_ptr_null(pool_tls_new(&cfg, &pools[2], SERVERS, &here, &problems));
    ck_assert_uint_ge(problems.errors, 1);
    expect_problem(0, CFG_ERROR, LINE_OF_CA, "broken.pem");
    cfg_problems_free(&problems);
    pools[2].tls.ca = pools[1].tls.ca;
    pools[2].tls.certificate = broken_file();
    ck_assert_ptr_null(pool_tls_new(&cfg, &pools[2], SERVERS, &here, &problems));
    ck_assert_uint_ge(problems.errors, 1);
    expect_problem(0, CFG_ERROR, LINE_OF_CERTIFICATE, "broken.pem");
}
END_TEST

/* Who verifies nothing needs no authority. */
START_TEST(without_verifying)
{
    pools[1].tls.ca = NULL;
    pools[1].tls.verify = false;
    struct pool_tls *tls = make(1);
    pool_tls_unref(&tls);
}
END_TEST

/* A check looks at all pools, and leaves out what can't be looked at. */
START_TEST(a_check_of_all)
{
    pool_tls_check(&cfg, NULL, &problems);
    ck_assert_uint_eq(problems.count, 0);
    pools[0].tls.ca = pools[2].tls.ca = broken_file(); /* the first has no TLS */
    pool_tls_check(&cfg, NULL, &problems);
    ck_assert_uint_eq(problems.count, 1);
    expect_problem(0, CFG_ERROR, LINE_OF_CA, "broken.pem");
    pools[2].tls.key = NULL; /* an error of the file, which config/ has told */
    pool_tls_check(&cfg, NULL, &problems);
    ck_assert_uint_eq(problems.count, 1);
    pools[1].tls.ca = broken_file();
    pool_tls_check(&cfg, NULL, &problems);
    ck_assert_uint_eq(problems.count, 2);
}
END_TEST

/* ---- all of them ---- */

START_TEST(sets)
{
    struct tls_certificate_info info;
    struct pool_tls_set *a = pool_tls_set_new(3);
    struct pool_tls_set *b = pool_tls_set_new(3);
    struct pool_tls_set *shorter = pool_tls_set_new(2);
    for (size_t i = 1; i < 3; i++) {
        a->pools[i] = make(i);
        b->pools[i] = pool_tls_ref(a->pools[i]);
    }
    shorter->pools[1] = pool_tls_ref(a->pools[1]);
    ck_assert(pool_tls_set_equals(a, b));
    ck_assert(!pool_tls_set_equals(a, shorter));
    ck_assert(!pool_tls_set_equals(shorter, a));
    for (size_t i = 1; i < 3; i++) {
        struct pool_tls *before = b->pools[i];
        b->pools[i] = make(i);
        ck_assert(!pool_tls_set_equals(a, b));
        pool_tls_unref(&b->pools[i]);
        b->pools[i] = before;
    }
    ck_assert(!pool_tls_set_certificate(a, 0, &info)); /* no TLS */
    ck_assert(!pool_tls_set_certificate(a, 1, &info)); /* no certificate */
    ck_assert(pool_tls_set_certificate(a, 2, &info));
    ck_assert_str_eq(info.path, pools[2].tls.certificate);
    struct pool_tls_set *held = pool_tls_set_ref(a);
    pool_tls_set_unref(&a);
    ck_assert_ptr_null(a);
    pool_tls_set_unref(&a);
    ck_assert(pool_tls_set_equals(held, b));
    pool_tls_set_unref(&held);
    pool_tls_set_unref(&b);
    pool_tls_set_unref(&shorter);
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("pool_tls");
    TCase *tests = tcase_create("pools");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_place_for_each_worker_at_each_server);
    tcase_add_test(tests, workers_and_servers_beyond_resume_nothing);
    tcase_add_test(tests, unchanged_files_are_not_read_again);
    tcase_add_test(tests, changed_files_are);
    tcase_add_test(tests, files_that_can_not_be_used_any_more);
    tcase_add_test(tests, another_configuration_with_the_same_files);
    tcase_add_test(tests, what_is_the_same);
    tcase_add_test(tests, files_that_can_not_be_used);
    tcase_add_test(tests, without_verifying);
    tcase_add_test(tests, a_check_of_all);
    tcase_add_test(tests, sets);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
