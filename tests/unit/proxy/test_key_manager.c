/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main thread's view of the key process: how long it waits before it starts it again, what it drops, and
 * which keys are lost. The process itself is the test's, in place of key_process.c; the clock is the test's
 * too.
 */
#include "proxy/keyclient/key_manager.h"

#include "base/array.h"
#include "base/bytes.h"
#include "failing_heap.h"
#include "manual_clock.h"
#include "proxy/keyclient/key_process.h"
#include "run_suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As the source has them. */
enum { FIRST_MS = 100, MAX_MS = 60 * 1000, STABLE_MS = 10 * 60 * 1000 };
enum { WORKERS = 3, KEYS_MAX = 32 };

/* ---- the process ---- */

static struct {
    int far;          /* the other end of the control socket */
    int next_far;     /* that of a socket which key_process_open has not taken yet */
    bool starts;      /* key_process_start succeeds */
    bool opens;       /* so does key_process_open */
    bool hears;       /* key_process_receive: it is still there */
    const char *ends; /* why the signer has ended, to be told with the next key_process_receive or _ask */
    unsigned opened, started, closed;
    unsigned drops_left; /* so many key_process_drop are taken */
    unsigned dropped[KEYS_MAX];
    unsigned asked[KEYS_MAX];
    const char *spki; /* of every key */
    uint32_t other;   /* the key that is another now; UINT32_MAX: none */
    uint32_t refused; /* the key that can't be loaded; UINT32_MAX: none */
    enum keys_command_type last;
} process;

bool __wrap_key_process_open(struct key_process *it, int control, char *error);
bool __wrap_key_process_start(struct key_process *it, const int *channels, size_t count, char *error);
bool __wrap_key_process_ask(struct key_process *it, const struct keys_command *command, struct slice *answer,
                            char *error);
bool __wrap_key_process_drop(struct key_process *it, uint32_t key);
bool __wrap_key_process_receive(struct key_process *it);
void __wrap_key_process_close(struct key_process *it);

/* The guard's control socket, as key_spawn returns it. */
static int new_guard(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    process.next_far = ends[1];
    return ends[0];
}

bool __wrap_key_process_open(struct key_process *it, int control, char *error)
{
    process.opened++;
    *it = (struct key_process){.control = -1};
    if (!process.opens) {
        snprintf(error, KEY_PROCESS_ERROR_MAX, "there is none");
        close(control);
        close(process.next_far);
        return false;
    }
    it->control = control;
    process.far = process.next_far;
    return true;
}

bool __wrap_key_process_start(struct key_process *it, const int *channels, size_t count, char *error)
{
    process.started++;
    ck_assert_uint_eq(count, WORKERS);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_ge(fcntl(channels[i], F_GETFD), 0);
    if (!process.starts)
        snprintf(error, KEY_PROCESS_ERROR_MAX, "it does not want to");
    it->runs = process.starts;
    if (it->runs)
        it->ended[0] = '\0';
    return process.starts;
}

static void end_if_it_does(struct key_process *it)
{
    if (process.ends == NULL)
        return;
    snprintf(it->ended, sizeof it->ended, "%s", process.ends);
    it->runs = false;
    process.ends = NULL;
}

bool __wrap_key_process_ask(struct key_process *it, const struct keys_command *command, struct slice *answer,
                            char *error)
{
    ck_assert_uint_lt(command->key, KEYS_MAX);
    process.last = command->type;
    process.asked[command->key]++;
    end_if_it_does(it);
    if (!it->runs || command->key == process.refused) {
        snprintf(error, KEY_PROCESS_ERROR_MAX, "can't be used: it says no");
        return false;
    }
    *answer = slice_of(command->key == process.other ? "another key" : process.spki);
    return true;
}

bool __wrap_key_process_drop(struct key_process *it, uint32_t key)
{
    (void)it;
    ck_assert_uint_lt(key, KEYS_MAX);
    if (process.drops_left == 0)
        return false;
    process.drops_left--;
    process.dropped[key]++;
    return true;
}

bool __wrap_key_process_receive(struct key_process *it)
{
    char octet;
    while (recv(it->control, &octet, 1, MSG_DONTWAIT) > 0)
        continue;
    end_if_it_does(it);
    return process.hears;
}

void __wrap_key_process_close(struct key_process *it)
{
    if (it->control < 0)
        return;
    process.closed++;
    close(it->control);
    close(process.far);
    it->control = -1;
    it->runs = false;
}

/* ---- the service ---- */

static uv_loop_t loop;
static struct key_manager *service;
static const struct tls_key_source *source;
static unsigned connected[WORKERS];
static unsigned losses;

static void connect_worker(void *arg, unsigned worker, int channel)
{
    ck_assert_ptr_eq(arg, connected);
    ck_assert_int_ge(channel, 0);
    connected[worker]++;
    close(channel);
}

static void note_loss(void *arg)
{
    ck_assert_ptr_eq(arg, connected);
    losses++;
}

static const struct key_manager_hooks hooks = {connect_worker, note_loss, connected, NULL};

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void set_up(void)
{
    static const struct cfg cfg = {.path = "F"};
    struct cfg_problems problems = {0};
    memset(&process, 0, sizeof process);
    process.starts = process.opens = process.hears = true;
    process.drops_left = UINT_MAX;
    process.other = process.refused = UINT32_MAX;
    process.spki = "public half";
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    manual_clock_begin();
    service = key_manager_new(&cfg, WORKERS, new_guard(), &problems);
    ck_assert_ptr_nonnull(service);
    ck_assert_uint_eq(problems.count, 0);
    source = key_manager_source(service);
    for (unsigned i = 0; i < WORKERS; i++) {
        int channel = key_manager_take_channel(service, i);
        ck_assert_int_ge(channel, 0);
        ck_assert_int_eq(fcntl(channel, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        close(channel);
        ck_assert_int_eq(key_manager_take_channel(service, i), -1);
    }
    ck_assert_int_eq(key_manager_take_channel(service, WORKERS), -1);
    ck_assert_int_eq(key_manager_watch(service, &loop, &hooks), 0);
    turn();
    ck_assert_uint_eq(manual_clock_count(), 0);
}

static void tear_down(void)
{
    key_manager_unwatch(service);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    key_manager_free(&service);
    ck_assert_ptr_null(service);
    ck_assert_uint_eq(process.closed, process.opened);
}

static uint32_t load(const char *path)
{
    struct tls_external_key key;
    ck_assert_msg(source->load(source->arg, path, NULL, TLS_KEY_OF_SERVER, &key), "%s", key.error);
    ck_assert_uint_eq(key.spki_len, strlen(process.spki));
    return key.number;
}

/* The signer ends while nobody asks it anything. */
static void end_signer(void)
{
    process.ends = "signal 9";
    ck_assert_int_eq(send(process.far, "x", 1, 0), 1);
    turn();
    ck_assert(!key_manager_is_up(service));
}

static void end_guard(void)
{
    process.hears = false;
    ck_assert_int_eq(send(process.far, "x", 1, 0), 1);
    turn();
    turn();
    process.hears = true;
}

/* ---- starting it again ---- */

static uint64_t doubled(uint64_t wait)
{
    return 2 * wait < MAX_MS ? 2 * wait : MAX_MS;
}

START_TEST(it_waits_twice_as_long_each_time_up_to_a_minute)
{
    process.starts = _i == 0;
    uint64_t wait = FIRST_MS;
    if (_i == 1)
        end_signer();
    for (unsigned i = 0; i < 15; i++) {
        unsigned before = process.started;
        if (_i == 0)
            end_signer();
        ck_assert_uint_eq(manual_clock_next(), wait);
        manual_clock_advance(wait - 1);
        ck_assert_uint_eq(process.started, before);
        manual_clock_advance(1);
        ck_assert_uint_eq(process.started, before + 1);
        ck_assert_int_eq(key_manager_is_up(service), _i == 0);
        ck_assert_uint_eq(key_manager_restarts(service), _i == 0 ? i + 1 : 0);
        wait = doubled(wait);
    }
    ck_assert_uint_eq(wait, MAX_MS);
}
END_TEST

START_TEST(one_that_has_run_for_long_is_started_again_at_once)
{
    for (unsigned i = 0; i < 5; i++) {
        end_signer();
        manual_clock_advance(manual_clock_next());
    }
    /* Not long enough: the time of before, doubled. */
    manual_clock_advance(STABLE_MS);
    end_signer();
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS << 5);
    manual_clock_advance(FIRST_MS << 5);
    manual_clock_advance(STABLE_MS + 1);
    end_signer();
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS);
}
END_TEST

START_TEST(each_worker_gets_a_socket_again)
{
    end_signer();
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_uint_eq(connected[i], 0);
    manual_clock_advance(FIRST_MS);
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_uint_eq(connected[i], 1);
    ck_assert(key_manager_is_up(service));
    ck_assert_uint_eq(process.opened, 1); /* its guard was there all the time */
}
END_TEST

START_TEST(it_ends_while_it_is_asked)
{
    struct tls_external_key key;
    process.ends = "signal 9";
    ck_assert(!source->load(source->arg, "a.key", NULL, TLS_KEY_OF_SERVER, &key));
    ck_assert_str_eq(key.error, "can't be used: it says no");
    ck_assert_uint_eq(manual_clock_count(), 0);
    turn();
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS);
}
END_TEST

/* It starts none by itself, and takes any that it is given: also in place of one that is there. */
START_TEST(its_guard_ends_too)
{
    uint32_t number = load("a.key");
    end_guard();
    ck_assert_uint_eq(process.closed, 1);
    ck_assert(!key_manager_is_up(service));
    ck_assert_uint_eq(manual_clock_count(), 0);
    process.opens = false;
    key_manager_replace_guard(service, new_guard());
    ck_assert_uint_eq(manual_clock_count(), 0);
    process.closed++; /* there was nothing to close */
    process.opens = true;
    for (unsigned i = 0; i < 2; i++) {
        unsigned started = process.started;
        key_manager_replace_guard(service, new_guard());
        ck_assert_uint_eq(manual_clock_next(), 0);
        manual_clock_advance(0);
        ck_assert_uint_eq(process.started, started + 1);
        ck_assert(key_manager_is_up(service));
        ck_assert_uint_eq(process.asked[number], 2 + i);
    }
    /* The new one is watched as the first was. */
    end_signer();
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS);
}
END_TEST

/* ---- keys, once more ---- */

START_TEST(the_keys_are_loaded_again_under_their_numbers)
{
    uint32_t numbers[4];
    char name[16];
    for (unsigned i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%u.key", i);
        numbers[i] = load(name);
    }
    end_signer();
    manual_clock_advance(FIRST_MS);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(process.asked[numbers[i]], 2);
        ck_assert(source->has(source->arg, numbers[i]));
    }
    ck_assert_uint_eq(losses, 0);
}
END_TEST

START_TEST(a_key_that_is_another_or_gone_is_lost)
{
    uint32_t kept = load("kept.key");
    uint32_t lost = load("lost.key");
    *(_i == 0 ? &process.other : &process.refused) = lost;
    end_signer();
    manual_clock_advance(FIRST_MS);
    ck_assert_uint_eq(losses, 1);
    ck_assert(source->has(source->arg, kept));
    ck_assert(!source->has(source->arg, lost));
    /* Only the key that it has loaded is to be dropped, as nobody can use it. */
    ck_assert_uint_eq(process.dropped[lost], _i == 0);
    ck_assert_uint_eq(process.dropped[kept], 0);
    /* The file has the right key again. */
    process.other = process.refused = UINT32_MAX;
    end_signer();
    manual_clock_advance(2 * FIRST_MS);
    ck_assert(source->has(source->arg, lost));
    ck_assert_uint_eq(losses, 1);
}
END_TEST

START_TEST(it_ends_again_while_keys_are_loaded)
{
    load("a.key");
    load("b.key");
    end_signer();
    process.ends = "signal 9";
    manual_clock_advance(FIRST_MS);
    ck_assert(!key_manager_is_up(service));
    ck_assert_uint_eq(key_manager_restarts(service), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_uint_eq(connected[i], 0);
    ck_assert_uint_eq(manual_clock_next(), 2 * FIRST_MS);
    manual_clock_advance(2 * FIRST_MS);
    ck_assert(key_manager_is_up(service));
    ck_assert_uint_eq(key_manager_restarts(service), 1);
}
END_TEST

START_TEST(a_key_that_can_not_be_loaded_leaves_nothing)
{
    struct tls_external_key key;
    process.refused = 0;
    ck_assert(!source->load(source->arg, "a.key", "a.pass", TLS_KEY_OF_CLIENT, &key));
    ck_assert_int_eq(process.last, KEYS_LOAD_CLIENT);
    ck_assert_uint_eq(process.dropped[0], 1);
    process.refused = UINT32_MAX;
    ck_assert_uint_eq(load("b.key"), 0);
    ck_assert_int_eq(process.last, KEYS_LOAD);
    end_signer();
    manual_clock_advance(FIRST_MS);
    ck_assert_uint_eq(process.asked[0], 3); /* twice for b.key: nothing is known of the other */
    ck_assert_uint_eq(losses, 0);
}
END_TEST

START_TEST(without_memory_a_key_is_not_loaded)
{
    struct tls_external_key key;
    failing_heap_set(0);
    failing_heap_begin();
    ck_assert(!source->load(source->arg, "a.key", NULL, TLS_KEY_OF_SERVER, &key));
    failing_heap_end();
    ck_assert_str_eq(key.error, "can't be kept: out of memory");
    ck_assert_uint_eq(load("a.key"), 0);
}
END_TEST

START_TEST(chains_are_read_one_after_the_other)
{
    char error[TLS_KEY_ERROR_MAX];
    struct bytes chain = {0};
    for (int i = 0; i < 2; i++) {
        ck_assert(source->read_chain(source->arg, "a.pem", &chain, error));
        ck_assert_int_eq(process.last, KEYS_CHAIN);
    }
    ck_assert(slice_equals(bytes_view(&chain), slice_of("public halfpublic half"))); /* it appends */
    process.refused = 0;
    ck_assert(!source->read_chain(source->arg, "a.pem", &chain, error));
    ck_assert_str_eq(error, "can't be used: it says no");
    bytes_free(&chain);
    process.refused = UINT32_MAX;
    load("a.key");
}
END_TEST

/* ---- what is dropped ---- */

START_TEST(released_keys_are_dropped_by_the_main_thread)
{
    uint32_t number = load("a.key");
    source->release(source->arg, number);
    ck_assert_uint_eq(process.dropped[number], 0);
    turn();
    ck_assert_uint_eq(process.dropped[number], 1);
    ck_assert_uint_eq(load("b.key"), number);
}
END_TEST

/* A key process that has much to do takes some, and hears of the rest with the next occasion; none twice. */
START_TEST(what_could_not_be_dropped_is_dropped_later)
{
    enum { COUNT = 8, AT_FIRST = 3 };
    uint32_t numbers[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        numbers[i] = load("a.key");
    process.drops_left = AT_FIRST;
    for (unsigned i = 0; i < COUNT; i++)
        source->release(source->arg, numbers[i]);
    turn();
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(process.dropped[numbers[i]], i < AT_FIRST);
    /* The numbers of those that are still there are nobody else's. */
    uint32_t number = 0;
    for (unsigned i = 0; i < AT_FIRST; i++) {
        number = load("b.key");
        for (unsigned j = AT_FIRST; j < COUNT; j++)
            ck_assert_uint_ne(number, numbers[j]);
    }
    process.drops_left = UINT_MAX;
    if (_i == 0)
        load("c.key");
    else
        source->release(source->arg, number);
    turn();
    for (unsigned i = AT_FIRST; i < COUNT; i++)
        ck_assert_uint_eq(process.dropped[numbers[i]], 1);
}
END_TEST

START_TEST(a_dropped_key_is_not_loaded_again)
{
    uint32_t kept = load("kept.key");
    uint32_t dropped = load("dropped.key");
    source->release(source->arg, dropped);
    turn();
    end_signer();
    manual_clock_advance(FIRST_MS);
    ck_assert_uint_eq(process.asked[kept], 2);
    ck_assert_uint_eq(process.asked[dropped], 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_manager");
    TCase *tests = tcase_create("key_manager");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, it_waits_twice_as_long_each_time_up_to_a_minute, 0, 2);
    tcase_add_test(tests, one_that_has_run_for_long_is_started_again_at_once);
    tcase_add_test(tests, each_worker_gets_a_socket_again);
    tcase_add_test(tests, it_ends_while_it_is_asked);
    tcase_add_test(tests, its_guard_ends_too);
    tcase_add_test(tests, the_keys_are_loaded_again_under_their_numbers);
    tcase_add_loop_test(tests, a_key_that_is_another_or_gone_is_lost, 0, 2);
    tcase_add_test(tests, it_ends_again_while_keys_are_loaded);
    tcase_add_test(tests, a_key_that_can_not_be_loaded_leaves_nothing);
    tcase_add_test(tests, without_memory_a_key_is_not_loaded);
    tcase_add_test(tests, chains_are_read_one_after_the_other);
    tcase_add_test(tests, released_keys_are_dropped_by_the_main_thread);
    tcase_add_loop_test(tests, what_could_not_be_dropped_is_dropped_later, 0, 2);
    tcase_add_test(tests, a_dropped_key_is_not_loaded_again);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
