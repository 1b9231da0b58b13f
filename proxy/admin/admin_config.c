/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_api.h"
#include "proxy/admin/admin_json.h"

#include "proxy/runtime/snapshot.h"

/*
 * GET /v1/config. What it shows is named here, field by field: a key that is added to the configuration is
 * not shown until somebody has thought of it.
 */

static json_t *seconds(uint64_t ms)
{
    return json_real((double)ms / 1000);
}

/* A limit that the program has derived is null: what it is, the log and the metrics say. */
static json_t *limit(unsigned value)
{
    return value == CFG_LIMIT_DERIVED ? json_null() : json_integer(value);
}

/* A list of `count` values, each made by `make`. NULL if memory is short. */
static json_t *list_of(const void *items, size_t count, size_t size, const struct cfg *cfg,
                       json_t *(*make)(const struct cfg *cfg, const void *item))
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, make(cfg, (const char *)items + i * size)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *describe_endpoint(const struct cfg *cfg, const void *item)
{
    const struct cfg_endpoint *endpoint = item;
    (void)cfg;
    return admin_json_text(endpoint->text);
}

static json_t *endpoints(const struct cfg_endpoint *items, size_t count)
{
    return list_of(items, count, sizeof items[0], NULL, describe_endpoint);
}

static json_t *describe_network(const struct cfg *cfg, const void *item)
{
    char text[NETWORK_TEXT_MAX];
    (void)cfg;
    network_write(item, text);
    return json_string(text);
}

static json_t *networks(const struct networks *networks)
{
    return list_of(networks->list, networks->count, sizeof networks->list[0], NULL, describe_network);
}

static json_t *describe_proxy_protocol(const struct cfg_proxy_protocol *proxy_protocol)
{
    if (proxy_protocol == NULL)
        return json_null();
    return json_pack("{s:o,s:s}", "from", networks(&proxy_protocol->from), "mode",
                     proxy_protocol->is_optional ? "optional" : "required");
}

static json_t *describe_service(const struct cfg *cfg, const void *item)
{
    const struct cfg_service *service = item;
    return json_pack("{s:o,s:s,s:o,s:s,s:o,s:o,s:o,s:o,s:o}", "name", admin_json_text(service->name),
                     "protocol", protocol_traits(service->protocol)->name, "listen",
                     endpoints(service->listen, service->listen_count), "tls",
                     service->tls_mode == CFG_TLS_STARTTLS ? "starttls" : "implicit", "backend",
                     admin_json_text(cfg->pools[service->pool].name), "deep_status",
                     admin_json_text(service->deep->status), "proxy_protocol",
                     describe_proxy_protocol(service->proxy_protocol), "allow", networks(&service->allow),
                     "deny", networks(&service->deny));
}

static json_t *describe_server(const struct cfg *cfg, const void *item)
{
    const struct cfg_server *server = item;
    (void)cfg;
    return json_pack("{s:o,s:o,s:i,s:o,s:b}", "name", admin_json_text(server->name), "address",
                     admin_json_text(server->address.text), "weight", (int)server->weight, "max_connections",
                     limit(server->max_connections), "backup", server->is_backup);
}

static json_t *describe_queue(const struct cfg_pool_queue *queue)
{
    return json_pack("{s:o,s:o}", "length", limit(queue->length), "wait", seconds(queue->wait_ms));
}

static json_t *describe_check(const struct cfg_pool_check *check)
{
    if (!check->is_on)
        return json_false();
    return json_pack("{s:o,s:o,s:o,s:o,s:i,s:i}", "interval", seconds(check->interval_ms), "fast",
                     seconds(check->fast_ms), "slow", seconds(check->slow_ms), "timeout",
                     seconds(check->timeout_ms), "rise", (int)check->rise, "fall", (int)check->fall);
}

static json_t *describe_pool(const struct cfg *cfg, const void *item)
{
    static const char *const identities[] = {[CFG_IDENTITY_NONE] = "none",
                                             [CFG_IDENTITY_PROXY_V1] = "proxy-v1",
                                             [CFG_IDENTITY_PROXY_V2] = "proxy-v2",
                                             [CFG_IDENTITY_NATIVE] = "native"};
    static const char *const modes[] = {[CFG_POOL_TLS_NONE] = "none",
                                        [CFG_POOL_TLS_IMPLICIT] = "implicit",
                                        [CFG_POOL_TLS_STARTTLS] = "starttls"};
    const struct cfg_pool *pool = item;
    (void)cfg;
    return json_pack(
        "{s:o,s:s,s:s,s:s,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "name", admin_json_text(pool->name),
        "balance", cfg_balance_name(pool->balance), "identity", identities[pool->identity], "tls",
        modes[pool->tls.mode], "verify", pool->tls.verify, "servers",
        list_of(pool->servers, pool->server_count, sizeof pool->servers[0], NULL, describe_server), "queue",
        describe_queue(&pool->queue), "check", describe_check(&pool->check), "slow_start",
        seconds(pool->slow_start_ms), "resolve", seconds(pool->resolve_ms), "hold", seconds(pool->hold_ms),
        "goodbye_spread", seconds(pool->goodbye_spread_ms), "source",
        endpoints(pool->sources, pool->source_count));
}

static json_t *describe_timeouts(const struct cfg_timeouts *timeouts)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "handshake", seconds(timeouts->handshake_ms),
                     "login", seconds(timeouts->login_ms), "command", seconds(timeouts->command_ms), "idle",
                     seconds(timeouts->idle_ms), "connect", seconds(timeouts->connect_ms), "greeting",
                     seconds(timeouts->greeting_ms), "failover", seconds(timeouts->failover_ms), "grace",
                     seconds(timeouts->grace_ms), "shutdown", seconds(timeouts->shutdown_ms));
}

static json_t *describe_limits(const struct cfg *cfg)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "max_connections", limit(cfg->max_connections),
                     "handshakes", limit(cfg->limits.handshakes), "handshakes_per_address",
                     limit(cfg->limits.handshakes_per_address), "connections_per_address",
                     limit(cfg->limits.connections_per_address), "connection_rate_per_address",
                     limit(cfg->limits.connection_rate_per_address), "imap_line",
                     limit(cfg->limits.imap_line), "sasl_line", limit(cfg->limits.sasl_line));
}

static json_t *describe_need(const struct cfg *cfg, const void *item)
{
    const size_t *pool = item;
    return admin_json_text(cfg->pools[*pool].name);
}

static json_t *describe_admin(const struct cfg *cfg)
{
    const struct cfg_admin *admin = &cfg->admin;
    return json_pack("{s:o,s:o,s:o,s:o}", "listen", endpoints(admin->listen, admin->listen_count), "socket",
                     admin_json_text(admin->socket), "group", admin_json_text(admin->group), "ready_needs",
                     list_of(admin->ready_needs, admin->ready_need_count, sizeof admin->ready_needs[0], cfg,
                             describe_need));
}

json_t *admin_config_describe(const struct admin_state *state)
{
    const struct cfg *cfg = state->metrics.runtime.snapshot->cfg;
    return json_pack(
        "{s:o,s:o,s:o,s:i,s:b,s:o,s:o,s:o,s:i,s:o,s:o,s:o}", "file", admin_json_text(cfg->path), "since",
        admin_json_time(state->metrics.configuration.since), "hostname", admin_json_text(cfg->hostname),
        "workers", (int)state->metrics.workers, "key_isolation", state->metrics.has_key_process, "state_file",
        admin_json_text(cfg->state_file), "services",
        list_of(cfg->services, cfg->service_count, sizeof cfg->services[0], cfg, describe_service),
        "backends", list_of(cfg->pools, cfg->pool_count, sizeof cfg->pools[0], cfg, describe_pool), "hosts",
        (int)cfg->host_count, "timeouts", describe_timeouts(&cfg->timeouts), "limits", describe_limits(cfg),
        "admin", describe_admin(cfg));
}
