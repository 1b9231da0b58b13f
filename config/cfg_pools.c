/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_pools.h"

#include "base/array.h"
#include "config/cfg_duration.h"
#include "config/cfg_pool_check.h"
#include "config/cfg_pool_tls.h"
#include "config/cfg_servers.h"
#include "config/cfg_suggest.h"
#include "config/cfg_syntax.h"

#include <string.h>

enum { NAME_MAX_LEN = 64, QUEUE_LENGTH_MAX = 100000 };

#define SECONDS ((uint64_t)1000)

static const char example[] =
    "backends = ( { name = \"stores\"; servers = ( { address = \"10.0.0.11:143\"; } ); } )";

static const char *const balances[] = {[CFG_BALANCE_ROUND_ROBIN] = "round-robin",
                                       [CFG_BALANCE_LEAST_CONNECTIONS] = "least-connections",
                                       [CFG_BALANCE_SOURCE_HASH] = "source-hash"};
_Static_assert(ARRAY_LEN(balances) == CFG_BALANCES, "a word for each policy");

static const char *const identities[] = {[CFG_IDENTITY_NONE] = "none",
                                         [CFG_IDENTITY_PROXY_V1] = "proxy-v1",
                                         [CFG_IDENTITY_PROXY_V2] = "proxy-v2",
                                         [CFG_IDENTITY_NATIVE] = "native"};

const char *cfg_balance_name(enum cfg_balance balance)
{
    return balances[balance];
}

bool cfg_read_name(struct cfg_reader *reader, const char *like, char **name)
{
    char *text;
    if (!cfg_read_string(reader, "name", like, &text))
        return false;
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    if (text[len] != '\0' || len > NAME_MAX_LEN) {
        CFG_FAIL(reader->loader, cfg_reader_place(reader, "name"),
                 "\"%s\" is no name, expected at most %d letters, digits, \".\", \"_\" or \"-\"", text,
                 NAME_MAX_LEN);
        return false;
    }
    *name = text;
    return true;
}

/* ---- how sessions are shared ---- */

static void read_queue(struct cfg_reader *pool_reader, struct cfg_pool *pool)
{
    struct cfg_reader reader;
    pool->queue = (struct cfg_pool_queue){.length = 500, .wait_ms = 10 * SECONDS, .wait_place = pool->place};
    config_setting_t *group = cfg_read_group(pool_reader, "queue");
    if (group == NULL)
        return;
    cfg_reader_open(&reader, pool_reader->loader, group, "the queue of a pool");
    cfg_read_number(&reader, "length", 0, QUEUE_LENGTH_MAX, &pool->queue.length);
    cfg_read_duration(&reader, "wait", SECONDS / 10, 300 * SECONDS, &pool->queue.wait_ms);
    pool->queue.wait_place = cfg_reader_place(&reader, "wait");
    cfg_reader_close(&reader);
}

static void read_sharing(struct cfg_reader *reader, struct cfg_pool *pool)
{
    pool->slow_start_ms = 60 * SECONDS;
    pool->goodbye_spread_ms = 30 * SECONDS;
    read_queue(reader, pool);
    cfg_read_duration(reader, "slow_start", 0, 3600 * SECONDS, &pool->slow_start_ms);
    cfg_read_duration(reader, "goodbye_spread", 0, 3600 * SECONDS, &pool->goodbye_spread_ms);
}

static void read_pool(struct cfg_loader *loader, config_setting_t *group, struct cfg_pool *pool,
                      struct cfg_pool_use *use)
{
    static const struct cfg_words balance_words = {balances, ARRAY_LEN(balances)};
    static const struct cfg_words identity_words = {identities, ARRAY_LEN(identities)};
    struct cfg_reader reader;
    size_t balance = CFG_BALANCE_ROUND_ROBIN;
    size_t identity = CFG_IDENTITY_NONE;
    cfg_reader_open(&reader, loader, group, "a pool of backends");
    pool->place = cfg_tree_place(group);
    if (cfg_reader_require(&reader, "name", "the name by which services ask for this pool"))
        cfg_read_name(&reader, "stores", &pool->name);
    cfg_read_word(&reader, "balance", balance_words, &balance);
    bool given = cfg_read_word(&reader, "identity", identity_words, &identity);
    bool absent = config_setting_get_member(group, "identity") == NULL;
    pool->balance = (enum cfg_balance)balance;
    pool->identity = (enum cfg_identity)identity;
    use->identity_place = cfg_reader_place(&reader, "identity");
    use->identity_given = given ? CFG_IDENTITY_GIVEN : absent ? CFG_IDENTITY_ABSENT : CFG_IDENTITY_WRONG;
    cfg_servers_read(&reader, pool);
    read_sharing(&reader, pool);
    cfg_pool_tls_read(&reader, pool);
    cfg_pool_check_read(&reader, pool);
    cfg_reader_close(&reader);
}

/* The index of the pool of that name among the first `count`; `count` if there is none. */
static size_t find_pool(const struct cfg *cfg, size_t count, const char *name)
{
    _Static_assert(offsetof(struct cfg_pool, name) == 0, "as array_find_name has it");
    return array_find_name(cfg->pools, count, sizeof cfg->pools[0], name);
}

static void check_name(struct cfg_loader *loader, const struct cfg *cfg, size_t index)
{
    const struct cfg_pool *pool = &cfg->pools[index];
    size_t other = pool->name != NULL ? find_pool(cfg, index, pool->name) : index;
    if (other < index)
        CFG_FAIL(loader, pool->place, "another pool is called \"%s\" already, in %s:%u", pool->name,
                 cfg->pools[other].place.file, cfg->pools[other].place.line);
}

void cfg_pools_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg,
                    struct cfg_pool_use **uses)
{
    config_setting_t *list;
    *uses = NULL;
    if (!cfg_reader_require(top, "backends", example))
        return;
    cfg->pool_count = cfg_read_groups(top, "backends", example, &list);
    cfg->pools = cfg_arena_alloc(loader->arena, cfg->pool_count, sizeof *cfg->pools);
    *uses = cfg_arena_alloc(loader->arena, cfg->pool_count, sizeof **uses);
    for (unsigned i = 0; i < cfg->pool_count; i++) {
        read_pool(loader, config_setting_get_elem(list, i), &cfg->pools[i], &(*uses)[i]);
        check_name(loader, cfg, i);
    }
}

/*
 * A submission server that sees the proxy's address as the client's treats the whole Internet as it treats
 * the proxy: inside Postfix's mynetworks that is an open relay, with the defence against SMTP smuggling
 * switched off besides.
 */
static void check_submission(struct cfg_loader *loader, const struct cfg_pool *pool,
                             const struct cfg_pool_use *use)
{
    if (use->identity_given == CFG_IDENTITY_ABSENT)
        CFG_FAIL(
            loader, use->identity_place,
            "the key \"identity\" is missing in the pool \"%s\", which a submission service uses: a server "
            "that "
            "takes the proxy for the client relays mail for everybody if it trusts the proxy's address "
            "(Postfix: mynetworks). Say identity = \"proxy-v2\" if the server reads the PROXY protocol "
            "(Postfix: smtpd_upstream_proxy_protocol = haproxy), \"native\" if it accepts XCLIENT from the "
            "proxy "
            "(Postfix: smtpd_authorized_xclient_hosts), or \"none\" if the proxy's address is trusted "
            "with "
            "nothing",
            pool->name);
    else if (use->identity_given == CFG_IDENTITY_GIVEN && pool->identity == CFG_IDENTITY_NONE)
        cfg_problems_add(
            loader->problems, CFG_WARNING, use->identity_place,
            "the pool \"%s\" hides its clients' addresses from a submission server: make sure that the "
            "proxy's address is trusted with nothing there (Postfix: mynetworks), or it is an open relay",
            pool->name);
}

/*
 * Version 1 has no place for TLS: without TLS of the proxy's own the server takes every client for one in
 * clear.
 */
static void check_mailbox(struct cfg_loader *loader, const struct cfg_pool *pool,
                          const struct cfg_pool_use *use)
{
    if (pool->identity == CFG_IDENTITY_PROXY_V1 && pool->tls.mode == CFG_POOL_TLS_NONE)
        cfg_problems_add(
            loader->problems, CFG_WARNING, use->identity_place,
            "the servers of the pool \"%s\" do not learn by proxy-v1 that their clients are on TLS: "
            "a Dovecot refuses their logins (LOGINDISABLED) unless it allows them in clear; "
            "proxy-v2 tells it",
            pool->name);
}

/* Does the pool serve a protocol whose sessions may do without a login, or one whose sessions may not? */
static bool serves_some(const struct cfg_pool_use *use, bool login_optional)
{
    for (unsigned i = 0; i < PROTOCOLS; i++)
        if ((use->protocols & 1u << i) != 0 &&
            protocol_traits((enum protocol)i)->login_optional == login_optional)
            return true;
    return false;
}

void cfg_pools_check_uses(struct cfg_loader *loader, const struct cfg *cfg, const struct cfg_pool_use *uses)
{
    for (size_t i = 0; i < cfg->pool_count; i++) {
        const struct cfg_pool *pool = &cfg->pools[i];
        if (pool->name == NULL)
            continue;
        if (!uses[i].used)
            cfg_problems_add(loader->problems, CFG_WARNING, pool->place, "no service uses the pool \"%s\"",
                             pool->name);
        if ((uses[i].protocols & (uses[i].protocols - 1)) != 0)
            cfg_problems_add(
                loader->problems, CFG_WARNING, pool->place,
                "services of different protocols use the pool \"%s\", and a server speaks one at a port",
                pool->name);
        if (serves_some(&uses[i], true))
            check_submission(loader, pool, &uses[i]);
        if (serves_some(&uses[i], false))
            check_mailbox(loader, pool, &uses[i]);
    }
}

void cfg_pools_check_times(struct cfg_loader *loader, const struct cfg *cfg)
{
    for (size_t i = 0; i < cfg->pool_count; i++) {
        const struct cfg_pool_queue *queue = &cfg->pools[i].queue;
        if (queue->wait_ms > cfg->timeouts.failover_ms)
            cfg_problems_add(loader->problems, CFG_WARNING, queue->wait_place,
                             "\"wait\" of the queue is %s, and no client waits for longer than "
                             "timeouts.failover, which is %s: make that longer as well, or \"wait\" shorter",
                             cfg_duration_text(loader->arena, queue->wait_ms),
                             cfg_duration_text(loader->arena, cfg->timeouts.failover_ms));
    }
}

static void fail_pool(struct cfg_loader *loader, struct cfg_place place, const struct cfg *cfg,
                      const char *name)
{
    const char **names = cfg_arena_alloc(loader->arena, cfg->pool_count, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < cfg->pool_count; i++)
        if (cfg->pools[i].name != NULL)
            names[count++] = cfg->pools[i].name;
    const char *nearest = cfg_suggest_nearest(name, names, count);
    if (nearest != NULL)
        CFG_FAIL(loader, place, "no pool in \"backends\" is called \"%s\"; did you mean \"%s\"?", name,
                 nearest);
    else if (count > 0)
        CFG_FAIL(loader, place, "no pool in \"backends\" is called \"%s\", expected one of %s", name,
                 cfg_suggest_list(loader->arena, names, count));
    else
        CFG_FAIL(loader, place, "no pool in \"backends\" is called \"%s\"", name);
}

bool cfg_find_pool(struct cfg_loader *loader, struct cfg_item item, const struct cfg *cfg, size_t *pool)
{
    size_t found = find_pool(cfg, cfg->pool_count, item.text);
    if (found < cfg->pool_count)
        *pool = found;
    else
        fail_pool(loader, item.place, cfg, item.text);
    return found < cfg->pool_count;
}

bool cfg_read_pool(struct cfg_reader *reader, const char *key, const struct cfg *cfg, size_t *pool)
{
    char *name;
    return cfg_read_string(reader, key, "stores", &name) &&
           cfg_find_pool(reader->loader, (struct cfg_item){name, cfg_reader_place(reader, key)}, cfg, pool);
}
