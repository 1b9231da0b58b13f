/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/admin/metrics_text.h"
#include "proxy/common/histogram.h"

#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(struct metrics_text *text, const char *expected)
{
    ck_assert(!text->failed);
    char *written = strndup((const char *)text->bytes.data, text->bytes.len);
    ck_assert_str_eq(written, expected);
    free(written);
    metrics_text_free(text);
}

START_TEST(a_family)
{
    struct metrics_text text = {0};
    const struct metrics_label labels[] = {{"service", "imap"}, {"tag", "tls12"}};
    metrics_text_family(&text, "reports_total", METRICS_COUNTER, "What clients said.");
    metrics_text_sample(&text, labels, 2, INT64_MAX);
    metrics_text_sample(&text, labels, 1, 0);
    metrics_text_sample(&text, NULL, 0, -1);
    expect(&text, "# HELP reports_total What clients said.\n"
                  "# TYPE reports_total counter\n"
                  "reports_total{service=\"imap\",tag=\"tls12\"} 9223372036854775807\n"
                  "reports_total{service=\"imap\"} 0\n"
                  "reports_total -1\n");
}
END_TEST

START_TEST(a_single_one)
{
    struct metrics_text text = {0};
    metrics_text_single(&text, "up", METRICS_GAUGE, "Whether it is.", 1);
    expect(&text, "# HELP up Whether it is.\n# TYPE up gauge\nup 1\n");
}
END_TEST

static const struct {
    uint64_t value;
    const char *written;
} thousandths[] = {{0, "0"},      {1, "0.001"},  {10, "0.01"},
                   {250, "0.25"}, {1000, "1"},   {1001, "1.001"},
                   {2500, "2.5"}, {30000, "30"}, {UINT64_MAX, "18446744073709551.615"}};

START_TEST(values_in_thousandths)
{
    char got[METRICS_THOUSANDTHS_MAX];
    metrics_text_format_thousandths(thousandths[_i].value, got);
    ck_assert_str_eq(got, thousandths[_i].written);
}
END_TEST

START_TEST(a_histogram)
{
    static struct histogram histogram;
    struct metrics_text text = {0};
    const struct metrics_label label = {"pool", "p"};
    histogram_add(&histogram, 1);
    histogram_add(&histogram, 7);
    histogram_add(&histogram, 8);
    histogram_add(&histogram, 60000);
    metrics_text_family(&text, "t_seconds", METRICS_HISTOGRAM, "H.");
    metrics_text_histogram(&text, &label, 1, &histogram);
    expect(&text, "# HELP t_seconds H.\n# TYPE t_seconds histogram\n"
                  "t_seconds_bucket{pool=\"p\",le=\"0.001\"} 1\n"
                  "t_seconds_bucket{pool=\"p\",le=\"0.005\"} 1\n"
                  "t_seconds_bucket{pool=\"p\",le=\"0.01\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"0.025\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"0.05\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"0.1\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"0.25\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"0.5\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"1\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"2.5\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"5\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"10\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"30\"} 3\n"
                  "t_seconds_bucket{pool=\"p\",le=\"+Inf\"} 4\n"
                  "t_seconds_sum{pool=\"p\"} 60.016\n"
                  "t_seconds_count{pool=\"p\"} 4\n");
}
END_TEST

START_TEST(a_summary)
{
    struct metrics_text text = {0};
    const struct metrics_label label = {"pool", "p"};
    metrics_text_family(&text, "t_seconds", METRICS_SUMMARY, "H.");
    metrics_text_summary(&text, &label, 1, 1250, 3);
    expect(&text, "# HELP t_seconds H.\n# TYPE t_seconds summary\n"
                  "t_seconds_sum{pool=\"p\"} 1.25\n"
                  "t_seconds_count{pool=\"p\"} 3\n");
}
END_TEST

/* A value and how it is written. */
static const struct {
    const char *value;
    const char *written;
} values[] = {
    {"", ""},
    {"/etc/mail.pem", "/etc/mail.pem"},
    {"*.example.com {}=,#", "*.example.com {}=,#"},
    {"\"", "\\\""},
    {"\\", "\\\\"},
    {"\\n", "\\\\n"},
    {"a\nb", "a\\nb"},
    {"\"\"\\\\\n\n", "\\\"\\\"\\\\\\\\\\n\\n"},
    {"\x01\t\r\x7f", "\\\\x01\\\\x09\\\\x0D\\\\x7F"},
    {"caf\xc3\xa9", "caf\xc3\xa9"},
    {"\xe2\x82\xac \xf0\x9f\x93\xa7", "\xe2\x82\xac \xf0\x9f\x93\xa7"},
    {"\xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf",
     "\xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"},
    {"caf\xe9", "caf\\\\xE9"},
    {"\xe9z", "\\\\xE9z"},
    {"\x80\xbf", "\\\\x80\\\\xBF"},
    {"\xc0\x80", "\\\\xC0\\\\x80"},                       /* NUL in two octets */
    {"\xc1\xbf", "\\\\xC1\\\\xBF"},                       /* too long a form */
    {"\xe0\x9f\xbf", "\\\\xE0\\\\x9F\\\\xBF"},            /* too long a form */
    {"\xf0\x8f\xbf\xbf", "\\\\xF0\\\\x8F\\\\xBF\\\\xBF"}, /* too long a form */
    {"\xed\xa0\x80", "\\\\xED\\\\xA0\\\\x80"},            /* a surrogate */
    {"\xf4\x90\x80\x80", "\\\\xF4\\\\x90\\\\x80\\\\x80"}, /* beyond the last character */
    {"\xf5\x80\x80\x80\xff", "\\\\xF5\\\\x80\\\\x80\\\\x80\\\\xFF"},
    {"\xe2\x82", "\\\\xE2\\\\x82"}, /* cut */
    {"\xf0\x9f\x93", "\\\\xF0\\\\x9F\\\\x93"},
    {"\xc3", "\\\\xC3"},
    {"\xe2\x82\xe2\x82\xac", "\\\\xE2\\\\x82\xe2\x82\xac"},
};

START_TEST(values_of_labels)
{
    struct metrics_text text = {0};
    const struct metrics_label label = {"l", values[_i].value};
    char expected[256];
    metrics_text_family(&text, "m", METRICS_GAUGE, "H.");
    metrics_text_sample(&text, &label, 1, 0);
    snprintf(expected, sizeof expected, "# HELP m H.\n# TYPE m gauge\nm{l=\"%s\"} 0\n", values[_i].written);
    expect(&text, expected);
}
END_TEST

/* It fails once and for all, and holds no more than the limit. */
START_TEST(too_much)
{
    enum { LEN = 1024 * 1024 };
    struct metrics_text text = {0};
    char *value = malloc(LEN + 1);
    ck_assert_ptr_nonnull(value);
    memset(value, 'x', LEN);
    value[LEN] = '\0';
    const struct metrics_label label = {"l", value};
    metrics_text_family(&text, "m", METRICS_GAUGE, "H.");
    for (int i = 0; i < METRICS_TEXT_MAX / LEN + 1; i++)
        metrics_text_sample(&text, &label, 1, 0);
    ck_assert(text.failed);
    ck_assert_uint_le(text.bytes.len, METRICS_TEXT_MAX);
    metrics_text_sample(&text, NULL, 0, 0);
    ck_assert(text.failed);
    metrics_text_free(&text);
    free(value);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics_text");
    TCase *tests = tcase_create("metrics_text");
    tcase_add_test(tests, a_family);
    tcase_add_test(tests, a_single_one);
    tcase_add_loop_test(tests, values_in_thousandths, 0, (int)(ARRAY_LEN(thousandths)));
    tcase_add_test(tests, a_histogram);
    tcase_add_test(tests, a_summary);
    tcase_add_loop_test(tests, values_of_labels, 0, (int)(ARRAY_LEN(values)));
    tcase_add_test(tests, too_much);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
