/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/checks/checks.h"

#include "base/slice.h"
#include "proxy/common/monotonic.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct checks {
    struct check_runner runner;
    struct check_schedule schedule;
    uv_timer_t timer;
};

struct checked_server {
    struct check_turn turn; /* the first field: a turn is its server */
    struct checks *checks;
    struct check_target target; /* its texts are owned */
    struct server_check *check; /* NULL: none is under way */
    checks_report_cb report;
    void *arg;
};
_Static_assert(offsetof(struct checked_server, turn) == 0, "a turn is its server");

static void start_due(struct checks *checks);

static void on_timer(uv_timer_t *timer)
{
    start_due(timer->data);
}

/* Sleeps until the next turn. */
static void set_timer(struct checks *checks)
{
    uint64_t wait = check_schedule_wait_ms(&checks->schedule, monotonic_ms());
    if (wait == CHECK_NEVER)
        uv_timer_stop(&checks->timer);
    else
        uv_timer_start(&checks->timer, on_timer, wait, 0);
}

static void on_checked(void *arg, const struct check_report *report)
{
    struct checked_server *server = arg;
    server->check = NULL;
    enum check_pace pace = server->report(server->arg, report);
    check_schedule_done(&server->checks->schedule, &server->turn, pace, monotonic_ms());
    set_timer(server->checks);
}

/* This machine lacks memory: nothing is known of the server. */
static void report_not_made(struct checked_server *server)
{
    on_checked(server, &(struct check_report){.result = CHECK_NOT_MADE, .detail = "no memory for a check"});
}

static void start_due(struct checks *checks)
{
    struct check_turn *turn;
    while ((turn = check_schedule_take(&checks->schedule, monotonic_ms())) != NULL) {
        struct checked_server *server = (struct checked_server *)turn;
        server->check = server_check_start(&checks->runner, &server->target, on_checked, server);
        if (server->check == NULL)
            report_not_made(server);
    }
    set_timer(checks);
}

struct checks *checks_new(uv_loop_t *loop, struct key_client *keys)
{
    struct checks *checks = calloc(1, sizeof *checks);
    if (checks == NULL)
        return NULL;
    if (!check_runner_open(&checks->runner, loop, keys)) {
        check_runner_close(&checks->runner);
        free(checks);
        return NULL;
    }
    check_schedule_init(&checks->schedule, CHECKS_AT_ONCE, uv_hrtime());
    uv_timer_init(loop, &checks->timer);
    checks->timer.data = checks;
    return checks;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void checks_free(struct checks **checks)
{
    struct checks *freed = *checks;
    *checks = NULL;
    if (freed == NULL)
        return;
    while (freed->schedule.first != NULL) {
        struct checked_server *server = (struct checked_server *)freed->schedule.first;
        checks_remove(&server);
    }
    check_runner_close(&freed->runner);
    uv_close((uv_handle_t *)&freed->timer, on_closed);
}

static void free_target(struct check_target *target)
{
    free((char *)(uintptr_t)target->hostname);
    free((char *)(uintptr_t)target->tls_name);
    free((void *)(uintptr_t)target->sources);
    pool_tls_unref(&target->tls);
}

static void free_server(struct checked_server *server)
{
    free_target(&server->target);
    free(server);
}

/* Without their texts, which are the configuration's. NULL if there are none, or memory is short. */
static struct cfg_endpoint *copy_sources(const struct check_target *from)
{
    struct cfg_endpoint *copy = calloc(from->source_count, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < from->source_count; i++)
        copy[i] = (struct cfg_endpoint){.address = from->sources[i].address,
                                        .address_len = from->sources[i].address_len};
    return copy;
}

static bool has_same_sources(const struct check_target *a, const struct check_target *b)
{
    bool same = a->source_count == b->source_count;
    for (size_t i = 0; same && i < a->source_count; i++)
        same = a->sources[i].address_len == b->sources[i].address_len &&
               memcmp(&a->sources[i].address, &b->sources[i].address, a->sources[i].address_len) == 0;
    return same;
}

static bool copy_target(struct check_target *into, const struct check_target *from)
{
    *into = *from;
    into->tls = from->tls != NULL ? pool_tls_ref(from->tls) : NULL;
    into->hostname = strdup(from->hostname);
    into->tls_name = from->tls_name != NULL ? strdup(from->tls_name) : NULL;
    into->sources = from->source_count > 0 ? copy_sources(from) : NULL;
    return into->hostname != NULL && (from->tls_name == NULL || into->tls_name != NULL) &&
           (from->source_count == 0 || into->sources != NULL);
}

struct checked_server *checks_add(struct checks *checks, const struct check_target *target,
                                  const struct check_intervals *intervals, checks_report_cb report, void *arg)
{
    struct checked_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    *server = (struct checked_server){.checks = checks, .report = report, .arg = arg};
    if (!copy_target(&server->target, target)) {
        free_server(server);
        return NULL;
    }
    check_schedule_add(&checks->schedule, &server->turn, intervals, monotonic_ms());
    set_timer(checks);
    return server;
}

static bool is_same_target(const struct check_target *a, const struct check_target *b)
{
    return a->protocol == b->protocol && text_is_same(a->hostname, b->hostname) &&
           a->address_len == b->address_len && memcmp(&a->address, &b->address, a->address_len) == 0 &&
           a->identity == b->identity && a->tls_mode == b->tls_mode && a->tls == b->tls &&
           text_is_same(a->tls_name, b->tls_name) && a->timeout_ms == b->timeout_ms && has_same_sources(a, b);
}

static bool is_same_pace(const struct check_intervals *a, const struct check_intervals *b)
{
    return a->interval_ms == b->interval_ms && a->fast_ms == b->fast_ms && a->slow_ms == b->slow_ms;
}

bool checks_change(struct checked_server *server, const struct check_target *target,
                   const struct check_intervals *intervals)
{
    struct check_target copy;
    if (!is_same_target(&server->target, target)) {
        if (!copy_target(&copy, target)) {
            free_target(&copy);
            return false;
        }
        free_target(&server->target);
        server->target = copy;
    }
    if (!is_same_pace(&server->turn.intervals, intervals)) {
        check_schedule_change(&server->turn, intervals, monotonic_ms());
        set_timer(server->checks);
    }
    return true;
}

void checks_remove(struct checked_server **server)
{
    struct checked_server *removed = *server;
    *server = NULL;
    if (removed == NULL)
        return;
    struct checks *checks = removed->checks;
    server_check_cancel(&removed->check);
    check_schedule_remove(&checks->schedule, &removed->turn);
    free_server(removed);
    set_timer(checks);
}

void checks_hurry(struct checked_server *server)
{
    check_schedule_hurry(&server->checks->schedule, &server->turn, monotonic_ms());
    set_timer(server->checks);
}

size_t checks_under_way(const struct checks *checks)
{
    return checks->schedule.under_way;
}
