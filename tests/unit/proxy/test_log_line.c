/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/common/log_line.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What follows the time, the level and the event. */
static const char *pairs_of(const struct log_line *line)
{
    static char text[LOG_LINE_MAX + 1];
    memcpy(text, line->text, line->len);
    text[line->len] = '\0';
    char *event = strstr(text, " event=session");
    ck_assert_ptr_nonnull(event);
    return event + strlen(" event=session");
}

START_TEST(begins_with_time_level_and_event)
{
    static const char *const levels[] = {[CFG_LOG_ERROR] = "error",
                                         [CFG_LOG_WARNING] = "warning",
                                         [CFG_LOG_INFO] = "info",
                                         [CFG_LOG_DEBUG] = "debug"};
    for (int level = CFG_LOG_ERROR; level <= CFG_LOG_DEBUG; level++) {
        struct log_line line;
        char word[16] = "";
        int end = 0;
        int year;
        int rest[5];
        int millis;
        log_line_begin(&line, (enum cfg_log_level)level, "session");
        log_line_end(&line);
        line.text[line.len] = '\0';
        int fields = sscanf(line.text, "time=%4d-%2d-%2dT%2d:%2d:%2d.%3dZ level=%15s event=session\n%n",
                            &year, &rest[0], &rest[1], &rest[2], &rest[3], &rest[4], &millis, word, &end);
        ck_assert_int_eq(fields, 8);
        ck_assert_uint_eq((size_t)end, line.len);
        ck_assert_int_gt(year, 2000);
        ck_assert_str_eq(word, levels[level]);
    }
}
END_TEST

/* Between the proxy and the C library: they take its lock of the time zone, which all workers would share. */
struct tm *__wrap_gmtime_r(const time_t *time, struct tm *into);
size_t __wrap_strftime(char *into, size_t cap, const char *format, const struct tm *time);

struct tm *__wrap_gmtime_r(const time_t *time, struct tm *into)
{
    (void)time;
    (void)into;
    ck_abort_msg("gmtime_r for a line of the log");
}

size_t __wrap_strftime(char *into, size_t cap, const char *format, const struct tm *time)
{
    (void)into;
    (void)cap;
    (void)format;
    (void)time;
    ck_abort_msg("strftime for a line of the log");
}

/* The time is now, in UTC, whatever the environment has as its time zone. */
START_TEST(the_time_is_of_utc)
{
    struct log_line line;
    struct tm tm = {0};
    ck_assert_int_eq(setenv("TZ", "XYZ-11:30", 1), 0);
    tzset();
    time_t before = time(NULL);
    log_line_begin(&line, CFG_LOG_INFO, "session");
    time_t after = time(NULL);
    line.text[line.len] = '\0';
    ck_assert_int_eq(sscanf(line.text, "time=%4d-%2d-%2dT%2d:%2d:%2d.", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                            &tm.tm_hour, &tm.tm_min, &tm.tm_sec),
                     6);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t told = timegm(&tm);
    ck_assert(told >= before && told <= after);
}
END_TEST

static const struct {
    const char *value;
    size_t len; /* 0: a C string */
    const char *encoded;
} values[] = {
    {"plain", 0, "plain"},
    {"", 0, "\"\""},
    {"two words", 0, "\"two words\""},
    {"a=b", 0, "\"a=b\""},
    {"say \"no\"", 0, "\"say \\\"no\\\"\""},
    {"back\\slash", 0, "\"back\\\\slash\""},
    {"[::1]:993", 0, "[::1]:993"},
    {"<https://mail.example.com/?a>", 0, "<https://mail.example.com/?a>"},
    /* A line of one's own making: the wish of whoever names his client so. */
    {"x\r\ntime=2026-01-01T00:00:00.000Z level=error event=forged", 0,
     "\"x\\x0D\\x0Atime=2026-01-01T00:00:00.000Z level=error event=forged\""},
    {"x\" reason=\"logout", 0, "\"x\\\" reason=\\\"logout\""},
    {"x\\\" reason=\"logout", 0, "\"x\\\\\\\" reason=\\\"logout\""},
    /* What would colour or move a terminal: ESC, BEL, DEL, C1 controls. */
    {"\x1b[2J\x1b]0;title\x07", 0, "\"\\x1B[2J\\x1B]0;title\\x07\""},
    {"\x7f\x9b"
     "31m",
     0, "\"\\x7F\\x9B31m\""},
    {"tab\there", 0, "\"tab\\x09here\""},
    {"nul\0inside", 10, "\"nul\\x00inside\""},
    {"gr\xc3\xbc\xc3\x9f", 0, "\"gr\\xC3\\xBC\\xC3\\x9F\""},
    {"\xff\xfe", 0, "\"\\xFF\\xFE\""},
};

START_TEST(value)
{
    struct log_line line;
    char expected[256];
    size_t len = values[_i].len > 0 ? values[_i].len : strlen(values[_i].value);
    log_line_begin(&line, CFG_LOG_INFO, "session");
    log_line_add(&line, "client_name", (struct slice){(const uint8_t *)values[_i].value, len});
    log_line_add_text(&line, "after", "1");
    log_line_end(&line);
    snprintf(expected, sizeof expected, " client_name=%s after=1\n", values[_i].encoded);
    ck_assert_str_eq(pairs_of(&line), expected);
}
END_TEST

START_TEST(every_octet_keeps_the_line_printable)
{
    for (unsigned c = 0; c < 256; c++) {
        struct log_line line;
        uint8_t octet = (uint8_t)c;
        log_line_begin(&line, CFG_LOG_INFO, "session");
        log_line_add(&line, "key", (struct slice){&octet, 1});
        for (size_t i = 0; i < line.len; i++)
            ck_assert(line.text[i] >= 0x20 && line.text[i] < 0x7f);
        log_line_end(&line);
        ck_assert_int_eq(line.text[line.len - 1], '\n');
    }
}
END_TEST

START_TEST(numbers_and_nothing)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_INFO, "session");
    log_line_add_text(&line, "absent", NULL);
    log_line_add_number(&line, "zero", 0);
    log_line_add_number(&line, "nine", 9);
    log_line_add_number(&line, "ten", 10);
    log_line_add_number(&line, "most", UINT64_MAX);
    log_line_add_seconds(&line, "short", 7);
    log_line_add_seconds(&line, "long", 3600123);
    log_line_end(&line);
    ck_assert_str_eq(pairs_of(&line),
                     " zero=0 nine=9 ten=10 most=18446744073709551615 short=0.007 long=3600.123\n");
}
END_TEST

START_TEST(a_full_line_drops_what_does_not_fit)
{
    static uint8_t zeros[LOG_LINE_MAX];
    static uint8_t letters[LOG_LINE_MAX];
    memset(letters, 'a', sizeof letters);
    for (size_t len = 0; len <= LOG_LINE_MAX; len += len < 800 || len > 1100 ? 97 : 1) {
        struct log_line line;
        log_line_begin(&line, CFG_LOG_INFO, "session");
        log_line_add(&line, "worst", (struct slice){zeros, len});
        log_line_add(&line, "letters", (struct slice){letters, len});
        for (int i = 0; i < 2000; i++)
            log_line_add_text(&line, "key", "value with spaces");
        ck_assert_uint_lt(line.len, LOG_LINE_MAX);
        log_line_end(&line);
        ck_assert_uint_le(line.len, LOG_LINE_MAX);
        ck_assert_int_eq(line.text[line.len - 1], '\n');
        /* Whole pairs only: the last quote is one that closes. */
        ck_assert_int_eq(line.text[line.len - 2], '"');
        ck_assert_ptr_eq(memchr(line.text, '\n', line.len), line.text + line.len - 1);
    }
}
END_TEST

START_TEST(all_reports_of_full_length_fit)
{
    /* What a session's line has at most: five reports of 256 octets (ENGINE_REPORT_MAX) and a server name. */
    static const char *const keys[] = {"sni",   "client_name", "client_version",
                                       "latch", "latch_fail",  "security_tags"};
    struct log_line line;
    uint8_t letters[256];
    memset(letters, 'a', sizeof letters);
    log_line_begin(&line, CFG_LOG_INFO, "session");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        log_line_add(&line, keys[i], (struct slice){letters, sizeof letters});
    log_line_end(&line);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        ck_assert_ptr_nonnull(strstr(pairs_of(&line), keys[i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_line");
    TCase *tests = tcase_create("line");
    tcase_add_test(tests, begins_with_time_level_and_event);
    tcase_add_test(tests, the_time_is_of_utc);
    tcase_add_loop_test(tests, value, 0, ARRAY_LEN(values));
    tcase_add_test(tests, every_octet_keeps_the_line_printable);
    tcase_add_test(tests, numbers_and_nothing);
    tcase_add_test(tests, a_full_line_drops_what_does_not_fit);
    tcase_add_test(tests, all_reports_of_full_length_fit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
