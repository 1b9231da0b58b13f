/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/admin/metrics.h"
#include "proxy/admin/metrics_pools.h"

#include "certificates.h"
#include "protocols/engine_private.h"
#include "proxy/runtime/certificate_expiry.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400

static struct cfg_service cfg_services[] = {{.name = "imap"}, {.name = "a\"b"}};
static struct cfg cfg = {.services = cfg_services, .service_count = 2};
static struct service services[2];
static struct snapshot snapshot = {.cfg = &cfg, .services = services};
static struct tls_context *tls;
static struct metrics_certificates *certificates;
static struct metrics_state state;
static char *written;

static void refuse(void *arg, int source, bool is_error, const char *text)
{
    (void)arg;
    (void)source;
    ck_assert_msg(!is_error, "%s", text);
}

static const struct pool_tls_set no_pools;

static struct tls_context *context(const struct tls_certificate_files *files, size_t count)
{
    struct tls_settings settings = {
        .certificates = files, .certificate_count = count, .min_version = TLS_1_2, .max_version = TLS_1_3};
    struct tls_report report = {.add = refuse};
    struct tls_context *made = tls_context_new_server(&settings, &report);
    ck_assert_ptr_nonnull(made);
    return made;
}

static void set_up(void)
{
    const struct certificate_wish wish = {.names = {"mail.example.com", "other.example.com"}};
    struct tls_certificate_files files = certificate_make(&wish);
    for (size_t i = 0; i < cfg.service_count; i++)
        services[i] = (struct service){.cfg = &cfg_services[i],
                                       .reports = client_reports_new(i == 0 ? "tls12 own" : ""),
                                       .counters = counters_new()};
    tls = context(&files, 1);
    certificates = metrics_certificates_new(tls, &no_pools);
    state = (struct metrics_state){
        .runtime = {.snapshot = &snapshot, .tls = tls}, .workers = 2, .hung_workers = 1};
}

static void tear_down(void)
{
    for (size_t i = 0; i < cfg.service_count; i++) {
        client_reports_unref(&services[i].reports);
        counters_unref(&services[i].counters);
    }
    metrics_certificates_unref(&certificates);
    tls_context_unref(&tls);
    free(written);
    written = NULL;
}

/* What is written now. */
static const char *write_all(void)
{
    struct metrics_text text = {0};
    struct metrics_pools_cursor cursor = {0};
    metrics_write(&text, &state, certificates);
    ck_assert(metrics_pools_write_some(&text, &state.runtime, &cursor)); /* there are none */
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

START_TEST(the_program)
{
    expect("deepproxy_build_info{version=\"" DEEPPROXY_VERSION "\"} 1");
    expect("# TYPE deepproxy_build_info gauge");
    expect("deepproxy_workers 2");
    expect("deepproxy_workers_hung 1");
    ck_assert_ptr_null(strstr(written, "key_process"));
    state.has_key_process = state.key_process_is_up = true;
    state.key_process_restarts = 7;
    expect("deepproxy_key_process_up 1");
    expect("deepproxy_key_process_restarts_total 7");
    state.key_process_is_up = false;
    expect("deepproxy_key_process_up 0");
}
END_TEST

START_TEST(reloads)
{
    state.stale_certificates = 3;
    expect("deepproxy_certificates_stale 3");
    state.configuration = (struct metrics_reload){.failed = true, .since = 1795000000};
    state.certificates = (struct metrics_reload){.failed = false, .since = 1795000001};
    expect("deepproxy_config_last_reload_successful 0");
    expect("deepproxy_config_last_reload_success_timestamp_seconds 1795000000");
    expect("deepproxy_certificates_last_reload_successful 1");
    expect("deepproxy_certificates_last_reload_success_timestamp_seconds 1795000001");
}
END_TEST

START_TEST(sessions)
{
    for (unsigned i = 0; i < 3; i++)
        counters_add(services[0].counters, i, COUNTER_SESSIONS);
    counters_add(services[0].counters, 1, COUNTER_ENDED);
    counters_add(services[0].counters, 1, COUNTER_HANDSHAKES);
    counters_add(services[1].counters, 0, counters_of_failure(TLS_FAILURE_UNKNOWN_CA));
    counters_add(services[1].counters, 0, COUNTER_FAILED_TIMEOUT);
    counters_add(services[1].counters, 0, COUNTER_SILENT);
    counters_add_usage(services[0].counters, 0, tls_usage_of(TLS_1_3, 0x1301, 29));
    counters_add(services[1].counters, 0, counters_of_limit(CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS));
    expect("deepproxy_sessions{service=\"imap\"} 2");
    expect("deepproxy_sessions{service=\"a\\\"b\"} 0");
    expect("deepproxy_sessions_total{service=\"imap\"} 3");
    expect("deepproxy_handshakes_total{service=\"imap\"} 1");
    expect("deepproxy_handshakes_failed_total{service=\"imap\",reason=\"unknown_ca\"} 0");
    expect("deepproxy_handshakes_failed_total{service=\"a\\\"b\",reason=\"unknown_ca\"} 1");
    expect("deepproxy_handshakes_failed_total{service=\"a\\\"b\",reason=\"timeout\"} 1");
    expect("deepproxy_handshakes_failed_total{service=\"a\\\"b\",reason=\"other\"} 0");
    expect("deepproxy_silent_connections_total{service=\"a\\\"b\"} 1");
    expect("deepproxy_tls_version_sessions_total{service=\"imap\",version=\"TLSv1.3\"} 1");
    expect("deepproxy_tls_cipher_sessions_total{service=\"imap\",cipher=\"TLS_AES_128_GCM_SHA256\"} 1");
    expect("deepproxy_tls_group_sessions_total{service=\"imap\",group=\"X25519\"} 1");
    expect("deepproxy_tls_group_sessions_total{service=\"imap\",group=\"other\"} 0");
    expect("deepproxy_overload_total{service=\"a\\\"b\",limit=\"limits.handshakes_per_address\"} 1");
    expect("deepproxy_overload_total{service=\"imap\",limit=\"max_connections\"} 0");
}
END_TEST

START_TEST(reports)
{
    static const struct engine_service imap = {.protocol = PROTOCOL_IMAP, .deep_status = "", .hostname = "h"};
    static const struct engine_client client = {.tls_cipher = "TLS_AES_128_GCM_SHA256"};
    struct engine *engine = engine_new(&imap, &client);
    engine_set_report(engine, ENGINE_REPORT_LATCH, slice_of("tls12 own else"));
    engine_set_report(engine, ENGINE_REPORT_LATCH_FAIL, slice_of("tls-cert"));
    client_reports_count(services[0].reports, engine);
    engine_free(&engine);
    expect("deepproxy_reports_total{service=\"imap\",tag=\"tls12\",kind=\"latch\"} 1");
    expect("deepproxy_reports_total{service=\"imap\",tag=\"own\",kind=\"latch\"} 1");
    expect("deepproxy_reports_total{service=\"imap\",tag=\"other\",kind=\"latch\"} 1");
    expect("deepproxy_reports_total{service=\"imap\",tag=\"tls-cert\",kind=\"latch_fail\"} 1");
    expect("deepproxy_reports_total{service=\"imap\",tag=\"tls12\",kind=\"security_tags\"} 0");
    expect("deepproxy_reporting_sessions_total{service=\"imap\"} 1");
    expect("deepproxy_reporting_sessions_total{service=\"a\\\"b\"} 0");
}
END_TEST

/* Seconds until the end, and what it is then. */
static const struct {
    int64_t left;
    int near;
    int past;
} ends[] = {{22 * DAY, 0, 0}, {21 * DAY, 0, 0}, {21 * DAY - 1, 1, 0}, {1, 1, 0},
            {0, 0, 1},        {-1, 0, 1},       {-400 * DAY, 0, 1}};

START_TEST(certificates_near_their_end)
{
    char line[64];
    state.now = tls_context_certificate(tls, 0).ends - ends[_i].left;
    expect("deepproxy_certificates 1");
    snprintf(line, sizeof line, "deepproxy_certificates_expiring %d", ends[_i].near);
    expect(line);
    snprintf(line, sizeof line, "deepproxy_certificates_expired %d", ends[_i].past);
    expect(line);
}
END_TEST

static char *text_of(const struct metrics_certificates *of)
{
    struct slice text = metrics_certificates_text(of);
    return strndup((const char *)text.data, text.len);
}

START_TEST(each_certificate)
{
    char expected[1024];
    struct tls_certificate_info info = tls_context_certificate(tls, 0);
    char *text = text_of(certificates);
    snprintf(
        expected, sizeof expected,
        "# HELP deepproxy_certificate_not_after_timestamp_seconds When a certificate in use ends.\n"
        "# TYPE deepproxy_certificate_not_after_timestamp_seconds gauge\n"
        "deepproxy_certificate_not_after_timestamp_seconds{chain=\"%s\",name=\"mail.example.com\"} %lld\n",
        info.path, (long long)info.ends);
    ck_assert_str_eq(text, expected);
    free(text);
}
END_TEST

static size_t count_of(const char *text, const char *word)
{
    size_t found = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        found++;
    return found;
}

/* By path, one line each, whatever the file's name is, and with no name where the certificate has none. */
START_TEST(several_certificates)
{
    const struct certificate_wish named = {.names = {"b.example"}};
    const struct certificate_wish nameless = {.ends = DAY};
    struct tls_certificate_files files[4];
    files[0] = certificate_make_at(&named, "b\"\n.pem", "b.key");
    files[1] = certificate_make_at(&nameless, "a.pem", "a.key");
    files[2] = files[0];
    files[3] = certificate_make_at(&named, "c.pem", "c.key");
    struct tls_context *several = context(files, 4);
    struct metrics_certificates *of = metrics_certificates_new(several, &no_pools);
    tls_context_unref(&several);
    char *text = text_of(of);
    ck_assert_uint_eq(count_of(text, "\ndeepproxy_certificate_not_after_timestamp_seconds{"), 3);
    const char *a = strstr(text, "/a.pem\",name=\"\"} ");
    const char *b = strstr(text, "/b\\\"\\n.pem\",name=\"b.example\"} ");
    const char *c = strstr(text, "/c.pem\",name=\"b.example\"} ");
    ck_assert_msg(a != NULL && a < b && b < c, "%s", text);
    free(text);
    struct metrics_certificates *other = metrics_certificates_ref(of);
    metrics_certificates_unref(&of);
    ck_assert_uint_gt(metrics_certificates_text(other).len, 0);
    metrics_certificates_unref(&other);
}
END_TEST

#define MANUAL TEST_SOURCE_DIR "/../config/deepproxy.conf.5"

static char *read_manual(void)
{
    char *text = NULL;
    size_t cap = 0;
    FILE *file = fopen(MANUAL, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(getdelim(&text, &cap, '\0', file), 0);
    fclose(file);
    return text;
}

/* Has an item of the page ("NAME{LABELS} , NAME ...") the name? */
static bool item_has(const char *item, struct slice name)
{
    struct slice line = slice_first_line(slice_of(item));
    for (struct slice word; (word = slice_next_word(&line, ' ')).len > 0;)
        if (slice_equals(slice_first(word, slice_find(word, '{')), name))
            return true;
    return false;
}

/* The manual page leaves the prefix of all families out. */
static void expect_in_manual(const char *manual, const char *family)
{
    static const char prefix[] = "deepproxy_";
    static const char begin[] = "\n.It Li ";
    struct slice whole = slice_first(slice_of(family), strcspn(family, " "));
    ck_assert(slice_has_prefix(whole, prefix));
    struct slice name = slice_from(whole, strlen(prefix));
    for (const char *item = manual; (item = strstr(item, begin)) != NULL; item++)
        if (item_has(item + strlen(begin), name))
            return;
    ck_abort_msg("the manual page does not have %.*s", (int)whole.len, family);
}

/* Every family that is written is an item of the manual page, and so is that of every counter. */
START_TEST(families_are_in_the_manual)
{
    char *manual = read_manual();
    size_t count = 0;
    state.has_key_process = true;
    char *of_certificates = text_of(certificates);
    const char *const texts[] = {write_all(), of_certificates};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (const char *at = texts[i]; (at = strstr(at, "# TYPE ")) != NULL; count++)
            expect_in_manual(manual, at += strlen("# TYPE "));
    ck_assert_uint_ge(count, 20);
    for (size_t i = 0; i < COUNTER_FAMILIES; i++)
        ck_assert_ptr_nonnull(strstr(written, counter_families[i].name));
    free(of_certificates);
    free(manual);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    certificates_open();
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_program);
    tcase_add_test(tests, reloads);
    tcase_add_test(tests, sessions);
    tcase_add_test(tests, reports);
    tcase_add_loop_test(tests, certificates_near_their_end, 0, (int)(ARRAY_LEN(ends)));
    tcase_add_test(tests, each_certificate);
    tcase_add_test(tests, several_certificates);
    tcase_add_test(tests, families_are_in_the_manual);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
