/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_pool_check.h"

#include "config/cfg_duration.h"

#define SECONDS ((uint64_t)1000)

/* A check costs the server a process, with TLS a signature: not more often than ten times a second. */
#define SHORTEST 100
/* What is looked at less often than once in an hour is not watched. */
#define LONGEST         (3600 * SECONDS)
#define LONGEST_TIMEOUT (60 * SECONDS)

enum { IN_A_ROW_MAX = 100 };

static void read_intervals(struct cfg_reader *reader, struct cfg_pool_check *check)
{
    cfg_read_duration(reader, "interval", SHORTEST, LONGEST, &check->interval_ms);
    if (check->fast_ms > check->interval_ms)
        check->fast_ms = check->interval_ms;
    if (check->slow_ms < check->interval_ms)
        check->slow_ms = check->interval_ms;
    bool has_fast = cfg_read_duration(reader, "fast", SHORTEST, LONGEST, &check->fast_ms);
    cfg_read_duration(reader, "slow", SHORTEST, LONGEST, &check->slow_ms);
    if (has_fast && check->fast_ms > check->interval_ms)
        CFG_FAIL(reader->loader, cfg_reader_place(reader, "fast"),
                 "\"fast\" is %s and \"interval\" %s: a server whose state is about to change would be "
                 "checked less often than the others; expected at most %s, or a longer \"interval\"",
                 cfg_duration_text(reader->loader->arena, check->fast_ms),
                 cfg_duration_text(reader->loader->arena, check->interval_ms),
                 cfg_duration_text(reader->loader->arena, check->interval_ms));
}

void cfg_pool_check_read(struct cfg_reader *pool_reader, struct cfg_pool *pool)
{
    struct cfg_pool_check *check = &pool->check;
    struct cfg_reader reader;
    *check = (struct cfg_pool_check){.is_on = true,
                                     .interval_ms = 5 * SECONDS,
                                     .fast_ms = 1 * SECONDS,
                                     .slow_ms = 10 * SECONDS,
                                     .timeout_ms = 5 * SECONDS,
                                     .rise = 2,
                                     .fall = 3};
    config_setting_t *group = cfg_read_group_or_switch(pool_reader, "check", &check->is_on);
    if (group == NULL)
        return;
    cfg_reader_open(&reader, pool_reader->loader, group, "the check of a pool");
    read_intervals(&reader, check);
    cfg_read_duration(&reader, "timeout", SHORTEST, LONGEST_TIMEOUT, &check->timeout_ms);
    cfg_read_number(&reader, "rise", 1, IN_A_ROW_MAX, &check->rise);
    cfg_read_number(&reader, "fall", 1, IN_A_ROW_MAX, &check->fall);
    cfg_reader_close(&reader);
}
