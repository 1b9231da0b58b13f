/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include "proxy/backends/check_effect.h"
#include "proxy/backends/pool_protocol.h"
#include "proxy/common/monotonic.h"

#include <stdlib.h>

/*
 * The active checks of the servers that are members of a pool now: who is checked, how, and what becomes of
 * the results. What a check does is proxy/checks; what it means is proxy/backends/check_effect.h.
 */
struct control_check {
    struct control_check *next;
    struct control *control;
    struct server_state *server;    /* a reference */
    struct checked_server *checked; /* NULL in maintenance, and while memory is short */
    bool is_wanted;                 /* by the members that are followed just now */
    bool was_suspected;             /* when it was last looked at */
};

/* ---- results ---- */

static enum check_pace pace_of(const struct server_state *server)
{
    static const uint8_t paces[] = {
        [SERVER_UNCHECKED] = CHECK_PACE_FAST, [SERVER_UP] = CHECK_PACE_NORMAL,
        [SERVER_FAILING] = CHECK_PACE_FAST,   [SERVER_DOWN] = CHECK_PACE_SLOW,
        [SERVER_RISING] = CHECK_PACE_FAST,    [SERVER_WARMING] = CHECK_PACE_NORMAL,
        [SERVER_EJECTED] = CHECK_PACE_FAST,   [SERVER_UNRESOLVED] = CHECK_PACE_NORMAL,
    };
    _Static_assert(sizeof paces == SERVER_HEALTHS, "a pace for each state");
    bool suspected = atomic_load(&server->strikes) > 0;
    enum check_pace pace = (enum check_pace)paces[server_state_health(server)];
    return suspected && pace == CHECK_PACE_NORMAL ? CHECK_PACE_FAST : pace;
}

/* With spaces between them; what does not fit into a line of the log is left out there. */
static void add_capabilities(struct log_line *line, struct slice lines)
{
    uint8_t words[SERVER_FACTS_CAPABILITIES_MAX];
    for (size_t i = 0; i < lines.len; i++)
        words[i] = lines.data[i] == '\n' ? ' ' : lines.data[i];
    if (lines.len > 0)
        log_line_add(line, "capabilities", (struct slice){words, lines.len - 1});
}

static void add_facts(struct log_line *line, const struct server_facts *facts)
{
    log_line_add_text(line, "tls", facts->over_tls ? "yes" : "no");
    if (facts->mechanisms.len > 0)
        log_line_add(line, "mechanisms", facts->mechanisms);
    if (facts->id.len > 0)
        log_line_add(line, "id", facts->id);
    add_capabilities(line, facts->capabilities);
}

static void log_check(const struct control *control, const struct server_state *server,
                      const struct check_report *report)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_DEBUG, "server-check");
    log_line_add_text(&line, "pool", server->identity.pool);
    log_line_add_text(&line, "server", server->identity.name);
    log_line_add_text(&line, "result", check_result_name(report->result));
    log_line_add_text(&line, "detail", report->detail);
    log_line_add_seconds(&line, "duration", report->duration_ms);
    if (report->facts != NULL)
        add_facts(&line, report->facts);
    log_write(control->log, &line);
}

static enum check_pace on_checked(void *arg, const struct check_report *report)
{
    const struct control_check *check = arg;
    struct control *control = check->control;
    struct server_observer observer = control_observer(control);
    struct check_found found = {report->result, report->detail, report->duration_ms, report->facts};
    log_check(control, check->server, report);
    control->checks.detail = report->detail;
    check_effect_apply(check->server, &found, monotonic_ms(), &observer);
    control->checks.detail = NULL;
    return pace_of(check->server);
}

/* ---- who is checked ---- */

static struct check_target target_of(const struct control *control, size_t pool, enum protocol protocol,
                                     const struct server_state *server)
{
    const struct cfg *cfg = control->runtime.snapshot->cfg;
    const struct cfg_pool *of_pool = &cfg->pools[pool];
    return (struct check_target){.protocol = protocol,
                                 .hostname = cfg->hostname,
                                 .address = server->identity.address,
                                 .address_len = server->identity.address_len,
                                 .identity = of_pool->identity,
                                 .tls_mode = of_pool->tls.mode,
                                 .tls = control->runtime.pools->pools[pool],
                                 .tls_name = server->identity.tls_name,
                                 .timeout_ms = of_pool->check.timeout_ms,
                                 .sources = of_pool->sources,
                                 .source_count = of_pool->source_count};
}

/* The one that is there, or a new one. NULL if memory is short. */
static struct control_check *find_check(struct control *control, struct server_state *server)
{
    if (server->check != NULL)
        return server->check;
    struct control_check *check = calloc(1, sizeof *check);
    if (check == NULL)
        return NULL;
    *check = (struct control_check){
        .next = control->checks.first, .control = control, .server = server_state_ref(server)};
    control->checks.first = server->check = check;
    return check;
}

/* A name without an address has nothing that could be checked. */
static bool is_away(const struct control_check *check)
{
    return server_state_admin(check->server) == SERVER_MAINTENANCE ||
           check->server->identity.address_len == 0;
}

/* What memory is short for is tried again at the next review (control_checks_review). */
static void follow_server(struct control *control, size_t pool, enum protocol protocol,
                          struct server_state *server)
{
    const struct cfg_pool_check *cfg = &control->runtime.snapshot->cfg->pools[pool].check;
    struct check_intervals intervals = {cfg->interval_ms, cfg->fast_ms, cfg->slow_ms};
    struct check_target target = target_of(control, pool, protocol, server);
    struct control_check *check = find_check(control, server);
    control->checks.is_short = control->checks.is_short || check == NULL;
    if (check == NULL)
        return;
    check->is_wanted = true;
    if (is_away(check))
        checks_remove(&check->checked);
    else if (check->checked == NULL)
        check->checked = checks_add(control->checks.checks, &target, &intervals, on_checked, check);
    else if (!checks_change(check->checked, &target, &intervals))
        control->checks.is_short = true;
}

static void follow_pool(struct control *control, size_t pool)
{
    const struct cfg *cfg = control->runtime.snapshot->cfg;
    const struct membership *members = control->runtime.members->lists[pool];
    enum protocol protocol;
    if (!cfg->pools[pool].check.is_on || !pool_protocol_find(cfg, pool, &protocol))
        return;
    for (size_t i = 0; i < members->count; i++)
        follow_server(control, pool, protocol, members->members[i].server);
}

static void free_check(struct control_check *check)
{
    checks_remove(&check->checked);
    check->server->check = NULL;
    check->server->last_check = (struct server_last_check){.at_ms = 0};
    server_state_unref(&check->server);
    free(check);
}

static void drop_unwanted(struct control *control)
{
    for (struct control_check **at = &control->checks.first; *at != NULL;) {
        struct control_check *check = *at;
        if (check->is_wanted) {
            at = &check->next;
        } else {
            *at = check->next;
            free_check(check);
        }
    }
}

void control_checks_follow(struct control *control)
{
    for (struct control_check *check = control->checks.first; check != NULL; check = check->next)
        check->is_wanted = false;
    control->checks.is_short = false;
    for (size_t i = 0; i < control->runtime.snapshot->cfg->pool_count; i++)
        follow_pool(control, i);
    drop_unwanted(control);
}

/* Sessions have just failed there: a check tells soon whether it is the server. */
static void hurry_suspected(struct control_check *check)
{
    bool suspected = atomic_load(&check->server->strikes) > 0;
    if (suspected && !check->was_suspected && check->checked != NULL)
        checks_hurry(check->checked);
    check->was_suspected = suspected;
}

void control_checks_review(struct control *control)
{
    bool has_changed = control->checks.is_short;
    for (struct control_check *check = control->checks.first; check != NULL; check = check->next) {
        has_changed = has_changed || is_away(check) == (check->checked != NULL);
        hurry_suspected(check);
    }
    if (has_changed)
        control_checks_follow(control);
}

/* ---- life ---- */

int control_checks_open(struct control *control)
{
    struct control_checks *checks = &control->checks;
    bool has_keys = control->keys != NULL;
    int error = has_keys ? key_client_open(&checks->keys, &control->loop, NULL) : 0;
    if (error != 0)
        return error;
    if (has_keys)
        control_checks_set_key_channel(control,
                                       key_manager_take_channel(control->keys, control->worker_count));
    checks->checks = checks_new(&control->loop, has_keys ? &checks->keys : NULL);
    if (checks->checks == NULL)
        return UV_ENOMEM;
    control_checks_follow(control);
    return 0;
}

void control_checks_set_key_channel(struct control *control, int channel)
{
    if (channel >= 0)
        key_client_connect(&control->checks.keys, channel);
}

void control_checks_give_up_keys(struct control *control)
{
    key_client_give_up(&control->checks.keys);
}

void control_checks_close(struct control *control)
{
    while (control->checks.first != NULL) {
        struct control_check *check = control->checks.first;
        control->checks.first = check->next;
        free_check(check);
    }
    checks_free(&control->checks.checks);
    key_client_end(&control->checks.keys);
}

void control_checks_free(struct control *control)
{
    key_client_close(&control->checks.keys);
}
