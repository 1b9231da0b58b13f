/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds all other test programs: a suite passes only if tests were run, and none has failed. */
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(passes)
{
    ck_assert_int_eq(_i, _i);
}
END_TEST

START_TEST(fails)
{
    ck_assert_int_ne(_i, _i);
}
END_TEST

/* Suites of this program's own, each run in a child: Check cannot run within Check. */
enum { NO_CASE, NO_TEST, LOOP_OVER_NOTHING, ONE_PASSES, ONE_OF_TWO_FAILS, OTHER_CASE_WANTED };

static const struct {
    int suite;
    int status;
} expected[] = {
    {NO_CASE, EXIT_FAILURE},    {NO_TEST, EXIT_FAILURE},          {LOOP_OVER_NOTHING, EXIT_FAILURE},
    {ONE_PASSES, EXIT_SUCCESS}, {ONE_OF_TWO_FAILS, EXIT_FAILURE}, {OTHER_CASE_WANTED, EXIT_FAILURE},
};

static int run_inner(int which)
{
    Suite *suite = suite_create("inner");
    if (which == NO_CASE)
        return run_suite(suite);
    TCase *tests = tcase_create("inner");
    if (which == OTHER_CASE_WANTED)
        setenv("CK_RUN_CASE", "outer", 1);
    if (which == LOOP_OVER_NOTHING)
        tcase_add_loop_test(tests, passes, 0, 0);
    if (which >= ONE_PASSES)
        tcase_add_test(tests, passes);
    if (which == ONE_OF_TWO_FAILS)
        tcase_add_test(tests, fails);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

/* Not by Check: what is tested here must not say itself whether it is right. */
int main(void)
{
    int wrong = 0;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            /* Its summary would be added to those of the real suites. */
            if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
                _exit(EXIT_FAILURE + 1);
            exit(run_inner(expected[i].suite));
        }
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
            WEXITSTATUS(status) != expected[i].status)
            wrong++;
    }
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
