/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_CHECK_REPORT_H
#define DEEPPROXY_PROXY_COMMANDS_CHECK_REPORT_H

#include "proxy/runtime/runtime.h"

#include <stdio.h>

/*
 * What `check` has found in a configuration without errors, for an operator to compare with what was meant:
 * a line for each service with its addresses, for the admin endpoint, for each certificate with its names and
 * its end, for each pool with its servers as they are resolved. It opens nothing and changes nothing. What a
 * terminal would act upon is printed as "?".
 */
void check_report_print(const struct runtime *runtime, FILE *to);

#endif
