/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parent is told of a configuration by the child that reads it. */
#include "proxy/parent/start_settings.h"

#include "cfg_file.h"
#include "run_suite.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

uid_t __wrap_geteuid(void);

static uid_t euid;
static char *folder;
static struct start_settings settings;

uid_t __wrap_geteuid(void)
{
    return euid;
}

static void set_up(void)
{
    folder = cfg_folder_make();
    memset(&settings, 0x55, sizeof settings);
}

static void tear_down(void)
{
    cfg_folder_remove(folder);
}

static char *write_file(const char *keys)
{
    char text[1024];
    snprintf(text, sizeof text, "%s\n" CFG_TLS CFG_IMAP_SERVICE CFG_POOL, keys);
    return cfg_folder_write(folder, "deepproxy.conf", text, strlen(text));
}

/* The exit status of the child. */
static int ask(const char *path)
{
    int status;
    pid_t child = 0;
    int from = start_settings_ask(path, &child);
    ck_assert_int_ge(from, 0);
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(fcntl(from, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = from, .events = POLLIN}, 1, PATIENCE_MS), 1);
    start_settings_receive(from, &settings);
    close(from);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void ask_of(const char *keys)
{
    char *path = write_file(keys);
    ck_assert_int_eq(ask(path), EXIT_SUCCESS);
    free(path);
}

START_TEST(defaults)
{
    euid = 1000;
    ask_of("");
    ck_assert(settings.is_isolated);
    ck_assert_int_eq(settings.level, CFG_LOG_INFO);
    ck_assert_str_eq(settings.error, "");
    ck_assert(!settings.user.changes);
}
END_TEST

START_TEST(what_the_file_has)
{
    const struct passwd *nobody = getpwnam("nobody");
    ck_assert_ptr_nonnull(nobody);
    ask_of("key_isolation = false; log_level = \"error\"; key_user = \"nobody\";");
    ck_assert(!settings.is_isolated);
    ck_assert_int_eq(settings.level, CFG_LOG_ERROR);
    ck_assert_str_eq(settings.error, "");
    ask_of("log_level = \"debug\"; key_user = \"nobody\";");
    ck_assert(settings.is_isolated);
    ck_assert_int_eq(settings.level, CFG_LOG_DEBUG);
    ck_assert_str_eq(settings.error, "");
    ck_assert(settings.user.changes);
    ck_assert_uint_eq(settings.user.uid, nobody->pw_uid);
    ck_assert_uint_eq(settings.user.gid, nobody->pw_gid);
}
END_TEST

START_TEST(a_user_that_there_is_not)
{
    ask_of("key_user = \"nobody-of-that-name\";");
    ck_assert(settings.is_isolated);
    ck_assert_ptr_nonnull(strstr(settings.error, "nobody-of-that-name"));
    /* Nobody is asked for one. */
    ask_of("key_isolation = false; key_user = \"nobody-of-that-name\";");
    ck_assert_str_eq(settings.error, "");
}
END_TEST

/* The proxy, which reads it too, says what is wrong with it: what is right counts here. */
START_TEST(a_file_that_is_wrong)
{
    ask_of("workers = -1; log_level = \"error\";");
    ck_assert(settings.is_isolated);
    ck_assert_int_eq(settings.level, CFG_LOG_ERROR);
    ck_assert_int_eq(ask("/no-such-folder/deepproxy.conf"), EXIT_SUCCESS);
    ck_assert_str_eq(settings.error, "");
}
END_TEST

/* After no answer, or a part of one, there is to be a guard, and there can be none. */
START_TEST(a_child_that_has_ended)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], &settings, (size_t)_i), _i);
    close(ends[1]);
    start_settings_receive(ends[0], &settings);
    close(ends[0]);
    ck_assert(settings.is_isolated);
    ck_assert_int_eq(settings.level, CFG_LOG_INFO);
    ck_assert_str_eq(settings.error, "the process that reads its settings has ended");
    ck_assert(!settings.user.changes);
}
END_TEST

/* It waits for a file that does not come, and ends with the one that has asked. */
START_TEST(it_ends_with_its_parent)
{
    char path[512];
    int ends[2];
    snprintf(path, sizeof path, "%s/pipe", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        pid_t child;
        close(ends[0]);
        _exit(start_settings_ask(path, &child) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(ends[1]);
    /* Nobody has the other end any more, as soon as both have ended. */
    ck_assert_int_eq(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, PATIENCE_MS), 1);
    ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
    close(ends[0]);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("start_settings");
    TCase *tests = tcase_create("start_settings");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, what_the_file_has);
    tcase_add_test(tests, a_user_that_there_is_not);
    tcase_add_test(tests, a_file_that_is_wrong);
    tcase_add_loop_test(tests, a_child_that_has_ended, 0, 2);
    tcase_add_test(tests, it_ends_with_its_parent);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
