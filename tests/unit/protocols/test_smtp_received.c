/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_received.h"
#include "failing_heap.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct smtp_received *received;

static void setup(void)
{
    struct engine_client client = {.address = "203.0.113.5", .session_id = "session-1"};
    received = smtp_received_new(&client);
    ck_assert_ptr_nonnull(received);
}

static void teardown(void)
{
    smtp_received_free(&received);
}

static const char *write_at(int64_t seconds, const char *hostname)
{
    static char field[SMTP_RECEIVED_MAX + 1];
    struct smtp_stamp stamp = {
        .hostname = hostname, .tls_cipher = "TLS_AES_128_GCM_SHA256", .seconds = seconds, .extended = true};
    size_t len = smtp_received_write(received, &stamp, field);
    ck_assert_uint_le(len, SMTP_RECEIVED_MAX);
    field[len] = '\0';
    return field;
}

/* Against the C library's calendar, at the ends and in the middle of each day of more than 400 years. */
START_TEST(every_day_has_its_date)
{
    static const int64_t within[] = {0, 86399, 45296};
    for (int64_t day = 0; day < 150000; day++) {
        int64_t seconds = day * 86400 + within[day % 3];
        time_t time = (time_t)seconds;
        struct tm tm;
        char date[64];
        ck_assert_ptr_nonnull(gmtime_r(&time, &tm));
        ck_assert_uint_gt(strftime(date, sizeof date, "; %a, %e %b %Y %T +0000\r\n", &tm), 0);
        if (date[7] == ' ')
            memmove(date + 7, date + 8, strlen(date + 8) + 1);
        const char *field = write_at(seconds, "mail.example.com");
        const char *found = strchr(field, ';');
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found, date);
    }
}
END_TEST

/* RFC 5321 section 4.5.3.1.2: domains of 255 octets. */
START_TEST(the_longest_parts_fit)
{
    char name[256];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    smtp_received_offer_name(received, slice_of(name));
    smtp_received_accept_name(received);
    const char *field = write_at(4102444800, name);
    ck_assert_ptr_nonnull(strstr(field, name));
    size_t column = 0;
    for (const char *p = field; *p != '\0'; p++) {
        column = *p == '\n' ? 0 : column + 1;
        ck_assert_uint_le(column, 998);
    }
}
END_TEST

START_TEST(without_memory_the_address_stands_for_the_name)
{
    smtp_received_offer_name(received, slice_of("client.example.com"));
    smtp_received_accept_name(received);
    ck_assert_ptr_nonnull(strstr(write_at(0, "mail.example.com"), "from client.example.com ("));
    failing_heap_set(0);
    failing_heap_begin();
    smtp_received_offer_name(received, slice_of("other.example.com"));
    failing_heap_end();
    ck_assert(failing_heap_has_failed());
    smtp_received_accept_name(received);
    const char *field = write_at(0, "mail.example.com");
    ck_assert_ptr_null(strstr(field, "client.example.com"));
    ck_assert_ptr_null(strstr(field, "other.example.com"));
    ck_assert_ptr_nonnull(strstr(field, "from ["));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("smtp_received");
    TCase *tests = tcase_create("field");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_day_has_its_date);
    tcase_add_test(tests, the_longest_parts_fit);
    tcase_add_test(tests, without_memory_the_address_stands_for_the_name);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
