/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/problem_log.h"

#define DAY_MS (24ULL * 3600 * 1000)

bool problem_log_is_due(struct problem_log *log, struct cfg_problems *problems, bool is_refusal,
                        uint64_t now_ms)
{
    bool is_new = is_refusal != log->is_refusal || !cfg_problems_equal(&log->last, problems);
    if (!is_new && (!is_refusal || now_ms - log->logged_at_ms < DAY_MS))
        return false;
    cfg_problems_free(&log->last);
    *log = (struct problem_log){.last = *problems, .logged_at_ms = now_ms, .is_refusal = is_refusal};
    *problems = (struct cfg_problems){0};
    return true;
}

void problem_log_free(struct problem_log *log)
{
    cfg_problems_free(&log->last);
    *log = (struct problem_log){0};
}
