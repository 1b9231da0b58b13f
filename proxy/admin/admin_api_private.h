/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_API_PRIVATE_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_API_PRIVATE_H

#include "proxy/admin/admin_api.h"

/* What the files of control have in common: admin_api.c and admin_api_servers.c alone. */

/* Logs what the operator has asked for, as event=control with the user. */
__attribute__((format(printf, 2, 3))) void admin_api_log_command(const struct admin_call *call,
                                                                 const char *format, ...);

/* Answers with status 400. `format` has one %s, for `word`. Returns false. */
bool admin_api_wrong(struct admin_call *call, const char *format, const char *word);

/* False after an answer: the request has parameters. */
bool admin_api_takes_nothing(struct admin_call *call);

#endif
