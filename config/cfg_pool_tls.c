/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_pool_tls.h"

#include "base/array.h"

#include "config/cfg_endpoint.h"
#include "config/cfg_syntax.h"

static const char *const modes[] = {"implicit", "starttls"};
static const char *const versions[] = {[CFG_TLS_1_0] = "TLSv1.0",
                                       [CFG_TLS_1_1] = "TLSv1.1",
                                       [CFG_TLS_1_2] = "TLSv1.2",
                                       [CFG_TLS_1_3] = "TLSv1.3"};

static const struct cfg_words mode_words = {modes, ARRAY_LEN(modes)};
static const struct cfg_words version_words = {versions, ARRAY_LEN(versions)};

/* ---- files ---- */

static void read_certificate(struct cfg_reader *reader, struct cfg_pool_tls *tls)
{
    cfg_read_path(reader, "certificate", "proxy-client.pem", &tls->certificate);
    cfg_read_path(reader, "key", "proxy-client.key", &tls->key);
    cfg_read_path(reader, "passphrase", "proxy-client.pass", &tls->passphrase);
    tls->certificate_place = cfg_reader_place(reader, "certificate");
    bool has_certificate = config_setting_get_member(reader->group, "certificate") != NULL;
    bool has_key = config_setting_get_member(reader->group, "key") != NULL;
    if (has_certificate && !has_key)
        CFG_FAIL(reader->loader, cfg_reader_place(reader, "certificate"),
                 "\"certificate\" has no \"key\" with it, expected the path of a PEM file with its private "
                 "key");
    else if (has_key && !has_certificate)
        CFG_FAIL(reader->loader, cfg_reader_place(reader, "key"),
                 "\"key\" has no \"certificate\" with it, expected the path of a PEM file with the "
                 "certificate that the proxy shows its servers, and its issuers");
}

/* ---- verification ---- */

static void read_name(struct cfg_reader *reader, struct cfg_pool_tls *tls)
{
    char *name;
    if (!cfg_read_string(reader, "name", "store.internal", &name))
        return;
    if (cfg_is_hostname(slice_of(name)) || cfg_is_address(name))
        tls->name = name;
    else
        CFG_FAIL(reader->loader, cfg_reader_place(reader, "name"),
                 "\"%s\" is neither a host name nor an address, expected what the servers' certificate has: "
                 "\"store.internal\"%s",
                 name, cfg_hostname_hint(name));
}

static void warn_unverified(struct cfg_reader *reader, const struct cfg_pool *pool)
{
    if (pool->tls.verify)
        return;
    cfg_problems_add(reader->loader->problems, CFG_WARNING, cfg_reader_place(reader, "verify"),
                     "verify = false: an attacker between the proxy and the servers of the pool \"%s\" can "
                     "read and change all that passes, passwords included; give the servers' certificate, or "
                     "its authority's, as \"ca\" instead",
                     pool->name != NULL ? pool->name : "");
}

/* "store1.internal." is the same name to the resolver, and never in a certificate. */
static char *name_of_host(struct cfg_arena *arena, const char *host)
{
    struct slice name = slice_of(host);
    if (slice_has_suffix(name, ".") && name.len > 1)
        name.len--;
    return cfg_arena_copy(arena, name);
}

static void name_servers(struct cfg_reader *reader, struct cfg_pool *pool)
{
    struct cfg_arena *arena = reader->loader->arena;
    pool->tls.server_names = cfg_arena_alloc(arena, pool->server_count, sizeof *pool->tls.server_names);
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct cfg_endpoint *address = &pool->servers[i].address;
        pool->tls.server_names[i] =
            pool->tls.name != NULL ? pool->tls.name : name_of_host(arena, address->host);
        if (pool->tls.name == NULL && cfg_endpoint_is_unix(address))
            CFG_FAIL(reader->loader, address->place,
                     "\"%s\" has no name that a certificate could have, expected \"name\" in the pool's "
                     "\"tls\": name = \"store.internal\"",
                     address->text);
    }
}

/* ---- versions ---- */

/* For servers that nobody can change: it is no worse than cleartext, and must not be taken for more. */
static void read_version(struct cfg_reader *reader, struct cfg_pool *pool)
{
    size_t version = CFG_TLS_1_2;
    if (!cfg_read_word(reader, "min_version", version_words, &version))
        return;
    pool->tls.min_version = (enum cfg_tls_version)version;
    if (pool->tls.min_version < CFG_TLS_1_2)
        cfg_problems_add(
            reader->loader->problems, CFG_WARNING, cfg_reader_place(reader, "min_version"),
            "min_version = \"%s\": what the servers of the pool \"%s\" get is protected no better than that "
            "(RFC 8996), so keep them on a private network, and set \"TLSv1.2\" as soon as they can",
            versions[version], pool->name != NULL ? pool->name : "");
}

/* ---- ports ---- */

static bool is_one_of(uint16_t port, const uint16_t ports[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ports[i] == port)
            return true;
    return false;
}

/* The ports of RFC 8314 and those before it: with the wrong mode both sides wait for each other. */
static void check_ports(struct cfg_reader *reader, const struct cfg_pool *pool)
{
    static const uint16_t with_tls[] = {465, 993, 995};
    static const uint16_t in_clear[] = {25, 110, 143, 587};
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct cfg_endpoint *server = &pool->servers[i].address;
        if (pool->tls.mode == CFG_POOL_TLS_STARTTLS && is_one_of(server->port, with_tls, 3))
            cfg_problems_add(reader->loader->problems, CFG_WARNING, server->place,
                             "servers begin with TLS at once on port %u: mode = \"implicit\" is meant for it",
                             server->port);
        else if (pool->tls.mode == CFG_POOL_TLS_IMPLICIT && is_one_of(server->port, in_clear, 4))
            cfg_problems_add(reader->loader->problems, CFG_WARNING, server->place,
                             "servers begin in the clear on port %u: mode = \"starttls\" is meant for it",
                             server->port);
    }
}

void cfg_pool_tls_read(struct cfg_reader *pool_reader, struct cfg_pool *pool)
{
    struct cfg_pool_tls *tls = &pool->tls;
    struct cfg_reader reader;
    size_t mode = 0;
    *tls = (struct cfg_pool_tls){.verify = true, .min_version = CFG_TLS_1_2};
    config_setting_t *group = cfg_read_group(pool_reader, "tls");
    if (group == NULL)
        return;
    cfg_reader_open(&reader, pool_reader->loader, group, "the tls of a pool");
    tls->place = cfg_tree_place(group);
    if (cfg_reader_require(&reader, "mode", "\"implicit\" or \"starttls\"") &&
        cfg_read_word(&reader, "mode", mode_words, &mode))
        tls->mode = mode == 0 ? CFG_POOL_TLS_IMPLICIT : CFG_POOL_TLS_STARTTLS;
    cfg_read_path(&reader, "ca", "store-ca.pem", &tls->ca);
    tls->ca_place = cfg_reader_place(&reader, "ca");
    read_name(&reader, tls);
    cfg_read_switch(&reader, "verify", &tls->verify);
    warn_unverified(&reader, pool);
    read_certificate(&reader, tls);
    read_version(&reader, pool);
    name_servers(&reader, pool);
    check_ports(&reader, pool);
    cfg_reader_close(&reader);
}
