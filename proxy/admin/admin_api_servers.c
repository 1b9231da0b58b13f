/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "config/cfg.h"
#include "proxy/admin/admin_api_private.h"
#include "proxy/admin/admin_order.h"
#include "proxy/admin/admin_servers.h"
#include "proxy/common/monotonic.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum { COMMAND_MAX = 2 * ADMIN_SERVER_NAME_MAX };

static void describe_now(const struct admin_call *call, struct admin_state *state, struct admin_moment *now)
{
    *state = (struct admin_state){0};
    call->pages->source.describe(call->pages->source.arg, state);
    struct timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    *now = (struct admin_moment){(int64_t)real.tv_sec * 1000 + real.tv_nsec / 1000000, monotonic_ms()};
}

static size_t count_pools(const struct runtime *runtime)
{
    return runtime->snapshot != NULL ? runtime->snapshot->cfg->pool_count : 0;
}

static const struct membership *members_of(const struct runtime *runtime, size_t pool)
{
    return runtime->members->lists[pool];
}

/* Takes over `value`, which may be NULL. False if memory is short. */
static bool append(json_t *list, json_t *value)
{
    return json_array_append_new(list, value) == 0;
}

/* A list that could not be made as a whole is none. */
static void answer_list(struct admin_call *call, json_t *list, bool is_whole)
{
    if (!is_whole) {
        json_decref(list);
        list = NULL;
    }
    admin_json_answer(&call->answer, HTTP_STATUS_OK, list);
}

/* ---- pools ---- */

void admin_api_pools(struct admin_call *call)
{
    struct admin_state state;
    struct admin_moment now;
    if (!admin_api_takes_nothing(call))
        return;
    describe_now(call, &state, &now);
    const struct runtime *runtime = &state.metrics.runtime;
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < count_pools(runtime); i++)
        ok = append(list, admin_pool_describe(members_of(runtime, i),
                                              cfg_balance_name(runtime->snapshot->cfg->pools[i].balance)));
    answer_list(call, list, ok);
}

/* ---- a list of servers ---- */

/* NULL: any. */
struct server_filter {
    const char *pool;
    const char *server;
};

/* False after an answer. */
static bool read_filter(struct admin_call *call, struct server_filter *filter)
{
    for (size_t i = 0; i < call->request->parameter_count; i++) {
        const struct http_parameter *parameter = &call->request->parameters[i];
        if (strcmp(parameter->name, "pool") == 0)
            filter->pool = parameter->value;
        else if (strcmp(parameter->name, "server") == 0)
            filter->server = parameter->value;
        else
            return admin_api_wrong(call, "unknown parameter \"%.200s\", expected \"pool\" and \"server\"",
                                   parameter->name);
    }
    return true;
}

static bool matches(const char *wanted, const char *name)
{
    return wanted == NULL || strcmp(wanted, name) == 0;
}

static bool append_servers(json_t *list, const struct membership *members, const struct server_filter *filter,
                           struct admin_moment now)
{
    bool ok = true;
    for (size_t i = 0; ok && i < members->count; i++) {
        const struct server_identity *identity = &members->members[i].server->identity;
        if (matches(filter->pool, identity->pool) && matches(filter->server, identity->name))
            ok = append(list, admin_server_describe(&members->members[i], now));
    }
    return ok;
}

void admin_api_servers(struct admin_call *call)
{
    struct server_filter filter = {0};
    struct admin_state state;
    struct admin_moment now;
    if (!read_filter(call, &filter))
        return;
    describe_now(call, &state, &now);
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < count_pools(&state.metrics.runtime); i++)
        ok = append_servers(list, members_of(&state.metrics.runtime, i), &filter, now);
    answer_list(call, list, ok);
}

/* ---- one server ---- */

struct target {
    struct admin_state state;
    struct admin_moment now;
    const struct membership *members;
    const struct member *member;
};

/* "/v1/servers/POOL/NAME": what follows the pool is the name, also if slashes in it are not encoded. */
static bool join_name(const struct admin_request *request, char into[ADMIN_SERVER_NAME_MAX])
{
    size_t len = 0;
    for (size_t i = 3; i < request->segment_count && len < ADMIN_SERVER_NAME_MAX; i++)
        len += (size_t)snprintf(into + len, ADMIN_SERVER_NAME_MAX - len, "%s%s", i > 3 ? "/" : "",
                                request->segments[i]);
    return len < ADMIN_SERVER_NAME_MAX;
}

static bool answer_none(struct admin_call *call, const char *what, const char *name)
{
    char words[ADMIN_SERVER_NAME_MAX + 128];
    snprintf(words, sizeof words, "there is no %s \"%.*s\"; %s", what, ADMIN_SERVER_NAME_MAX, name,
             "/v1/servers lists all");
    admin_json_error(&call->answer, HTTP_STATUS_NOT_FOUND, words);
    return false;
}

/* False after an answer. */
static bool find_target(struct admin_call *call, struct target *target)
{
    char name[ADMIN_SERVER_NAME_MAX];
    const char *pool = call->request->segments[2];
    if (!admin_api_takes_nothing(call))
        return false;
    if (!join_name(call->request, name))
        return answer_none(call, "server", name);
    describe_now(call, &target->state, &target->now);
    const struct runtime *runtime = &target->state.metrics.runtime;
    target->members = NULL;
    for (size_t i = 0; i < count_pools(runtime) && target->members == NULL; i++)
        if (strcmp(members_of(runtime, i)->pool->name, pool) == 0)
            target->members = members_of(runtime, i);
    if (target->members == NULL)
        return answer_none(call, "pool", pool);
    target->member = membership_find(target->members, name);
    return target->member != NULL || answer_none(call, "server in that pool with the name", name);
}

void admin_api_server(struct admin_call *call)
{
    struct target target;
    if (find_target(call, &target))
        admin_json_answer(&call->answer, HTTP_STATUS_OK, admin_server_describe(target.member, target.now));
}

/* What the operator can have overlooked: status 200 all the same. */
static void add_warning(json_t *answer, const struct target *target, const struct admin_order *order)
{
    bool takes_away =
        (order->has_admin && order->admin != SERVER_READY) || (order->has_weight && order->weight == 0);
    if (answer != NULL && takes_away && admin_servers_up(target->members) == 0)
        json_object_set_new(answer, "warning", json_string("no server of this pool takes new sessions now"));
}

void admin_api_order(struct admin_call *call)
{
    struct target target;
    struct admin_order order;
    char words[COMMAND_MAX];
    struct slice body = {(const uint8_t *)call->request->body, call->request->body_len};
    if (!find_target(call, &target))
        return;
    if (!admin_order_read(body, &order, words)) {
        admin_api_wrong(call, "%s", words);
        return;
    }
    const struct server_identity *identity = &target.member->server->identity;
    admin_order_write(&order, identity->pool, identity->name, words, sizeof words);
    admin_api_log_command(call, "%s", words);
    call->pages->source.order(call->pages->source.arg, target.member->server, &order);
    json_t *answer = admin_server_describe(target.member, target.now);
    add_warning(answer, &target, &order);
    admin_json_answer(&call->answer, HTTP_STATUS_OK, answer);
}
_Static_assert((int)COMMAND_MAX >= (int)ADMIN_ORDER_WORDS_MAX, "what is wrong fits there, too");
