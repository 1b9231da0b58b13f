/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_endpoint.h"

#include "base/array.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#define SERVER_EXAMPLES "\"10.0.0.11:143\", \"[fd00::11]:143\" or \"store1.internal:143\""

static const char *const examples[] = {[CFG_ENDPOINT_LISTEN] = "\"[::]:993\" or \"0.0.0.0:993\"",
                                       [CFG_ENDPOINT_SERVER] = SERVER_EXAMPLES,
                                       [CFG_ENDPOINT_SOURCE] = "\"10.0.0.5\" or \"fd00::5\""};

static const char unix_prefix[] = "unix:";

static const char not_ascii[] =
    "the host has letters that DNS does not have: write it as DNS has it, beginning "
    "with \"xn--\" (the command idn2 prints that form)";

static bool is_label(struct slice label)
{
    if (label.len == 0 || label.len > 63 || label.data[0] == '-' || label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!ascii_is_alpha(label.data[i]) && !ascii_is_digit(label.data[i]) && label.data[i] != '-' &&
            label.data[i] != '_')
            return false;
    return true;
}

static bool is_all_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_digit(s.data[i]))
            return false;
    return true;
}

bool cfg_is_hostname(struct slice name)
{
    if (name.len > 253)
        return false;
    for (;;) {
        struct slice label = slice_first(name, slice_find(name, '.'));
        if (!is_label(label))
            return false;
        if (label.len == name.len)
            return !is_all_digits(
                label); /* a mistyped IPv4 address is no name: no top-level domain is a number */
        name = slice_from(name, label.len + 1);
    }
}

bool cfg_is_address(const char *text)
{
    struct in6_addr address; /* the larger of the two */
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static bool set_ipv4(struct cfg_endpoint *e)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(e->port)};
    if (inet_pton(AF_INET, e->host, &address.sin_addr) != 1)
        return false;
    memcpy(&e->address, &address, sizeof address);
    e->address_len = sizeof address;
    return true;
}

/* ::ffff:192.0.2.1 is 192.0.2.1, and collides with it. */
static bool set_mapped(struct cfg_arena *arena, struct cfg_endpoint *e, const struct in6_addr *mapped)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, mapped->s6_addr + 12, host, sizeof host);
    e->host = cfg_arena_copy(arena, slice_of(host));
    return set_ipv4(e);
}

static bool set_ipv6(struct cfg_arena *arena, struct cfg_endpoint *e)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
    if (inet_pton(AF_INET6, e->host, &address.sin6_addr) != 1)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr))
        return set_mapped(arena, e, &address.sin6_addr);
    memcpy(&e->address, &address, sizeof address);
    e->address_len = sizeof address;
    return true;
}

/* The offset of the colon before the port, or the text's length. */
static size_t find_port(struct slice text)
{
    size_t colon = slice_find(text, ':');
    if (text.data[0] != '[')
        return colon;
    size_t close = slice_find(text, ']');
    bool has_port = close + 1 < text.len && text.data[close + 1] == ':';
    return has_port ? close + 1 : text.len;
}

static const char *read_port(struct slice digits, enum cfg_endpoint_use use, uint16_t *port)
{
    unsigned number = 0;
    bool ok = digits.len > 0 && digits.len <= 5 && is_all_digits(digits);
    for (size_t i = 0; ok && i < digits.len; i++)
        number = number * 10 + (unsigned)(digits.data[i] - '0');
    if (!ok || number > UINT16_MAX)
        return "the port is not a number up to 65535";
    if (number == 0 && use == CFG_ENDPOINT_SERVER)
        return "a server's port can't be 0";
    *port = (uint16_t)number;
    return NULL;
}

static const char *read_host(struct cfg_arena *arena, struct slice host, enum cfg_endpoint_use use,
                             struct cfg_endpoint *e)
{
    e->is_any = use == CFG_ENDPOINT_LISTEN && slice_is_word(host, "*");
    if (e->is_any)
        host = slice_of("[::]");
    bool brackets = host.len > 0 && host.data[0] == '[';
    e->host = cfg_arena_copy(arena, brackets ? slice_sub(host, 1, host.len - 2) : host);
    if (brackets)
        return set_ipv6(arena, e) ? NULL : "the text in brackets is no IPv6 address";
    if (set_ipv4(e))
        return NULL;
    if (slice_has_suffix(host, ".") && host.len > 1)
        host.len--; /* "store1.internal.": a name that the resolver's search list does not apply to */
    if (cfg_hostname_hint(e->host)[0] != '\0')
        return not_ascii;
    if (use == CFG_ENDPOINT_SERVER)
        return cfg_is_hostname(host) ? NULL : "the host is neither an address nor a name";
    return cfg_is_hostname(host) ? "listening takes a numeric address, and this is a name"
                                 : "the host is no numeric address";
}

static const char *read_path(struct cfg_arena *arena, struct slice path, struct cfg_endpoint *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path.len == 0 || path.data[0] != '/')
        return "the path of a Unix socket begins with \"/\": \"unix:/run/dovecot/imap\"";
    if (path.len >= sizeof address.sun_path)
        return "the path of a Unix socket has at most 107 octets";
    memcpy(address.sun_path, path.data, path.len);
    memcpy(&e->address, &address, sizeof address);
    e->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    e->host = cfg_arena_copy(arena, path);
    return NULL;
}
_Static_assert(sizeof((struct sockaddr_un *)0)->sun_path == 108, "as the message says");

static const char *read_source(struct cfg_arena *arena, struct slice text, struct cfg_endpoint *e)
{
    e->host = cfg_arena_copy(arena, text);
    if (set_ipv4(e) || set_ipv6(arena, e))
        return NULL;
    return "it is no numeric address without a port";
}

/* What is wrong with a text: nothing, its form, or its port and its host, each by itself. */
struct faults {
    const char *texts[2]; /* NULL: none */
};

static struct faults read_text(struct cfg_arena *arena, struct slice text, enum cfg_endpoint_use use,
                               struct cfg_endpoint *e)
{
    if (use == CFG_ENDPOINT_SOURCE)
        return (struct faults){{read_source(arena, text, e)}};
    if (use == CFG_ENDPOINT_SERVER && slice_has_prefix(text, unix_prefix))
        return (struct faults){{read_path(arena, slice_from(text, strlen(unix_prefix)), e)}};
    size_t colon = find_port(text);
    if (slice_is_word(slice_sub(text, colon, 3), "://"))
        return (struct faults){{"that is a URL, and an address is a host and a port alone"}};
    struct slice port = slice_from(text, colon + 1);
    if (text.data[0] != '[' && slice_find(port, ':') < port.len)
        return (struct faults){{"an IPv6 address is written in brackets, with the port after it"}};
    if (colon == text.len)
        return (struct faults){{"the port is missing"}};
    const char *of_port = read_port(port, use, &e->port);
    const char *of_host = read_host(arena, slice_first(text, colon), use, e);
    return (struct faults){{of_host, of_port}};
}

bool cfg_endpoint_read(struct cfg_loader *loader, enum cfg_endpoint_use use, struct cfg_item item,
                       struct cfg_endpoint *endpoint)
{
    *endpoint = (struct cfg_endpoint){.place = item.place};
    endpoint->text = cfg_arena_copy(loader->arena, slice_of(item.text));
    struct faults faults = read_text(loader->arena, slice_of(item.text), use, endpoint);
    for (size_t i = 0; i < ARRAY_LEN(faults.texts); i++)
        if (faults.texts[i] != NULL)
            CFG_FAIL(loader, item.place, "\"%s\": %s, expected for example %s", item.text, faults.texts[i],
                     examples[use]);
    return faults.texts[0] == NULL && faults.texts[1] == NULL;
}

bool cfg_endpoint_is_unix(const struct cfg_endpoint *endpoint)
{
    return endpoint->address_len > 0 && endpoint->address.ss_family == AF_UNIX;
}

bool cfg_endpoint_equals(const struct cfg_endpoint *a, const struct cfg_endpoint *b)
{
    if (cfg_endpoint_is_unix(a) && cfg_endpoint_is_unix(b))
        return strcmp(a->host, b->host) == 0;
    if (a->port == 0 || a->port != b->port || a->address_len != b->address_len)
        return false;
    if (a->address_len == 0)
        return slice_is_word(slice_of(a->host), b->host);
    return memcmp(&a->address, &b->address, a->address_len) == 0;
}

static bool is_wildcard(const struct cfg_endpoint *endpoint)
{
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;
    memcpy(&v6, &endpoint->address, sizeof v6);
    memcpy(&v4, &endpoint->address, sizeof v4);
    return v6.sin6_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)
                                      : v4.sin_family == AF_INET && v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

bool cfg_endpoint_covers(const struct cfg_endpoint *a, const struct cfg_endpoint *b)
{
    return a->port != 0 && a->port == b->port && is_wildcard(a) && !cfg_endpoint_equals(a, b) &&
           (a->address.ss_family == AF_INET6 || b->address.ss_family == AF_INET);
}

bool cfg_endpoint_leaves_ipv4(const struct cfg_endpoint *endpoint, const struct cfg_endpoint *others,
                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cfg_endpoint_covers(endpoint, &others[i]) && is_wildcard(&others[i]))
            return true;
    return false;
}

const char *cfg_hostname_hint(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if ((uint8_t)*c >= 0x80)
            return ": a name with such letters is written as DNS has it, beginning with \"xn--\" (the "
                   "command idn2 "
                   "prints that form)";
    return "";
}

bool cfg_endpoint_is_loopback(const struct cfg_endpoint *endpoint)
{
    if (endpoint->address.ss_family == AF_INET6) {
        struct sockaddr_in6 address;
        memcpy(&address, &endpoint->address, sizeof address);
        const uint8_t *octets = address.sin6_addr.s6_addr;
        return IN6_IS_ADDR_LOOPBACK(&address.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr) && octets[12] == IN_LOOPBACKNET);
    }
    struct sockaddr_in address;
    memcpy(&address, &endpoint->address, sizeof address);
    return address.sin_family == AF_INET && ntohl(address.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}
