/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_hosts.h"

#include "config/cfg_client_certificates.h"
#include "config/cfg_deep.h"
#include "config/cfg_endpoint.h"
#include "config/cfg_host_list.h"
#include "config/cfg_syntax.h"

#include <stdlib.h>
#include <string.h>

static const char example[] =
    "hosts = ( { names = [ \"mail.example.org\" ]; backends = { imap = \"stores\"; }; } )";

/* Every name of all hosts, to find those that are there twice. */
struct named {
    const char *name;
    struct cfg_place place;
    size_t order;
};

struct names {
    struct named *items;
    size_t count;
    size_t cap;
};

static bool is_host(struct slice name)
{
    if (slice_has_prefix(name, "*."))
        name = slice_from(name, 2);
    return cfg_is_hostname(name);
}

static char *lower_name(struct cfg_loader *loader, const char *text)
{
    char *copy = cfg_arena_copy(loader->arena, slice_of(text));
    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    return copy;
}

static void note_name(struct cfg_loader *loader, struct names *all, const char *name, struct cfg_place place)
{
    if (all->count == all->cap) {
        size_t cap = all->cap > 0 ? 2 * all->cap : 64;
        struct named *items = cfg_arena_alloc(loader->arena, cap, sizeof *items);
        if (all->count > 0)
            memcpy(items, all->items, all->count * sizeof *items);
        all->items = items;
        all->cap = cap;
    }
    all->items[all->count] = (struct named){name, place, all->count};
    all->count++;
}

static void read_names(struct cfg_reader *reader, struct cfg_host *host, struct names *all)
{
    struct cfg_item *items;
    struct cfg_loader *loader = reader->loader;
    if (!cfg_reader_require(reader, "names", "a list of host names: names = [ \"mail.example.org\" ]"))
        return;
    size_t errors = loader->problems->errors;
    size_t count = cfg_read_one_or_more(reader, "names", "mail.example.org", &items);
    if (count == 0 && loader->problems->errors == errors)
        CFG_FAIL(loader, cfg_reader_place(reader, "names"),
                 "\"names\" is empty, expected at least one: names = [ \"mail.example.org\" ]");
    host->names = cfg_arena_alloc(loader->arena, count, sizeof *host->names);
    for (size_t i = 0; i < count; i++) {
        if (!is_host(slice_of(items[i].text))) {
            CFG_FAIL(loader, items[i].place,
                     "\"%s\" is no host name, expected one like \"mail.example.org\" or \"*.example.org\"%s",
                     items[i].text, cfg_hostname_hint(items[i].text));
            continue;
        }
        char *name = lower_name(loader, items[i].text);
        host->names[host->name_count++] = name;
        note_name(loader, all, name, items[i].place);
    }
}

static void read_backends(struct cfg_reader *host_reader, struct cfg_host *host, const struct cfg *cfg,
                          struct cfg_pool_use *uses)
{
    struct cfg_reader reader;
    config_setting_t *group = cfg_read_group(host_reader, "backends");
    if (group == NULL)
        return;
    cfg_reader_open(&reader, host_reader->loader, group, "backends of a host");
    for (int protocol = 0; protocol < PROTOCOLS; protocol++) {
        size_t pool;
        if (!cfg_read_pool(&reader, protocol_traits((enum protocol)protocol)->name, cfg, &pool))
            continue;
        host->pools[protocol] = (int)pool;
        uses[pool].used = true;
        uses[pool].protocols |= 1u << protocol;
    }
    cfg_reader_close(&reader);
}

static void read_host(struct cfg_loader *loader, config_setting_t *group, struct cfg *cfg,
                      struct cfg_host *host, struct cfg_pool_use *uses, struct names *all)
{
    struct cfg_reader reader;
    cfg_reader_open(&reader, loader, group, "a host");
    host->place = cfg_tree_place(group);
    for (int protocol = 0; protocol < PROTOCOLS; protocol++)
        host->pools[protocol] = CFG_NO_POOL;
    read_names(&reader, host, all);
    config_setting_t *deep = cfg_read_group(&reader, "deep");
    if (deep != NULL)
        host->deep = cfg_deep_read(loader, deep, &cfg->tls);
    read_backends(&reader, host, cfg, uses);
    cfg_reader_close(&reader);
}

static int by_name(const void *a, const void *b)
{
    const struct named *left = a;
    const struct named *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static void check_names(struct cfg_loader *loader, struct names *all)
{
    if (all->count > 0)
        qsort(all->items, all->count, sizeof all->items[0], by_name);
    for (size_t i = 1; i < all->count; i++)
        if (strcmp(all->items[i].name, all->items[i - 1].name) == 0)
            CFG_FAIL(loader, all->items[i].place,
                     "the name \"%s\" is there twice in \"hosts\", first in %s:%u", all->items[i].name,
                     all->items[i - 1].place.file, all->items[i - 1].place.line);
}

/* The service's own pool was looked at with the service. */
static void check_clients(struct cfg_loader *loader, const struct cfg *cfg, const struct cfg_host *host)
{
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct cfg_service *service = &cfg->services[i];
        int pool = host->pools[service->protocol];
        if (pool != CFG_NO_POOL)
            cfg_client_certificates_check(loader, service, &cfg->pools[pool]);
    }
}

struct reading {
    struct cfg_arena arena; /* for what is not kept */
    struct cfg_loader loader;
    config_setting_t *list;
    size_t count;
    struct cfg *cfg;
    struct cfg_pool_use *uses;
};

static void read_list(void *arg)
{
    struct reading *reading = arg;
    struct cfg_loader *loader = &reading->loader;
    struct cfg_host *hosts = cfg_arena_alloc(loader->arena, reading->count, sizeof *hosts);
    struct names all = {0};
    for (unsigned i = 0; i < reading->count; i++)
        read_host(loader, config_setting_get_elem(reading->list, i), reading->cfg, &hosts[i], reading->uses,
                  &all);
    check_names(loader, &all);
    for (size_t i = 0; i < reading->count; i++)
        check_clients(loader, reading->cfg, &hosts[i]);
    reading->cfg->host_list = cfg_host_list_new(hosts, reading->count);
}

void cfg_hosts_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg,
                    struct cfg_pool_use *uses)
{
    struct reading reading = {.arena.parent = loader->arena, .cfg = cfg, .uses = uses};
    reading.loader = (struct cfg_loader){&reading.arena, loader->problems, loader->visitor};
    reading.count = cfg_read_groups(top, "hosts", example, &reading.list);
    if (reading.count == 0)
        return;
    bool whole = cfg_arena_try(loader->arena, read_list, &reading);
    cfg_arena_free(&reading.arena);
    if (!whole || cfg->host_list == NULL)
        cfg_arena_fail(loader->arena);
    cfg->hosts = cfg->host_list->hosts;
    cfg->host_count = reading.count;
}
