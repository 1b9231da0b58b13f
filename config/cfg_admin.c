/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_admin.h"

#include "config/cfg_endpoint.h"
#include "config/cfg_pools.h"

#include <string.h>
#include <sys/un.h>

static const char example[] = "127.0.0.1:9993";

/* Every client that can connect gets an answer. */
static void check_reach(struct cfg_loader *loader, const struct cfg_endpoint *endpoint)
{
    if (!cfg_endpoint_is_loopback(endpoint))
        cfg_problems_add(loader->problems, CFG_WARNING, endpoint->place,
                         "\"admin\" answers whoever reaches \"%s\", without a password: listen on \"%s\", or "
                         "let a firewall or network policy admit your monitoring alone",
                         endpoint->text, example);
}

static void check_free(struct cfg_loader *loader, const struct cfg *cfg, const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; i < cfg->service_count; i++)
        for (size_t j = 0; j < cfg->services[i].listen_count; j++) {
            const struct cfg_endpoint *other = &cfg->services[i].listen[j];
            if (cfg_endpoint_equals(endpoint, other))
                CFG_FAIL(loader, endpoint->place, "the service \"%s\" listens on \"%s\" already, in %s:%u",
                         cfg->services[i].name, endpoint->text, other->place.file, other->place.line);
        }
    for (const struct cfg_endpoint *other = cfg->admin.listen; other < endpoint; other++)
        if (cfg_endpoint_equals(endpoint, other))
            CFG_FAIL(loader, endpoint->place, "\"admin\" listens on \"%s\" already, in %s:%u", endpoint->text,
                     other->place.file, other->place.line);
}

/* The two kinds of sockets can't share a port: one of them would be had by whoever listens first. */
static void check_covered(struct cfg_loader *loader, const struct cfg *cfg,
                          const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; i < cfg->service_count; i++)
        for (size_t j = 0; j < cfg->services[i].listen_count; j++) {
            const struct cfg_endpoint *other = &cfg->services[i].listen[j];
            bool is_part = cfg_endpoint_covers(other, endpoint);
            if (is_part || cfg_endpoint_covers(endpoint, other))
                CFG_FAIL(loader, endpoint->place,
                         "\"%s\" covers \"%s\", and the service \"%s\" listens on \"%s\" in %s:%u: choose "
                         "another port",
                         is_part ? other->text : endpoint->text, is_part ? endpoint->text : other->text,
                         cfg->services[i].name, other->text, other->place.file, other->place.line);
        }
}

static void read_listen(struct cfg_reader *reader, struct cfg *cfg)
{
    struct cfg_item *items;
    struct cfg_loader *loader = reader->loader;
    struct cfg_admin *admin = &cfg->admin;
    bool freebind = false;
    bool given = admin->socket != NULL ||
                 cfg_reader_require(reader, "listen", "an address: listen = \"127.0.0.1:9993\"");
    cfg_read_switch(reader, "freebind", &freebind);
    if (!given)
        return;
    size_t errors = loader->problems->errors;
    size_t count = cfg_read_one_or_more(reader, "listen", example, &items);
    if (count == 0 && admin->socket != NULL)
        return;
    if (loader->problems->errors == errors && (count == 0 || count > CFG_ADMIN_LISTEN_MAX)) {
        CFG_FAIL(loader, cfg_reader_place(reader, "listen"),
                 "\"listen\" has %zu addresses, expected 1 to %d: listen = \"%s\"", count,
                 CFG_ADMIN_LISTEN_MAX, example);
        return;
    }
    admin->listen = cfg_arena_alloc(loader->arena, count, sizeof *admin->listen);
    for (size_t i = 0; i < count; i++) {
        struct cfg_endpoint *endpoint = &admin->listen[admin->listen_count];
        if (!cfg_endpoint_read(loader, CFG_ENDPOINT_LISTEN, items[i], endpoint))
            continue;
        endpoint->freebind = freebind;
        check_free(loader, cfg, endpoint);
        check_covered(loader, cfg, endpoint);
        check_reach(loader, endpoint);
        admin->listen_count++;
    }
}

static void read_socket(struct cfg_reader *reader, struct cfg_admin *admin)
{
    enum { PATH_LENGTH_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1 };
    cfg_read_path(reader, "socket", "/run/deepproxy/admin.sock", &admin->socket);
    cfg_read_account(reader, "group", &admin->group);
    admin->socket_place = cfg_reader_place(reader, "socket");
    admin->group_place = cfg_reader_place(reader, "group");
    if (admin->socket != NULL && strlen(admin->socket) > PATH_LENGTH_MAX)
        CFG_FAIL(reader->loader, admin->socket_place,
                 "\"socket\" has a path of %zu octets, and a socket's has %d at most: \"%s\"",
                 strlen(admin->socket), PATH_LENGTH_MAX, admin->socket);
    if (admin->group != NULL && admin->socket == NULL)
        CFG_FAIL(reader->loader, admin->group_place,
                 "\"group\" is for those who may use \"socket\", which is missing: socket = "
                 "\"/run/deepproxy/admin.sock\"");
}

static void read_needs(struct cfg_reader *reader, struct cfg *cfg)
{
    struct cfg_item *items;
    struct cfg_admin *admin = &cfg->admin;
    size_t count = cfg_read_one_or_more(reader, "ready_needs", "stores", &items);
    admin->ready_needs = cfg_arena_alloc(reader->loader->arena, count, sizeof *admin->ready_needs);
    for (size_t i = 0; i < count; i++)
        if (cfg_find_pool(reader->loader, items[i], cfg, &admin->ready_needs[admin->ready_need_count]))
            admin->ready_need_count++;
}

void cfg_admin_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg)
{
    config_setting_t *group = cfg_read_group(top, "admin");
    if (group == NULL)
        return;
    struct cfg_reader reader;
    cfg_reader_open(&reader, loader, group, "admin");
    read_socket(&reader, &cfg->admin);
    read_listen(&reader, cfg);
    read_needs(&reader, cfg);
    cfg_reader_close(&reader);
}
