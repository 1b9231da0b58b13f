/* SPDX-License-Identifier: BSD-2-Clause */
/* What a thread disposes of is destroyed once: at once, or by the thread that runs the list. */
#include "base/disposal.h"
#include "run_suite.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4, OBJECTS = 20000 };

struct object {
    int before; /* so that the disposal is not the first member */
    struct disposal disposal;
    atomic_uint destroyed;
    pthread_t by;
};

static atomic_uint wakes;

static void wake(void *arg)
{
    ck_assert_ptr_eq(arg, &wakes);
    atomic_fetch_add(&wakes, 1);
}

static void destroy(struct disposal *disposal)
{
    struct object *object = DISPOSAL_OWNER(disposal, struct object, disposal);
    object->by = pthread_self();
    atomic_fetch_add(&object->destroyed, 1);
}

START_TEST(at_once)
{
    struct object object = {0};
    disposal_begin(&object.disposal, destroy);
    ck_assert_uint_eq(object.destroyed, 1);
}
END_TEST

START_TEST(left_to_a_list)
{
    struct disposal_list list = {.wake = wake, .arg = &wakes};
    struct object objects[3] = {0};
    disposal_leave_to(&list);
    for (size_t i = 0; i < 2; i++)
        disposal_begin(&objects[i].disposal, destroy);
    disposal_leave_to(NULL);
    ck_assert_uint_eq(wakes, 1); /* who was woken takes all of it */
    ck_assert(disposal_waits(&list));
    ck_assert_uint_eq(objects[0].destroyed + objects[1].destroyed, 0);
    disposal_run(&list);
    ck_assert(!disposal_waits(&list));
    ck_assert(objects[0].destroyed == 1 && objects[1].destroyed == 1 && objects[2].destroyed == 0);
    disposal_leave_to(&list);
    disposal_begin(&objects[2].disposal, destroy);
    disposal_leave_to(NULL);
    ck_assert_uint_eq(wakes, 2);
    disposal_run(&list);
    disposal_run(&list);
    ck_assert_uint_eq(objects[2].destroyed, 1);
}
END_TEST

/* An object that drops another: whoever destroys the first destroys the second. */
struct outer {
    struct object object;
    struct object *inner;
};

static void destroy_outer(struct disposal *disposal)
{
    struct outer *outer = DISPOSAL_OWNER(disposal, struct outer, object.disposal);
    disposal_begin(&outer->inner->disposal, destroy);
}

START_TEST(one_within_another)
{
    struct disposal_list list = {.wake = wake, .arg = &wakes};
    struct object inner = {0};
    struct outer outer = {.inner = &inner};
    disposal_leave_to(&list);
    disposal_begin(&outer.object.disposal, destroy_outer);
    disposal_leave_to(NULL);
    ck_assert_uint_eq(inner.destroyed, 0);
    disposal_run(&list);
    ck_assert_uint_eq(inner.destroyed, 1);
    ck_assert(!disposal_waits(&list));
}
END_TEST

struct leaver {
    pthread_t thread;
    struct disposal_list *list;
    struct object *objects;
};

static void *leave_all(void *arg)
{
    struct leaver *leaver = arg;
    disposal_leave_to(leaver->list);
    for (size_t i = 0; i < OBJECTS; i++)
        disposal_begin(&leaver->objects[i].disposal, destroy);
    return NULL;
}

START_TEST(several_threads)
{
    struct disposal_list list = {.wake = wake, .arg = &wakes};
    struct leaver leavers[THREADS];
    struct object *objects = calloc((size_t)THREADS * OBJECTS, sizeof *objects);
    ck_assert_ptr_nonnull(objects);
    for (size_t i = 0; i < THREADS; i++) {
        leavers[i] = (struct leaver){.list = &list, .objects = objects + i * OBJECTS};
        ck_assert_int_eq(pthread_create(&leavers[i].thread, NULL, leave_all, &leavers[i]), 0);
    }
    for (size_t i = 0; i < OBJECTS; i++)
        disposal_run(&list);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(leavers[i].thread, NULL);
    disposal_run(&list);
    ck_assert_uint_ge(wakes, 1);
    for (size_t i = 0; i < (size_t)THREADS * OBJECTS; i++)
        ck_assert(objects[i].destroyed == 1 && pthread_equal(objects[i].by, pthread_self()));
    free(objects);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("disposal");
    TCase *tests = tcase_create("disposal");
    tcase_add_test(tests, at_once);
    tcase_add_test(tests, left_to_a_list);
    tcase_add_test(tests, one_within_another);
    tcase_add_test(tests, several_threads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
