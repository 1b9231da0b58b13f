/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_client_certificates.h"

#include "base/array.h"

#include "config/cfg_syntax.h"

static const char *const modes[] = {"optional", "required"};
static const char *const logins[] = {
    [CFG_LOGIN_NONE] = "none", [CFG_LOGIN_CN] = "cn", [CFG_LOGIN_EMAIL] = "email"};

static void read_places(const struct cfg_reader *reader, struct cfg_client_certificates *clients)
{
    clients->place = cfg_tree_place(reader->group);
    clients->ca_place = cfg_reader_place(reader, "ca");
    clients->crl_place = cfg_reader_place(reader, "crl");
    clients->login_place = cfg_reader_place(reader, "login");
    clients->external_place = cfg_reader_place(reader, "external");
}

struct cfg_client_certificates *cfg_client_certificates_read(struct cfg_reader *service)
{
    static const struct cfg_words mode_words = {modes, ARRAY_LEN(modes)};
    static const struct cfg_words login_words = {logins, ARRAY_LEN(logins)};
    config_setting_t *group = cfg_read_group(service, "client_certificates");
    if (group == NULL)
        return NULL;
    struct cfg_client_certificates *clients = cfg_arena_alloc(service->loader->arena, 1, sizeof *clients);
    struct cfg_reader reader;
    size_t mode = 0;
    size_t login = CFG_LOGIN_NONE;
    cfg_reader_open(&reader, service->loader, group, "client_certificates");
    clients->external = true;
    read_places(&reader, clients);
    if (cfg_reader_require(&reader, "ca",
                           "the path of a PEM file with the authorities that have issued the clients' "
                           "certificates"))
        cfg_read_path(&reader, "ca", "clients-ca.pem", &clients->ca);
    cfg_read_path(&reader, "crl", "clients-crl.pem", &clients->crl);
    cfg_read_word(&reader, "mode", mode_words, &mode);
    cfg_read_word(&reader, "login", login_words, &login);
    cfg_read_switch(&reader, "external", &clients->external);
    clients->required = mode == 1;
    clients->login = (enum cfg_login)login;
    cfg_reader_close(&reader);
    return clients;
}

/* SMTP's XCLIENT has an attribute for it; IMAP's ID and POP3's XCLIENT have none. */
static bool has_a_way(const struct cfg_service *service, const struct cfg_pool *pool)
{
    if (pool->identity == CFG_IDENTITY_NATIVE)
        return protocol_traits(service->protocol)->native_identity_has_login &&
               service->client_certificates->login != CFG_LOGIN_NONE;
    return pool->identity == CFG_IDENTITY_PROXY_V2;
}

/*
 * A server that reads no TLVs, or prefers what it sees itself, would take EXTERNAL for the certificate that
 * the proxy shows: whoever has any certificate would be the proxy.
 */
static void check_own_certificate(struct cfg_loader *loader, const struct cfg_service *service,
                                  const struct cfg_pool *pool)
{
    if (service->client_certificates->external && pool->tls.certificate != NULL)
        CFG_FAIL(loader, service->client_certificates->external_place,
                 "the proxy shows a certificate of its own to the servers of the pool \"%s\", which EXTERNAL "
                 "would "
                 "log clients in with; expected external = false here, or no \"certificate\" there",
                 pool->name != NULL ? pool->name : "");
}

void cfg_client_certificates_check(struct cfg_loader *loader, const struct cfg_service *service,
                                   const struct cfg_pool *pool)
{
    const struct cfg_client_certificates *clients = service->client_certificates;
    if (clients == NULL)
        return;
    check_own_certificate(loader, service, pool);
    if (has_a_way(service, pool))
        return;
    /* Draft section 9.1.1: none is asked for that is not enough for a login. */
    if (!clients->required)
        cfg_problems_add(
            loader->problems, CFG_WARNING, clients->place,
            "clients are asked for certificates of which the servers never learn, so that none is "
            "a login: that takes identity = \"proxy-v2\" in the pool, or for submission "
            "\"native\" and login here");
    else if (clients->login != CFG_LOGIN_NONE)
        cfg_problems_add(
            loader->problems, CFG_WARNING, clients->login_place,
            "\"login\" does nothing: the servers of this pool are told no name; that takes identity "
            "= \"proxy-v2\" in the pool, or \"native\" for submission");
}
