/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_servers.h"

#include "proxy/common/address.h"

#include <stdio.h>

/* ---- servers ---- */

static bool takes_new_sessions(const struct server_state *server)
{
    return atomic_load(&server->access) == SERVER_ACCESS_OPEN &&
           server_state_health(server) != SERVER_EJECTED;
}

size_t admin_servers_up(const struct membership *members)
{
    size_t up = 0;
    for (size_t i = 0; i < members->count; i++)
        up += takes_new_sessions(members->members[i].server);
    return up;
}

/* Null if it is a name that has none. */
static json_t *describe_address(const struct server_identity *identity)
{
    char text[ADDRESS_TEXT_MAX];
    address_format((const struct sockaddr *)&identity->address, text);
    return admin_json_text(text);
}

static json_t *time_of(uint64_t at_ms, struct admin_moment now)
{
    int64_t ago_ms = now.ms > at_ms ? (int64_t)(now.ms - at_ms) : 0;
    return admin_json_time((now.real_ms - ago_ms) / 1000);
}

/* Null while nothing has changed it. */
static json_t *describe_cause(const struct server_state *server)
{
    return server->changes[SERVER_AXIS_STATE] > 0
               ? json_string(server_cause_word(server->cause[SERVER_AXIS_STATE]))
               : json_null();
}

/* How often, for each kind that has been there. */
static json_t *describe_failures(const struct server_state *server)
{
    json_t *kinds = json_object();
    for (int kind = 0; kinds != NULL && kind < SERVER_FAILURES; kind++) {
        uint64_t count = atomic_load(&server->failures[kind]);
        if (count > 0 && json_object_set_new(kinds, server_cause_word((enum server_cause)kind),
                                             json_integer((json_int_t)count)) != 0) {
            json_decref(kinds);
            kinds = NULL;
        }
    }
    return kinds;
}

/* Null if there are no checks; without a result before the first. */
static json_t *describe_check(const struct member *member, struct admin_moment now)
{
    const struct server_last_check *check = &member->server->last_check;
    if (!member->rules.is_checked)
        return json_null();
    if (check->at_ms == 0)
        return json_pack("{s:n}", "result");
    return json_pack("{s:s,s:o,s:f,s:o}", "result", check_result_name(check->result), "at",
                     time_of(check->at_ms, now), "duration", (double)check->duration_ms / 1000, "detail",
                     admin_json_text(check->detail[0] != '\0' ? check->detail : NULL));
}

json_t *admin_server_describe(const struct member *member, struct admin_moment now)
{
    const struct server_state *server = member->server;
    double share = (double)server_state_effective_weight(server) / SERVER_WEIGHT_ONE;
    return json_pack(
        "{s:o,s:o,s:o,s:s,s:s,s:o,s:o,s:i,s:i,s:f,s:b,s:I,s:I,s:I,s:I,s:o,s:o}", "pool",
        admin_json_text(server->identity.pool), "name", admin_json_text(server->identity.name), "address",
        describe_address(&server->identity), "admin", server_admin_word(server_state_admin(server)), "state",
        server_health_word(server_state_health(server)), "cause", describe_cause(server), "since",
        time_of(atomic_load(&server->since_ms), now), "weight", (int)server_state_weight(server),
        "configured_weight", (int)member->rules.weight, "effective_weight", share, "backup",
        member->is_backup, "sessions", (json_int_t)server_state_sessions(server), "connecting",
        (json_int_t)atomic_load(&server->connecting), "max_connections",
        (json_int_t)member->rules.max_connections, "connects", (json_int_t)atomic_load(&server->connects),
        "failures", describe_failures(server), "check", describe_check(member, now));
}

/* ---- pools ---- */

json_t *admin_pool_describe(const struct membership *members, const char *balance)
{
    json_int_t sessions = 0;
    json_int_t connecting = 0;
    for (size_t i = 0; i < members->count; i++) {
        sessions += server_state_sessions(members->members[i].server);
        connecting += atomic_load(&members->members[i].server->connecting);
    }
    return json_pack("{s:o,s:s,s:I,s:I,s:I,s:b,s:{s:I,s:I}}", "name", admin_json_text(members->pool->name),
                     "balance", balance, "sessions", sessions, "connecting", connecting, "waiting",
                     (json_int_t)wait_queue_count(members->pool->queue), "panic",
                     (int)atomic_load(&members->pool->panic), "servers", "up",
                     (json_int_t)admin_servers_up(members), "all", (json_int_t)members->count);
}
