/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "tls/tls_names.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOBODY = 99999, MANY = 10000 };

static void add(struct tls_names *names, const char *name, size_t certificate)
{
    ck_assert(tls_names_add(names, slice_of(name), certificate));
}

static size_t find(const struct tls_names *names, const char *name)
{
    return tls_names_find(names, slice_of(name), NOBODY);
}

/* ---- one index, many questions ---- */

static const struct {
    const char *asked;
    size_t certificate;
} questions[] = {
    {"mail.example.com", 1},
    {"MAIL.EXAMPLE.COM", 1},
    {"mail.example.com.", 1},
    {"mail.example.com..", NOBODY},
    {"mail.example.co", NOBODY},
    {"mail.example.comm", NOBODY},
    {"xmail.example.com", 2},
    {"imap.example.com", 2},
    {"IMAP.Example.Com.", 2},
    {"example.com", NOBODY},
    {".example.com", NOBODY},
    {"a.b.example.com", NOBODY},
    {"b.sub.example.com", 3},
    {"sub.example.com", 2},
    {"x", NOBODY},
    {"localhost", 4},
    {"*", NOBODY},
    {"*.example.com", NOBODY},
    {"", NOBODY},
    {".", NOBODY},
    {"twice.example.net", 5},
    {"upper.example.net", 7},
    {"dotted.example.net", 8},
    /*
     * A wildcard is a whole leftmost label: anything else in it is a name like others (RFC 9525 section 6.3).
     */
    {"foo.example.org", NOBODY},
    {"f.example.org", NOBODY},
};

static void fill(struct tls_names *names)
{
    add(names, "mail.example.com", 1);
    add(names, "*.example.com", 2);
    add(names, "*.sub.example.com", 3);
    add(names, "localhost", 4);
    add(names, "twice.example.net", 5);
    add(names, "twice.example.net", 6);
    add(names, "UPPER.Example.NET", 7);
    add(names, "dotted.example.net.", 8);
    add(names, "f*.example.org", 9);
    add(names, "", 10);
    add(names, ".", 10);
    tls_names_sort(names);
}

START_TEST(question)
{
    struct tls_names names = {0};
    fill(&names);
    size_t found = find(&names, questions[_i].asked);
    ck_assert_msg(found == questions[_i].certificate, "\"%s\": %zu", questions[_i].asked, found);
    tls_names_free(&names);
    ck_assert_uint_eq(names.count, 0);
}
END_TEST

START_TEST(an_exact_name_comes_before_a_wildcard)
{
    for (int order = 0; order < 2; order++) {
        struct tls_names names = {0};
        add(&names, order == 0 ? "*.example.com" : "mail.example.com", order == 0 ? 1 : 2);
        add(&names, order == 0 ? "mail.example.com" : "*.example.com", order == 0 ? 2 : 1);
        tls_names_sort(&names);
        ck_assert_uint_eq(find(&names, "mail.example.com"), 2);
        ck_assert_uint_eq(find(&names, "pop.example.com"), 1);
        tls_names_free(&names);
    }
}
END_TEST

START_TEST(an_empty_index_has_nothing)
{
    struct tls_names names = {0};
    tls_names_sort(&names);
    ck_assert_uint_eq(find(&names, "mail.example.com"), NOBODY);
    tls_names_free(&names);
}
END_TEST

START_TEST(names_that_are_none)
{
    struct tls_names names = {0};
    char longest[256];
    memset(longest, 'a', 255);
    longest[255] = '\0';
    char over[257];
    memset(over, 'a', 256);
    over[256] = '\0';
    add(&names, longest, 1);
    add(&names, over, 2);
    /* An X.509 name can have a NUL in it; it must not match what is before the NUL. */
    static const char with_nul[] = "bank.example\0.evil.example";
    ck_assert(tls_names_add(&names, (struct slice){(const uint8_t *)with_nul, sizeof with_nul - 1}, 3));
    tls_names_sort(&names);
    ck_assert_uint_eq(find(&names, longest), 1);
    ck_assert_uint_eq(find(&names, over), NOBODY);
    ck_assert_uint_eq(find(&names, "bank.example"), NOBODY);
    ck_assert_uint_eq(
        tls_names_find(&names, (struct slice){(const uint8_t *)with_nul, sizeof with_nul - 1}, NOBODY),
        NOBODY);
    tls_names_free(&names);
}
END_TEST

/* ---- many ---- */

START_TEST(ten_thousand_names)
{
    struct tls_names names = {0};
    char name[64];
    for (size_t i = 0; i < MANY; i++) {
        /* In no order, and every third one with a wildcard. */
        size_t number = i * 7919 % MANY;
        snprintf(name, sizeof name, number % 3 == 0 ? "*.d%zu.example" : "mail.d%zu.example", number);
        add(&names, name, number);
    }
    tls_names_sort(&names);
    ck_assert_uint_eq(names.count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "mail.d%zu.example", i);
        ck_assert_uint_eq(find(&names, name), i);
        snprintf(name, sizeof name, "other.d%zu.example", i);
        ck_assert_uint_eq(find(&names, name), i % 3 == 0 ? i : NOBODY);
        snprintf(name, sizeof name, "d%zu.example", i);
        ck_assert_uint_eq(find(&names, name), NOBODY);
    }
    tls_names_free(&names);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_names");
    TCase *tests = tcase_create("names");
    tcase_add_loop_test(tests, question, 0, ARRAY_LEN(questions));
    tcase_add_test(tests, an_exact_name_comes_before_a_wildcard);
    tcase_add_test(tests, an_empty_index_has_nothing);
    tcase_add_test(tests, names_that_are_none);
    tcase_add_test(tests, ten_thousand_names);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
