/* SPDX-License-Identifier: BSD-2-Clause */
/* Users and groups by name. What the process may then do no more is for tests with root (integration/). */
#include "proxy/common/privileges.h"

#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY_HAS "no-such-name-here"
#define NO_ACCOUNT "4294967291"

static uid_t uid;
static gid_t gid;
static char error[256];

static void set_up(void)
{
    uid = 4711;
    gid = 4712;
    error[0] = '\0';
    errno = EIO; /* of something before, which is no reason */
}

/* The user that each system has, and its own group. */
START_TEST(a_user)
{
    const struct passwd *known = getpwuid(0);
    ck_assert_ptr_nonnull(known);
    gid_t own_group = known->pw_gid;
    char *name = strdup(known->pw_name);
    ck_assert(privileges_find(name, NULL, &uid, &gid, error, sizeof error));
    ck_assert_uint_eq(uid, 0);
    ck_assert_uint_eq(gid, own_group);
    ck_assert_str_eq(error, "");
    free(name);
}
END_TEST

/* A group that is not the user's own. */
START_TEST(a_user_and_a_group)
{
    const struct passwd *known = getpwuid(0);
    ck_assert_ptr_nonnull(known);
    gid_t own_group = known->pw_gid;
    char *name = strdup(known->pw_name);
    const struct group *group = getgrent();
    while (group != NULL && group->gr_gid == own_group)
        group = getgrent();
    ck_assert_ptr_nonnull(group);
    gid_t other_group = group->gr_gid;
    char *group_name = strdup(group->gr_name);
    endgrent();
    ck_assert(privileges_find(name, group_name, &uid, &gid, error, sizeof error));
    ck_assert_uint_eq(uid, 0);
    ck_assert_uint_eq(gid, other_group);
    free(group_name);
    free(name);
}
END_TEST

START_TEST(one_that_there_is_not)
{
    ck_assert(!privileges_find(NOBODY_HAS, NULL, &uid, &gid, error, sizeof error));
    ck_assert_str_eq(error,
                     "there is no user \"" NOBODY_HAS "\": create it with `useradd --system --user-group "
                     "--no-create-home --shell /usr/sbin/nologin " NOBODY_HAS "`, or name another one");
    errno = EIO;
    ck_assert(!privileges_find("root", NOBODY_HAS, &uid, &gid, error, sizeof error));
    ck_assert_str_eq(error, "there is no group \"" NOBODY_HAS
                            "\": create it with `groupadd --system " NOBODY_HAS "`, or name another one");
}
END_TEST

START_TEST(numbers)
{
    const struct passwd *account = getpwnam("nobody");
    char number[16];
    ck_assert_ptr_nonnull(account);
    uid_t known = account->pw_uid;
    gid_t own_group = account->pw_gid;
    snprintf(number, sizeof number, "%u", known);
    ck_assert(privileges_find(number, NULL, &uid, &gid, error, sizeof error));
    ck_assert_uint_eq(uid, known);
    ck_assert_uint_eq(gid, own_group);
    ck_assert(privileges_find(NO_ACCOUNT, "4294967294", &uid, &gid, error, sizeof error));
    ck_assert_uint_eq(uid, 4294967291U);
    ck_assert_uint_eq(gid, 4294967294U);
}
END_TEST

START_TEST(numbers_that_will_not_do)
{
    ck_assert(!privileges_find(NO_ACCOUNT, NULL, &uid, &gid, error, sizeof error));
    ck_assert_str_eq(error, "the user " NO_ACCOUNT
                            " has no account, and so no group of its own: give its group too, "
                            "as a number or by name");
    ck_assert(!privileges_find("4294967295", "0", &uid, &gid, error, sizeof error));
    ck_assert(!privileges_find("18446744073709551616", "0", &uid, &gid, error, sizeof error));
    ck_assert(!privileges_find("1000x", "0", &uid, &gid, error, sizeof error));
    ck_assert(!privileges_find("0", "-1", &uid, &gid, error, sizeof error));
}
END_TEST

/* What a configuration names that there is not: an error for root, who would become it. */
START_TEST(accounts_of_a_configuration)
{
    struct cfg cfg = {.user = "root",
                      .group = "4711",
                      .user_place = {"F", 1},
                      .group_place = {"F", 2},
                      .key_user_place = {"F", 3}};
    struct cfg_problems problems = {0};
    bool root = geteuid() == 0;
    ck_assert(privileges_check(&cfg, &problems));
    ck_assert_uint_eq(problems.count, 0);
    cfg.user = cfg.group = cfg.key_user = NOBODY_HAS;
    ck_assert_int_eq(privileges_check(&cfg, &problems), !root);
    ck_assert_uint_eq(problems.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(problems.items[i].line, i + 1);
        ck_assert_int_eq(problems.items[i].severity, root ? CFG_ERROR : CFG_WARNING);
        ck_assert_ptr_nonnull(strstr(problems.items[i].text, "--system"));
    }
    cfg_problems_free(&problems);
}
END_TEST

/* Only root can become another user to ask. */
START_TEST(what_another_user_may_do)
{
    static char folder[] = "/tmp/test_privileges.XXXXXX";
    char inner[64];
    char file[96];
    char open_file[96];
    if (geteuid() != 0)
        return;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(inner, sizeof inner, "%s/live", folder);
    snprintf(file, sizeof file, "%s/chain.pem", inner);
    snprintf(open_file, sizeof open_file, "%s/open.pem", folder);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    ck_assert_int_ge(close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
    ck_assert_int_ge(close(open(open_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
    struct privileges_access questions[] = {
        {.path = file, .mode = R_OK},          {.path = open_file, .mode = R_OK},
        {.path = open_file, .mode = W_OK},     {.path = inner, .mode = R_OK | X_OK},
        {.path = folder, .mode = R_OK | X_OK}, {.path = "/no/such/file", .mode = R_OK}};
    ck_assert(privileges_ask_as("nobody", NULL, questions, 6, error, sizeof error));
    ck_assert_int_eq(questions[0].error, EACCES);
    ck_assert_uint_eq(questions[0].barred_len, strlen(inner));
    ck_assert_int_eq(questions[1].error, 0);
    ck_assert_int_eq(questions[2].error, EACCES);
    ck_assert_uint_eq(questions[2].barred_len, strlen(open_file));
    ck_assert_int_eq(questions[3].error, EACCES);
    ck_assert_int_eq(questions[4].error, 0);
    ck_assert_int_eq(questions[5].error, ENOENT);
    ck_assert_int_eq(access(file, W_OK), 0); /* this process is still root */
    ck_assert(!privileges_ask_as(NOBODY_HAS, NULL, questions, 6, error, sizeof error));
    ck_assert_ptr_nonnull(strstr(error, "there is no user \"" NOBODY_HAS "\""));
    unlink(file);
    unlink(open_file);
    rmdir(inner);
    rmdir(folder);
}
END_TEST

START_TEST(core_dumps)
{
    struct rlimit limit = {0, 0};
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    privileges_forbid_core_dumps();
    limit = (struct rlimit){1, 1};
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, 0);
    ck_assert_uint_eq(limit.rlim_max, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("privileges");
    TCase *tests = tcase_create("privileges");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, a_user);
    tcase_add_test(tests, a_user_and_a_group);
    tcase_add_test(tests, one_that_there_is_not);
    tcase_add_test(tests, what_another_user_may_do);
    tcase_add_test(tests, numbers);
    tcase_add_test(tests, numbers_that_will_not_do);
    tcase_add_test(tests, accounts_of_a_configuration);
    tcase_add_test(tests, core_dumps);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
