/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_access.h"

#include "base/array.h"
#include "config/cfg_syntax.h"

static const char list_example[] = "10.1.0.0/16";
static const char examples[] = "expected for example \"10.1.0.0/16\", \"fd00::/8\" or \"192.0.2.1\"";

/* Bits after the length are a slip, and either of its two halves may be the one that is wrong. */
static void fail_host_bits(struct cfg_loader *loader, struct cfg_item item, const struct network *meant)
{
    char text[NETWORK_TEXT_MAX];
    network_write(meant, text);
    CFG_FAIL(loader, item.place,
             "\"%s\" is an address within a network; did you mean the network, \"%s\", or the address alone, "
             "\"%.*s\"?",
             item.text, text, (int)slice_find(slice_of(item.text), '/'), item.text);
}

static bool read_network(struct cfg_loader *loader, struct cfg_item item, struct network *network)
{
    switch (network_read(slice_of(item.text), network)) {
    case NETWORK_GOOD:
        return true;
    case NETWORK_NO_ADDRESS:
        CFG_FAIL(loader, item.place, "\"%s\" is no network, %s", item.text, examples);
        return false;
    case NETWORK_NO_LENGTH:
        CFG_FAIL(loader, item.place, "\"%s\": what follows the slash is not a number up to %s, %s", item.text,
                 network->is_ipv6 ? "128" : "32", examples);
        return false;
    case NETWORK_HOST_BITS:
        fail_host_bits(loader, item, network);
        return false;
    }
    return false;
}

/* Whoever is in `from` is believed, and everybody can be in all of a family. */
static void warn_of_all(struct cfg_loader *loader, struct cfg_item item, const struct network *network)
{
    if (network->bits == 0)
        cfg_problems_add(loader->problems, CFG_WARNING, item.place,
                         "\"%s\" has everybody believed who claims another address by a PROXY header: name "
                         "the networks of your balancers alone, or keep all others out by a firewall",
                         item.text);
}

/* Reads a list. `empty`: what an empty one lacks; NULL: it may be empty. */
static void read_networks(struct cfg_reader *reader, const char *key, const char *empty, bool is_believed,
                          struct networks *into)
{
    struct cfg_loader *loader = reader->loader;
    struct cfg_item *items;
    size_t errors = loader->problems->errors;
    size_t count = cfg_read_strings(reader, key, list_example, &items);
    if (count == 0 && empty != NULL && loader->problems->errors == errors)
        CFG_FAIL(loader, cfg_reader_place(reader, key), "\"%s\" is empty, expected %s", key, empty);
    into->list = cfg_arena_alloc(loader->arena, count, sizeof *into->list);
    for (size_t i = 0; i < count; i++) {
        struct network *network = &into->list[into->count];
        if (!read_network(loader, items[i], network))
            continue;
        if (is_believed)
            warn_of_all(loader, items[i], network);
        into->count++;
    }
    networks_sort(into);
}

static void read_mode(struct cfg_reader *reader, const struct cfg_service *service,
                      struct cfg_proxy_protocol *proxy)
{
    static const char *const modes[] = {"required", "optional"};
    size_t mode = 0;
    cfg_read_word(reader, "mode", (struct cfg_words){modes, ARRAY_LEN(modes)}, &mode);
    proxy->is_optional = mode == 1;
    if (proxy->is_optional && service->tls_mode == CFG_TLS_STARTTLS)
        CFG_FAIL(reader->loader, cfg_reader_place(reader, "mode"),
                 "with tls = \"starttls\" the proxy speaks first, and can't wait to see if a header comes; "
                 "expected mode = \"required\", and another service for clients without one");
}

static void read_proxy_protocol(struct cfg_reader *reader, struct cfg_service *service)
{
    static const char from[] = "the networks of the balancers: from = [ \"10.1.0.0/16\" ]";
    config_setting_t *group = cfg_read_group(reader, "proxy_protocol");
    if (group == NULL)
        return;
    struct cfg_reader of_group;
    struct cfg_proxy_protocol *proxy = cfg_arena_alloc(reader->loader->arena, 1, sizeof *proxy);
    cfg_reader_open(&of_group, reader->loader, group, "proxy_protocol");
    if (cfg_reader_require(&of_group, "from", from))
        read_networks(&of_group, "from", from, true, &proxy->from);
    read_mode(&of_group, service, proxy);
    cfg_reader_close(&of_group);
    service->proxy_protocol = proxy;
}

void cfg_access_read(struct cfg_reader *reader, struct cfg_service *service)
{
    static const char allow[] = "allow";
    bool is_given = config_setting_get_member(reader->group, allow) != NULL;
    read_proxy_protocol(reader, service);
    read_networks(reader, allow, is_given ? "at least one network; without the key all are allowed" : NULL,
                  false, &service->allow);
    read_networks(reader, "deny", NULL, false, &service->deny);
}
