/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/common/connect_failure.h"
#include "proxy/common/connecting.h"
#include "run_suite.h"

#include <uv.h>

static const struct {
    int error;
    enum connect_failure of_socket;
    enum connect_failure of_connecting;
} rows[] = {
    {UV_ECONNREFUSED, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_SERVER},
    {UV_ETIMEDOUT, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_SERVER},
    {UV_EHOSTUNREACH, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_SERVER},
    {UV_ENETUNREACH, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_SERVER},
    {UV_EACCES, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_SERVER},
    {UV_EADDRNOTAVAIL, CONNECT_FAILURE_OF_ROUTE, CONNECT_FAILURE_OF_ROUTE},
    {UV_EAFNOSUPPORT, CONNECT_FAILURE_OF_ROUTE, CONNECT_FAILURE_OF_ROUTE},
    {CONNECTING_NO_SOURCE, CONNECT_FAILURE_OF_ROUTE, CONNECT_FAILURE_OF_ROUTE},
    {UV_EAGAIN, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_SERVER},
    {UV_ENOENT, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_SERVER},
    {UV_EMFILE, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_MACHINE},
    {UV_ENFILE, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_MACHINE},
    {UV_ENOBUFS, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_MACHINE},
    {UV_ENOMEM, CONNECT_FAILURE_OF_MACHINE, CONNECT_FAILURE_OF_MACHINE},
};

START_TEST(who_is_to_blame)
{
    ck_assert_int_eq(connect_failure_of(rows[_i].error, false), rows[_i].of_socket);
    ck_assert_int_eq(connect_failure_of(rows[_i].error, true), rows[_i].of_connecting);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connect_failure");
    TCase *tests = tcase_create("connect_failure");
    tcase_add_loop_test(tests, who_is_to_blame, 0, ARRAY_LEN(rows));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
