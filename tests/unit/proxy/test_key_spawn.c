/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting the guard: as whom its signer runs, and how long its end is waited for. */
#include "proxy/keyclient/key_spawn.h"

#include "run_suite.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
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

/* It is neither beside a test nor, by that name, where it would be installed. */
START_TEST(a_program_that_is_missing)
{
    pid_t pid = 7;
    if (key_spawn_path(error) != NULL)
        return; /* it is installed here */
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
    tcase_add_test(tests, a_program_that_is_missing);
    tcase_add_loop_test(tests, its_end_is_waited_for, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
