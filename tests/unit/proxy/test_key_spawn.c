/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting the guard: as whom its signer runs, and how long its end is waited for. */
#include "proxy/keyclient/key_spawn.h"

#include "base/array.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uid_t __wrap_geteuid(void);

static uid_t euid;

uid_t __wrap_geteuid(void)
{
    return euid;
}

static struct keys_user user;
static char error[KEY_SPAWN_ERROR_MAX];

static const struct passwd *nobody(void)
{
    const struct passwd *entry = getpwnam("nobody");
    ck_assert_ptr_nonnull(entry);
    return entry;
}

static const struct passwd *daemon_user(void)
{
    const struct passwd *entry = getpwnam("daemon");
    ck_assert_ptr_nonnull(entry);
    return entry;
}

START_TEST(only_root_can_become_somebody)
{
    struct cfg cfg = {.user = "nobody", .key_user = "daemon"};
    euid = 1000;
    ck_assert(key_spawn_find_user(&cfg, &user, error));
    ck_assert(!user.changes);
    euid = 0;
    ck_assert(key_spawn_find_user(&cfg, &user, error));
    ck_assert(user.changes);
}
END_TEST

/* Is there such a user on this machine? Either way the signer is not root. */
START_TEST(without_a_user_it_does_not_stay_root)
{
    struct cfg cfg = {0};
    const struct passwd *account = getpwnam("deepproxy");
    uid_t uid = account != NULL ? account->pw_uid : 0;
    euid = 0;
    bool found = key_spawn_find_user(&cfg, &user, error);
    ck_assert_int_eq(found, account != NULL);
    ck_assert(user.changes);
    ck_assert(found ? user.uid == uid : strstr(error, "useradd") != NULL);
}
END_TEST

START_TEST(root_is_who_stays_root)
{
    struct cfg cfg = {.user = "root"};
    euid = 0;
    ck_assert(key_spawn_find_user(&cfg, &user, error));
    ck_assert(!user.changes);
    cfg.group = "daemon";
    ck_assert(key_spawn_find_user(&cfg, &user, error));
    ck_assert(user.changes);
    ck_assert_uint_eq(user.uid, 0);
}
END_TEST

START_TEST(the_user_of_the_keys_comes_before_the_user_of_all)
{
    struct cfg cfg = {.user = "nobody", .group = "daemon", .key_user = "daemon"};
    euid = 0;
    ck_assert(key_spawn_find_user(&cfg, &user, error));
    ck_assert_uint_eq(user.uid, daemon_user()->pw_uid);
    ck_assert_uint_eq(user.gid, daemon_user()->pw_gid); /* its own, not the proxy's */
    cfg.key_user = NULL;
    ck_assert(key_spawn_find_user(&cfg, &user, error));
    ck_assert_uint_eq(user.uid, nobody()->pw_uid);
    ck_assert_uint_eq(user.gid, daemon_user()->pw_gid);
    cfg.group = NULL;
    ck_assert(key_spawn_find_user(&cfg, &user, error));
    ck_assert_uint_eq(user.gid, nobody()->pw_gid);
}
END_TEST

START_TEST(a_user_that_there_is_not)
{
    struct cfg cfg = {.user = "nobody", .key_user = "nobody-of-that-name"};
    euid = 0;
    ck_assert(!key_spawn_find_user(&cfg, &user, error));
    ck_assert_ptr_nonnull(strstr(error, "nobody-of-that-name"));
}
END_TEST

/* ---- the program ---- */

#define BESIDE    "/tests/deepproxy-keys" /* of the build */
#define INSTALLED DEEPPROXY_LIBEXECDIR "/deepproxy-keys"

int __wrap_access(const char *path, int mode);
int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const arguments[],
                       char *const environment[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const arguments[],
                       char *const environment[]);

int __real_posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions);
int __wrap_posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions);
int __real_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to);
int __wrap_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to);

static bool is_beside;
static bool is_installed;
static int init_error;
static int dup_error;
static int spawn_error;
static char spawned[1024]; /* the path, and the arguments */

int __wrap_access(const char *path, int mode)
{
    size_t len = strlen(path);
    ck_assert_int_eq(mode, X_OK);
    bool is_there = is_installed && strcmp(path, INSTALLED) == 0;
    if (len > strlen(BESIDE) && strcmp(path + len - strlen(BESIDE), BESIDE) == 0)
        is_there = is_beside;
    errno = ENOENT;
    return is_there ? 0 : -1;
}

int __wrap_posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
    return init_error != 0 ? init_error : __real_posix_spawn_file_actions_init(actions);
}

int __wrap_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to)
{
    return dup_error != 0 ? dup_error : __real_posix_spawn_file_actions_adddup2(actions, from, to);
}

/* Another program in its place, which says a word to the socket that it is to be given. */
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const arguments[],
                       char *const environment[])
{
    char *const other[] = {"sh", "-c", "echo here >&3", NULL};
    snprintf(spawned, sizeof spawned, "%s", path);
    for (size_t i = 0; arguments[i] != NULL; i++) {
        size_t len = strlen(spawned);
        snprintf(spawned + len, sizeof spawned - len, " %s", arguments[i]);
    }
    if (spawn_error != 0)
        return spawn_error;
    return __real_posix_spawn(pid, "/bin/sh", actions, attributes, other, environment);
}

START_TEST(one_beside_it_comes_first)
{
    is_installed = true;
    ck_assert_str_eq(key_spawn_path(error), INSTALLED);
    is_beside = true;
    const char *path = key_spawn_path(error);
    ck_assert_ptr_nonnull(path);
    ck_assert_uint_gt(strlen(path), strlen(BESIDE));
    ck_assert_str_eq(path + strlen(path) - strlen(BESIDE), BESIDE);
}
END_TEST

static const struct start {
    struct keys_user user;
    const char *arguments;
} starts[] = {
    {{0}, " deepproxy-keys serve"},
    {{.uid = 12, .gid = 34}, " deepproxy-keys serve"},
    {{.changes = true, .uid = 12, .gid = 34}, " deepproxy-keys serve 12 34"},
};

/* It has the other end of the socket, and nobody else has. */
START_TEST(it_is_started)
{
    char word[16] = {0};
    int status;
    pid_t pid = 0;
    is_installed = true;
    int fd = key_spawn(&starts[_i].user, &pid, error);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(strncmp(spawned, INSTALLED, strlen(INSTALLED)), 0);
    ck_assert_str_eq(spawned + strlen(INSTALLED), starts[_i].arguments);
    ck_assert_int_eq(recv(fd, word, sizeof word, 0), 5);
    ck_assert_str_eq(word, "here\n");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(recv(fd, word, sizeof word, 0), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}
END_TEST

START_TEST(it_can_not_be_started)
{
    pid_t pid = 7;
    int free_before = dup(STDIN_FILENO);
    close(free_before);
    is_installed = true;
    *(_i == 0 ? &spawn_error : _i == 1 ? &init_error : &dup_error) = EAGAIN;
    ck_assert_int_eq(key_spawn(&user, &pid, error), -1);
    ck_assert_ptr_nonnull(strstr(error, "can't start " INSTALLED ": "));
    ck_assert_ptr_nonnull(strstr(error, strerror(EAGAIN)));
    int free_after = dup(STDIN_FILENO);
    ck_assert_int_eq(free_after, free_before); /* both ends of the socket are closed */
    close(free_after);
}
END_TEST

START_TEST(a_program_that_is_missing)
{
    pid_t pid = 7;
    ck_assert_ptr_null(key_spawn_path(error));
    ck_assert_ptr_nonnull(strstr(error, "there is no deepproxy-keys"));
    error[0] = '\0';
    ck_assert_int_eq(key_spawn(&user, &pid, error), -1);
    ck_assert_ptr_nonnull(strstr(error, "there is no deepproxy-keys"));
    ck_assert_int_eq(pid, 7);
}
END_TEST

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* One that ends, and one that does not: both are waited for, and no other child is. */
START_TEST(its_end_is_waited_for)
{
    pid_t other = fork();
    if (other == 0)
        _exit(0);
    pid_t pid = fork();
    if (pid == 0) {
        if (_i == 1)
            pause();
        _exit(0);
    }
    long long begun = now_ms();
    key_spawn_wait(pid);
    long long took = now_ms() - begun;
    ck_assert_int_lt(kill(pid, 0), 0);
    ck_assert_int_eq(errno, ESRCH);
    ck_assert_int_ge(took, _i == 1 ? 1900 : 0);
    ck_assert_int_eq(waitpid(other, NULL, 0), other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_spawn");
    TCase *tests = tcase_create("key_spawn");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, only_root_can_become_somebody);
    tcase_add_test(tests, without_a_user_it_does_not_stay_root);
    tcase_add_test(tests, root_is_who_stays_root);
    tcase_add_test(tests, the_user_of_the_keys_comes_before_the_user_of_all);
    tcase_add_test(tests, a_user_that_there_is_not);
    tcase_add_test(tests, one_beside_it_comes_first);
    tcase_add_loop_test(tests, it_is_started, 0, ARRAY_LEN(starts));
    tcase_add_loop_test(tests, it_can_not_be_started, 0, 3);
    tcase_add_test(tests, a_program_that_is_missing);
    tcase_add_loop_test(tests, its_end_is_waited_for, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
