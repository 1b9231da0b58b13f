/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/client_certificates.h"

#include <string.h>
#include <time.h>

/* ---- loading ---- */

struct trust_problems {
    struct cfg_problems *problems;
    const struct cfg_client_certificates *cfg;
};

static void add_problem(void *arg, int source, bool is_error, const char *text)
{
    const struct trust_problems *to = arg;
    cfg_problems_add(to->problems, is_error ? CFG_ERROR : CFG_WARNING,
                     source == TLS_SOURCE_REVOKED ? to->cfg->crl_place : to->cfg->ca_place, "%s", text);
}

static long long seconds_since_1970(void)
{
    return (long long)time(NULL);
}

struct tls_client_trust *client_certificates_load(const struct cfg_client_certificates *cfg,
                                                  struct tls_client_trust *const *known, size_t known_count,
                                                  struct cfg_problems *problems)
{
    struct trust_problems to = {problems, cfg};
    struct tls_report report = {.add = add_problem, .arg = &to, .now = seconds_since_1970()};
    struct tls_client_trust_settings settings = {
        .authorities = cfg->ca, .revoked = cfg->crl, .required = cfg->required, .now = seconds_since_1970};
    struct tls_client_trust *trust = NULL;
    for (size_t i = 0; i < known_count && trust == NULL; i++)
        if (known[i] != NULL)
            trust = tls_client_trust_reuse(known[i], &settings, &report);
    return trust != NULL ? trust : tls_client_trust_new(&settings, &report);
}

/* ---- names ---- */

/*
 * Servers use a login in XCLIENT, in user databases and as the name of a folder: a text that any of these
 * could read as more than a name is rejected. Dovecot, for one, takes "*" for the separator before a master
 * user.
 */
static const char *as_login(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@";
    bool sane = name != NULL && name[0] != '\0' && name[strspn(name, allowed)] == '\0';
    return sane ? name : NULL;
}

static const char *login_of(const struct cfg_client_certificates *cfg,
                            const struct tls_client_certificate *certificate)
{
    switch (cfg->login) {
    case CFG_LOGIN_NONE:
        return NULL;
    case CFG_LOGIN_CN:
        return as_login(certificate->common_name);
    case CFG_LOGIN_EMAIL:
        return as_login(certificate->email);
    }
    return NULL;
}

struct client_name client_certificates_name(const struct cfg_client_certificates *cfg,
                                            const struct tls_client_certificate *certificate,
                                            enum cfg_identity identity)
{
    struct client_name name = {.tlv = slice_of("")};
    if (cfg == NULL || certificate == NULL)
        return name;
    name.login = login_of(cfg, certificate);
    const char *sent = cfg->login == CFG_LOGIN_NONE ? certificate->common_name : name.login;
    if (sent != NULL)
        name.tlv = slice_of(sent);
    /* Some servers take a part of a strange name for another user's: it is sent, but logs nobody in. */
    name.external = cfg->external && identity == CFG_IDENTITY_PROXY_V2 && as_login(sent) != NULL;
    return name;
}
