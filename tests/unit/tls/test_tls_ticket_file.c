/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "tls/tickets/tls_ticket_file.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written by Python's base64: 16 times a letter, 32 times the next, 32 times the one after that. */
#define KEY_A                                                                                                \
    "QUFBQUFBQUFBQUFBQUFBQUJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0" \
    "NDQ0M="
#define KEY_D                                                                                                \
    "REREREREREREREREREREREVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRk" \
    "ZGRkY="
#define KEY_G                                                                                                \
    "R0dHR0dHR0dHR0dHR0dHR0hISEhISEhISEhISEhISEhISEhISEhISEhISEhISEhISUlJSUlJSUlJSUlJSUlJSUlJSUlJSUlJSUlJSU" \
    "lJSUk="
#define KEY_J                                                                                                \
    "SkpKSkpKSkpKSkpKSkpKSktLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLTExMTExMTExMTExMTExMTExMTExMTExMTExMTE" \
    "xMTEw="
#define OF_48 "TU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1N"
#define OF_79                                                                                                \
    "TU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU" \
    "1NTQ=="
#define OF_81                                                                                                \
    "TU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU" \
    "1NTU1N"

static void expect_keys(const char *text, const char *letters)
{
    struct tls_ticket_set set;
    struct tls_ticket_problem problem;
    ck_assert_msg(tls_ticket_file_parse(slice_of(text), &set, &problem), "line %u: %s", problem.line,
                  problem.text);
    ck_assert_ptr_null(problem.text);
    ck_assert_uint_eq(set.count, 3);
    ck_assert_uint_eq(set.sealing, 1);
    for (size_t i = 0; i < 3; i++) {
        struct tls_ticket_key key;
        memset(key.name, letters[i], sizeof key.name);
        memset(key.aes, letters[i] + 1, sizeof key.aes);
        memset(key.hmac, letters[i] + 2, sizeof key.hmac);
        ck_assert_mem_eq(&set.keys[i], &key, sizeof key);
    }
}

START_TEST(name_then_aes_then_hmac_of_the_last_three_lines)
{
    expect_keys(KEY_A "\n" KEY_D "\n" KEY_G "\n", "ADG");
    expect_keys(KEY_A "\n" KEY_D "\n" KEY_G "\n" KEY_J "\n", "DGJ");
    expect_keys(KEY_A "\n" KEY_D "\n" KEY_G, "ADG");
    expect_keys("\r\n" KEY_A "\r\n\n\n" KEY_D "\r\n" KEY_G "\r\n\r\n", "ADG");
}
END_TEST

static const struct bad_text {
    const char *what;
    const char *text;
    unsigned line;
    const char *said;
} bad_texts[] = {
    {"nothing", "", 0, "fewer than three keys"},
    {"empty lines", "\n\n\r\n", 0, "fewer than three keys"},
    {"two keys", KEY_A "\n" KEY_D "\n", 0, "fewer than three keys"},
    {"a comment", KEY_A "\n# yesterday's\n" KEY_D "\n" KEY_G "\n", 2, "can't have comments"},
    {"other text", KEY_A "\n" KEY_D "\n\n-----BEGIN PRIVATE KEY-----\n", 4, "no base64"},
    {"a blank before", " " KEY_A "\n" KEY_D "\n" KEY_G "\n", 1, "too long"},
    {"a blank in the middle", "QUFB QUF\n", 1, "no base64"},
    {"a key cut short", KEY_A "\n" KEY_D "\nR0dHR0dH\n", 3, "wrong size"},
    {"without padding", KEY_A "\nREQ\n", 2, "no base64"},
    {"padding alone", KEY_A "\n====\n", 2, "no base64"},
    {"two keys on a line", KEY_A KEY_D "\n", 1, "too long"},
    {"a key for AES-128", KEY_A "\n" OF_48 "\n", 2, "for AES-128"},
    {"an octet less", KEY_A "\n" OF_79 "\n", 2, "wrong size"},
    {"an octet more", KEY_A "\n" OF_81 "\n", 2, "wrong size"},
    {"a key twice", KEY_A "\n" KEY_D "\n" KEY_A "\n", 3, "same name"},
};

START_TEST(what_is_wrong_is_said_with_its_line)
{
    static const struct tls_ticket_set nothing;
    const struct bad_text *bad = &bad_texts[_i];
    struct tls_ticket_set set;
    struct tls_ticket_problem problem;
    ck_assert_msg(!tls_ticket_file_parse(slice_of(bad->text), &set, &problem), "%s", bad->what);
    ck_assert_msg(problem.line == bad->line, "%s: line %u", bad->what, problem.line);
    ck_assert_msg(strstr(problem.text, bad->said) != NULL, "%s: %s", bad->what, problem.text);
    ck_assert_mem_eq(&set, &nothing, sizeof set);
}
END_TEST

START_TEST(what_is_no_text_is_refused)
{
    struct tls_ticket_set set;
    struct tls_ticket_problem problem;
    uint8_t octets[108] = {0};
    ck_assert(!tls_ticket_file_parse((struct slice){octets, sizeof octets}, &set, &problem));
    ck_assert_uint_eq(problem.line, 1);
    memcpy(octets, KEY_A, sizeof octets);
    octets[50] = '\0';
    ck_assert(!tls_ticket_file_parse((struct slice){octets, sizeof octets}, &set, &problem));
    static uint8_t large[TLS_TICKET_FILE_MAX + 1];
    memset(large, '\n', sizeof large);
    ck_assert(!tls_ticket_file_parse((struct slice){large, sizeof large}, &set, &problem));
    ck_assert_str_eq(problem.text, "the file is too large for one of ticket keys");
    ck_assert(!tls_ticket_file_parse((struct slice){large, sizeof large - 1}, &set, &problem));
    ck_assert_ptr_nonnull(strstr(problem.text, "fewer than three"));
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
    struct tls_ticket_set set;
    struct tls_ticket_set again;
    struct tls_ticket_problem problem;
    char text[TLS_TICKET_FILE_TEXT];
    tls_ticket_file_make(&set);
    tls_ticket_file_format(&set, text);
    ck_assert(tls_ticket_file_parse((struct slice){(const uint8_t *)text, sizeof text}, &again, &problem));
    ck_assert(tls_ticket_set_equals(&set, &again));
    /* To the octet what the format is: lines of 108 signs. */
    for (size_t i = 1; i <= 3; i++)
        ck_assert_int_eq(text[i * 109 - 1], '\n');
    ck_assert(tls_ticket_file_parse(slice_of(KEY_A "\n" KEY_D "\n" KEY_G "\n"), &set, &problem));
    tls_ticket_file_format(&set, text);
    ck_assert_mem_eq(text, KEY_A "\n" KEY_D "\n" KEY_G "\n", sizeof text);
}
END_TEST

START_TEST(rotation_lets_a_key_be_known_before_it_seals)
{
    struct tls_ticket_set set;
    struct tls_ticket_set before;
    tls_ticket_file_make(&set);
    ck_assert_uint_eq(set.count, 3);
    for (unsigned i = 0; i < 4; i++) {
        before = set;
        tls_ticket_file_rotate(&set);
        ck_assert_uint_eq(set.sealing, 1);
        /* What seals now was there already, and what sealed still opens. */
        ck_assert_mem_eq(&set.keys[set.sealing], &before.keys[2], sizeof set.keys[0]);
        ck_assert_mem_eq(&set.keys[0], &before.keys[before.sealing], sizeof set.keys[0]);
        ck_assert_uint_eq(tls_ticket_set_find(&before, set.keys[2].name), TLS_TICKET_KEYS);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_ticket_file");
    TCase *tests = tcase_create("file");
    tcase_add_test(tests, name_then_aes_then_hmac_of_the_last_three_lines);
    tcase_add_loop_test(tests, what_is_wrong_is_said_with_its_line, 0, ARRAY_LEN(bad_texts));
    tcase_add_test(tests, what_is_no_text_is_refused);
    tcase_add_test(tests, what_is_written_is_read_again);
    tcase_add_test(tests, rotation_lets_a_key_be_known_before_it_seals);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
