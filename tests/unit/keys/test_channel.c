/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's socket to the signer: the test is the worker, and a thread serves the channel. */
#include "keys/channel.h"

#include "keys/key_table.h"
#include "keys/keys_message.h"
#include "keys/keys_wire.h"
#include "run_suite.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { P256_SHA256 = 0x0403, SOON_MS = 20000, SHORT_MS = 100 };

static struct channel *channel;
static pthread_t thread;
static int worker; /* the test's end */
static sem_t has_wanted;
static _Atomic uint32_t wanted;
static uint8_t input[64 + 34 + 32];
static uint8_t message[KEYS_ANSWERS_MAX];

static void want(uint32_t key)
{
    atomic_store(&wanted, key);
    sem_post(&has_wanted);
}

static void *serve(void *arg)
{
    channel_serve(arg);
    return NULL;
}

static void set_key(uint32_t number)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    ck_assert_ptr_nonnull(key);
    ck_assert(key_table_set(number, (struct known_key){key, SIGN_AS_SERVER}));
}

static void set_up(void)
{
    int ends[2];
    memset(input, ' ', 64);
    memcpy(input + 64, "TLS 1.3, server CertificateVerify", 34);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(sem_init(&has_wanted, 0, 0), 0);
    worker = ends[0];
    ck_assert_int_eq(fcntl(worker, F_SETFL, O_NONBLOCK), 0);
    channel = channel_new(ends[1], want);
    ck_assert_ptr_nonnull(channel);
    set_key(0);
    set_key(1);
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, channel), 0);
}

static void tear_down(void)
{
    close(worker);
    key_table_complete();
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(channel->socket, -1);
    channel_free(&channel);
    ck_assert_ptr_null(channel);
    channel_free(&channel);
    key_table_drop(0);
    key_table_drop(1);
    key_table_drop(2);
}

/* One message with a request for each of these keys, numbered from `number` on. */
static struct slice requests(const uint32_t *keys, size_t count, uint32_t number)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        struct keys_request request = {number + (uint32_t)i, keys[i], P256_SHA256, {input, sizeof input}};
        ck_assert(keys_put_request(message, sizeof message, &used, &request));
    }
    return (struct slice){message, used};
}

static void send_all(const uint32_t *keys, size_t count, uint32_t number)
{
    ck_assert(keys_message_send(worker, requests(keys, count, number), NULL, 0));
}

static bool is_ready(short event, int timeout_ms)
{
    struct pollfd socket = {worker, event, 0};
    return poll(&socket, 1, timeout_ms) > 0;
}

/* The numbers of the answers that come, `count` in all, in order; what was refused has its highest bit set.
 */
static void receive(uint32_t *numbers, size_t count)
{
    size_t got = 0;
    while (got < count) {
        size_t fds = 0;
        ck_assert(is_ready(POLLIN, SOON_MS));
        ssize_t len = keys_message_receive(worker, message, sizeof message, NULL, &fds);
        ck_assert_int_gt(len, 0);
        struct slice rest = {message, (size_t)len};
        while (rest.len > 0) {
            struct keys_answer answer;
            ck_assert(keys_take_answer(&rest, &answer));
            ck_assert_uint_lt(got, count);
            numbers[got++] = answer.number | (answer.status == KEYS_REFUSED ? 1U << 31 : 0);
        }
    }
}

static void expect_answers(uint32_t first, size_t count)
{
    uint32_t numbers[KEYS_BATCH_MAX];
    receive(numbers, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(numbers[i], first + i);
}

START_TEST(a_batch_is_answered_in_its_order)
{
    uint32_t keys[KEYS_BATCH_MAX];
    for (size_t i = 0; i < KEYS_BATCH_MAX; i++)
        keys[i] = i % 2;
    for (uint32_t i = 0; i < 5; i++) {
        send_all(keys, KEYS_BATCH_MAX, 1000 * i);
        expect_answers(1000 * i, KEYS_BATCH_MAX);
    }
}
END_TEST

START_TEST(a_key_that_is_dropped_signs_no_more)
{
    static const uint32_t both[] = {0, 1};
    uint32_t numbers[2];
    send_all(both, 2, 10);
    expect_answers(10, 2); /* from now on the signer keeps what it needs for both */
    key_table_drop(0);
    key_table_refuse(0);
    channel_forget(channel, 0);
    send_all(both, 2, 20);
    receive(numbers, 2);
    ck_assert_uint_eq(numbers[0], 20 | 1U << 31);
    ck_assert_uint_eq(numbers[1], 21);
}
END_TEST

START_TEST(a_request_waits_for_its_key)
{
    static const uint32_t keys[] = {0, 2, 1};
    uint32_t numbers[2];
    send_all(keys, 3, 10);
    ck_assert_int_eq(sem_wait(&has_wanted), 0);
    ck_assert_uint_eq(atomic_load(&wanted), 2);
    expect_answers(10, 1); /* what was signed before does not wait */
    ck_assert(!is_ready(POLLIN, SHORT_MS));
    /* Meanwhile another key can be dropped. */
    key_table_drop(0);
    channel_forget(channel, 0);
    if (_i == 0)
        set_key(2);
    else if (_i == 1)
        key_table_refuse(2);
    else
        key_table_complete();
    receive(numbers, 2);
    ck_assert_uint_eq(numbers[0], _i == 0 ? 11 : 11 | 1U << 31);
    ck_assert_uint_eq(numbers[1], 12);
    ck_assert_int_ne(sem_trywait(&has_wanted), 0); /* it was told of once */
}
END_TEST

/* Its thread waits for it alone: who drops a key does not. */
START_TEST(a_worker_that_does_not_read)
{
    uint32_t keys[KEYS_BATCH_MAX] = {0};
    uint32_t sent = 0;
    uint32_t numbers[KEYS_BATCH_MAX];
    /* A batch is signed within milliseconds: when none goes in any more the thread is waiting. */
    while (is_ready(POLLOUT, 500)) {
        send_all(keys, KEYS_BATCH_MAX, sent);
        sent += KEYS_BATCH_MAX;
    }
    key_table_drop(0);
    key_table_refuse(0);
    channel_forget(channel, 0);
    channel_forget(channel, 1);
    /* It goes on when it is read from, and what comes after the key's end is refused. */
    uint32_t refused = 0;
    for (uint32_t got = 0; got < sent; got += KEYS_BATCH_MAX) {
        receive(numbers, KEYS_BATCH_MAX);
        for (uint32_t i = 0; i < KEYS_BATCH_MAX; i++) {
            ck_assert_uint_eq(numbers[i] & ~(1U << 31), got + i);
            refused += numbers[i] >> 31;
        }
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_lt(refused, sent);
}
END_TEST

START_TEST(malformed_requests_end_it)
{
    static const uint32_t both[] = {0, 1};
    struct slice whole = requests(both, 2, 10);
    size_t len = _i == 0 ? 1 : _i == 1 ? whole.len - 1 : whole.len + 1;
    uint8_t wrong[1024] = {0};
    memcpy(wrong, whole.data, len < whole.len ? len : whole.len);
    ck_assert(keys_message_send(worker, (struct slice){wrong, len}, NULL, 0));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(channel->socket, -1);
    char octet;
    while (recv(worker, &octet, 1, 0) > 0)
        continue;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, channel), 0); /* for what comes after the test */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel");
    TCase *tests = tcase_create("channel");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_batch_is_answered_in_its_order);
    tcase_add_test(tests, a_key_that_is_dropped_signs_no_more);
    tcase_add_loop_test(tests, a_request_waits_for_its_key, 0, 3);
    tcase_add_test(tests, a_worker_that_does_not_read);
    tcase_add_loop_test(tests, malformed_requests_end_it, 0, 3);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
