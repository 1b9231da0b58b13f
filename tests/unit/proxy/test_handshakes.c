/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/handshakes.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Each handshake takes this long on the clock of the test. */
#define COST_NS ((uint64_t)400 * 1000)

enum { MOST = 100, WORKERS = 2 };

static uv_loop_t loop;
static uv_async_t alive; /* or the loop would have nothing to go round for */
static struct handshakes_shared shared;
static struct handshakes handshakes;
static struct handshake clients[MOST];
static uint64_t clock_ns;
static char order[MOST * 4]; /* a letter for each that went on */
static size_t gone_on;
static struct handshake *evicted;
static enum client_limit evicted_for;
static char begun[MOST + 1]; /* a letter for each that has begun after it has waited */
static size_t begun_count;
static unsigned accepts;
static bool leaves; /* a handshake is over when it has gone on */

static uint64_t tell_time(void)
{
    return clock_ns;
}

static void proceed(struct handshake *handshake, struct slice input)
{
    ck_assert(!handshake_is_put_aside(handshake));
    ck_assert_uint_eq(input.len, 3);
    ck_assert_mem_eq(input.data, "abc", 3);
    order[gone_on++] = (char)('a' + (handshake - clients));
    clock_ns += COST_NS;
    if (leaves)
        handshakes_leave(&handshakes, handshake);
}

static void evict(struct handshake *handshake, enum client_limit limit)
{
    evicted = handshake;
    evicted_for = limit;
    handshakes_leave(&handshakes, handshake);
}

static void begin(struct handshake *handshake)
{
    ck_assert(handshake->is_counted);
    begun[begun_count++] = (char)('a' + (handshake - clients));
}

static void accept_again(void *arg)
{
    ck_assert_ptr_eq(arg, &loop);
    accepts++;
}

static const struct handshakes_events events = {
    .proceed = proceed, .evict = evict, .begin = begin, .accept = accept_again};

static void set_up(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_async_init(&loop, &alive, NULL), 0);
    shared.counts = address_counts_new();
    shared.slots = handshake_slots_new(WORKERS);
    handshakes_init(&handshakes, &loop, 0, &shared, &events, &loop);
    handshakes.clock_ns = tell_time;
}

static void tear_down(void)
{
    for (size_t i = 0; i < MOST; i++)
        handshakes_leave(&handshakes, &clients[i]);
    handshakes_accepted_all(&handshakes);
    ck_assert_uint_eq(handshakes.slots.count, 0);
    ck_assert_uint_eq(handshakes.waiting_count, 0);
    ck_assert(!uv_is_active((uv_handle_t *)&handshakes.retry) || handshakes.is_awaited);
    uv_close((uv_handle_t *)&alive, NULL);
    uv_close((uv_handle_t *)&handshakes.check, NULL);
    uv_close((uv_handle_t *)&handshakes.idle, NULL);
    uv_close((uv_handle_t *)&handshakes.retry, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    address_counts_free(&shared.counts);
    handshake_slots_free(&shared.slots);
}

static bool enter(size_t client, uint32_t address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    return handshakes_enter(&handshakes, &clients[client], (const struct sockaddr *)&v4);
}

static void take(size_t client)
{
    handshakes_take(&handshakes, &clients[client], slice_of("abc"));
}

/* One iteration of the loop with nothing else to do. */
static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void expect_order(const char *expected)
{
    ck_assert_uint_eq(gone_on, strlen(expected));
    ck_assert_mem_eq(order, expected, gone_on);
}

START_TEST(at_once_as_long_as_there_is_time)
{
    for (size_t i = 0; i < 3; i++) {
        ck_assert(enter(i, 1));
        take(i);
        ck_assert(!handshake_is_put_aside(&clients[i]));
    }
    expect_order("abc");
    /* 1.2 ms of 1: the next one waits. */
    ck_assert(enter(3, 1));
    take(3);
    ck_assert(handshake_is_put_aside(&clients[3]));
    expect_order("abc");
    /* At least one in each iteration. */
    turn();
    expect_order("abcd");
    take(3);
    expect_order("abcdd");
}
END_TEST

START_TEST(first_come_first_served)
{
    for (size_t i = 0; i < 10; i++) {
        ck_assert(enter(i, 1));
        take(i);
    }
    expect_order("abc");
    ck_assert(uv_is_active((uv_handle_t *)&handshakes.idle));
    turn();
    expect_order("abcd");
    /* Though there is time, others were here before. */
    ck_assert(enter(10, 1));
    take(10);
    turn();
    expect_order("abcdefg");
    turn();
    turn();
    expect_order("abcdefghijk");
    ck_assert(!uv_is_active((uv_handle_t *)&handshakes.idle));
}
END_TEST

START_TEST(who_leaves_loses_his_turn)
{
    for (size_t i = 0; i < 6; i++) {
        ck_assert(enter(i, 1));
        take(i);
    }
    handshakes_leave(&handshakes, &clients[4]);
    ck_assert(!handshake_is_put_aside(&clients[4]));
    handshakes_leave(&handshakes, &clients[4]);
    leaves = true;
    turn();
    turn();
    expect_order("abcdf");
    ck_assert_uint_eq(handshakes.slots.count, 3);
}
END_TEST

START_TEST(all_slots)
{
    handshake_slots_set_max(shared.slots, 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
        ck_assert(enter(i, (uint32_t)i));
    }
    turn();
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_FULL);
    turn();
    ck_assert_uint_eq(accepts, 0);
    handshakes_leave(&handshakes, &clients[0]);
    turn();
    ck_assert_uint_eq(accepts, 1);
    turn();
    ck_assert_uint_eq(accepts, 1);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
    ck_assert_ptr_null(evicted);
}
END_TEST

/* Of two listeners one has a connection waiting, and the slot that becomes free is taken by the other's. */
START_TEST(who_waits_is_not_forgotten_for_another)
{
    handshake_slots_set_max(shared.slots, 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
        ck_assert(enter(i, (uint32_t)i));
    }
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_FULL);
    handshakes_leave(&handshakes, &clients[0]);
    handshakes_leave(&handshakes, &clients[1]);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
    ck_assert(enter(0, 0));
    turn();
    ck_assert_uint_eq(accepts, 1);
}
END_TEST

/* The loop's time is set by hand: uv_now is what uv_update_time has found. */
static void let_pass(uint64_t milliseconds)
{
    uint64_t end = uv_now(&loop) + milliseconds;
    while (uv_now(&loop) < end)
        uv_update_time(&loop);
}

/* ---- with another worker ---- */

static struct slot_holder other;

static void set_up_other(void)
{
    set_up();
    other = (struct slot_holder){.slots = shared.slots, .worker = 1};
}

static void tear_down_other(void)
{
    slot_holder_stop_waiting(&other);
    while (other.count > 0)
        slot_holder_give(&other);
    tear_down();
}

static void hold_as_other(size_t slots)
{
    for (size_t i = 0; i < slots; i++)
        ck_assert(slot_holder_take(&other));
}

/* The loop goes round by itself to look for it. */
START_TEST(a_slot_that_another_worker_gives_back)
{
    handshake_slots_set_max(shared.slots, 2);
    hold_as_other(2);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_FULL);
    turn();
    ck_assert_uint_eq(accepts, 0);
    ck_assert(uv_is_active((uv_handle_t *)&handshakes.retry));
    ck_assert_uint_eq(uv_timer_get_repeat(&handshakes.retry), HANDSHAKE_SLOTS_RETRY_MS);
    slot_holder_give(&other);
    for (int i = 0; accepts == 0 && i < 100; i++)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert_uint_eq(accepts, 1);
    ck_assert(!uv_is_active((uv_handle_t *)&handshakes.retry));
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
    ck_assert(enter(0, 1));
}
END_TEST

/* Nobody takes what is reserved, and what is not used is for others. */
START_TEST(what_is_not_used_is_given_back)
{
    handshake_slots_set_max(shared.slots, 1);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
    ck_assert(!slot_holder_take(&other));
    handshakes_accepted_all(&handshakes);
    hold_as_other(1);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_FULL);
    ck_assert(!enter(0, 1));
}
END_TEST

/*
 * One that has its share leaves the next slot to one that has less, and takes it if that one does not wait.
 */
START_TEST(a_worker_that_has_less_comes_first)
{
    handshake_slots_set_max(shared.slots, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
        ck_assert(enter(i, 1));
    }
    ck_assert(!slot_holder_take(&other));
    slot_holder_wait(&other);
    handshakes_leave(&handshakes, &clients[0]);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_FULL);
    turn();
    ck_assert_uint_eq(accepts, 0);
    hold_as_other(1);
    slot_holder_wait(&other);
    handshakes_leave(&handshakes, &clients[1]);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_FULL);
    hold_as_other(1);
    /* It has its share now, and both take what they find. */
    slot_holder_wait(&other);
    handshakes_leave(&handshakes, &clients[2]);
    turn();
    ck_assert_uint_eq(accepts, 1);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
    ck_assert(enter(0, 1));
    ck_assert(!slot_holder_may_take(&other));
    handshakes_leave(&handshakes, &clients[0]);
    ck_assert(slot_holder_may_take(&other));
}
END_TEST

/* Two that wait do not leave the same slot to each other. */
START_TEST(both_have_less)
{
    handshake_slots_set_max(shared.slots, 4);
    ck_assert(enter(0, 1));
    hold_as_other(1);
    slot_holder_wait(&handshakes.slots);
    slot_holder_wait(&other);
    ck_assert(slot_holder_may_take(&handshakes.slots));
    ck_assert(slot_holder_may_take(&other));
}
END_TEST

/* It waits for more, and others need not leave it any. */
START_TEST(a_worker_that_has_its_share_by_now)
{
    handshake_slots_set_max(shared.slots, 4);
    hold_as_other(4);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_FULL);
    ck_assert(handshakes.slots.is_hungry);
    for (size_t i = 0; i < 2; i++) {
        slot_holder_give(&other);
        ck_assert(enter(i, 1));
    }
    turn();
    ck_assert(!handshakes.slots.is_hungry);
    ck_assert_uint_eq(accepts, 0);
    handshakes_stop_waiting(&handshakes);
    slot_holder_give(&other);
    turn();
    ck_assert_uint_eq(accepts, 0);
}
END_TEST

START_TEST(slow_clients_are_evicted_for_another_worker)
{
    handshakes.half_open.span = 20;
    handshake_slots_set_max(shared.slots, 6);
    for (size_t i = 0; i < 6; i++)
        ck_assert(enter(i, 1));
    let_pass(21);
    handshakes_tick(&handshakes);
    ck_assert_ptr_null(evicted);
    slot_holder_wait(&other);
    handshakes_tick(&handshakes);
    ck_assert_uint_eq(handshakes.slots.count, 3); /* its share */
    hold_as_other(3);
}
END_TEST

START_TEST(no_limits)
{
    for (size_t i = 0; i < MOST; i++) {
        if (i % HANDSHAKES_ACCEPTS == 0)
            turn();
        ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
        ck_assert(enter(i, 1));
    }
}
END_TEST

START_TEST(so_many_in_an_iteration)
{
    for (size_t i = 0; i < HANDSHAKES_ACCEPTS; i++)
        ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_LATER);
    turn();
    ck_assert_uint_eq(accepts, 1);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
}
END_TEST

START_TEST(a_slow_client_is_evicted_if_others_wait)
{
    handshakes.half_open.span = 20;
    handshake_slots_set_max(shared.slots, 2);
    ck_assert(enter(0, 1));
    ck_assert(enter(1, 2));
    let_pass(21);
    /* Nobody waits. */
    handshakes_tick(&handshakes);
    ck_assert_ptr_null(evicted);
    /* Somebody comes: one goes, the one that was there first. */
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
    ck_assert_ptr_eq(evicted, &clients[0]);
    ck_assert_int_eq(evicted_for, CLIENT_LIMIT_HANDSHAKES);
    ck_assert(enter(2, 3));
    evicted = NULL;
    handshakes_leave(&handshakes, &clients[1]);
    ck_assert(enter(3, 4));
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_FULL);
    ck_assert_ptr_null(evicted);
    /* He waits, and time goes by. */
    let_pass(21);
    handshakes_tick(&handshakes);
    ck_assert_ptr_eq(evicted, &clients[2]);
    ck_assert_uint_eq(handshakes.slots.count, 1);
    turn();
    ck_assert_uint_eq(accepts, 1);
}
END_TEST

START_TEST(slots_of_an_address)
{
    handshakes_set_limit(&handshakes, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert(enter(i, 1));
    ck_assert(!enter(3, 1));
    ck_assert(!clients[3].is_counted);
    ck_assert(enter(4, 2));
    handshakes_leave(&handshakes, &clients[3]);
    ck_assert(!enter(3, 1));
    handshakes_leave(&handshakes, &clients[0]);
    ck_assert(enter(3, 1));
    ck_assert_uint_eq(handshakes.slots.count, 4);
}
END_TEST

/* ---- clients that wait for others of their address ---- */

static void enter_or_wait(size_t client, uint32_t address)
{
    if (!enter(client, address))
        ck_assert(handshakes_wait(&handshakes, &clients[client], HANDSHAKES_WAITING_MAX));
}

static void expect_begun(const char *expected)
{
    ck_assert_str_eq(begun, expected);
}

START_TEST(who_waits_begins_in_turn)
{
    handshakes_set_limit(&handshakes, 2);
    for (size_t i = 0; i < 6; i++)
        enter_or_wait(i, 1);
    handshakes_accepted_all(&handshakes);
    ck_assert_uint_eq(handshakes.waiting_count, 4);
    ck_assert_uint_eq(handshakes.slots.count, 2); /* who waits holds none */
    turn();
    expect_begun("");
    /* Another address is not held up. */
    ck_assert(enter(6, 2));
    handshakes_leave(&handshakes, &clients[0]);
    /* Nobody who comes now overtakes those that wait. */
    ck_assert(!enter(7, 1));
    turn();
    expect_begun("c");
    handshakes_leave(&handshakes, &clients[1]);
    handshakes_leave(&handshakes, &clients[2]);
    turn();
    expect_begun("cde");
    handshakes_accepted_all(&handshakes);
    ck_assert_uint_eq(handshakes.slots.count, 3);
    handshakes_leave(&handshakes, &clients[5]);
    ck_assert_uint_eq(handshakes.waiting_count, 0);
    ck_assert(!uv_is_active((uv_handle_t *)&handshakes.retry));
    handshakes_leave(&handshakes, &clients[3]);
    ck_assert(enter(7, 1));
}
END_TEST

static bool enter_late(size_t client, uint32_t address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    return handshakes_enter_late(&handshakes, &clients[client], (const struct sockaddr *)&v4);
}

/* Behind a balancer: slots count from the beginning, addresses when they are known. */
START_TEST(clients_of_unknown_addresses)
{
    handshake_slots_set_max(shared.slots, 3);
    handshakes_set_limit(&handshakes, 1);
    for (size_t i = 0; i < 3; i++)
        ck_assert(handshakes_enter_unnamed(&handshakes, &clients[i]));
    ck_assert(!handshakes_enter_unnamed(&handshakes, &clients[3]));
    ck_assert_uint_eq(handshakes.slots.count, 3);
    handshakes_leave(&handshakes, &clients[0]);
    ck_assert(enter_late(0, 1));
    handshakes_leave(&handshakes, &clients[1]);
    ck_assert(!enter_late(1, 1));
    ck_assert(!handshakes_are_full(&handshakes)); /* it was the address */
    ck_assert(enter_late(1, 2));
    ck_assert_uint_eq(handshakes.slots.count, 3);
    ck_assert(!enter_late(4, 3));
    ck_assert(handshakes_are_full(&handshakes));
}
END_TEST

/* What was reserved for the next connection is nobody else's, and what was not is given back. */
START_TEST(a_late_one_keeps_no_slot_that_it_does_not_use)
{
    handshakes_set_limit(&handshakes, 1);
    ck_assert(enter_late(0, 1));
    ck_assert(!enter_late(1, 1));
    ck_assert_uint_eq(handshakes.slots.count, 1);
    ck_assert_int_eq(handshakes_may_accept(&handshakes), HANDSHAKES_ACCEPT);
    ck_assert(!enter_late(1, 1));
    ck_assert_uint_eq(handshakes.slots.count, 2);
    ck_assert(enter(2, 2));
    ck_assert_uint_eq(handshakes.slots.count, 2);
}
END_TEST

/* It has waited for its header for too long, and its slot is needed; it is of no address that waits. */
START_TEST(unknown_ones_are_evicted_for_a_slot_alone)
{
    handshake_slots_set_max(shared.slots, 1);
    handshakes_set_limit(&handshakes, 1);
    handshakes.half_open.span = 0;
    handshakes.yield_ms = 0;
    ck_assert(handshakes_enter_unnamed(&handshakes, &clients[0]));
    clients[0].address = 0;
    clients[1].address = 0;
    ck_assert(handshakes_wait(&handshakes, &clients[1], 1));
    evicted = NULL;
    handshakes_tick(&handshakes);
    ck_assert_ptr_eq(evicted, &clients[0]);
    ck_assert_int_eq(evicted_for, CLIENT_LIMIT_HANDSHAKES);
}
END_TEST

/* Another worker's client has gone: the loop goes round by itself to look for it. */
START_TEST(a_place_that_another_worker_gives_back)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(1)};
    uint64_t key = address_counts_key(shared.counts, (const struct sockaddr *)&v4);
    handshakes_set_limit(&handshakes, 1);
    ck_assert(address_counts_add(shared.counts, key, 1));
    enter_or_wait(0, 1);
    turn();
    expect_begun("");
    ck_assert(uv_is_active((uv_handle_t *)&handshakes.retry));
    address_counts_drop(shared.counts, key);
    for (int i = 0; begun_count == 0 && i < 100; i++)
        uv_run(&loop, UV_RUN_ONCE);
    expect_begun("a");
    ck_assert(!uv_is_active((uv_handle_t *)&handshakes.retry));
}
END_TEST

START_TEST(so_many_wait_and_no_more)
{
    handshakes_set_limit(&handshakes, 1);
    ck_assert(enter(0, 1));
    for (size_t i = 1; i < 4; i++) {
        ck_assert(!enter(i, 1));
        ck_assert(handshakes_wait(&handshakes, &clients[i], 3));
    }
    ck_assert(!enter(4, 1));
    ck_assert(!handshakes_wait(&handshakes, &clients[4], 3));
    ck_assert_uint_eq(clients[4].slot.expires, 0);
    handshakes_leave(&handshakes, &clients[4]);
    ck_assert_uint_eq(handshakes.waiting_count, 3);
}
END_TEST

/* A place of the address is free, and no slot is. */
START_TEST(who_waits_for_his_address_waits_for_a_slot_too)
{
    handshake_slots_set_max(shared.slots, 2);
    handshakes_set_limit(&handshakes, 1);
    ck_assert(enter(0, 1));
    enter_or_wait(1, 1);
    ck_assert(enter(2, 2));
    ck_assert(!slot_holder_may_take(&handshakes.slots));
    handshakes_leave(&handshakes, &clients[0]);
    struct slot_holder other_worker = {.slots = shared.slots, .worker = 1};
    ck_assert(slot_holder_take(&other_worker));
    turn();
    expect_begun("");
    slot_holder_give(&other_worker);
    turn();
    expect_begun("b");
    ck_assert_uint_eq(handshakes.slots.count, 2);
}
END_TEST

/* Many can begin at once: in one iteration as many as are accepted in one. */
START_TEST(a_crowd_begins_in_parts)
{
    handshakes_set_limit(&handshakes, 1);
    for (size_t i = 0; i < MOST; i++)
        enter_or_wait(i, 1);
    handshakes_set_limit(&handshakes, 0);
    turn();
    ck_assert_uint_eq(begun_count, HANDSHAKES_ACCEPTS);
    for (int i = 0; i < 10; i++)
        turn();
    ck_assert_uint_eq(begun_count, MOST - 1);
}
END_TEST

/* Of the address itself, and no other. */
START_TEST(a_slow_client_is_evicted_if_others_of_its_address_wait)
{
    handshakes.half_open.span = 5;
    handshakes.yield_ms = 20;
    handshakes_set_limit(&handshakes, 1);
    ck_assert(enter(0, 2));
    ck_assert(enter(1, 1));
    enter_or_wait(2, 1);
    handshakes_tick(&handshakes);
    ck_assert_ptr_null(evicted);
    let_pass(10);
    handshakes_tick(&handshakes);
    ck_assert_ptr_null(evicted);
    let_pass(11);
    handshakes_tick(&handshakes);
    ck_assert_ptr_eq(evicted, &clients[1]);
    ck_assert_int_eq(evicted_for, CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS);
    turn();
    expect_begun("c");
    evicted = NULL;
    let_pass(21);
    handshakes_tick(&handshakes);
    ck_assert_ptr_null(evicted); /* nobody waits */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handshakes");
    TCase *tests = tcase_create("handshakes");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, at_once_as_long_as_there_is_time);
    tcase_add_test(tests, first_come_first_served);
    tcase_add_test(tests, who_leaves_loses_his_turn);
    tcase_add_test(tests, all_slots);
    tcase_add_test(tests, who_waits_is_not_forgotten_for_another);
    tcase_add_test(tests, no_limits);
    tcase_add_test(tests, so_many_in_an_iteration);
    tcase_add_test(tests, a_slow_client_is_evicted_if_others_wait);
    tcase_add_test(tests, slots_of_an_address);
    tcase_add_test(tests, who_waits_begins_in_turn);
    tcase_add_test(tests, clients_of_unknown_addresses);
    tcase_add_test(tests, a_late_one_keeps_no_slot_that_it_does_not_use);
    tcase_add_test(tests, unknown_ones_are_evicted_for_a_slot_alone);
    tcase_add_test(tests, a_place_that_another_worker_gives_back);
    tcase_add_test(tests, so_many_wait_and_no_more);
    tcase_add_test(tests, who_waits_for_his_address_waits_for_a_slot_too);
    tcase_add_test(tests, a_crowd_begins_in_parts);
    tcase_add_test(tests, a_slow_client_is_evicted_if_others_of_its_address_wait);
    suite_add_tcase(suite, tests);
    TCase *workers = tcase_create("workers");
    tcase_add_checked_fixture(workers, set_up_other, tear_down_other);
    tcase_add_test(workers, a_slot_that_another_worker_gives_back);
    tcase_add_test(workers, what_is_not_used_is_given_back);
    tcase_add_test(workers, a_worker_that_has_less_comes_first);
    tcase_add_test(workers, both_have_less);
    tcase_add_test(workers, a_worker_that_has_its_share_by_now);
    tcase_add_test(workers, slow_clients_are_evicted_for_another_worker);
    suite_add_tcase(suite, workers);
    return run_suite(suite);
}
