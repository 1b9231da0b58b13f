/* SPDX-License-Identifier: BSD-2-Clause */
/* Arrays that grow. */
#include "base/array.h"

#include "run_suite.h"

#include <stdint.h>
#include <stdlib.h>

START_TEST(it_grows_and_keeps_what_is_in_it)
{
    uint32_t *numbers = NULL;
    size_t cap = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t *moved = array_make_room(numbers, i, &cap, sizeof *numbers);
        ck_assert_ptr_nonnull(moved);
        ck_assert_uint_gt(cap, i);
        numbers = moved;
        numbers[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(numbers[i], i);
    free(numbers);
}
END_TEST

START_TEST(nothing_moves_while_there_is_room)
{
    uint32_t numbers[4];
    size_t cap = 4;
    ck_assert_ptr_eq(array_make_room(numbers, 3, &cap, sizeof numbers[0]), numbers);
    ck_assert_uint_eq(cap, 4);
}
END_TEST

START_TEST(more_than_memory_is_refused)
{
    size_t cap = SIZE_MAX / 2;
    ck_assert_ptr_null(array_make_room(NULL, cap, &cap, 8));
    ck_assert_uint_eq(cap, SIZE_MAX / 2);
}
END_TEST

START_TEST(name)
{
    static const struct {
        const char *name;
        double value;
    } items[] = {{"a", 1}, {NULL, 2}, {"b", 3}, {"a", 4}};
    ck_assert_uint_eq(array_find_name(items, ARRAY_LEN(items), sizeof items[0], "a"), 0);
    ck_assert_uint_eq(array_find_name(items, ARRAY_LEN(items), sizeof items[0], "b"), 2);
    ck_assert_uint_eq(array_find_name(items, ARRAY_LEN(items), sizeof items[0], "A"), ARRAY_LEN(items));
    ck_assert_uint_eq(array_find_name(items, 2, sizeof items[0], "b"), 2);
    ck_assert_uint_eq(array_find_name(NULL, 0, sizeof items[0], "b"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("array");
    TCase *tests = tcase_create("array");
    tcase_add_test(tests, it_grows_and_keeps_what_is_in_it);
    tcase_add_test(tests, nothing_moves_while_there_is_room);
    tcase_add_test(tests, more_than_memory_is_refused);
    tcase_add_test(tests, name);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
