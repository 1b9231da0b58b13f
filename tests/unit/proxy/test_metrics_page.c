/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/metrics_page.h"

#include "certificates.h"
#include "run_suite.h"
#include "server_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERVERS = 250, FAMILIES_OF_SERVERS = 9 /* at least */ };

static struct cfg_pool cfg_pool;
static struct cfg cfg = {.pools = &cfg_pool, .pool_count = 1};
static struct snapshot snapshot = {.cfg = &cfg};
static struct member_lists *members;
static const struct pool_tls_set no_pools;
static struct metrics_state state;
static struct tls_context *tls;
static struct metrics_certificates *certificates;
static struct metrics_pages pages;
static struct metrics_writer writer;

static void set_up(void)
{
    const struct certificate_wish wish = {.names = {"mail.example.com"}};
    struct tls_certificate_files files = certificate_make(&wish);
    struct tls_settings settings = {
        .certificates = &files, .certificate_count = 1, .min_version = TLS_1_2, .max_version = TLS_1_3};
    struct tls_report report = {0};
    tls = tls_context_new_server(&settings, &report);
    ck_assert_ptr_nonnull(tls);
    certificates = metrics_certificates_new(tls, &no_pools);
    refcount_init(&snapshot.references);
    members = member_lists_new(1);
    ck_assert_ptr_nonnull(members);
    members->lists[0] = server_pool_new(SERVERS);
    state = (struct metrics_state){.runtime = {.snapshot = &snapshot, .tls = tls, .members = members},
                                   .workers = 7};
}

static void tear_down(void)
{
    metrics_writer_give_up(&writer);
    ck_assert_uint_eq(snapshot.references.count, 1);
    ck_assert_ptr_null(pages.newest);
    ck_assert_uint_eq(pages.octets, 0);
    ck_assert_uint_eq(members->references.count, 1);
    server_pool_free(&members->lists[0]);
    member_lists_unref(&members);
    metrics_certificates_unref(&certificates);
    tls_context_unref(&tls);
}

/* How many steps it took after the first. */
static size_t write_page(struct metrics_page **page)
{
    size_t steps = 0;
    enum metrics_progress progress = metrics_writer_begin(&writer, &pages, &state, certificates);
    for (; progress == METRICS_UNFINISHED; steps++) {
        ck_assert(metrics_writer_is_busy(&writer));
        progress = metrics_writer_step(&writer);
    }
    ck_assert_int_eq(progress, METRICS_WRITTEN);
    *page = metrics_writer_take(&writer);
    ck_assert(!metrics_writer_is_busy(&writer));
    return steps;
}

static char *text_of(const struct metrics_page *page)
{
    struct slice parts[2];
    char *text = NULL;
    metrics_page_text(page, parts);
    ck_assert_int_gt(
        asprintf(&text, "%.*s%.*s", (int)parts[0].len, parts[0].data, (int)parts[1].len, parts[1].data), 0);
    return text;
}

static size_t count_of(const char *text, const char *word)
{
    size_t found = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        found++;
    return found;
}

START_TEST(a_small_page_takes_one_step)
{
    struct metrics_page *page;
    cfg.pool_count = 0;
    ck_assert_uint_eq(write_page(&page), 0);
    metrics_page_unref(&page);
    metrics_page_unref(&page);
    cfg.pool_count = 1;
}
END_TEST

/* A step has no more servers than it may, each family begins once, and nothing is missing. */
START_TEST(a_large_page_takes_many_steps)
{
    struct metrics_page *page;
    ck_assert_uint_ge(write_page(&page), SERVERS * FAMILIES_OF_SERVERS / METRICS_POOLS_STEP);
    char *text = text_of(page);
    ck_assert_uint_eq(count_of(text, "\n# TYPE deepproxy_server_sessions "), 1);
    ck_assert_uint_eq(count_of(text, "\ndeepproxy_server_sessions{"), SERVERS);
    ck_assert_uint_eq(count_of(text, "\ndeepproxy_server_greeting_seconds_count{"), SERVERS);
    ck_assert_uint_eq(count_of(text, "\ndeepproxy_server_state{"), SERVERS * SERVER_HEALTHS);
    ck_assert_uint_eq(count_of(text, "\ndeepproxy_workers 7\n"), 1);
    ck_assert_uint_eq(count_of(text, "name=\"mail.example.com\""), 1);
    free(text);
    metrics_page_unref(&page);
}
END_TEST

/* A reload meanwhile may drop what it is about. */
START_TEST(it_has_references_meanwhile)
{
    ck_assert_int_eq(metrics_writer_begin(&writer, &pages, &state, certificates), METRICS_UNFINISHED);
    ck_assert_uint_eq(snapshot.references.count, 2);
    metrics_writer_give_up(&writer);
    metrics_writer_give_up(&writer);
    ck_assert(!metrics_writer_is_busy(&writer));
    ck_assert_uint_eq(snapshot.references.count, 1);
}
END_TEST

/* Each has its text as long as somebody sends it, whichever goes first. */
START_TEST(pages_are_shared)
{
    struct metrics_page *first;
    struct metrics_page *second;
    write_page(&first);
    struct metrics_page *again = metrics_page_ref(first);
    size_t octets = pages.octets;
    write_page(&second);
    ck_assert_uint_eq(pages.octets, 2 * octets);
    ck_assert_ptr_eq(pages.newest, second);
    metrics_page_unref(&first);
    ck_assert_uint_eq(pages.octets, 2 * octets);
    char *text = text_of(again);
    ck_assert_uint_eq(count_of(text, "\ndeepproxy_workers 7\n"), 1);
    free(text);
    metrics_page_unref(&second);
    ck_assert_ptr_eq(pages.newest, again);
    metrics_page_unref(&again);
}
END_TEST

START_TEST(a_bound_on_pages)
{
    struct metrics_page *written[1000];
    size_t count = 0;
    while (!metrics_pages_are_full(&pages)) {
        ck_assert_uint_lt(count, 1000);
        write_page(&written[count++]);
    }
    ck_assert_uint_gt(count, 2);
    ck_assert_uint_le(pages.octets, METRICS_PAGES_MAX + pages.octets / count);
    metrics_page_unref(&written[1]); /* one in the middle */
    ck_assert(!metrics_pages_are_full(&pages));
    for (size_t i = 0; i < count; i++)
        metrics_page_unref(&written[i]);
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("metrics_page");
    TCase *tests = tcase_create("metrics_page");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_small_page_takes_one_step);
    tcase_add_test(tests, a_large_page_takes_many_steps);
    tcase_add_test(tests, it_has_references_meanwhile);
    tcase_add_test(tests, pages_are_shared);
    tcase_add_test(tests, a_bound_on_pages);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
