/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/commands/check_report.h"

#include "base/civil_time.h"

#include <inttypes.h>

/* One name, or none, has more certificates than any client tells apart. */
enum { DEFAULTS_MAX = 16 };

static void print_text(const char *text, FILE *to)
{
    for (; *text != '\0'; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
}

static void print_item(const char *text, bool is_first, FILE *to)
{
    fputs(is_first ? "" : ", ", to);
    print_text(text, to);
}

static void print_addresses(const struct cfg_endpoint *addresses, size_t count, FILE *to)
{
    for (size_t i = 0; i < count; i++)
        print_item(addresses[i].text, i == 0, to);
}

/* ---- services ---- */

static void print_services(const struct cfg *cfg, FILE *to)
{
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct cfg_service *service = &cfg->services[i];
        fprintf(to, "service %s: %s with %s on ", service->name, protocol_traits(service->protocol)->name,
                service->tls_mode == CFG_TLS_STARTTLS ? "STARTTLS" : "TLS from the first octet");
        print_addresses(service->listen, service->listen_count, to);
        fprintf(to, "; to the pool %s\n", cfg->pools[service->pool].name);
    }
    if (cfg->admin.listen_count == 0)
        return;
    fputs("admin: HTTP on ", to);
    print_addresses(cfg->admin.listen, cfg->admin.listen_count, to);
    fputc('\n', to);
}

/* ---- certificates ---- */

static bool is_one_of(size_t index, const size_t indexes[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (indexes[i] == index)
            return true;
    return false;
}

static void print_certificate(const struct tls_certificate_info *info, bool is_default, FILE *to)
{
    struct civil_time end = civil_time_of(info->ends > 0 ? info->ends : 0);
    fputs("certificate ", to);
    print_text(info->path, to);
    fputs(info->name_count > 0 ? ": for " : ": for no name", to);
    for (size_t i = 0; i < info->name_count; i++)
        print_item(info->names[i], i == 0, to);
    fprintf(to, "; until %" PRId64 "-%02d-%02d%s\n", end.year, end.month, end.day,
            is_default ? "; the default, for clients that ask for no name or for another" : "");
}

static void print_certificates(const struct runtime *runtime, FILE *to)
{
    size_t defaults[DEFAULTS_MAX];
    bool is_strict = runtime->snapshot->cfg->tls.strict_sni;
    size_t count = is_strict ? 0 : tls_context_find(runtime->tls, NULL, defaults, DEFAULTS_MAX);
    for (size_t i = 0; i < tls_context_certificate_count(runtime->tls); i++) {
        struct tls_certificate_info info = tls_context_certificate(runtime->tls, i);
        print_certificate(&info, is_one_of(i, defaults, count), to);
    }
    if (is_strict)
        fputs("no default certificate: strict_sni rejects clients that ask for no name or for another\n", to);
}

/* ---- pools ---- */

static const char *words_of_tls(const struct cfg_pool_tls *tls)
{
    if (tls->mode == CFG_POOL_TLS_NONE)
        return "in the clear";
    if (!tls->verify)
        return "by TLS with whatever certificate";
    return tls->mode == CFG_POOL_TLS_STARTTLS ? "by STARTTLS" : "by TLS";
}

static void print_pools(const struct runtime *runtime, FILE *to)
{
    static const char *const identities[] = {[CFG_IDENTITY_NONE] = "none",
                                             [CFG_IDENTITY_PROXY_V1] = "proxy-v1",
                                             [CFG_IDENTITY_PROXY_V2] = "proxy-v2",
                                             [CFG_IDENTITY_NATIVE] = "native"};
    for (size_t i = 0; i < runtime->snapshot->cfg->pool_count; i++) {
        const struct pool *pool = &runtime->snapshot->pools[i];
        const struct membership *members = runtime->members->lists[i];
        fprintf(to, "pool %s: %s, identity %s, %s to ", pool->cfg->name, cfg_balance_name(pool->cfg->balance),
                identities[pool->cfg->identity], words_of_tls(&pool->cfg->tls));
        for (size_t j = 0; j < members->count; j++)
            print_item(members->members[j].server->identity.name, j == 0, to);
        fputc('\n', to);
    }
}

void check_report_print(const struct runtime *runtime, FILE *to)
{
    print_services(runtime->snapshot->cfg, to);
    print_certificates(runtime, to);
    print_pools(runtime, to);
}
