/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "keys/keys_message.h"
#include "keys/keys_wire.h"
#include "proxy/keyclient/key_client.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A worker's loop and client, and the test as the key process at the other end. */
static uv_loop_t loop;
static uv_async_t alive; /* as a worker has handles that keep its loop running */
static struct log *the_log;
static struct key_client client;
static int far = -1;

enum { ASKERS = 5000 };

static struct asker {
    struct key_client_handle handle;
    unsigned answers;
    size_t len; /* of the signature */
    uint8_t first;
    bool asks_again;
    bool was_taken; /* what it asked again */
} askers[ASKERS];

static const uint8_t input[130] = {1, 2, 3};
static struct tls_sign_request to_sign = {.key = 3, .algorithm = 0x0403, .input = {input, sizeof input}};
static uint8_t message[KEYS_ANSWERS_MAX];

static void connect_anew(void)
{
    int ends[2];
    if (far >= 0)
        close(far);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    key_client_connect(&client, ends[0]);
    far = ends[1];
    ck_assert_int_eq(fcntl(far, F_SETFL, O_NONBLOCK), 0);
}

static void setup(void)
{
    memset(askers, 0, sizeof askers);
    far = -1;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_async_init(&loop, &alive, NULL), 0);
    the_log = log_new(CFG_LOG_ERROR);
    ck_assert_int_eq(key_client_open(&client, &loop, log_add_queue(the_log)), 0);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void teardown(void)
{
    uv_walk(&loop, close_handle, NULL);
    log_close(&the_log);
    uv_run(&loop, UV_RUN_DEFAULT);
    key_client_close(&client);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    if (far >= 0)
        close(far);
}

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void on_answer(void *arg, struct slice signature)
{
    struct asker *asker = arg;
    asker->answers++;
    asker->len = signature.len;
    asker->first = signature.len > 0 ? signature.data[0] : 0;
    ck_assert(!key_client_handle_is_open(&asker->handle));
    if (asker->asks_again)
        asker->was_taken = key_client_sign(&client, &to_sign, &asker->handle, on_answer, asker);
}

static bool ask(size_t i)
{
    return key_client_sign(&client, &to_sign, &askers[i].handle, on_answer, &askers[i]);
}

/* The next message's requests, by their numbers; how many. 0: there is no message. */
static size_t receive(uint32_t numbers[KEYS_BATCH_MAX])
{
    size_t fds = 0;
    size_t count = 0;
    ssize_t len = keys_message_receive(far, message, sizeof message, NULL, &fds);
    if (len < 0)
        ck_assert_int_eq(errno, EAGAIN);
    struct slice rest = {message, len > 0 ? (size_t)len : 0};
    while (rest.len > 0) {
        struct keys_request request;
        ck_assert(keys_take_request(&rest, &request));
        ck_assert_uint_eq(request.key, 3);
        ck_assert_uint_eq(request.algorithm, 0x0403);
        ck_assert(slice_equals(request.input, to_sign.input));
        ck_assert_uint_lt(count, KEYS_BATCH_MAX);
        numbers[count++] = request.number;
    }
    return count;
}

/* One message with a signature for each, whose first octet is `first` and then one more each. */
static void answer(const uint32_t *numbers, size_t count, uint8_t first)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t signature[70] = {(uint8_t)(first + i)};
        struct keys_answer one = {numbers[i], KEYS_SIGNED, {signature, sizeof signature}};
        ck_assert(keys_put_answer(message, sizeof message, &used, &one));
    }
    ck_assert(keys_message_send(far, (struct slice){message, used}, NULL, 0));
}

START_TEST(an_iteration_s_requests_go_in_one_message)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    uint32_t none[KEYS_BATCH_MAX];
    connect_anew();
    for (size_t i = 0; i < 10; i++)
        ck_assert(ask(i));
    ck_assert_uint_eq(receive(numbers), 0);
    turn();
    ck_assert_uint_eq(receive(numbers), 10);
    ck_assert_uint_eq(receive(none), 0);
    answer(numbers, 10, 100);
    turn();
    for (size_t i = 0; i < 10; i++) {
        ck_assert_uint_eq(askers[i].answers, 1);
        ck_assert_uint_eq(askers[i].first, 100 + i);
    }
}
END_TEST

START_TEST(answers_in_any_order)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    connect_anew();
    for (size_t i = 0; i < 3; i++)
        ck_assert(ask(i));
    turn();
    ck_assert_uint_eq(receive(numbers), 3);
    uint32_t turned[] = {numbers[2], numbers[0]};
    answer(turned, 2, 1);
    turn();
    ck_assert_uint_eq(askers[2].first, 1);
    ck_assert_uint_eq(askers[0].first, 2);
    ck_assert_uint_eq(askers[1].answers, 0);
    answer(numbers + 1, 1, 9);
    turn();
    ck_assert_uint_eq(askers[1].first, 9);
}
END_TEST

START_TEST(a_refusal_is_an_empty_answer)
{
    uint32_t number[KEYS_BATCH_MAX];
    size_t used = 0;
    connect_anew();
    ck_assert(ask(0));
    turn();
    ck_assert_uint_eq(receive(number), 1);
    struct keys_answer refusal = {number[0], KEYS_REFUSED, {NULL, 0}};
    ck_assert(keys_put_answer(message, sizeof message, &used, &refusal));
    ck_assert(keys_message_send(far, (struct slice){message, used}, NULL, 0));
    turn();
    ck_assert_uint_eq(askers[0].answers, 1);
    ck_assert_uint_eq(askers[0].len, 0);
}
END_TEST

START_TEST(a_late_answer_goes_to_nobody)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    uint32_t again[KEYS_BATCH_MAX];
    connect_anew();
    ck_assert(ask(0));
    ck_assert(ask(1));
    turn();
    ck_assert_uint_eq(receive(numbers), 2);
    key_client_cancel(&client, &askers[0].handle);
    key_client_cancel(&client, &askers[0].handle);
    ck_assert(!key_client_handle_is_open(&askers[0].handle));
    /* Its number is not another's before it is answered. */
    ck_assert(ask(2));
    turn();
    ck_assert_uint_eq(receive(again), 1);
    ck_assert_uint_ne(again[0], numbers[0]);
    answer(numbers, 2, 1);
    turn();
    ck_assert_uint_eq(askers[0].answers, 0);
    ck_assert_uint_eq(askers[1].answers, 1);
    ck_assert_uint_eq(askers[2].answers, 0);
}
END_TEST

/* What was not sent yet is not sent: wherever in the list it was. */
START_TEST(cancelled_before_it_was_sent)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    connect_anew();
    for (unsigned cancelled = 0; cancelled < 16; cancelled++) {
        size_t left = 0;
        for (size_t i = 0; i < 4; i++)
            ck_assert(ask(i));
        for (size_t i = 0; i < 4; i++)
            if ((cancelled >> i & 1) != 0)
                key_client_cancel(&client, &askers[i].handle);
            else
                left++;
        turn();
        ck_assert_uint_eq(receive(numbers), left);
        if (left > 0)
            answer(numbers, left, 1);
        turn();
        for (size_t i = 0; i < 4; i++) {
            ck_assert_uint_eq(askers[i].answers, (cancelled >> i & 1) == 0);
            askers[i].answers = 0;
        }
    }
}
END_TEST

/*
 * Signatures in flight: thousands, through a socket that takes some hundred; none is lost, or given to
 * another.
 */
START_TEST(more_than_the_socket_takes)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    size_t received = 0;
    connect_anew();
    for (size_t i = 0; i < ASKERS; i++)
        ck_assert(ask(i));
    turn();
    ck_assert(client.blocked);
    key_client_cancel(&client, &askers[ASKERS - 1].handle);
    for (unsigned tries = 0; received < ASKERS - 1 && tries < ASKERS; tries++) {
        size_t count = receive(numbers);
        received += count;
        if (count > 0)
            answer(numbers, count, 1);
        turn();
    }
    turn();
    ck_assert(!client.blocked);
    ck_assert_uint_eq(received, ASKERS - 1);
    for (size_t i = 0; i < ASKERS - 1; i++)
        ck_assert_uint_eq(askers[i].answers, 1);
    ck_assert_uint_eq(askers[ASKERS - 1].answers, 0);
}
END_TEST

/*
 * As a client of servers signs them in TLS 1.2: each message takes as many requests, in their order, as it
 * has room for.
 */
START_TEST(long_inputs_among_short_ones)
{
    static const uint8_t octets[TLS_SIGN_INPUT_MAX] = {7};
    static const size_t sizes[] = {130, TLS_SIGN_INPUT_MAX, 130, 146, TLS_SIGN_INPUT_MAX, 20000, 10000, 130};
    static const size_t in_message[] = {1, 1, 2, 1, 3}; /* the last long one is cancelled before it goes */
    enum { COUNT = ARRAY_LEN(sizes), CANCELLED = COUNT };
    connect_anew();
    for (size_t i = 0; i <= COUNT; i++) {
        struct tls_sign_request one = {3, 0x0403, {octets, i < COUNT ? sizes[i] : TLS_SIGN_INPUT_MAX}};
        ck_assert(key_client_sign(&client, &one, &askers[i].handle, on_answer, &askers[i]));
    }
    key_client_cancel(&client, &askers[CANCELLED].handle);
    turn();
    size_t next = 0;
    for (size_t i = 0; i < ARRAY_LEN(in_message) && next < COUNT; i++) {
        size_t fds = 0;
        ssize_t len = keys_message_receive(far, message, KEYS_REQUESTS_MAX, NULL, &fds);
        ck_assert_int_gt(len, 0);
        struct slice rest = {message, (size_t)len};
        for (size_t j = 0; j < in_message[i]; j++) {
            struct keys_request request;
            ck_assert(keys_take_request(&rest, &request));
            ck_assert_uint_eq(request.input.len, sizes[next++]);
        }
        ck_assert_uint_eq(rest.len, 0);
    }
    uint32_t none[KEYS_BATCH_MAX];
    ck_assert_uint_eq(next, COUNT);
    ck_assert_uint_eq(receive(none), 0);
    ck_assert_uint_eq(askers[CANCELLED].answers, 0);
}
END_TEST

START_TEST(more_long_inputs_than_the_socket_takes)
{
    static const uint8_t octets[TLS_SIGN_INPUT_MAX] = {7};
    enum { COUNT = 100 };
    size_t got = 0;
    connect_anew();
    for (size_t i = 0; i < COUNT; i++) {
        struct tls_sign_request one = {3, 0x0403, {octets, sizeof octets}};
        ck_assert(key_client_sign(&client, &one, &askers[i].handle, on_answer, &askers[i]));
    }
    for (size_t turns = 0; turns < COUNT && got < COUNT; turns++) {
        size_t fds = 0;
        turn();
        while (keys_message_receive(far, message, KEYS_REQUESTS_MAX, NULL, &fds) > 0)
            got++;
    }
    ck_assert_uint_eq(got, COUNT);
}
END_TEST

static void end_the_key_process(void)
{
    close(far);
    far = -1;
    turn();
}

/* What was sent, what was not yet, and what is asked meanwhile: all of it waits, unless it is cancelled. */
START_TEST(the_end_of_the_key_process_is_waited_out)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    connect_anew();
    for (size_t i = 0; i < 4; i++)
        ck_assert(ask(i));
    turn();
    ck_assert_uint_eq(receive(numbers), 4);
    ck_assert(ask(4));
    key_client_cancel(&client, &askers[1].handle);
    end_the_key_process();
    ck_assert(ask(5));
    key_client_cancel(&client, &askers[2].handle);
    turn();
    for (size_t i = 0; i < 6; i++)
        ck_assert_uint_eq(askers[i].answers, 0);
    connect_anew();
    turn();
    ck_assert_uint_eq(receive(numbers), 4);
    answer(numbers, 4, 1);
    turn();
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(askers[i].answers, i != 1 && i != 2);
        ck_assert_uint_eq(askers[i].len, i != 1 && i != 2 ? 70 : 0);
    }
}
END_TEST

/* It may be what ends the key process. */
START_TEST(no_request_is_sent_a_third_time)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    connect_anew();
    askers[0].asks_again = true;
    ck_assert(ask(0));
    turn();
    ck_assert_uint_eq(receive(numbers), 1);
    end_the_key_process();
    ck_assert_uint_eq(askers[0].answers, 0);
    ck_assert(ask(1)); /* which is not sent before the end after next */
    connect_anew();
    turn();
    ck_assert_uint_eq(receive(numbers), 2);
    end_the_key_process();
    ck_assert_uint_eq(askers[0].answers, 1);
    ck_assert_uint_eq(askers[0].len, 0);
    ck_assert(askers[0].was_taken); /* a new request */
    ck_assert_uint_eq(askers[1].answers, 0);
    askers[0].asks_again = false;
    connect_anew();
    turn();
    ck_assert_uint_eq(receive(numbers), 2);
    answer(numbers, 2, 1);
    turn();
    ck_assert_uint_eq(askers[0].answers, 2);
    ck_assert_uint_eq(askers[1].answers, 1);
}
END_TEST

START_TEST(nobody_will_sign)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    connect_anew();
    askers[0].asks_again = true;
    ck_assert(ask(0));
    ck_assert(ask(1));
    turn();
    ck_assert_uint_eq(receive(numbers), 2);
    ck_assert(ask(2));
    key_client_cancel(&client, &askers[1].handle);
    if (_i == 1)
        end_the_key_process();
    key_client_give_up(&client);
    ck_assert_uint_eq(askers[0].answers, 1);
    ck_assert_uint_eq(askers[0].len, 0);
    ck_assert(!askers[0].was_taken);
    ck_assert_uint_eq(askers[1].answers, 0);
    ck_assert_uint_eq(askers[2].answers, 1);
    ck_assert(!ask(3));
    connect_anew();
    ck_assert(ask(3));
    turn();
    ck_assert_uint_eq(receive(numbers), 1);
}
END_TEST

START_TEST(another_socket_in_place_of_a_living_one)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    connect_anew();
    ck_assert(ask(0));
    turn();
    int old = dup(far);
    connect_anew();
    ck_assert(ask(1));
    turn();
    ck_assert_uint_eq(receive(numbers), 2); /* the first one once more */
    answer(numbers, 2, 5);
    turn();
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(askers[i].answers, 1);
        ck_assert_uint_ge(askers[i].first, 5);
    }
    close(old);
}
END_TEST

/*
 * What a key process that was taken over may say: the worker lets go of it, and everybody is answered with
 * nothing.
 */
START_TEST(hostile_answers)
{
    static const struct {
        size_t len;
        uint8_t octets[40];
    } wrong[] = {
        {1, {1}},
        {8, {0, 0, 0, 0, 0, 1, 0, 0}},                          /* for nobody */
        {8, {0, 0, 0, 2, 0, 1, 0, 0}},                          /* for one that did not ask */
        {8, {0xFF, 0xFF, 0xFF, 0xFF, 0, 1, 0, 0}},              /* for one that there is not */
        {8, {0, 0, 0, 1, 0, 0, 0xFF, 0xFF}},                    /* longer than the message */
        {16, {0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0}}, /* twice */
    };
    uint32_t numbers[KEYS_BATCH_MAX];
    connect_anew();
    ck_assert(ask(0));
    turn();
    ck_assert_uint_eq(receive(numbers), 1);
    ck_assert_uint_eq(numbers[0], 1);
    ck_assert(keys_message_send(far, (struct slice){wrong[_i].octets, wrong[_i].len}, NULL, 0));
    turn();
    ck_assert_uint_eq(askers[0].answers, 1);
    ck_assert_uint_eq(askers[0].len, 0);
    ck_assert(!ask(1));
}
END_TEST
enum { HOSTILE = 6 };

START_TEST(an_answer_that_asks_again)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    connect_anew();
    askers[0].asks_again = true;
    ck_assert(ask(0));
    for (unsigned i = 1; i < 5; i++) {
        turn();
        ck_assert_uint_eq(receive(numbers), 1);
        answer(numbers, 1, 1);
        turn();
        ck_assert_uint_eq(askers[0].answers, i);
        ck_assert(askers[0].was_taken);
    }
}
END_TEST

/* A worker begins before it has its socket, if the key process ends at that time. */
START_TEST(nobody_to_ask_yet)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    ck_assert(ask(0));
    ck_assert(ask(1));
    key_client_cancel(&client, &askers[0].handle);
    turn();
    connect_anew();
    turn();
    ck_assert_uint_eq(receive(numbers), 1);
    answer(numbers, 1, 5);
    turn();
    ck_assert_uint_eq(askers[0].answers, 0);
    ck_assert_uint_eq(askers[1].first, 5);
}
END_TEST

/* As many as there are sessions: their order is kept, also if the socket does not take them at once. */
START_TEST(thousands_wait_for_the_next_key_process)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    size_t received = 0;
    for (size_t i = 0; i < ASKERS; i++)
        ck_assert(ask(i));
    turn();
    connect_anew();
    for (unsigned tries = 0; received < ASKERS && tries < ASKERS; tries++) {
        size_t count = receive(numbers);
        if (count > 0)
            answer(numbers, count, (uint8_t)received);
        received += count;
        turn();
    }
    turn();
    for (size_t i = 0; i < ASKERS; i++) {
        ck_assert_uint_eq(askers[i].answers, 1);
        ck_assert_uint_eq(askers[i].first, (uint8_t)i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_client");
    TCase *tests = tcase_create("key_client");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_iteration_s_requests_go_in_one_message);
    tcase_add_test(tests, answers_in_any_order);
    tcase_add_test(tests, a_refusal_is_an_empty_answer);
    tcase_add_test(tests, a_late_answer_goes_to_nobody);
    tcase_add_test(tests, cancelled_before_it_was_sent);
    tcase_add_test(tests, more_than_the_socket_takes);
    tcase_add_test(tests, long_inputs_among_short_ones);
    tcase_add_test(tests, more_long_inputs_than_the_socket_takes);
    tcase_add_test(tests, the_end_of_the_key_process_is_waited_out);
    tcase_add_test(tests, no_request_is_sent_a_third_time);
    tcase_add_loop_test(tests, nobody_will_sign, 0, 2);
    tcase_add_test(tests, another_socket_in_place_of_a_living_one);
    tcase_add_loop_test(tests, hostile_answers, 0, HOSTILE);
    tcase_add_test(tests, an_answer_that_asks_again);
    tcase_add_test(tests, nobody_to_ask_yet);
    tcase_add_test(tests, thousands_wait_for_the_next_key_process);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
