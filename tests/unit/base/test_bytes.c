/* SPDX-License-Identifier: BSD-2-Clause */
/* The growing buffer: its limit, what moves, and that an empty one owns nothing. */
#include "base/bytes.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

static void check_holds(const struct bytes *b, const char *text)
{
    ck_assert_uint_eq(bytes_view(b).len, strlen(text));
    ck_assert(slice_equals(bytes_view(b), slice_of(text)));
}

static void check_owns_nothing(const struct bytes *b)
{
    ck_assert_ptr_null(b->data);
    ck_assert_uint_eq(b->len, 0);
    ck_assert_uint_eq(b->cap, 0);
}

START_TEST(append)
{
    struct bytes b = {0};
    ck_assert(bytes_append(&b, slice_of("one "), 100));
    ck_assert(bytes_append(&b, slice_of("two"), 100));
    check_holds(&b, "one two");
    bytes_free(&b);
    check_owns_nothing(&b);
    bytes_free(&b);
}
END_TEST

START_TEST(append_nothing)
{
    struct bytes b = {0};
    ck_assert(bytes_append(&b, (struct slice){NULL, 0}, 0));
    check_owns_nothing(&b);
    ck_assert_uint_eq(bytes_view(&b).len, 0);
}
END_TEST

START_TEST(limit)
{
    struct bytes b = {0};
    ck_assert(!bytes_append(&b, slice_of("12345"), 4));
    check_owns_nothing(&b);
    ck_assert(bytes_append(&b, slice_of("1234"), 4));
    ck_assert(!bytes_append(&b, slice_of("5"), 4));
    ck_assert(bytes_append(&b, slice_of(""), 4));
    ck_assert(!bytes_append(&b, slice_of("5"), 2)); /* a limit below what is held already */
    check_holds(&b, "1234");
    ck_assert(bytes_append(&b, slice_of("5"), 5));
    check_holds(&b, "12345");
    bytes_free(&b);
}
END_TEST

/* Lengths whose sum would wrap are over any limit. */
START_TEST(limit_does_not_wrap)
{
    struct bytes b = {0};
    ck_assert(bytes_append(&b, slice_of("12"), SIZE_MAX));
    ck_assert(!bytes_append(&b, (struct slice){b.data, SIZE_MAX - 1}, SIZE_MAX));
    check_holds(&b, "12");
    bytes_free(&b);
}
END_TEST

START_TEST(growth)
{
    struct bytes b = {0};
    for (size_t i = 0; i < 5000; i++) {
        uint8_t octet = (uint8_t)(i * 7);
        ck_assert(bytes_append(&b, (struct slice){&octet, 1}, 5000));
        ck_assert_uint_ge(b.cap, b.len);
    }
    for (size_t i = 0; i < 5000; i++)
        ck_assert_uint_eq(b.data[i], (uint8_t)(i * 7));
    ck_assert_uint_le(b.cap, 8192);
    bytes_free(&b);
}
END_TEST

START_TEST(append_more_than_twice_what_is_held)
{
    struct bytes b = {0};
    char large[3000];
    memset(large, 'x', sizeof large);
    ck_assert(bytes_append(&b, slice_of("y"), 4000));
    ck_assert(bytes_append(&b, (struct slice){(uint8_t *)large, sizeof large}, 4000));
    ck_assert_uint_eq(b.len, 3001);
    ck_assert_uint_eq(b.data[0], 'y');
    ck_assert_uint_eq(b.data[3000], 'x');
    bytes_free(&b);
}
END_TEST

START_TEST(drop)
{
    struct bytes b = {0};
    bytes_drop(&b, 3);
    check_owns_nothing(&b);
    ck_assert(bytes_append(&b, slice_of("abcdef"), 6));
    bytes_drop(&b, 0);
    check_holds(&b, "abcdef");
    bytes_drop(&b, 2);
    check_holds(&b, "cdef");
    ck_assert(bytes_append(&b, slice_of("gh"), 6));
    check_holds(&b, "cdefgh");
    bytes_drop(&b, 6);
    check_owns_nothing(&b);
    ck_assert(bytes_append(&b, slice_of("a"), 6));
    bytes_drop(&b, 1000);
    check_owns_nothing(&b);
}
END_TEST

START_TEST(wiping)
{
    uint8_t secret[] = "password";
    wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        ck_assert_uint_eq(secret[i], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *tcase = tcase_create("bytes");
    tcase_add_test(tcase, append);
    tcase_add_test(tcase, append_nothing);
    tcase_add_test(tcase, limit);
    tcase_add_test(tcase, limit_does_not_wrap);
    tcase_add_test(tcase, growth);
    tcase_add_test(tcase, append_more_than_twice_what_is_held);
    tcase_add_test(tcase, drop);
    tcase_add_test(tcase, wiping);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
