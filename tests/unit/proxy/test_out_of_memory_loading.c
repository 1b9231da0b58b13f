/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration is loaded, and loaded again, with each of its allocations failing in turn: all is in effect
 * as it stands in the file, or nothing is and the program says so, and what ran before runs on. (All memory
 * comes back: the address sanitizer looks at that.)
 */
#include "proxy/runtime/snapshot.h"

#include "certificates.h"
#include "failing_heap.h"
#include "proxy/control/reload.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- configurations ---- */

/* Something of everything that a snapshot is made of. */
static const char text[] =
    "key_isolation = false; workers = 2; user = \"nobody\"; state_file = \"%1$s.state\";\n"
    "deep = { tags = [ \"tls12\" ]; url = \"https://mail.example.com/security\"; };\n"
    "tls = { certificates = ( { chain = \"%2$s\"; key = \"%3$s\"; } ); };\n"
    "services = (\n"
    "  { name = \"imap\"; protocol = \"imap\"; listen = [ \"127.0.0.1:0\" ]; backend = \"stores\";\n"
    "    client_certificates = { ca = \"%4$s\"; external = false; }; },\n"
    "  { name = \"pop3\"; protocol = \"pop3\"; listen = [ \"127.0.0.1:0\" ]; backend = \"others\"; } );\n"
    "hosts = ( { names = [ \"mail.example.com\" ]; backends = { imap = \"others-imap\"; };\n"
    "           deep = { tags = [ \"tls12\" ]; ca = \"%4$s\"; withdraw = [ \"x\" ]; }; } );\n"
    "backends = (\n"
    "  { name = \"stores\"; servers = ( { address = \"127.0.0.1:143\"; }, { address = \"localhost:144\"; } "
    "); },\n"
    "  { name = \"others-imap\"; servers = ( { address = \"127.0.0.2:143\"; } ); },\n"
    "  { name = \"others\"; servers = ( { address = \"127.0.0.1:995\"; } );\n"
    "    tls = { mode = \"implicit\"; ca = \"%4$s\"; name = \"mail.example.com\"; }; } );\n";

static const char *path;
static const struct runtime nothing;

static void write_configuration(void)
{
    static const struct certificate_wish wish = {.names = {"mail.example.com"}};
    struct tls_certificate_files files = certificate_make(&wish);
    char *all;
    ck_assert_int_gt(asprintf(&all, text, certificates_path("commitments"), files.chain, files.key,
                              certificates_authority(false)),
                     0);
    path = certificates_write("deepproxy.conf", all);
    free(all);
}

/* Of TLS towards servers what was read before may stay in use: a warning says so. */
static bool is_whole(const struct runtime *loaded)
{
    const struct snapshot *snapshot = loaded->snapshot;
    return loaded->tls != NULL && tls_context_certificate_count(loaded->tls) == 1 && loaded->pools != NULL &&
           loaded->pools->count == 3 && snapshot->cfg->service_count == 2 && snapshot->cfg->host_count == 1 &&
           loaded->members->lists[0]->count >= 2 && loaded->members->lists[1]->count == 1 &&
           loaded->members->lists[2]->count == 1 && snapshot->tickets.keys != NULL &&
           snapshot_service(snapshot, &snapshot->services[0], "mail.example.com")->pool ==
               &snapshot->pools[1];
}

/* False if it was not loaded; then nothing of it is there, and an error says why. */
static bool load(const struct runtime *before, struct runtime *loaded)
{
    struct cfg_problems problems = {0};
    failing_heap_begin();
    bool ok = runtime_load(path, NULL, before, loaded, &problems);
    failing_heap_end();
    if (!failing_heap_has_failed())
        cfg_problems_print(&problems, stderr);
    if (!ok) {
        ck_assert_ptr_null(loaded->snapshot);
        ck_assert_ptr_null(loaded->tls);
        ck_assert_ptr_null(loaded->pools);
        ck_assert_uint_gt(problems.errors, 0);
    } else {
        ck_assert_uint_eq(problems.errors, 0);
    }
    cfg_problems_free(&problems);
    return ok;
}

static void check_loading(const struct runtime *before)
{
    struct runtime loaded;
    size_t fails_at = 0;
    size_t refused = 0;
    for (bool failed = true; failed; fails_at++) {
        failing_heap_set(fails_at);
        bool ok = load(before, &loaded);
        failed = failing_heap_has_failed();
        ck_assert_msg(ok || failed, "not loaded, with all memory that it wanted");
        ck_assert_msg(!ok || is_whole(&loaded), "allocation %zu: loaded, but not all of it", fails_at);
        refused += !ok;
        runtime_unref(&loaded);
    }
    ck_assert_uint_gt(fails_at, 250);
    ck_assert_uint_gt(refused, 200);
}

START_TEST(a_configuration)
{
    write_configuration();
    check_loading(&nothing);
}
END_TEST

START_TEST(a_configuration_after_another)
{
    struct runtime before;
    write_configuration();
    failing_heap_set(FAILING_HEAP_NEVER);
    ck_assert(load(&nothing, &before));
    check_loading(&before);
    ck_assert(is_whole(&before));
    runtime_unref(&before);
}
END_TEST

/* Without its text an error is one all the same, and the printed list says that it is not whole. */
START_TEST(a_problem_that_can_not_be_kept)
{
    struct cfg_problems problems = {0};
    char *printed = NULL;
    size_t len = 0;
    failing_heap_set((size_t)_i);
    failing_heap_begin();
    cfg_problems_add(&problems, CFG_ERROR, (struct cfg_place){"file", 1}, "first");
    cfg_problems_add(&problems, CFG_WARNING, (struct cfg_place){"file", 2}, "second");
    failing_heap_end();
    ck_assert(failing_heap_has_failed());
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_uint_eq(problems.lost, 1);
    ck_assert_uint_eq(problems.lost_errors, _i < 2);
    ck_assert_str_eq(problems.items[0].text, _i < 2 ? "second" : "first");
    FILE *to = open_memstream(&printed, &len);
    cfg_problems_print(&problems, to);
    ck_assert_int_eq(fclose(to), 0);
    ck_assert_ptr_nonnull(strstr(printed, "out of memory: 1 "));
    free(printed);
    cfg_problems_free(&problems);
}
END_TEST

/* ---- a reload, in its thread ---- */

static unsigned done;

static void on_done(struct reload *reload)
{
    done++;
    ck_assert_ptr_eq(reload->arg, &done);
}

static void run_reload(struct reload *reload, uv_loop_t *loop, enum reload_kind kind,
                       const struct runtime *before)
{
    *reload = (struct reload){.on_done = on_done, .arg = &done};
    done = 0;
    failing_heap_of_threads(true);
    ck_assert_int_eq(reload_start(reload, loop, kind, before), 0);
    uv_run(loop, UV_RUN_DEFAULT);
    failing_heap_of_threads(false);
    ck_assert_uint_eq(done, 1);
}

/* What has been reloaded is whole, or it is missing with an error that says why. */
static void check_reload(const struct reload *reload, bool failed)
{
    const struct runtime *result = &reload->result;
    bool wants_snapshot = reload->kind == RELOAD_CONFIGURATION;
    bool is_there =
        result->tls != NULL && result->pools != NULL && (result->snapshot != NULL) == wants_snapshot;
    ck_assert(is_there || failed);
    ck_assert_int_eq(is_there, reload->problems.errors == 0);
    ck_assert_msg(!is_there || !wants_snapshot || is_whole(result), "reloaded, but not all of it");
    ck_assert(result->tls == NULL || tls_context_certificate_count(result->tls) == 1);
    ck_assert(result->pools == NULL || (result->pools->count == 3 && result->pools->pools[2] != NULL));
    /* The folders of the next change, even if this one has failed. */
    ck_assert(failed || (reload->folders.count > 0 && !reload->folders.incomplete));
    ck_assert(reload->folders.count > 0 || reload->folders.incomplete);
}

START_TEST(a_reload)
{
    enum reload_kind kind = _i == 0 ? RELOAD_CONFIGURATION : RELOAD_CERTIFICATES;
    uv_loop_t loop;
    struct runtime before;
    struct reload reload;
    size_t fails_at = 0;
    write_configuration();
    failing_heap_set(FAILING_HEAP_NEVER);
    ck_assert(load(&nothing, &before));
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    run_reload(&reload, &loop, kind, &before); /* the first request starts libuv's threads */
    check_reload(&reload, false);
    reload_end(&reload);
    for (bool failed = true; failed; fails_at++) {
        failing_heap_set(fails_at);
        run_reload(&reload, &loop, kind, &before);
        failed = failing_heap_has_failed();
        check_reload(&reload, failed);
        reload_end(&reload);
        ck_assert(is_whole(&before));
    }
    ck_assert_uint_gt(fails_at, 8);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    runtime_unref(&before);
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("out of memory while loading");
    TCase *tests = tcase_create("loading");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_configuration);
    tcase_add_test(tests, a_configuration_after_another);
    tcase_add_loop_test(tests, a_problem_that_can_not_be_kept, 0, 4);
    tcase_add_loop_test(tests, a_reload, 0, 2);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
