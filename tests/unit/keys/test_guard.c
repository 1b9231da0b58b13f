/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard's dialogue over its control socket. The guard runs in a child, without its sandbox; its signers
 * are the test's, in place of signer.c, and do what the number of a dropped key tells them.
 */
#include "keys/keys_message.h"
#include "keys/keys_process.h"
#include "keys/keys_wire.h"
#include "keys/sandbox.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DO_HANG = 1, DO_BABBLE, DO_EXIT, DO_CLAIM_END, DO_WANT, DO_NOTE, SOON_MS = 20000, EXIT_STATUS = 3 };

static int control = -1; /* the test's end */
static pid_t guard;
static char folder[] = "/tmp/deepproxy-guard-XXXXXX";
static char file[64], passphrase[64], absent[64];
static uint8_t message[KEYS_REPLY_MAX];
static enum keys_reply_type type;
static struct slice payload;

const char *__wrap_sandbox_begin(pid_t parent);
const char *__wrap_sandbox_keep_guard(void);
const char *__wrap_sandbox_filter_guard(void);
_Noreturn void __wrap_signer_run(int socket, const int *channels, size_t count, const struct keys_user *user,
                                 pid_t parent);

static const char *failed_step;
static int beat_end = -1; /* what the guard writes its beats to; -1: nobody watches it */

const char *__wrap_sandbox_begin(pid_t parent)
{
    return parent == getppid() ? failed_step : "know its parent";
}

const char *__wrap_sandbox_keep_guard(void)
{
    return NULL;
}

const char *__wrap_sandbox_filter_guard(void)
{
    return NULL;
}

/* ---- the signer ---- */

static void say(int socket, enum keys_reply_type said, struct slice text)
{
    uint8_t reply[512];
    size_t len = keys_put_reply(reply, said, text);
    if (!keys_message_send(socket, (struct slice){reply, len}, NULL, 0))
        _exit(0);
}

static void do_as_told(int socket, uint32_t what)
{
    static const uint8_t number[KEYS_WANTED_LEN] = {0, 0, 0, 9};
    if (what == DO_HANG)
        for (;;)
            pause();
    if (what == DO_BABBLE && send(socket, "\xff", 1, 0) < 0)
        _exit(1);
    if (what == DO_EXIT)
        _exit(EXIT_STATUS);
    if (what == DO_CLAIM_END)
        say(socket, KEYS_ENDED, slice_of("so it says"));
    if (what == DO_WANT)
        say(socket, KEYS_WANTED, (struct slice){number, sizeof number});
    if (what == DO_NOTE)
        say(socket, KEYS_NOTE, slice_of("a note"));
}

/* What the opened files have in them, one after the other. */
static void say_contents(int socket, const int *fds, size_t count)
{
    uint8_t text[256];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        ssize_t len = read(fds[i], text + used, sizeof text - used);
        used += len > 0 ? (size_t)len : 0;
    }
    say(socket, KEYS_DONE, (struct slice){text, used});
}

_Noreturn void __wrap_signer_run(int socket, const int *channels, size_t count, const struct keys_user *user,
                                 pid_t parent)
{
    char text[128];
    bool is_well = parent == getppid() && user->changes && user->uid == 11 && user->gid == 12 &&
                   fcntl(KEYS_CONTROL_FD, F_GETFD) < 0;
    for (size_t i = 0; i < count; i++)
        is_well = is_well && fcntl(channels[i], F_GETFD) >= 0;
    snprintf(text, sizeof text, "%s, %zu channels", is_well ? "well" : "not well", count);
    say(socket, KEYS_DONE, slice_of(text));
    for (;;) {
        uint8_t received[KEYS_COMMAND_MAX];
        struct keys_command command;
        int fds[2];
        size_t fd_count = 2;
        ssize_t len = keys_message_receive(socket, received, sizeof received, fds, &fd_count);
        if (len <= 0 || !keys_take_command((struct slice){received, (size_t)len}, &command))
            _exit(0);
        if (command.type == KEYS_DROP)
            do_as_told(socket, command.key);
        else if (command.type == KEYS_READY)
            say(socket, KEYS_NOTE, slice_of("ready"));
        else if (command.type == KEYS_PING)
            say(socket, KEYS_DONE, (struct slice){NULL, 0});
        else
            say_contents(socket, fds, fd_count);
        keys_close_all(fds, fd_count);
    }
}

/* ---- the clock ---- */

static long leap_s; /* from one look at the clock to the next */

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
    static long leaps;
    int status = __real_clock_gettime(id, now);
    now->tv_sec += leap_s * leaps++;
    return status;
}

/* ---- the proxy ---- */

static void tell(const struct keys_command *command)
{
    uint8_t text[KEYS_COMMAND_MAX];
    size_t len = keys_put_command(text, command);
    ck_assert(keys_message_send(control, (struct slice){text, len}, NULL, 0));
}

static void tell_short(enum keys_command_type what, uint32_t key)
{
    struct keys_command command = {.type = what, .key = key};
    tell(&command);
}

/* False: it has ended. */
static bool receive(void)
{
    struct pollfd socket = {control, POLLIN, 0};
    ck_assert_int_eq(poll(&socket, 1, SOON_MS), 1);
    ssize_t len = recv(control, message, sizeof message, 0);
    if (len <= 0)
        return false;
    ck_assert(keys_take_reply((struct slice){message, (size_t)len}, &type, &payload));
    return true;
}

static void expect(enum keys_reply_type wanted, const char *text)
{
    ck_assert(receive());
    ck_assert_int_eq(type, wanted);
    ck_assert_msg(slice_equals(payload, slice_of(text)), "%.*s", (int)payload.len,
                  (const char *)payload.data);
}

static void write_file(char *path, size_t cap, const char *name, const char *text)
{
    snprintf(path, cap, "%s/%s", folder, name);
    FILE *opened = fopen(path, "w");
    ck_assert_ptr_nonnull(opened);
    fputs(text, opened);
    ck_assert_int_eq(fclose(opened), 0);
}

static void run_guard(void)
{
    static const struct keys_user user = {.changes = true, .uid = 11, .gid = 12};
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    control = ends[0];
    guard = fork();
    ck_assert_int_ge(guard, 0);
    if (guard == 0) {
        close(ends[0]);
        if (ends[1] != KEYS_CONTROL_FD)
            dup2(ends[1], KEYS_CONTROL_FD);
        if (beat_end >= 0) {
            dup2(beat_end, KEYS_BEAT_FD);
            close(beat_end);
        }
        _exit(guard_run(&user, beat_end >= 0, getppid()));
    }
    close(ends[1]);
}

static int wait_guard(void)
{
    int status;
    if (control >= 0)
        close(control);
    control = -1;
    ck_assert_int_eq(waitpid(guard, &status, 0), guard);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void set_up(void)
{
    /* The guard takes descriptor 3 for its own. */
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) < KEYS_CONTROL_FD)
        continue;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file(file, sizeof file, "key", "the key");
    write_file(passphrase, sizeof passphrase, "passphrase", ", its passphrase");
    snprintf(absent, sizeof absent, "%s/absent", folder);
    run_guard();
}

static void tear_down(void)
{
    if (control >= 0)
        ck_assert_int_eq(wait_guard(), EXIT_SUCCESS);
    unlink(file);
    unlink(passphrase);
    rmdir(folder);
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
}

static void start(void)
{
    tell_short(KEYS_START, 0);
    expect(KEYS_DONE, "well, 0 channels");
}

static void expect_alive(void)
{
    tell_short(KEYS_PING, 0);
    expect(KEYS_DONE, "");
}

START_TEST(files_are_opened_for_the_signer)
{
    struct keys_command load = {.type = KEYS_LOAD, .path = slice_of(file)};
    start();
    tell(&load);
    expect(KEYS_DONE, "the key");
    load.passphrase_path = slice_of(passphrase);
    load.type = KEYS_LOAD_CLIENT;
    tell(&load);
    expect(KEYS_DONE, "the key, its passphrase");
    struct keys_command chain = {.type = KEYS_CHAIN, .path = slice_of(passphrase)};
    tell(&chain);
    expect(KEYS_DONE, ", its passphrase");
    chain.type = KEYS_CERTIFICATES;
    tell(&chain);
    expect(KEYS_DONE, ", its passphrase");
    chain.type = KEYS_OCSP;
    tell(&chain);
    expect(KEYS_DONE, ", its passphrase");
}
END_TEST

static struct keys_look look_at(const char *path)
{
    struct keys_look seen;
    struct keys_command look = {.type = KEYS_LOOK, .path = slice_of(path)};
    tell(&look);
    ck_assert(receive());
    ck_assert_int_eq(type, KEYS_DONE);
    ck_assert(keys_take_look(payload, &seen));
    return seen;
}

/* The guard answers itself: there is no signer. */
START_TEST(paths_are_looked_at)
{
    static const struct keys_look nothing = {.kind = KEYS_NOTHING};
    struct keys_look before = look_at(file);
    ck_assert_int_eq(before.kind, KEYS_FILE);
    ck_assert_uint_eq(before.numbers[2], strlen("the key"));
    struct keys_look again = look_at(file);
    ck_assert_mem_eq(again.numbers, before.numbers, sizeof again.numbers);
    write_file(file, sizeof file, "key", "another key");
    again = look_at(file);
    ck_assert_mem_ne(again.numbers, before.numbers, sizeof again.numbers);
    struct keys_look seen = look_at(folder);
    ck_assert_int_eq(seen.kind, KEYS_FOLDER);
    ck_assert_mem_eq(seen.numbers, nothing.numbers, sizeof seen.numbers);
    ck_assert_int_eq(look_at(absent).kind, KEYS_NOTHING);
    ck_assert_int_eq(look_at("/dev/null").kind, KEYS_OTHER);
}
END_TEST

/* What the list says is what a look at the path says. */
static void expect_same_look(const char *name, const struct keys_look *listed)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct keys_look seen = look_at(path);
    ck_assert_int_eq(listed->kind, seen.kind);
    ck_assert_mem_eq(listed->numbers, seen.numbers, sizeof seen.numbers);
}

/* Links are followed, into other folders too; one that leads in a circle can't be looked at. */
START_TEST(lists_show_what_names_lead_to)
{
    static const struct {
        const char *name;
        const char *target;
        enum keys_kind kind;
    } links[] = {{"to-file", "key", KEYS_FILE},         {"to-folder", "inner", KEYS_FOLDER},
                 {"outside", "/dev/null", KEYS_OTHER},  {"to-link", "inner/back", KEYS_FILE},
                 {"dangling", "nothing", KEYS_NOTHING}, {"circle", "circle", KEYS_UNSEEN}};
    enum { LINKS = sizeof links / sizeof links[0] };
    char path[400];
    snprintf(path, sizeof path, "%s/inner", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/inner/back", folder);
    ck_assert_int_eq(symlink("../passphrase", path), 0);
    for (size_t i = 0; i < LINKS; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, links[i].name);
        ck_assert_int_eq(symlink(links[i].target, path), 0);
    }
    struct keys_command list = {.type = KEYS_LIST, .path = slice_of(folder)};
    static uint8_t kept[KEYS_REPLY_MAX];
    uint32_t next;
    unsigned count = 0;
    tell(&list);
    ck_assert(receive());
    ck_assert_int_eq(type, KEYS_DONE);
    ck_assert(keys_take_next(&payload, &next));
    memcpy(kept, payload.data, payload.len);
    struct slice rest = {kept, payload.len};
    for (; rest.len > 0; count++) {
        struct keys_entry entry;
        char name[KEYS_NAME_MAX + 1];
        ck_assert(keys_take_entry(&rest, &entry));
        snprintf(name, sizeof name, "%.*s", (int)entry.name.len, (const char *)entry.name.data);
        if (entry.look.kind != KEYS_UNSEEN)
            expect_same_look(name, &entry.look);
        for (size_t i = 0; i < LINKS; i++)
            ck_assert(strcmp(name, links[i].name) != 0 || entry.look.kind == links[i].kind);
    }
    ck_assert_uint_eq(count, LINKS + 3); /* two files and a folder */
    for (size_t i = 0; i < LINKS; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, links[i].name);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/inner/back", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/inner", folder);
    rmdir(path);
}
END_TEST

/* Takes one answer's names: how many. */
static uint32_t take_names(const char *path, uint32_t first, uint32_t *next)
{
    struct keys_command list = {.type = KEYS_LIST, .key = first, .path = slice_of(path)};
    struct keys_entry entry;
    uint32_t count = 0;
    tell(&list);
    ck_assert(receive());
    ck_assert_int_eq(type, KEYS_DONE);
    ck_assert(keys_take_next(&payload, next));
    for (; payload.len > 0; count++)
        ck_assert(keys_take_entry(&payload, &entry));
    return count;
}

START_TEST(folders_are_listed)
{
    char name[300];
    char many[64];
    char path[400];
    uint32_t next = 7;
    ck_assert_uint_eq(take_names(folder, 0, &next), 2);
    ck_assert_uint_eq(next, 0);
    ck_assert_uint_eq(take_names(folder, 1, &next), 1);
    ck_assert_uint_eq(take_names(folder, 2, &next), 0);
    struct keys_command list = {.type = KEYS_LIST, .path = slice_of(file)};
    tell(&list);
    expect(KEYS_FAILED, "can't be opened: Not a directory");
    /* More than one answer takes. */
    enum { MANY = 400 };
    memset(name, 'n', sizeof name);
    snprintf(many, sizeof many, "%s/many", folder);
    ck_assert_int_eq(mkdir(many, 0700), 0);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "%s/%.*s%05u", many, KEYS_NAME_MAX - 5, name, i);
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    uint32_t first = take_names(many, 0, &next);
    ck_assert_uint_lt(first, MANY);
    ck_assert_uint_eq(next, first);
    ck_assert_uint_eq(take_names(many, next, &next), MANY - first);
    ck_assert_uint_eq(next, 0);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "%s/%.*s%05u", many, KEYS_NAME_MAX - 5, name, i);
        unlink(path);
    }
    rmdir(many);
}
END_TEST

/* It does not look at the whole folder first: each answer has at least one name. */
START_TEST(lists_of_a_slow_file_system)
{
    uint32_t next = 0;
    ck_assert_int_eq(wait_guard(), EXIT_SUCCESS);
    leap_s = 1;
    run_guard();
    ck_assert_uint_eq(take_names(folder, 0, &next), 1);
    ck_assert_uint_eq(next, 1);
    ck_assert_uint_eq(take_names(folder, next, &next), 1);
    ck_assert_uint_eq(next, 0);
}
END_TEST

START_TEST(files_that_can_not_be_opened)
{
    struct keys_command load = {.type = KEYS_LOAD, .path = slice_of(absent)};
    start();
    tell(&load);
    expect(KEYS_FAILED, "can't be opened: No such file or directory");
    load.path = slice_of(folder);
    tell(&load);
    expect(KEYS_FAILED, "is no regular file");
    load.path = slice_of(file);
    load.passphrase_path = slice_of(absent);
    tell(&load);
    expect(KEYS_FAILED, "has a passphrase whose file can't be opened: No such file or directory");
    load.passphrase_path = slice_of(folder);
    tell(&load);
    expect(KEYS_FAILED, "has a passphrase whose file is no regular file");
    expect_alive();
}
END_TEST

START_TEST(without_a_signer)
{
    struct keys_command load = {.type = KEYS_LOAD, .path = slice_of(file)};
    tell(&load);
    expect(KEYS_FAILED, "could not be used, as the key process does not run");
    tell_short(KEYS_DROP, 7);
    tell_short(KEYS_READY, 0);
    tell_short(KEYS_KILL, 0);
    tell_short(KEYS_PING, 0);
    expect(KEYS_FAILED, "the key process does not run, or does not read");
    start();
    tell_short(KEYS_START, 0);
    expect(KEYS_FAILED, "the signer runs already");
    expect_alive();
}
END_TEST

START_TEST(workers_sockets_go_to_the_next_signer)
{
    int fds[KEYS_CHANNELS_EACH];
    uint8_t text[KEYS_COMMAND_MAX];
    struct keys_command channels = {.type = KEYS_CHANNELS};
    size_t len = keys_put_command(text, &channels);
    for (size_t i = 0; i < KEYS_CHANNELS_EACH; i++)
        ck_assert_int_ge(fds[i] = dup(STDIN_FILENO), 0);
    for (size_t i = 0; i < KEYS_CHANNELS_MAX / KEYS_CHANNELS_EACH; i++)
        ck_assert(keys_message_send(control, (struct slice){text, len}, fds, KEYS_CHANNELS_EACH));
    tell_short(KEYS_START, 0);
    expect(KEYS_DONE, "well, 256 channels");
    tell_short(KEYS_DROP, DO_EXIT);
    expect(KEYS_ENDED, "exit status 3");
    start(); /* it has none of them */
    for (size_t i = 0; i <= KEYS_CHANNELS_MAX / KEYS_CHANNELS_EACH; i++)
        ck_assert(keys_message_send(control, (struct slice){text, len}, fds, KEYS_CHANNELS_EACH));
    ck_assert(!receive()); /* more than there can be: the proxy is faulty */
}
END_TEST

START_TEST(a_signer_that_ends_is_told_of)
{
    static const struct {
        uint32_t how;
        const char *text;
    } ends[] = {
        {DO_EXIT, "exit status 3"}, {DO_BABBLE, "killed by signal 9"}, {DO_CLAIM_END, "killed by signal 9"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        start();
        expect_alive();
        tell_short(KEYS_DROP, ends[i].how);
        expect(KEYS_ENDED, ends[i].text);
    }
}
END_TEST

START_TEST(a_signer_that_hangs_is_ended)
{
    struct keys_command load = {.type = KEYS_LOAD, .path = slice_of(file)};
    start();
    tell_short(KEYS_DROP, DO_HANG);
    if (_i == 1) /* it does not read the command, and its end is the answer */
        tell(&load);
    tell_short(KEYS_KILL, 0);
    expect(KEYS_ENDED, "killed by signal 9");
    start();
    expect_alive();
}
END_TEST

/* The guard never waits for it: a full socket shows that it hangs. */
START_TEST(a_signer_whose_socket_is_full)
{
    start();
    tell_short(KEYS_DROP, DO_HANG);
    for (unsigned i = 0; i < 5000; i++)
        tell_short(KEYS_DROP, 100);
    expect(KEYS_ENDED, "killed by signal 9");
    start();
    expect_alive();
}
END_TEST

/* What is no answer is passed on at any time. */
START_TEST(other_messages_are_passed_on)
{
    start();
    tell_short(KEYS_DROP, DO_WANT);
    ck_assert(receive());
    ck_assert_int_eq(type, KEYS_WANTED);
    ck_assert_uint_eq(payload.len, KEYS_WANTED_LEN);
    tell_short(KEYS_DROP, DO_NOTE);
    expect(KEYS_NOTE, "a note");
    tell_short(KEYS_READY, 0);
    expect(KEYS_NOTE, "ready");
}
END_TEST

START_TEST(a_malformed_command_ends_it)
{
    start();
    ck_assert_int_eq(send(control, "\xff", 1, 0), 1);
    ck_assert(!receive());
}
END_TEST

/* Also while there is nothing to do, and none for its signer. */
START_TEST(a_guard_that_is_watched_shows_that_it_lives)
{
    int ends[2];
    char octets[64];
    ck_assert_int_eq(wait_guard(), EXIT_SUCCESS);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    int beats = ends[0];
    beat_end = fcntl(ends[1], F_DUPFD_CLOEXEC, KEYS_BEAT_FD + 1); /* past the place that it gets */
    ck_assert_int_gt(beat_end, KEYS_BEAT_FD);
    close(ends[1]);
    run_guard();
    close(beat_end);
    beat_end = -1;
    for (unsigned i = 0; i < 2; i++) {
        struct pollfd socket = {beats, POLLIN, 0};
        ck_assert_int_eq(poll(&socket, 1, SOON_MS), 1);
        ck_assert_int_eq(read(beats, octets, sizeof octets), 1);
    }
    start();
    expect_alive();
    kill(guard, SIGKILL); /* its signer does not keep the socket */
    ssize_t len;
    while ((len = read(beats, octets, sizeof octets)) > 0)
        continue;
    ck_assert_int_eq(len, 0);
    ck_assert_int_eq(waitpid(guard, NULL, 0), guard);
    close(beats);
    close(control);
    control = -1;
}
END_TEST

START_TEST(what_can_not_be_confined_does_not_run)
{
    ck_assert_int_eq(wait_guard(), EXIT_SUCCESS);
    failed_step = "set limits";
    run_guard();
    ck_assert(receive());
    ck_assert_int_eq(type, KEYS_FAILED);
    ck_assert(slice_has_prefix(payload, "can't set limits: "));
    ck_assert_int_eq(wait_guard(), EXIT_FAILURE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guard");
    TCase *tests = tcase_create("guard");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, files_are_opened_for_the_signer);
    tcase_add_test(tests, files_that_can_not_be_opened);
    tcase_add_test(tests, paths_are_looked_at);
    tcase_add_test(tests, folders_are_listed);
    tcase_add_test(tests, lists_show_what_names_lead_to);
    tcase_add_test(tests, lists_of_a_slow_file_system);
    tcase_add_test(tests, without_a_signer);
    tcase_add_test(tests, workers_sockets_go_to_the_next_signer);
    tcase_add_test(tests, a_signer_that_ends_is_told_of);
    tcase_add_loop_test(tests, a_signer_that_hangs_is_ended, 0, 2);
    tcase_add_test(tests, a_signer_whose_socket_is_full);
    tcase_add_test(tests, other_messages_are_passed_on);
    tcase_add_test(tests, a_malformed_command_ends_it);
    tcase_add_test(tests, a_guard_that_is_watched_shows_that_it_lives);
    tcase_add_test(tests, what_can_not_be_confined_does_not_run);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
