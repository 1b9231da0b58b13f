/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_CTL_EXCHANGE_H
#define DEEPPROXY_PROXY_COMMANDS_CTL_EXCHANGE_H

#include "base/bytes.h"
#include "base/must_check.h"

/* One request to the proxy's socket, and its answer. It waits for both. */
enum { CTL_TARGET_MAX = 2048, CTL_BODY_MAX = 128, CTL_WAIT_S = 10 };

struct ctl_request {
    const char *method;
    char target[CTL_TARGET_MAX]; /* encoded: see ctl_add_segment */
    char body[CTL_BODY_MAX];     /* "": none */
    unsigned wait_s;             /* for each part of the answer */
};

struct ctl_answer {
    unsigned status;
    struct bytes body;
    unsigned long total; /* X-Total-Count; 0 if it is not there */
};

/* Appends "/" and a percent-encoded name, or "?name=" or "&name=" and a percent-encoded value. */
void ctl_add_segment(struct ctl_request *request, const char *name);
void ctl_add_parameter(struct ctl_request *request, const char *name, const char *value);

/* False after a message on standard error; answer->body is empty then. The caller frees it. */
MUST_CHECK bool ctl_exchange(const char *socket, const struct ctl_request *request,
                             struct ctl_answer *answer);

#endif
