/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "responses.h"
#include "run_suite.h"

#define FETCH "* 1 FETCH (BODY[] {7}\r\n* ID\r\n\n)\r\n"

static const struct {
    const char *all;
    size_t first;
} lengths[] = {
    {"* OK {5}\r\na1 OK\r\n", sizeof "* OK {5}\r\n" - 1}, /* text has no literal */
    {"+ {5}\r\na1 OK\r\n", sizeof "+ {5}\r\n" - 1},
    {"a1 OK {5}\na2 OK\n", sizeof "a1 OK {5}\n" - 1},
    {FETCH "a1 OK\r\n", sizeof FETCH - 1},
    {"* LIST {0}\r\n {1}\r\nx y\r\n* OK\r\n", sizeof "* LIST {0}\r\n {1}\r\nx y\r\n" - 1},
    {"* LIST {12", sizeof "* LIST {12" - 1},
    {"* LIST {12}\r\nabc", sizeof "* LIST {12}\r\nabc" - 1},
};

START_TEST(length)
{
    ck_assert_uint_eq(response_length(slice_of(lengths[_i].all)), lengths[_i].first);
}
END_TEST

static const struct {
    const char *all, *a, *b;
    bool b_may_end;
    bool fits;
} shuffles[] = {
    {"", "", "", false, true},
    {"x\ny\n", "x\n", "y\n", false, true},
    {"y\nx\n", "x\n", "y\n", false, true},
    {"x\nx\ny\nx\n", "x\n", "x\ny\nx\n", false, true},
    {"b\na\nb\na\n", "a\na\n", "b\nb\n", false, true},
    {"y\nx\n", "x\ny\n", "", false, false},                         /* out of order */
    {"x\n", "x\n", "y\n", false, false},                            /* one of the backend's is missing ... */
    {"x\n", "x\n", "y\n", true, true},                              /* ... which a cut session may have */
    {"y\n", "x\n", "y\n", true, false},                             /* but not one of the proxy's own, */
    {"x\nz\n", "x\n", "y\nz\n", true, false},                       /* nor one in the middle */
    {"x\ny\ny\n", "x\n", "y\n", false, false},                      /* one too many */
    {"* L {2}\r\nx\n\r\n", "x\n", "* L {2}\r\n\r\n", false, false}, /* not inside of a literal */
};

START_TEST(shuffle)
{
    ck_assert_int_eq(responses_are_shuffled(slice_of(shuffles[_i].all), slice_of(shuffles[_i].a),
                                            slice_of(shuffles[_i].b), shuffles[_i].b_may_end),
                     shuffles[_i].fits);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("responses");
    tcase_add_loop_test(tcase, length, 0, ARRAY_LEN(lengths));
    tcase_add_loop_test(tcase, shuffle, 0, ARRAY_LEN(shuffles));
    Suite *suite = suite_create("responses");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
