/* SPDX-License-Identifier: BSD-2-Clause */
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>

/* In a sanitizer's program, in place of Check's, which takes longer than most assertions. */
void __wrap__mark_point(const char *file, int line);

void __wrap__mark_point(const char *file, int line)
{
    (void)file;
    (void)line;
}

int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    int run = srunner_ntests_run(runner);
    srunner_free(runner);
    if (run == 0)
        fprintf(stderr,
                "no test was run: the suite is empty, or CK_RUN_CASE and CK_RUN_SUITE name none of it\n");
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
