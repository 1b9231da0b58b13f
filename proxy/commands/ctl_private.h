/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_CTL_PRIVATE_H
#define DEEPPROXY_PROXY_COMMANDS_CTL_PRIVATE_H

#include "proxy/commands/ctl_exchange.h"

#include <jansson.h>

/* What ctl.c (the command line, one exchange) and ctl_servers.c (verbs of servers) share, and no other. */

enum { CTL_MISUSED = 2 };

/* A command line on its way. */
struct ctl {
    const char *socket;
    bool is_json;
    bool waits; /* after the answer: until a server has no session left */
    struct ctl_request request;
    const struct verb *verb;
};

/* Prints that the command line is not understood. Returns CTL_MISUSED. */
int ctl_misuse(const char *what, const char *word);

/* Asks for POOL or POOL/SERVER: a pool's name has no slash. */
void ctl_add_pool(struct ctl *ctl, const char *word);

/* ---- ctl_servers.c: each `ask` returns 0, or CTL_MISUSED after a message ---- */

int ctl_ask_servers(struct ctl *ctl, int argc, char **argv);
int ctl_ask_drain(struct ctl *ctl, int argc, char **argv);
int ctl_ask_server(struct ctl *ctl, int argc, char **argv);
int ctl_ask_weight(struct ctl *ctl, int argc, char **argv);
void ctl_tell_pools(const json_t *value, unsigned long total);
void ctl_tell_servers(const json_t *value, unsigned long total);
void ctl_tell_server(const json_t *value, unsigned long total);
void ctl_tell_dump(const json_t *value, unsigned long total);

/*
 * Asks again and again until the server that `answer` shows has no session left, and leaves the last answer
 * there. False after a message: the server is not drained any more, or the program does not answer.
 */
bool ctl_wait_for_drain(const struct ctl *ctl, struct ctl_answer *answer);

#endif
