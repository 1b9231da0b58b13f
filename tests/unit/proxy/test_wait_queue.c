/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/wait_queue.h"

#include "run_suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { WORKERS = 4, LENGTH = 6 };

static struct wait_queue *queue;
static unsigned woken[WORKERS];

static void wake(void *arg, unsigned worker)
{
    (void)arg;
    woken[worker]++;
}

static void make_queue(void)
{
    static const struct wait_queue_alarm alarm = {wake, NULL};
    queue = wait_queue_new(WORKERS, &alarm);
    ck_assert_ptr_nonnull(queue);
    wait_queue_set_length(queue, LENGTH);
    memset(woken, 0, sizeof woken);
}

static void drop_queue(void)
{
    ck_assert_uint_eq(wait_queue_count(queue), 0);
    wait_queue_free(&queue);
}

/* The worker that has the turn, and what waits there first. */
static unsigned turn(struct waiter **waiter)
{
    unsigned found = WORKERS;
    for (unsigned i = 0; i < WORKERS; i++) {
        struct waiter *one = wait_queue_turn(queue, i);
        ck_assert(one == NULL || found == WORKERS); /* one worker alone */
        if (one != NULL) {
            found = i;
            *waiter = one;
        }
    }
    return found;
}

START_TEST(bounded)
{
    struct waiter waiters[LENGTH + 1] = {{0}};
    for (unsigned i = 0; i < LENGTH; i++)
        ck_assert(wait_queue_join(queue, i % WORKERS, &waiters[i]));
    ck_assert(!wait_queue_join(queue, 0, &waiters[LENGTH]));
    ck_assert(!waiters[LENGTH].waits);
    ck_assert_uint_eq(wait_queue_count(queue), LENGTH);
    wait_queue_leave(queue, 3, &waiters[3]); /* from the middle */
    ck_assert(wait_queue_join(queue, 0, &waiters[LENGTH]));
    wait_queue_leave(queue, 3, &waiters[3]); /* does nothing */
    ck_assert_uint_eq(wait_queue_count(queue), LENGTH);
    for (unsigned i = 0; i < LENGTH; i++)
        wait_queue_leave(queue, i % WORKERS, &waiters[i]);
    wait_queue_leave(queue, 0, &waiters[LENGTH]);
}
END_TEST

START_TEST(without_a_length_nobody_waits)
{
    struct waiter waiter = {0};
    wait_queue_set_length(queue, 0);
    ck_assert(!wait_queue_join(queue, 0, &waiter));
}
END_TEST

START_TEST(first_come_first_served_across_workers)
{
    static const unsigned workers[LENGTH] = {2, 0, 0, 3, 2, 1};
    struct waiter waiters[LENGTH] = {{0}};
    struct waiter *next = NULL;
    for (unsigned i = 0; i < LENGTH; i++)
        ck_assert(wait_queue_join(queue, workers[i], &waiters[i]));
    for (unsigned i = 0; i < LENGTH; i++) {
        ck_assert_uint_eq(turn(&next), workers[i]);
        ck_assert_ptr_eq(next, &waiters[i]);
        wait_queue_leave(queue, workers[i], next);
    }
    ck_assert_uint_eq(turn(&next), WORKERS);
}
END_TEST

START_TEST(a_free_place_wakes_the_turn)
{
    struct waiter waiters[3] = {{0}};
    wait_queue_place_free(queue);
    ck_assert_uint_eq(woken[0] + woken[1] + woken[2] + woken[3], 0);
    ck_assert(wait_queue_join(queue, 2, &waiters[0]));
    ck_assert(wait_queue_join(queue, 1, &waiters[1]));
    ck_assert(wait_queue_join(queue, 1, &waiters[2]));
    wait_queue_place_free(queue);
    ck_assert_uint_eq(woken[2], 1);
    wait_queue_leave(queue, 1, &waiters[2]); /* it had no turn: nobody else has one now */
    ck_assert_uint_eq(woken[1] + woken[2], 1);
    wait_queue_leave(queue, 2, &waiters[0]); /* hands the turn on */
    ck_assert_uint_eq(woken[1], 1);
    wait_queue_leave(queue, 1, &waiters[1]);
    ck_assert_uint_eq(woken[0] + woken[3], 0);
}
END_TEST

/* The place that it was given is worth nothing: it is the next again. */
START_TEST(whoever_waits_again_has_its_turn)
{
    static const unsigned workers[4] = {1, 1, 0, 1};
    struct waiter waiters[LENGTH] = {{0}};
    struct waiter *next = NULL;
    for (unsigned i = 0; i < 4; i++)
        ck_assert(wait_queue_join(queue, workers[i], &waiters[i]));
    for (unsigned i = 0; i < 2; i++)
        wait_queue_leave(queue, workers[i], &waiters[i]);
    for (unsigned i = 2; i-- > 0;) /* in either order */
        ck_assert(wait_queue_join(queue, workers[i], &waiters[i]));
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(turn(&next), workers[i]);
        ck_assert_ptr_eq(next, &waiters[i]);
        wait_queue_leave(queue, workers[i], next);
    }
    ck_assert(wait_queue_join(queue, 1, &waiters[0])); /* alone */
    ck_assert(wait_queue_join(queue, 1, &waiters[4]));
    ck_assert_uint_eq(turn(&next), 1);
    ck_assert_ptr_eq(next, &waiters[0]);
    wait_queue_leave(queue, 1, &waiters[0]);
    wait_queue_leave(queue, 1, &waiters[4]);
}
END_TEST

/* ---- threads: each has sessions that take a place or wait, hold it, and give it back ---- */

enum { PLACES = 2, SESSIONS = 3, ROUNDS = 3000 };

static atomic_int places;
static atomic_uint alarms[WORKERS];
static atomic_uint served;

static void ring(void *arg, unsigned worker)
{
    (void)arg;
    atomic_store(&alarms[worker], 1);
}

static bool take(void)
{
    int seen = atomic_load(&places);
    while (seen > 0)
        if (atomic_compare_exchange_weak(&places, &seen, seen - 1))
            return true;
    return false;
}

static void give(void)
{
    atomic_fetch_add(&places, 1);
    wait_queue_place_free(queue);
}

/* Those of this worker that have the turn get places, as long as there are any. How many. */
static unsigned serve_turns(unsigned worker)
{
    unsigned count = 0;
    for (struct waiter *waiter; (waiter = wait_queue_turn(queue, worker)) != NULL && take(); count++)
        wait_queue_leave(queue, worker, waiter);
    return count;
}

/*
 * Until so many sessions have had a place. A worker sleeps until it is woken: a wake-up that is lost hangs
 * this test.
 */
static void serve_all(unsigned worker, unsigned wanted)
{
    unsigned held = serve_turns(worker); /* after joining: a place may have come free meanwhile */
    for (unsigned done = 0; done < wanted;) {
        for (; held > 0; held--, done++) {
            give();
            atomic_fetch_add(&served, 1);
        }
        while (done < wanted && atomic_exchange(&alarms[worker], 0) == 0)
            sched_yield();
        held = serve_turns(worker);
    }
}

static void *be_worker(void *arg)
{
    unsigned worker = *(const unsigned *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct waiter waiters[SESSIONS] = {{0}};
        bool one_leaves = i % 7 == 0; /* its client disconnects */
        for (int j = 0; j < SESSIONS; j++)
            ck_assert(wait_queue_join(queue, worker, &waiters[j]));
        if (one_leaves)
            wait_queue_leave(queue, worker, &waiters[1]);
        serve_all(worker, one_leaves ? SESSIONS - 1 : SESSIONS);
    }
    return NULL;
}

START_TEST(no_wake_up_is_lost)
{
    pthread_t threads[WORKERS];
    unsigned numbers[WORKERS];
    static const struct wait_queue_alarm alarm = {ring, NULL};
    wait_queue_free(&queue);
    queue = wait_queue_new(WORKERS, &alarm);
    wait_queue_set_length(queue, WORKERS * SESSIONS);
    atomic_store(&places, PLACES);
    for (unsigned i = 0; i < WORKERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, be_worker, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(places, PLACES);
    ck_assert_uint_eq(served, WORKERS * (ROUNDS * SESSIONS - (ROUNDS + 6) / 7));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wait_queue");
    TCase *tests = tcase_create("wait_queue");
    tcase_add_checked_fixture(tests, make_queue, drop_queue);
    tcase_add_test(tests, bounded);
    tcase_add_test(tests, without_a_length_nobody_waits);
    tcase_add_test(tests, first_come_first_served_across_workers);
    tcase_add_test(tests, a_free_place_wakes_the_turn);
    tcase_add_test(tests, whoever_waits_again_has_its_turn);
    tcase_add_test(tests, no_wake_up_is_lost);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
