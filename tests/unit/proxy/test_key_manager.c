/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main thread's view of the key process, on a loop: how long it waits before it has the signer started
 * again, how it notices one that hangs, what is loaded first, what it drops, and which keys are lost. The
 * guard is the test, at the other end of the control socket; the clock is the test's too.
 */
#include "proxy/keyclient/key_manager.h"

#include "base/array.h"
#include "base/bytes.h"
#include "failing_heap.h"
#include "keys/keys_message.h"
#include "keys/keys_wire.h"
#include "manual_clock.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* As the source has them. */
enum {
    FIRST_MS = 100,
    MAX_MS = 60 * 1000,
    STABLE_MS = 10 * 60 * 1000,
    PATIENCE_MS = 2000,
    PING_EACH_MS = 2000,
    PING_ANSWER_MS = 8000,
    KILL_MS = 5000,
    GUARD_MS = 10 * 1000,
    ANSWER_MS = 30 * 1000,
    DROPS_MAX = 64
};
enum { WORKERS = 3 };
static const char public_half[] = "public half";

static uv_loop_t loop;
static struct key_manager *manager;
static const struct tls_key_source *source;
static unsigned connected[WORKERS];
static unsigned losses, given_up;

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* ---- the guard ---- */

static int guard = -1; /* the other end of the control socket */
static struct keys_command command;
static uint8_t message[KEYS_COMMAND_MAX];
static size_t channels; /* that came with KEYS_CHANNELS since the last KEYS_START */

/* As key_spawn returns it. */
static int new_guard(void)
{
    int ends[2];
    if (guard >= 0)
        close(guard);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    guard = ends[1];
    return ends[0];
}

static void send_reply(enum keys_reply_type type, const char *text)
{
    uint8_t reply[512];
    size_t len = keys_put_reply(reply, type, slice_of(text));
    ck_assert(keys_message_send(guard, (struct slice){reply, len}, NULL, 0));
}

/* The next command, which may be there already. False: there is none. */
static bool receive(void)
{
    int fds[KEYS_CHANNELS_EACH];
    size_t count = KEYS_CHANNELS_EACH;
    ssize_t len = keys_message_receive(guard, message, sizeof message, fds, &count);
    if (len <= 0)
        return false;
    channels += count;
    keys_close_all(fds, count);
    ck_assert(keys_take_command((struct slice){message, (size_t)len}, &command));
    return true;
}

static void expect(enum keys_command_type type)
{
    ck_assert_msg(receive(), "no command");
    ck_assert_int_eq(command.type, type);
}

static void expect_key(enum keys_command_type type, uint32_t key)
{
    expect(type);
    ck_assert_uint_eq(command.key, key);
}

static void expect_nothing(void)
{
    turn();
    ck_assert(!receive());
}

/* An answer, and what the manager does then. */
static void answer(enum keys_reply_type type, const char *text)
{
    send_reply(type, text);
    turn();
}

static void want(uint32_t key)
{
    uint8_t payload[KEYS_WANTED_LEN];
    uint8_t reply[1 + KEYS_WANTED_LEN];
    keys_put_wanted(payload, key);
    size_t len = keys_put_reply(reply, KEYS_WANTED, (struct slice){payload, sizeof payload});
    ck_assert(keys_message_send(guard, (struct slice){reply, len}, NULL, 0));
}

/* ---- the manager ---- */

static void connect_worker(void *arg, unsigned worker, int channel)
{
    ck_assert_ptr_eq(arg, connected);
    ck_assert_int_ge(channel, 0);
    connected[worker]++;
    close(channel);
}

static void count(void *arg, unsigned *counter)
{
    ck_assert_ptr_eq(arg, connected);
    ++*counter;
}

static void note_loss(void *arg)
{
    count(arg, &losses);
}

static void note_given_up(void *arg)
{
    count(arg, &given_up);
}

static const struct key_manager_hooks hooks = {connect_worker, note_given_up, note_loss, connected, NULL};

/* It has closed the control socket of the guard that it has now. */
static bool has_let_go(void)
{
    char octet;
    return recv(guard, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void expect_start(void)
{
    channels = 0;
    expect(KEYS_CHANNELS);
    expect(KEYS_START);
    ck_assert_uint_eq(channels, WORKERS);
}

/* Before the loop the manager waits for its answers: they are there already. */
static void make_manager(void)
{
    static const struct cfg cfg = {.path = "F"};
    struct cfg_problems problems = {0};
    int control = new_guard();
    send_reply(KEYS_DONE, "a library");
    manager = key_manager_new(&cfg, WORKERS, control, &problems);
    ck_assert_ptr_nonnull(manager);
    ck_assert_uint_eq(problems.count, 0);
    expect_start();
    source = key_manager_source(manager);
}

static void watch(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        int channel = key_manager_take_channel(manager, i);
        ck_assert_int_ge(channel, 0);
        ck_assert_int_eq(fcntl(channel, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        close(channel);
        ck_assert_int_eq(key_manager_take_channel(manager, i), -1);
    }
    ck_assert_int_eq(key_manager_take_channel(manager, WORKERS), -1);
    ck_assert_int_eq(key_manager_watch(manager, &loop, &hooks), 0);
    turn();
}

static void set_up_alone(void)
{
    memset(connected, 0, sizeof connected);
    losses = given_up = 0;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    manual_clock_begin();
    make_manager();
}

static void set_up(void)
{
    set_up_alone();
    watch();
    expect(KEYS_READY);
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_UP);
}

static void tear_down(void)
{
    key_manager_unwatch(manager);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    key_manager_free(&manager);
    ck_assert_ptr_null(manager);
    while (receive())
        continue;
    char octet;
    ck_assert_int_eq(recv(guard, &octet, 1, 0), 0); /* its end ends the process */
    close(guard);
    guard = -1;
}

/* ---- what other threads do ---- */

static struct loader {
    uv_thread_t thread;
    const char *path;
    enum tls_key_role role;
    bool is_chain;
    bool ok;
    struct tls_external_key key;
    struct bytes chain;
    _Atomic bool is_done;
} loaders[4];

static void run_loader(void *arg)
{
    struct loader *loader = arg;
    if (loader->is_chain)
        loader->ok = source->read_chain(source->arg, loader->path, &loader->chain, loader->key.error);
    else
        loader->ok = source->load(source->arg, loader->path, NULL, loader->role, &loader->key);
    atomic_store(&loader->is_done, true);
}

static struct loader *begin(size_t i, const char *path, bool is_chain)
{
    loaders[i] = (struct loader){.path = path, .is_chain = is_chain};
    ck_assert_int_eq(uv_thread_create(&loaders[i].thread, run_loader, &loaders[i]), 0);
    return &loaders[i];
}

static bool finish(struct loader *loader)
{
    while (!atomic_load(&loader->is_done)) {
        turn();
        sched_yield();
    }
    uv_thread_join(&loader->thread);
    return loader->ok;
}

/* Turns the loop until a command of another thread is there. */
static void await_any(void)
{
    while (!receive()) {
        turn();
        sched_yield();
    }
}

static void await_command(enum keys_command_type type)
{
    await_any();
    ck_assert_int_eq(command.type, type);
}

static uint32_t load(const char *path)
{
    struct loader *loader = begin(0, path, false);
    await_command(KEYS_LOAD);
    ck_assert(slice_equals(command.path, slice_of(path)));
    send_reply(KEYS_DONE, public_half);
    ck_assert_msg(finish(loader), "%s", loader->key.error);
    ck_assert_uint_eq(loader->key.spki_len, strlen(public_half));
    ck_assert_uint_eq(loader->key.number, command.key);
    ck_assert(source->has(source->arg, command.key));
    return command.key;
}

/* ---- ends ---- */

static void end_signer(void)
{
    answer(KEYS_ENDED, "signal 9");
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
}

static void end_guard(void)
{
    close(guard);
    guard = -1;
    turn();
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
}

/* The timer has expired: a signer starts, and is told which keys it gets. */
static void start(void)
{
    expect_start();
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    answer(KEYS_DONE, "a library");
}

static void restart(void)
{
    manual_clock_advance(manual_clock_next());
    start();
}

static void expect_up(unsigned restarts)
{
    expect(KEYS_READY);
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_UP);
    ck_assert(key_manager_can_sign(key_manager_state(manager)));
    ck_assert_uint_eq(key_manager_restarts(manager), restarts);
}

static uint64_t doubled(uint64_t wait)
{
    return 2 * wait < MAX_MS ? 2 * wait : MAX_MS;
}

START_TEST(it_waits_twice_as_long_each_time_up_to_a_minute)
{
    uint64_t wait = FIRST_MS;
    end_signer();
    for (unsigned i = 0; i < 15; i++) {
        ck_assert_uint_eq(manual_clock_next(), wait);
        manual_clock_advance(wait - 1);
        expect_nothing();
        manual_clock_advance(1);
        if (_i == 0) {
            start();
            expect_up(i + 1);
            end_signer();
        } else if (_i == 1) {
            expect_start();
            answer(KEYS_FAILED, "it does not want to");
            ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
            answer(KEYS_ENDED, "exit status 1"); /* for the same reason: that counts once */
        } else {
            expect_start();
            end_signer();
        }
        wait = doubled(wait);
    }
    ck_assert_uint_eq(wait, MAX_MS);
    ck_assert_uint_eq(key_manager_restarts(manager), _i == 0 ? 15 : 0);
    ck_assert(!has_let_go());
}
END_TEST

START_TEST(one_that_has_run_for_long_is_started_again_at_once)
{
    for (unsigned i = 0; i < 5; i++) {
        end_signer();
        restart();
        expect_up(i + 1);
    }
    /* Not long enough: the time of before, doubled. */
    for (uint64_t ran = 0; ran < STABLE_MS; ran += PING_EACH_MS) {
        manual_clock_advance(PING_EACH_MS);
        expect(KEYS_PING);
        answer(KEYS_DONE, "");
    }
    end_signer();
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS << 5);
    restart();
    expect_up(6);
    for (uint64_t ran = 0; ran <= STABLE_MS; ran += PING_EACH_MS) {
        manual_clock_advance(PING_EACH_MS);
        expect(KEYS_PING);
        answer(KEYS_DONE, "");
    }
    end_signer();
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS);
}
END_TEST

START_TEST(each_worker_gets_a_socket_again)
{
    end_signer();
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_uint_eq(connected[i], 0);
    restart();
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_uint_eq(connected[i], 1);
    expect_up(1);
}
END_TEST

/* It is tried again, as a start that fails is. */
START_TEST(no_descriptors_for_its_channels)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit low = {0, limit.rlim_max};
    end_signer();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    manual_clock_advance(FIRST_MS);
    manual_clock_advance(2 * FIRST_MS);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_nothing();
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    ck_assert_uint_eq(manual_clock_next(), 4 * FIRST_MS);
    restart();
    expect_up(1);
}
END_TEST

/* The end of the one before is told when the next one was asked for already. */
START_TEST(an_end_that_comes_late)
{
    end_signer();
    manual_clock_advance(FIRST_MS);
    expect_start();
    answer(KEYS_FAILED, "it does not want to");
    manual_clock_advance(2 * FIRST_MS);
    expect_start();
    send_reply(KEYS_ENDED, "exit status 1");
    answer(KEYS_DONE, "a library");
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    expect(KEYS_KILL);
    answer(KEYS_ENDED, "signal 9");
    ck_assert_uint_eq(manual_clock_next(), 4 * FIRST_MS);
    restart();
    expect_up(1);
    ck_assert(!has_let_go());
}
END_TEST

/* ---- one that hangs ---- */

START_TEST(an_idle_signer_is_asked_whether_it_is_alive)
{
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(manual_clock_next(), PING_EACH_MS);
        manual_clock_advance(PING_EACH_MS - 1);
        expect_nothing();
        manual_clock_advance(1);
        expect(KEYS_PING);
        ck_assert_uint_eq(manual_clock_next(), PING_ANSWER_MS);
        answer(KEYS_DONE, "");
        ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_UP);
    }
    /* What happens in between does not put it off, unless it is answered. */
    uint32_t number = load("a.key");
    manual_clock_advance(PING_EACH_MS - 1);
    source->release(source->arg, number);
    turn();
    expect_key(KEYS_DROP, number);
    manual_clock_advance(1);
    expect(KEYS_PING);
}
END_TEST

START_TEST(one_that_does_not_answer_is_killed)
{
    manual_clock_advance(PING_EACH_MS);
    expect(KEYS_PING);
    manual_clock_advance(PING_ANSWER_MS - 1);
    expect_nothing();
    manual_clock_advance(1);
    expect(KEYS_KILL);
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    ck_assert_uint_eq(manual_clock_next(), KILL_MS);
    if (_i == 0)
        answer(KEYS_DONE, ""); /* too late */
    end_signer();
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS);
    restart();
    expect_up(1);
    ck_assert(!has_let_go());
}
END_TEST

START_TEST(a_guard_that_does_not_answer_is_given_back)
{
    manual_clock_advance(PING_EACH_MS + PING_ANSWER_MS);
    expect(KEYS_PING);
    expect(KEYS_KILL);
    manual_clock_advance(KILL_MS - 1);
    ck_assert(!has_let_go());
    manual_clock_advance(1);
    ck_assert(has_let_go());
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    key_manager_replace_guard(manager, new_guard());
    restart();
    expect_up(1);
}
END_TEST

START_TEST(a_start_that_is_not_answered)
{
    end_signer();
    manual_clock_advance(FIRST_MS);
    expect_start();
    manual_clock_advance(ANSWER_MS - 1);
    expect_nothing();
    manual_clock_advance(1);
    expect(KEYS_KILL);
    end_signer();
    ck_assert_uint_eq(manual_clock_next(), 2 * FIRST_MS);
}
END_TEST

/* ---- the guard's end ---- */

/* It starts none by itself, and takes any that it is given: also in place of one that is there. */
START_TEST(its_guard_ends_too)
{
    uint32_t number = load("a.key");
    end_guard();
    ck_assert_uint_eq(manual_clock_next(), GUARD_MS);
    for (unsigned i = 0; i < 2; i++) {
        key_manager_replace_guard(manager, new_guard());
        ck_assert_uint_eq(manual_clock_next(), 0);
        restart();
        expect_key(KEYS_LOAD, number);
        answer(KEYS_DONE, public_half);
        expect_up(1 + i);
    }
    ck_assert_uint_eq(given_up, 0);
    ck_assert(!has_let_go());
    /* The new one is watched as the first was. */
    end_signer();
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS);
    end_guard();
    key_manager_replace_guard(manager, new_guard());
}
END_TEST

START_TEST(nobody_brings_another_guard)
{
    end_guard();
    manual_clock_advance(GUARD_MS - 1);
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    ck_assert_uint_eq(given_up, 0);
    manual_clock_advance(1);
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_GONE);
    ck_assert_uint_eq(given_up, 1);
    manual_clock_advance(10 * GUARD_MS);
    ck_assert_uint_eq(given_up, 1);
    struct loader *loader = begin(0, "a.key", false);
    ck_assert(!finish(loader));
    ck_assert_str_eq(loader->key.error, "could not be used, as the key process does not run");
    /* Better late than never. */
    key_manager_replace_guard(manager, new_guard());
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    restart();
    expect_up(1);
}
END_TEST

/* A guard that was taken over: the manager lets go of it. */
START_TEST(hostile_guards)
{
    static const struct {
        enum keys_reply_type type;
        const char *text;
    } wrong[] = {
        {KEYS_DONE, ""}, {KEYS_FAILED, "why"}, {KEYS_WANTED, "abc"}, {KEYS_WANTED, "\xff\xff\xff\xff"}};
    answer(wrong[_i].type, wrong[_i].text);
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    ck_assert(has_let_go());
    key_manager_replace_guard(manager, new_guard());
    restart();
    expect_up(1);
}
END_TEST
enum { HOSTILE = 4 };

START_TEST(a_malformed_message_is_the_guards_end)
{
    ck_assert_int_eq(send(guard, "\xff", 1, 0), 1);
    turn();
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    ck_assert_uint_eq(manual_clock_next(), GUARD_MS);
    key_manager_replace_guard(manager, new_guard());
}
END_TEST

START_TEST(a_note_is_no_answer)
{
    end_signer();
    manual_clock_advance(FIRST_MS);
    expect_start();
    answer(KEYS_NOTE, "memory");
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    answer(KEYS_DONE, "a library");
    expect_up(1);
}
END_TEST

/* ---- keys, once more ---- */

START_TEST(the_keys_are_loaded_again_under_their_numbers)
{
    static const char *const paths[] = {"0.key", "1.key", "2.key", "3.key"};
    uint32_t numbers[4];
    for (unsigned i = 0; i < 4; i++)
        numbers[i] = load(paths[i]);
    end_signer();
    restart();
    ck_assert_uint_eq(connected[0], 1); /* before its keys are there */
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_LOADING);
        ck_assert(key_manager_can_sign(key_manager_state(manager)));
        expect_key(KEYS_LOAD, numbers[i]);
        ck_assert(slice_equals(command.path, slice_of(paths[i])));
        expect_nothing(); /* one at a time */
        ck_assert_uint_eq(manual_clock_next(), ANSWER_MS);
        answer(KEYS_DONE, public_half);
        ck_assert(source->has(source->arg, numbers[i]));
    }
    expect_up(1);
    ck_assert_uint_eq(losses, 0);
}
END_TEST

START_TEST(what_handshakes_wait_for_is_loaded_first)
{
    enum { COUNT = 6 };
    static const uint32_t order[COUNT] = {0, 4, 2, 1, 3, 5};
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(load("a.key"), i);
    end_signer();
    restart();
    want(4);
    want(2);
    want(4);
    want(0); /* which is being loaded */
    for (unsigned i = 0; i < COUNT; i++) {
        expect_key(KEYS_LOAD, order[i]);
        if (i == 3)
            want(2); /* which was there before the message came */
        answer(KEYS_DONE, public_half);
    }
    expect_up(1);
    want(3); /* sent before it was ready */
    expect_nothing();
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_UP);
}
END_TEST

/* Nobody has such a key: what waits for it is told so. */
START_TEST(a_wanted_key_that_there_is_not)
{
    uint32_t number = load("a.key");
    end_signer();
    restart();
    expect_key(KEYS_LOAD, number);
    want(17);
    turn();
    expect_key(KEYS_DROP, 17);
    answer(KEYS_DONE, public_half);
    expect_up(1);
}
END_TEST

START_TEST(a_key_that_is_another_or_gone_is_lost)
{
    uint32_t kept = load("kept.key");
    uint32_t lost = load("lost.key");
    end_signer();
    restart();
    expect_key(KEYS_LOAD, kept);
    answer(KEYS_DONE, public_half);
    expect_key(KEYS_LOAD, lost);
    if (_i == 0)
        answer(KEYS_DONE, "another key");
    else
        answer(KEYS_FAILED, "can't be opened");
    /* Nothing that needs it is to wait for it. */
    expect_key(KEYS_DROP, lost);
    expect_up(1);
    ck_assert_uint_eq(losses, 1);
    ck_assert(source->has(source->arg, kept));
    ck_assert(!source->has(source->arg, lost));
    /* The file has the right key again. */
    end_signer();
    restart();
    expect_key(KEYS_LOAD, kept);
    answer(KEYS_DONE, public_half);
    expect_key(KEYS_LOAD, lost);
    answer(KEYS_DONE, public_half);
    expect_up(2);
    ck_assert(source->has(source->arg, lost));
    ck_assert_uint_eq(losses, 1);
}
END_TEST

START_TEST(it_ends_again_while_keys_are_loaded)
{
    uint32_t number = load("a.key");
    load("b.key");
    end_signer();
    restart();
    expect_key(KEYS_LOAD, number);
    end_signer();
    ck_assert_uint_eq(key_manager_restarts(manager), 0);
    ck_assert_uint_eq(manual_clock_next(), 2 * FIRST_MS);
    ck_assert(source->has(source->arg, number)); /* it is not lost for that */
    restart();
    expect_key(KEYS_LOAD, number);
    answer(KEYS_DONE, public_half);
    expect_key(KEYS_LOAD, number + 1);
    answer(KEYS_DONE, public_half);
    expect_up(1);
    ck_assert_uint_eq(losses, 0);
}
END_TEST

START_TEST(a_key_that_ends_each_signer_is_not_loaded_again)
{
    uint32_t good = load("good.key");
    uint32_t bad = load("bad.key");
    end_signer();
    for (unsigned i = 0; i < 2; i++) {
        restart();
        expect_key(KEYS_LOAD, good);
        answer(KEYS_DONE, public_half);
        expect_key(KEYS_LOAD, bad);
        end_signer();
    }
    restart();
    expect_key(KEYS_LOAD, good);
    answer(KEYS_DONE, public_half);
    expect_key(KEYS_DROP, bad);
    expect_up(1);
    ck_assert_uint_eq(losses, 1);
    ck_assert(!source->has(source->arg, bad));
}
END_TEST

START_TEST(one_that_hangs_while_keys_are_loaded)
{
    uint32_t number = load("a.key");
    end_signer();
    restart();
    expect_key(KEYS_LOAD, number);
    manual_clock_advance(ANSWER_MS);
    expect(KEYS_KILL);
    end_signer();
    restart();
    expect_key(KEYS_LOAD, number);
    answer(KEYS_DONE, public_half);
    expect_up(1);
}
END_TEST

/* The manager's own commands fill the socket: it goes on when there is room, and waits for nothing. */
START_TEST(a_control_socket_that_is_full)
{
    enum { TURNS = 40, EACH = 50 };
    uint32_t number = load("a.key");
    unsigned drops = 0;
    end_signer();
    restart();
    expect_key(KEYS_LOAD, number);
    for (unsigned i = 0; i < TURNS; i++) {
        for (unsigned j = 0; j < EACH; j++)
            want(100 + j);
        turn();
    }
    send_reply(KEYS_DONE, public_half);
    turn();
    while (receive())
        drops += command.type == KEYS_DROP;
    ck_assert_uint_ge(drops, DROPS_MAX);
    ck_assert_uint_lt(drops, TURNS * EACH);
    turn();
    turn();
    expect_up(1);
}
END_TEST

/* ---- what other threads ask for ---- */

START_TEST(it_ends_while_it_is_asked)
{
    struct loader *loader = begin(0, "a.key", false);
    await_command(KEYS_LOAD);
    end_signer();
    ck_assert(!finish(loader));
    ck_assert_str_eq(loader->key.error, "could not be used, as the key process ended (signal 9)");
    ck_assert_uint_eq(manual_clock_next(), FIRST_MS);
    restart();
    expect_up(1); /* and nothing is known of that key */
    ck_assert_uint_eq(load("b.key"), 0);
}
END_TEST

START_TEST(it_does_not_answer_while_it_is_asked)
{
    struct loader *loader = begin(0, "a.key", false);
    await_command(KEYS_LOAD);
    ck_assert_uint_eq(manual_clock_next(), ANSWER_MS);
    manual_clock_advance(ANSWER_MS);
    expect(KEYS_KILL);
    ck_assert(!finish(loader));
    ck_assert_str_eq(loader->key.error, "can't be used: the key process does not answer");
    end_signer();
}
END_TEST

START_TEST(its_guard_ends_while_it_is_asked)
{
    struct loader *loader = begin(0, "a.key", false);
    await_command(KEYS_LOAD);
    end_guard();
    ck_assert(!finish(loader));
    ck_assert_str_eq(loader->key.error, "could not be used, as the key process has ended");
    /* One that was not asked yet waits for another guard. */
    loader = begin(0, "b.key", false);
    for (unsigned i = 0; i < 100; i++)
        turn();
    key_manager_replace_guard(manager, new_guard());
    restart();
    expect_up(1);
    await_command(KEYS_LOAD);
    answer(KEYS_DONE, public_half);
    ck_assert_msg(finish(loader), "%s", loader->key.error);
}
END_TEST

/* A reload that comes while the signer is away has its keys, unless that takes long. */
START_TEST(requests_wait_for_a_signer_that_is_about_to_start)
{
    end_signer();
    for (uint64_t wait = FIRST_MS; wait <= PATIENCE_MS; wait = doubled(wait)) {
        struct loader *loader = begin(0, "a.key", false);
        restart();
        expect(KEYS_READY);
        await_command(KEYS_LOAD);
        answer(KEYS_DONE, public_half);
        ck_assert_msg(finish(loader), "%s", loader->key.error);
        uint32_t number = loader->key.number;
        source->release(source->arg, number);
        turn();
        expect_key(KEYS_DROP, number);
        end_signer();
    }
    struct loader *loader = begin(0, "a.key", false);
    ck_assert(!finish(loader));
    ck_assert_str_eq(loader->key.error, "could not be used, as the key process does not run");
}
END_TEST

START_TEST(requests_of_several_threads_are_asked_one_after_the_other)
{
    struct loader *all[3];
    for (size_t i = 0; i < 3; i++)
        all[i] = begin(i, i == 1 ? "a.pem" : "a.key", i == 1);
    for (size_t i = 0; i < 3; i++) {
        await_any();
        expect_nothing();
        answer(KEYS_DONE, public_half);
    }
    for (size_t i = 0; i < 3; i++)
        ck_assert(finish(all[i]));
    ck_assert_uint_ne(all[0]->key.number, all[2]->key.number);
    ck_assert(slice_equals(bytes_view(&all[1]->chain), slice_of(public_half)));
    bytes_free(&all[1]->chain);
}
END_TEST

START_TEST(a_key_that_can_not_be_loaded_leaves_nothing)
{
    struct loader *loader = &loaders[0];
    *loader = (struct loader){.path = "a.key", .role = TLS_KEY_OF_CLIENT};
    ck_assert_int_eq(uv_thread_create(&loader->thread, run_loader, loader), 0);
    await_command(KEYS_LOAD_CLIENT);
    answer(KEYS_FAILED, "says no");
    ck_assert(!finish(loader));
    ck_assert_str_eq(loader->key.error, "says no");
    await_command(KEYS_DROP);
    ck_assert_uint_eq(load("b.key"), 0);
    end_signer();
    restart();
    expect_key(KEYS_LOAD, 0);
    ck_assert(slice_equals(command.path, slice_of("b.key")));
    answer(KEYS_DONE, public_half);
    expect_up(1);
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

START_TEST(a_path_that_is_too_long)
{
    static char path[KEYS_PATH_MAX + 2];
    struct tls_external_key key;
    char error[TLS_KEY_ERROR_MAX];
    struct bytes chain = {0};
    memset(path, 'x', KEYS_PATH_MAX + 1);
    ck_assert(!source->load(source->arg, path, NULL, TLS_KEY_OF_SERVER, &key));
    ck_assert(!source->load(source->arg, "a.key", path, TLS_KEY_OF_SERVER, &key));
    ck_assert(!source->read_chain(source->arg, path, &chain, error));
    ck_assert_str_eq(error, "can't be sent to the key process: its path is too long");
    turn();
    while (receive())
        ck_assert_int_eq(command.type, KEYS_DROP);
}
END_TEST

START_TEST(a_chain_that_can_not_be_read)
{
    struct loader *loader = begin(0, "a.pem", true);
    await_command(KEYS_CHAIN);
    answer(KEYS_FAILED, "says no");
    ck_assert(!finish(loader));
    ck_assert_str_eq(loader->key.error, "says no");
    ck_assert_uint_eq(bytes_view(&loader->chain).len, 0);
}
END_TEST

/* Both what is asked and what is not yet. */
START_TEST(the_end_of_the_program_does_not_wait)
{
    struct loader *asked = begin(0, "a.key", false);
    await_command(KEYS_LOAD);
    struct loader *queued = begin(1, "b.key", false);
    for (unsigned i = 0; i < 100; i++)
        turn();
    key_manager_unwatch(manager);
    ck_assert(!finish(asked));
    ck_assert(!finish(queued));
    struct loader *late = begin(2, "c.key", false);
    ck_assert(!finish(late));
    ck_assert_str_eq(late->key.error, "can't be used: the program ends");
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    key_manager_free(&manager);
    close(guard);
    guard = -1;
    set_up(); /* for what comes after the test */
}
END_TEST

/* ---- before the loop ---- */

START_TEST(keys_are_loaded_before_the_loop_runs)
{
    struct tls_external_key key;
    struct bytes chain = {0};
    char error[TLS_KEY_ERROR_MAX];
    send_reply(KEYS_NOTE, "memory");
    send_reply(KEYS_DONE, public_half);
    ck_assert(source->load(source->arg, "a.key", "a.pass", TLS_KEY_OF_SERVER, &key));
    expect_key(KEYS_LOAD, key.number);
    ck_assert(slice_equals(command.passphrase_path, slice_of("a.pass")));
    send_reply(KEYS_FAILED, "says no");
    ck_assert(!source->load(source->arg, "b.key", NULL, TLS_KEY_OF_SERVER, &key));
    ck_assert_str_eq(key.error, "says no");
    expect(KEYS_LOAD);
    send_reply(KEYS_DONE, "chain");
    ck_assert(source->read_chain(source->arg, "a.pem", &chain, error));
    ck_assert(slice_equals(bytes_view(&chain), slice_of("chain")));
    bytes_free(&chain);
    expect(KEYS_CHAIN);
    if (_i == 1) {
        send_reply(KEYS_ENDED, "signal 9");
        ck_assert(!source->load(source->arg, "c.key", NULL, TLS_KEY_OF_SERVER, &key));
        ck_assert_str_eq(key.error, "could not be used, as the key process ended: signal 9");
        expect(KEYS_LOAD);
    }
    watch();
    if (_i == 0) {
        expect(KEYS_READY);
        expect(KEYS_DROP); /* what could not be loaded */
        end_signer();
    }
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    restart();
    expect_key(KEYS_LOAD, 0);
    answer(KEYS_DONE, public_half);
    expect_up(1);
}
END_TEST

static void send_payload(const uint8_t *payload, size_t len)
{
    uint8_t reply[512];
    size_t reply_len = keys_put_reply(reply, KEYS_DONE, (struct slice){payload, len});
    ck_assert(keys_message_send(guard, (struct slice){reply, reply_len}, NULL, 0));
}

/* Names, as one answer to KEYS_LIST has them: files, whose size is their place. */
static void send_names(uint32_t next, const char *const *names, size_t count)
{
    uint8_t payload[256];
    size_t used = KEYS_NEXT_LEN;
    keys_put_next(payload, next);
    for (size_t i = 0; i < count; i++) {
        struct keys_entry entry = {slice_of(names[i]), {KEYS_FILE, {1, 2, i, 4, 5, 6, 7}}};
        ck_assert(keys_put_entry(payload, sizeof payload, &used, &entry));
    }
    send_payload(payload, used);
}

START_TEST(folders_that_the_guard_lists)
{
    static const char *const names[] = {"a.pem", "a.key", "b"};
    static const char all[] = "a.pem\0a.key\0b";
    static const off_t sizes[] = {0, 1, 0};
    struct bytes into = {0};
    struct bytes looks = {0};
    char error[TLS_KEY_ERROR_MAX];
    send_names(2, names, 2);
    send_names(0, names + 2, 1);
    ck_assert(source->list(source->arg, "live", &into, &looks, error));
    ck_assert(slice_equals(bytes_view(&into), (struct slice){(const uint8_t *)all, sizeof all}));
    const struct tls_key_source_look *seen = (const void *)looks.data;
    ck_assert_uint_eq(looks.len, 3 * sizeof seen[0]);
    for (size_t i = 0; i < 3; i++) {
        struct tls_file_mark mark = {1, 2, sizes[i], {4, 5}, {6, 7}};
        ck_assert(seen[i].is_seen && seen[i].is_there && !seen[i].is_folder);
        ck_assert(tls_file_mark_equals(&seen[i].mark, &mark));
    }
    expect_key(KEYS_LIST, 0);
    expect_key(KEYS_LIST, 2);
    bytes_free(&into);
    bytes_free(&looks);
    send_reply(KEYS_FAILED, "says no");
    ck_assert(!source->list(source->arg, "live", &into, &looks, error));
    ck_assert_str_eq(error, "says no");
    expect(KEYS_LIST);
    /* One that does not go on would never end. */
    send_names(1, names, 1);
    send_names(1, names, 1);
    ck_assert(!source->list(source->arg, "live", &into, &looks, error));
    ck_assert_ptr_nonnull(strstr(error, "what is no answer"));
    bytes_free(&into);
    expect(KEYS_LIST);
    expect(KEYS_LIST);
    bytes_free(&looks);
    static const uint8_t unseen[] = {0, 0, 0, 0, 1, 'a', KEYS_UNSEEN};
    send_payload(unseen, sizeof unseen);
    ck_assert(source->list(source->arg, "live", &into, &looks, error));
    seen = (const void *)looks.data;
    ck_assert(looks.len == sizeof seen[0] && !seen[0].is_seen);
    expect(KEYS_LIST);
    bytes_free(&into);
    bytes_free(&looks);
    static const uint8_t hostile[] = {0, 0, 0, 0, 6, '.', '.', '/', 'k', 'e', 'y', KEYS_FILE};
    send_payload(hostile, sizeof hostile);
    ck_assert(!source->list(source->arg, "live", &into, &looks, error));
    ck_assert_ptr_nonnull(strstr(error, "what is no name"));
    send_payload(hostile, KEYS_NEXT_LEN - 1);
    ck_assert(!source->list(source->arg, "live", &into, &looks, error));
    bytes_free(&into);
    bytes_free(&looks);
    watch();
}
END_TEST

START_TEST(paths_that_the_guard_looks_at)
{
    struct keys_look look = {.kind = KEYS_FILE, .numbers = {1, 2, 3, 4, 5, 6, 7}};
    struct tls_key_source_look seen;
    uint8_t payload[KEYS_LOOK_LEN];
    struct tls_file_mark mark = {1, 2, 3, {4, 5}, {6, 7}};
    keys_put_look(payload, &look);
    send_payload(payload, sizeof payload);
    ck_assert(source->look(source->arg, "a.pem", &seen));
    ck_assert(seen.is_there && !seen.is_folder && tls_file_mark_equals(&seen.mark, &mark));
    look = (struct keys_look){.kind = KEYS_FOLDER};
    keys_put_look(payload, &look);
    send_payload(payload, sizeof payload);
    ck_assert(source->look(source->arg, "live", &seen));
    ck_assert(seen.is_there && seen.is_folder);
    look.kind = KEYS_NOTHING;
    keys_put_look(payload, &look);
    send_payload(payload, sizeof payload);
    ck_assert(source->look(source->arg, "nowhere", &seen));
    ck_assert(!seen.is_there && !seen.is_folder);
    send_payload(payload, sizeof payload - 1);
    ck_assert(!source->look(source->arg, "a.pem", &seen));
    send_reply(KEYS_FAILED, "says no");
    ck_assert(!source->look(source->arg, "a.pem", &seen));
    watch();
}
END_TEST

START_TEST(a_guard_that_ends_before_the_loop_runs)
{
    struct tls_external_key key;
    close(guard);
    guard = -1;
    ck_assert(!source->load(source->arg, "a.key", NULL, TLS_KEY_OF_SERVER, &key));
    watch();
    ck_assert_int_eq(key_manager_state(manager), KEY_MANAGER_DOWN);
    ck_assert_uint_eq(manual_clock_next(), GUARD_MS);
    key_manager_replace_guard(manager, new_guard());
    restart();
    expect_up(1);
}
END_TEST

START_TEST(no_signer_at_the_start)
{
    static const struct cfg cfg = {.path = "F"};
    struct cfg_problems problems = {0};
    int control = new_guard();
    if (_i == 0)
        send_reply(KEYS_FAILED, "can't become another");
    else if (_i == 1)
        send_reply(KEYS_ENDED, "exit status 1");
    else
        ck_assert_int_eq(shutdown(guard, SHUT_RDWR), 0);
    ck_assert_ptr_null(key_manager_new(&cfg, WORKERS, control, &problems));
    ck_assert_uint_eq(problems.errors, 1);
    cfg_problems_free(&problems);
    close(guard);
    guard = -1;
}
END_TEST

/* Of the two things that it allocates at first: the socket, which is the manager's by then, is closed. */
START_TEST(no_memory_at_the_start)
{
    static const struct cfg cfg = {.path = "F"};
    struct cfg_problems problems = {0};
    int control = new_guard();
    failing_heap_set((size_t)_i);
    failing_heap_begin();
    manager = key_manager_new(&cfg, WORKERS, control, &problems);
    failing_heap_end();
    ck_assert_ptr_null(manager);
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_str_eq(problems.items[0].text, "no key process: out of memory");
    ck_assert_int_lt(fcntl(control, F_GETFD), 0);
    cfg_problems_free(&problems);
    close(guard);
    guard = -1;
}
END_TEST

/* ---- what is dropped ---- */

START_TEST(released_keys_are_dropped_by_the_main_thread)
{
    uint32_t number = load("a.key");
    source->release(source->arg, number);
    ck_assert(!receive());
    turn();
    expect_key(KEYS_DROP, number);
    ck_assert_uint_eq(load("b.key"), number);
}
END_TEST

/* Never more than the sockets take: then the signer is asked whether it has them. None is dropped twice. */
START_TEST(many_are_dropped_in_portions)
{
    enum { COUNT = 3 * DROPS_MAX / 2 };
    unsigned dropped[COUNT] = {0};
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(load("a.key"), i);
    for (unsigned i = 0; i < COUNT; i++)
        source->release(source->arg, i);
    turn();
    for (unsigned i = 0; i < DROPS_MAX; i++) {
        expect(KEYS_DROP);
        dropped[command.key]++;
    }
    expect(KEYS_PING);
    expect_nothing();
    answer(KEYS_DONE, "");
    for (unsigned i = DROPS_MAX; i < COUNT; i++) {
        expect(KEYS_DROP);
        dropped[command.key]++;
    }
    expect_nothing();
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(dropped[i], 1);
}
END_TEST

/* No signer has it: its number is free at once. */
START_TEST(a_dropped_key_is_not_loaded_again)
{
    uint32_t kept = load("kept.key");
    uint32_t dropped = load("dropped.key");
    if (_i == 1)
        end_signer();
    source->release(source->arg, dropped);
    turn();
    if (_i == 0) {
        expect_key(KEYS_DROP, dropped);
        end_signer();
    }
    restart();
    expect_key(KEYS_LOAD, kept);
    answer(KEYS_DONE, public_half);
    expect_up(1);
    ck_assert_uint_eq(load("new.key"), dropped);
}
END_TEST

START_TEST(a_key_that_is_released_while_it_is_loaded_again)
{
    uint32_t number = load("a.key");
    end_signer();
    restart();
    expect_key(KEYS_LOAD, number);
    source->release(source->arg, number);
    expect_nothing();
    answer(KEYS_DONE, public_half);
    expect_key(KEYS_DROP, number);
    expect_up(1);
}
END_TEST

static void add_supervision(Suite *suite)
{
    TCase *tests = tcase_create("supervision");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, it_waits_twice_as_long_each_time_up_to_a_minute, 0, 3);
    tcase_add_test(tests, one_that_has_run_for_long_is_started_again_at_once);
    tcase_add_test(tests, each_worker_gets_a_socket_again);
    tcase_add_test(tests, no_descriptors_for_its_channels);
    tcase_add_test(tests, an_end_that_comes_late);
    tcase_add_test(tests, an_idle_signer_is_asked_whether_it_is_alive);
    tcase_add_loop_test(tests, one_that_does_not_answer_is_killed, 0, 2);
    tcase_add_test(tests, a_guard_that_does_not_answer_is_given_back);
    tcase_add_test(tests, a_start_that_is_not_answered);
    tcase_add_test(tests, its_guard_ends_too);
    tcase_add_test(tests, nobody_brings_another_guard);
    tcase_add_loop_test(tests, hostile_guards, 0, HOSTILE);
    tcase_add_test(tests, a_malformed_message_is_the_guards_end);
    tcase_add_test(tests, a_note_is_no_answer);
    tcase_add_test(tests, the_keys_are_loaded_again_under_their_numbers);
    tcase_add_test(tests, what_handshakes_wait_for_is_loaded_first);
    tcase_add_test(tests, a_wanted_key_that_there_is_not);
    tcase_add_loop_test(tests, a_key_that_is_another_or_gone_is_lost, 0, 2);
    tcase_add_test(tests, it_ends_again_while_keys_are_loaded);
    tcase_add_test(tests, a_key_that_ends_each_signer_is_not_loaded_again);
    tcase_add_test(tests, one_that_hangs_while_keys_are_loaded);
    tcase_add_test(tests, a_control_socket_that_is_full);
    suite_add_tcase(suite, tests);
}

static void add_requests(Suite *suite)
{
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_ends_while_it_is_asked);
    tcase_add_test(tests, it_does_not_answer_while_it_is_asked);
    tcase_add_test(tests, its_guard_ends_while_it_is_asked);
    tcase_add_test(tests, requests_wait_for_a_signer_that_is_about_to_start);
    tcase_add_test(tests, requests_of_several_threads_are_asked_one_after_the_other);
    tcase_add_test(tests, a_key_that_can_not_be_loaded_leaves_nothing);
    tcase_add_test(tests, without_memory_a_key_is_not_loaded);
    tcase_add_test(tests, a_path_that_is_too_long);
    tcase_add_test(tests, a_chain_that_can_not_be_read);
    tcase_add_test(tests, the_end_of_the_program_does_not_wait);
    tcase_add_test(tests, released_keys_are_dropped_by_the_main_thread);
    tcase_add_test(tests, many_are_dropped_in_portions);
    tcase_add_loop_test(tests, a_dropped_key_is_not_loaded_again, 0, 2);
    tcase_add_test(tests, a_key_that_is_released_while_it_is_loaded_again);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("key_manager");
    TCase *alone = tcase_create("alone");
    TCase *none = tcase_create("none");
    add_supervision(suite);
    add_requests(suite);
    tcase_add_checked_fixture(alone, set_up_alone, tear_down);
    tcase_add_loop_test(alone, keys_are_loaded_before_the_loop_runs, 0, 2);
    tcase_add_test(alone, folders_that_the_guard_lists);
    tcase_add_test(alone, paths_that_the_guard_looks_at);
    tcase_add_test(alone, a_guard_that_ends_before_the_loop_runs);
    suite_add_tcase(suite, alone);
    tcase_add_loop_test(none, no_signer_at_the_start, 0, 3);
    tcase_add_loop_test(none, no_memory_at_the_start, 0, 2);
    suite_add_tcase(suite, none);
    return run_suite(suite);
}
