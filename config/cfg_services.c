/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_services.h"

#include "base/array.h"

#include "config/cfg_access.h"
#include "config/cfg_client_certificates.h"
#include "config/cfg_endpoint.h"
#include "config/cfg_syntax.h"

#include <string.h>

static const char example[] =
    "services = ( { protocol = \"imap\"; listen = [ \"[::]:993\" ]; backend = \"stores\"; } )";

static const char *protocol_name(size_t protocol)
{
    return protocol_traits((enum protocol)protocol)->name;
}

/* "imap", "pop3" or "submission" */
static const char *protocol_choices(struct cfg_arena *arena)
{
    char *choices = cfg_arena_copy(arena, slice_of(""));
    for (size_t i = 0; i < PROTOCOLS; i++)
        choices = cfg_arena_format(arena, "%s%s\"%s\"", choices,
                                   i == 0               ? ""
                                   : i + 1 == PROTOCOLS ? " or "
                                                        : ", ",
                                   protocol_name(i));
    return choices;
}

static bool read_protocol(struct cfg_reader *reader, struct cfg_service *service)
{
    const char *names[PROTOCOLS];
    size_t protocol = 0;
    for (size_t i = 0; i < PROTOCOLS; i++)
        names[i] = protocol_name(i);
    bool ok = cfg_reader_require(reader, "protocol", protocol_choices(reader->loader->arena)) &&
              cfg_read_word(reader, "protocol", (struct cfg_words){names, PROTOCOLS}, &protocol);
    service->protocol = (enum protocol)protocol;
    return ok;
}

static void read_listen(struct cfg_reader *reader, struct cfg_service *service)
{
    struct cfg_item *items;
    struct cfg_loader *loader = reader->loader;
    bool freebind = false;
    bool given = cfg_reader_require(reader, "listen", "a list of addresses: listen = [ \"[::]:993\" ]");
    cfg_read_switch(reader, "freebind", &freebind);
    if (!given)
        return;
    size_t errors = loader->problems->errors;
    size_t count = cfg_read_strings(reader, "listen", "[::]:993", &items);
    if (count == 0 && loader->problems->errors == errors)
        CFG_FAIL(loader, cfg_reader_place(reader, "listen"),
                 "\"listen\" is empty, expected at least one address: listen = [ \"[::]:993\" ]");
    service->listen = cfg_arena_alloc(loader->arena, count, sizeof *service->listen);
    for (size_t i = 0; i < count; i++) {
        struct cfg_endpoint *endpoint = &service->listen[service->listen_count];
        if (!cfg_endpoint_read(loader, CFG_ENDPOINT_LISTEN, items[i], endpoint))
            continue;
        endpoint->freebind = freebind;
        service->listen_count++;
    }
}

static void read_tls_mode(struct cfg_reader *reader, struct cfg_service *service)
{
    static const char *const modes[] = {[CFG_TLS_IMPLICIT] = "implicit", [CFG_TLS_STARTTLS] = "starttls"};
    static const struct cfg_words words = {modes, ARRAY_LEN(modes)};
    size_t mode = CFG_TLS_IMPLICIT;
    cfg_read_word(reader, "tls", words, &mode);
    service->tls_mode = (enum cfg_tls_mode)mode;
}

/* Ports on which clients begin in the other way: they would wait for each other until a timeout. */
static void check_ports(struct cfg_loader *loader, const struct cfg_service *service)
{
    const struct protocol_ports *ports = &protocol_traits(service->protocol)->ports;
    bool implicit = service->tls_mode == CFG_TLS_IMPLICIT;
    uint16_t of_other_way = implicit ? ports->starttls : ports->implicit;
    for (size_t i = 0; i < service->listen_count; i++)
        if (service->listen[i].port == of_other_way)
            cfg_problems_add(loader->problems, CFG_WARNING, service->listen[i].place,
                             "clients that come to port %u %s: tls = \"%s\" is meant for it", of_other_way,
                             implicit ? "begin in the clear and ask for TLS" : "begin with TLS at once",
                             implicit ? "starttls" : "implicit");
}

/*
 * Reads a key with two words, of which the first is the default; true for the second. No service: protocol
 * unknown.
 */
static bool read_submission_key(struct cfg_reader *reader, const struct cfg_service *service, const char *key,
                                const char *const words[2])
{
    size_t index = 0;
    bool given = cfg_read_word(reader, key, (struct cfg_words){words, 2}, &index);
    if (given && service != NULL && !protocol_traits(service->protocol)->submits_messages)
        CFG_FAIL(reader->loader, cfg_reader_place(reader, key),
                 "\"%s\" is a key of submission services, and this one speaks \"%s\"", key,
                 protocol_name(service->protocol));
    return index == 1;
}

static void read_submission(struct cfg_reader *reader, struct cfg_service *service, bool protocol_known)
{
    static const char *const received[] = {"none", "add"};
    static const char *const bare_newline[] = {"normalize", "reject"};
    const struct cfg_service *known = protocol_known ? service : NULL;
    service->adds_received = read_submission_key(reader, known, "received", received);
    service->refuses_bare_lf = read_submission_key(reader, known, "bare_newline", bare_newline);
}

/* The index of the pool, or the number of pools after a problem. */
static size_t read_pool(struct cfg_reader *reader, const struct cfg *cfg)
{
    size_t pool;
    bool ok = cfg_reader_require(reader, "backend", "the name of a pool in \"backends\"") &&
              cfg_read_pool(reader, "backend", cfg, &pool);
    return ok ? pool : cfg->pool_count;
}

static void read_service(struct cfg_loader *loader, config_setting_t *group, struct cfg *cfg,
                         struct cfg_service *service, struct cfg_pool_use *uses)
{
    struct cfg_reader reader;
    cfg_reader_open(&reader, loader, group, "a service");
    service->place = cfg_tree_place(group);
    cfg_read_name(&reader, "imap", &service->name);
    bool protocol_known = read_protocol(&reader, service);
    read_listen(&reader, service);
    read_tls_mode(&reader, service);
    check_ports(loader, service);
    service->pool = read_pool(&reader, cfg);
    if (service->pool < cfg->pool_count) {
        uses[service->pool].used = true;
        uses[service->pool].protocols |= protocol_known ? 1u << service->protocol : 0;
    }
    config_setting_t *group_of_own = cfg_read_group(&reader, "deep");
    if (group_of_own != NULL)
        service->deep = cfg_deep_read(loader, group_of_own, &cfg->tls);
    read_submission(&reader, service, protocol_known);
    service->client_certificates = cfg_client_certificates_read(&reader);
    cfg_access_read(&reader, service);
    if (protocol_known && service->pool < cfg->pool_count)
        cfg_client_certificates_check(loader, service, &cfg->pools[service->pool]);
    cfg_reader_close(&reader);
}

static const struct cfg_service *find_name(const struct cfg *cfg, const char *name,
                                           const struct cfg_service *end)
{
    _Static_assert(offsetof(struct cfg_service, name) == 0, "as array_find_name has it");
    const struct cfg_service *found =
        cfg->services + array_find_name(cfg->services, (size_t)(end - cfg->services), sizeof *end, name);
    return found < end ? found : NULL;
}

/* "imap", "imap-2": what no other service is called, given or made up. */
static void name_services(struct cfg_loader *loader, struct cfg *cfg)
{
    struct cfg_service *end = cfg->services + cfg->service_count;
    for (struct cfg_service *s = cfg->services; s < end; s++) {
        const struct cfg_service *other = s->name != NULL ? find_name(cfg, s->name, s) : NULL;
        if (other != NULL)
            CFG_FAIL(loader, s->place, "another service is called \"%s\" already, in %s:%u", s->name,
                     other->place.file, other->place.line);
    }
    for (struct cfg_service *s = cfg->services; s < end; s++) {
        char *name = cfg_arena_format(loader->arena, "%s", protocol_name(s->protocol));
        for (unsigned n = 2; s->name == NULL && find_name(cfg, name, end) != NULL; n++)
            name = cfg_arena_format(loader->arena, "%s-%u", protocol_name(s->protocol), n);
        s->name = s->name != NULL ? s->name : name;
    }
}

/* The first listener, in the order of the file, that has this address; it may be this one. */
static const struct cfg_endpoint *first_with(const struct cfg *cfg, const struct cfg_endpoint *listener,
                                             const struct cfg_service **owner)
{
    for (*owner = cfg->services;; ++*owner)
        for (size_t i = 0; i < (*owner)->listen_count; i++)
            if (&(*owner)->listen[i] == listener || cfg_endpoint_equals(&(*owner)->listen[i], listener))
                return &(*owner)->listen[i];
}

/*
 * What another service takes from a wildcard is what its operator may have forgotten: the program serves
 * both, and says which has what.
 */
static void warn_of_share(struct cfg_loader *loader, const struct cfg_service *part,
                          const struct cfg_endpoint *endpoint, const struct cfg_service *whole,
                          const struct cfg_endpoint *wildcard)
{
    bool all_ipv4 = cfg_endpoint_leaves_ipv4(wildcard, endpoint, 1);
    cfg_problems_add(
        loader->problems, CFG_WARNING, endpoint->place,
        "clients that connect %s%s%s get the service \"%s\", and all others on this port get \"%s\", "
        "which listens on \"%s\" in %s:%u",
        all_ipv4 ? "by IPv4 (" : "to ", endpoint->text, all_ipv4 ? ")" : "", part->name, whole->name,
        wildcard->text, wildcard->place.file, wildcard->place.line);
}

static void check_shares(struct cfg_loader *loader, const struct cfg *cfg, const struct cfg_service *part,
                         const struct cfg_endpoint *endpoint)
{
    for (const struct cfg_service *whole = cfg->services; whole < cfg->services + cfg->service_count; whole++)
        for (size_t i = 0; whole != part && i < whole->listen_count; i++)
            if (cfg_endpoint_covers(&whole->listen[i], endpoint))
                warn_of_share(loader, part, endpoint, whole, &whole->listen[i]);
}

static void check_listeners(struct cfg_loader *loader, const struct cfg *cfg,
                            const struct cfg_service *service)
{
    for (size_t i = 0; i < service->listen_count; i++) {
        const struct cfg_service *owner;
        const struct cfg_endpoint *listener = &service->listen[i];
        const struct cfg_endpoint *first = first_with(cfg, listener, &owner);
        if (first == listener)
            check_shares(loader, cfg, service, listener);
        else
            CFG_FAIL(loader, listener->place, "the service \"%s\" listens on \"%s\" already, in %s:%u",
                     owner->name, listener->text, first->place.file, first->place.line);
    }
}

void cfg_services_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg,
                       const struct cfg_deep *deep, struct cfg_pool_use *uses)
{
    config_setting_t *list;
    if (!cfg_reader_require(top, "services", example))
        return;
    cfg->service_count = cfg_read_groups(top, "services", example, &list);
    cfg->services = cfg_arena_alloc(loader->arena, cfg->service_count, sizeof *cfg->services);
    for (unsigned i = 0; i < cfg->service_count; i++) {
        cfg->services[i].deep = deep;
        read_service(loader, config_setting_get_elem(list, i), cfg, &cfg->services[i], uses);
    }
    name_services(loader, cfg);
    for (size_t i = 0; i < cfg->service_count; i++)
        check_listeners(loader, cfg, &cfg->services[i]);
}
