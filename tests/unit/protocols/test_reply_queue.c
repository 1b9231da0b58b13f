/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/reply_queue.h"
#include "run_suite.h"

#include <check.h>
#include <signal.h>

START_TEST(slots_leave_in_their_order)
{
    struct reply_queue queue = {0};
    ck_assert(reply_queue_is_empty(&queue));
    ck_assert_uint_eq(reply_queue_first(&queue), REPLY_SLOT_NONE);
    ck_assert_uint_eq(reply_queue_take(&queue), REPLY_SLOT_NONE);
    reply_queue_add(&queue, 7);
    reply_queue_add(&queue, 9);
    ck_assert(!reply_queue_is_empty(&queue));
    ck_assert_uint_eq(reply_queue_first(&queue), 7);
    ck_assert_uint_eq(reply_queue_take(&queue), 7);
    ck_assert_uint_eq(reply_queue_take(&queue), 9);
    ck_assert(reply_queue_is_empty(&queue));
}
END_TEST

/* From each position of the ring. */
START_TEST(it_takes_as_many_as_it_says)
{
    struct reply_queue queue = {.first = (uint8_t)_i};
    for (unsigned i = 0; i < REPLY_QUEUE_MAX; i++) {
        ck_assert(reply_queue_has_room(&queue, REPLY_QUEUE_MAX - i) &&
                  !reply_queue_has_room(&queue, REPLY_QUEUE_MAX - i + 1));
        reply_queue_add(&queue, (uint8_t)(i + 1));
    }
    ck_assert(!reply_queue_has_room(&queue, 1) && reply_queue_has_room(&queue, 0));
    for (unsigned i = 0; i < REPLY_QUEUE_MAX; i++)
        ck_assert_uint_eq(reply_queue_take(&queue), i + 1);
    ck_assert(reply_queue_is_empty(&queue));
}
END_TEST

START_TEST(slots_of_a_kind_are_counted_across_the_end_of_the_ring)
{
    struct reply_queue queue = {.first = REPLY_QUEUE_MAX - 2};
    static const uint8_t slots[] = {3, 4, 3, 3, 5};
    for (unsigned i = 0; i < sizeof slots; i++)
        reply_queue_add(&queue, slots[i]);
    ck_assert_uint_eq(reply_queue_count(&queue, 3), 3);
    ck_assert_uint_eq(reply_queue_count(&queue, 4), 1);
    ck_assert_uint_eq(reply_queue_count(&queue, 6), 0);
    reply_queue_take(&queue);
    ck_assert_uint_eq(reply_queue_count(&queue, 3), 2);
}
END_TEST

START_TEST(one_too_many_is_a_mistake)
{
    struct reply_queue queue = {.count = REPLY_QUEUE_MAX};
    reply_queue_add(&queue, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply_queue");
    TCase *tests = tcase_create("reply_queue");
    tcase_add_test(tests, slots_leave_in_their_order);
    tcase_add_loop_test(tests, it_takes_as_many_as_it_says, 0, REPLY_QUEUE_MAX);
    tcase_add_test(tests, slots_of_a_kind_are_counted_across_the_end_of_the_ring);
    tcase_add_test_raise_signal(tests, one_too_many_is_a_mistake, SIGABRT);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
