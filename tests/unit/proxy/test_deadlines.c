/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/deadlines.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

enum { MANY = 1000, SPAN = 5000 };

START_TEST(expires_in_order_and_once)
{
    struct deadline_list list;
    struct deadline deadlines[3] = {0};
    deadline_list_init(&list, SPAN);
    ck_assert(deadline_list_is_empty(&list));
    ck_assert_ptr_null(deadline_list_take_expired(&list, UINT64_MAX));
    for (size_t i = 0; i < 3; i++)
        deadline_set(&list, &deadlines[i], 100 * i);
    ck_assert(!deadline_list_is_empty(&list));
    ck_assert_ptr_null(deadline_list_take_expired(&list, SPAN - 1));
    ck_assert_ptr_eq(deadline_list_take_expired(&list, SPAN), &deadlines[0]);
    ck_assert_ptr_null(deadline_list_take_expired(&list, SPAN + 99));
    ck_assert_ptr_eq(deadline_list_take_expired(&list, SPAN + 1000), &deadlines[1]);
    ck_assert_ptr_eq(deadline_list_take_expired(&list, SPAN + 1000), &deadlines[2]);
    ck_assert_ptr_null(deadline_list_take_expired(&list, UINT64_MAX));
    ck_assert(deadline_list_is_empty(&list));
}
END_TEST

START_TEST(setting_again_moves_it_to_the_end)
{
    struct deadline_list list;
    struct deadline first = {0};
    struct deadline second = {0};
    deadline_list_init(&list, SPAN);
    deadline_set(&list, &first, 0);
    deadline_set(&list, &second, 10);
    deadline_set(&list, &first, 20);
    ck_assert_ptr_eq(deadline_list_take_expired(&list, SPAN + 19), &second);
    ck_assert_ptr_null(deadline_list_take_expired(&list, SPAN + 19));
    ck_assert_ptr_eq(deadline_list_take_expired(&list, SPAN + 20), &first);
}
END_TEST

START_TEST(moving_to_another_list)
{
    struct deadline_list handshake;
    struct deadline_list idle;
    struct deadline one = {0};
    deadline_list_init(&handshake, 100);
    deadline_list_init(&idle, 10000);
    deadline_set(&handshake, &one, 0);
    deadline_set(&idle, &one, 50);
    ck_assert(deadline_list_is_empty(&handshake));
    ck_assert_ptr_null(deadline_list_take_expired(&handshake, UINT64_MAX));
    ck_assert_ptr_null(deadline_list_take_expired(&idle, 10049));
    ck_assert_ptr_eq(deadline_list_take_expired(&idle, 10050), &one);
}
END_TEST

START_TEST(dropping)
{
    struct deadline_list list;
    struct deadline deadlines[3] = {0};
    deadline_list_init(&list, SPAN);
    deadline_drop(&deadlines[0]); /* in no list */
    for (size_t i = 0; i < 3; i++)
        deadline_set(&list, &deadlines[i], 0);
    deadline_drop(&deadlines[1]);
    deadline_drop(&deadlines[1]);
    ck_assert_ptr_eq(deadline_list_take_expired(&list, SPAN), &deadlines[0]);
    deadline_drop(&deadlines[0]); /* taken out already */
    ck_assert_ptr_eq(deadline_list_take_expired(&list, SPAN), &deadlines[2]);
    ck_assert(deadline_list_is_empty(&list));
}
END_TEST

START_TEST(one_that_expired_can_be_set_again)
{
    struct deadline_list list;
    struct deadline one = {0};
    deadline_list_init(&list, SPAN);
    deadline_set(&list, &one, 0);
    ck_assert_ptr_eq(deadline_list_take_expired(&list, SPAN), &one);
    deadline_set(&list, &one, SPAN);
    /* Not at once: whoever takes until nothing is left comes to an end. */
    ck_assert_ptr_null(deadline_list_take_expired(&list, SPAN));
    ck_assert_ptr_eq(deadline_list_take_expired(&list, 2 * SPAN), &one);
}
END_TEST

START_TEST(clock_at_zero)
{
    struct deadline_list list;
    struct deadline one = {0};
    deadline_list_init(&list, 0);
    deadline_set(&list, &one, 0);
    ck_assert(!deadline_list_is_empty(&list));
    deadline_drop(&one);
    ck_assert(deadline_list_is_empty(&list));
}
END_TEST

/* Against a plain model: an array with the time of each. */
START_TEST(as_a_simple_model_says)
{
    static struct deadline deadlines[MANY];
    static uint64_t model[MANY];
    struct deadline_list list;
    uint32_t x = 123456789;
    uint64_t now = 1;
    deadline_list_init(&list, SPAN);
    for (int step = 0; step < 200000; step++) {
        x = x * 1664525u + 1013904223u;
        size_t i = (x >> 8) % MANY;
        if ((x >> 24) % 4 == 0) {
            deadline_drop(&deadlines[i]);
            model[i] = 0;
        } else {
            deadline_set(&list, &deadlines[i], now);
            model[i] = now + SPAN;
        }
        now += (x >> 16) % 40;
        for (struct deadline *d = deadline_list_take_expired(&list, now); d != NULL;
             d = deadline_list_take_expired(&list, now)) {
            size_t taken = (size_t)(d - deadlines);
            ck_assert(model[taken] != 0 && model[taken] <= now);
            model[taken] = 0;
        }
        if (step % 1000 == 0)
            for (size_t j = 0; j < MANY; j++)
                ck_assert(model[j] == 0 || model[j] > now);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadlines");
    TCase *tests = tcase_create("deadlines");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, expires_in_order_and_once);
    tcase_add_test(tests, setting_again_moves_it_to_the_end);
    tcase_add_test(tests, moving_to_another_list);
    tcase_add_test(tests, dropping);
    tcase_add_test(tests, one_that_expired_can_be_set_again);
    tcase_add_test(tests, clock_at_zero);
    tcase_add_test(tests, as_a_simple_model_says);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
