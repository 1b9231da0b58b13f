/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_RUN_SUITE_H
#define DEEPPROXY_TESTS_RUN_SUITE_H

#include <check.h>

/*
 * What the main() of each test program ends with: runs the suite, frees it, and returns the program's exit
 * status. A suite of which no test was run has failed.
 */
int run_suite(Suite *suite);

#endif
