/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_API_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_API_H

#include "config/cfg_problems.h"
#include "proxy/admin/admin_json.h"
#include "proxy/admin/admin_route.h"
#include "proxy/worker/survey.h"

/*
 * Control over the program, in JSON: what it does, and what it is told to. Only the socket leads here. Each
 * command is logged with the user that gave it, as event=control.
 */

enum { ADMIN_SERVER_NAME_MAX = 512 /* octets of a server's name, with its NUL */ };

/* Each answers a row of admin_route.c. */
void admin_api_sessions(struct admin_call *call);
void admin_api_kick(struct admin_call *call);
void admin_api_kick_one(struct admin_call *call);
void admin_api_certificates(struct admin_call *call);
void admin_api_config(struct admin_call *call);
void admin_api_reload(struct admin_call *call);
void admin_api_pools(struct admin_call *call);
void admin_api_servers(struct admin_call *call);
void admin_api_server(struct admin_call *call);
void admin_api_order(struct admin_call *call);

/* Answers a peer that may not control the program. */
void admin_api_refuse(struct admin_call *call);

/* Makes the answer to a survey of all workers. */
void admin_api_write_survey(struct http_answer *answer, const struct survey_query *query,
                            const struct survey *of_workers, unsigned workers);

/* How a reload has ended. */
enum admin_reload {
    ADMIN_RELOAD_DONE,
    ADMIN_RELOAD_REFUSED, /* what was in effect stays; the problems have the reasons */
    ADMIN_RELOAD_ENDING   /* the program ends, and has not reloaded */
};

/* Makes the answer to a reload. */
void admin_api_write_reload(struct http_answer *answer, enum admin_reload how,
                            const struct cfg_problems *problems);

/* What runs, without secrets and the files that have them. NULL if memory is short. */
json_t *admin_config_describe(const struct admin_state *state);

#endif
