/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/pool_resolve.h"
#include "proxy/checks/checks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Checks the servers of a configuration's pools, each ROUNDS times, with the pool's identity and TLS:
 *     check_servers CONFIGURATION ROUNDS
 * A line for each check, with tabs between its fields: the first service of the pool, result, whether it came
 * over TLS, capabilities (with spaces between them), mechanisms, ID, detail.
 */
static uv_loop_t loop;
static unsigned rounds;
static size_t left;
static struct checks *checks;
static struct server_registry *registry;

struct subject {
    const char *service;
    unsigned done;
    struct checked_server *server;
};

enum { POOLS_MAX = 8, SERVERS_MAX = 16 };

/* By the first service that has the pool. */
static struct membership *pools[POOLS_MAX];
static struct pool_tls *tls[POOLS_MAX];
static struct subject subjects[POOLS_MAX][SERVERS_MAX];

static void print_list(struct slice list)
{
    putchar('\t');
    for (size_t i = 0; i < list.len; i++)
        putchar(list.data[i] == '\n' ? ' ' : list.data[i]);
}

static void print(const char *service, const struct check_report *report)
{
    const struct server_facts *facts = report->facts;
    printf("%s\t%s\t%s", service, check_result_name(report->result),
           facts != NULL && facts->over_tls ? "tls" : "clear");
    print_list(facts != NULL ? facts->capabilities : slice_of(""));
    print_list(facts != NULL ? facts->mechanisms : slice_of(""));
    print_list(facts != NULL ? facts->id : slice_of(""));
    printf("\t%s\n", report->detail != NULL ? report->detail : "");
}

static void on_all_done(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    checks_free(&checks);
}

static enum check_pace on_report(void *arg, const struct check_report *report)
{
    static uv_timer_t later;
    struct subject *subject = arg;
    print(subject->service, report);
    subject->done++;
    left--;
    if (left == 0) {
        uv_timer_init(&loop, &later);
        uv_timer_start(&later, on_all_done, 0, 0);
    }
    return subject->done < rounds ? CHECK_PACE_FAST : CHECK_PACE_SLOW;
}

static void fail(const struct cfg_problems *problems)
{
    cfg_problems_print(problems, stderr);
    exit(1);
}

static void add_servers(const struct cfg *cfg, const struct cfg_service *service, const struct cfg_pool *pool,
                        const struct membership *members, struct pool_tls *with, struct subject *of_pool)
{
    static const struct check_intervals quick = {.interval_ms = 200, .fast_ms = 50, .slow_ms = 1000000000};
    for (size_t i = 0; i < members->count; i++) {
        const struct server_identity *identity = &members->members[i].server->identity;
        struct check_target target = {.protocol = service->protocol,
                                      .hostname = cfg->hostname,
                                      .address = identity->address,
                                      .address_len = identity->address_len,
                                      .identity = pool->identity,
                                      .tls_mode = pool->tls.mode,
                                      .tls = with,
                                      .tls_name = identity->tls_name,
                                      .timeout_ms = 5000};
        of_pool[i].service = service->name;
        of_pool[i].server = checks_add(checks, &target, &quick, on_report, &of_pool[i]);
        left += rounds;
    }
}

/* Has an earlier service the same pool? */
static bool is_repeated(const struct cfg *cfg, size_t service)
{
    for (size_t i = 0; i < service; i++)
        if (cfg->services[i].pool == cfg->services[service].pool)
            return true;
    return false;
}

static void add_pool(const struct cfg *cfg, size_t i, struct cfg_problems *problems)
{
    const struct cfg_pool *pool = &cfg->pools[cfg->services[i].pool];
    pools[i] = pool_resolve(pool, registry, NULL, problems);
    if (pools[i] == NULL || pools[i]->count > SERVERS_MAX)
        fail(problems);
    if (pool->tls.mode != CFG_POOL_TLS_NONE)
        tls[i] = pool_tls_new(cfg, pool, membership_slots(pools[i]), &(struct pool_tls_source){0}, problems);
    if (pool->tls.mode != CFG_POOL_TLS_NONE && tls[i] == NULL)
        fail(problems);
    add_servers(cfg, &cfg->services[i], pool, pools[i], tls[i], subjects[i]);
}

int main(int argc, char **argv)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg = argc == 3 ? cfg_load(argv[1], &problems) : NULL;
    if (cfg == NULL)
        fail(&problems);
    rounds = (unsigned)strtoul(argv[2], NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    checks = checks_new(&loop, NULL);
    registry = server_registry_new(1);
    if (checks == NULL || registry == NULL)
        fail(&problems);
    for (size_t i = 0; i < cfg->service_count && i < POOLS_MAX; i++)
        if (!is_repeated(cfg, i))
            add_pool(cfg, i, &problems);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < POOLS_MAX; i++) {
        membership_unref(&pools[i]);
        pool_tls_unref(&tls[i]);
    }
    server_registry_unref(&registry);
    cfg_problems_free(&problems);
    cfg_free(&cfg);
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
