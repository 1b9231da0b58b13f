/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_PROBLEM_LOG_H
#define DEEPPROXY_PROXY_CONTROL_PROBLEM_LOG_H

#include "config/cfg_problems.h"

#include <stdint.h>

/*
 * Certificates are read again and again, as long as something changes near them. What is wrong with them is
 * logged when it is new, and once a day if it keeps certificates out of use; with all of its reasons each
 * time. Nothing here logs. All zero knows of no problems.
 */
struct problem_log {
    struct cfg_problems last; /* as they were last logged */
    uint64_t logged_at_ms;
    bool is_refusal; /* so they kept certificates out of use */
};

/*
 * Whether the problems of a reading are to be logged, and with them that it was refused (`is_refusal`: in
 * whole or in part). Takes `problems` over if so, and leaves an empty list: `log->last` has them then.
 */
bool problem_log_is_due(struct problem_log *log, struct cfg_problems *problems, bool is_refusal,
                        uint64_t now_ms);

/* Frees the texts, and knows of no problems. */
void problem_log_free(struct problem_log *log);

#endif
