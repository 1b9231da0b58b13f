/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/commitments.h"

#include "base/array.h"
#include "protocols/deep/deep_status.h"
#include "proxy/common/ca_bundle.h"
#include "tls/endpoint/tls_verifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many certificates of one name are checked. */
enum { CERTIFICATES_MAX = 16 };

/* A status as it is announced to some clients, and the certificates that these are shown. */
struct announced {
    const struct cfg_deep *deep;
    unsigned protocols; /* 1 << enum protocol of each */
    const char *name;   /* the host's; NULL: all clients that ask for no host of the configuration */
    size_t certificates[CERTIFICATES_MAX];
    size_t count;
};

/*
 * What everything is checked against. The authorities are read once for all that are verified by the same
 * file.
 */
struct checks {
    const struct cfg *cfg;
    const struct tls_context *tls;
    const struct tls_context *previous;
    struct breaches *breaches;
    struct cfg_problems *problems;
    const char *ca;
    struct tls_verifier *verifier; /* made of `ca` */
};

static bool has_tag(const struct cfg_deep *deep, const char *tag)
{
    return deep_status_has(deep->status, slice_of(tag));
}

/* Call right before the error is added. */
static void add_breach(const struct checks *checks, const struct announced *announced, enum breach_kind kind,
                       const char *tag, const char *subject)
{
    breaches_add(checks->breaches, (struct breach){.kind = kind,
                                                   .protocols = announced->protocols,
                                                   .host = announced->name,
                                                   .tag = tag,
                                                   .subject = subject,
                                                   .problem = checks->problems->count});
}

static void add_chain_breach(const struct checks *checks, const struct announced *announced,
                             enum breach_kind kind, const char *tag, const char *chain)
{
    breaches_add_chain(checks->breaches, chain);
    add_breach(checks, announced, kind, tag, chain);
}

/* Those that had the name before, and have another now, or are gone. */
static void add_former_chains(const struct checks *checks, const char *name)
{
    size_t indexes[CERTIFICATES_MAX];
    size_t count =
        checks->previous != NULL ? tls_context_find(checks->previous, name, indexes, CERTIFICATES_MAX) : 0;
    for (size_t i = 0; i < count; i++)
        breaches_add_chain(checks->breaches, tls_context_certificate(checks->previous, indexes[i]).path);
}

static void check_versions(const struct checks *checks, const struct announced *announced)
{
    static const struct {
        const char *tag;
        uint16_t version;
    } tags[] = {{"tls11", TLS_1_1}, {"tls12", TLS_1_2}};
    const struct cfg_deep *deep = announced->deep;
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (!has_tag(deep, tags[i].tag) || tls_context_is_strong(checks->tls, tags[i].version))
            continue;
        add_breach(checks, announced, BREACH_NO_SUITE, tags[i].tag, NULL);
        cfg_problems_add(checks->problems, CFG_ERROR, deep->place,
                         "\"%s\" promises a cipher suite of 128 bits or more, and \"ciphers\" has none",
                         tags[i].tag);
    }
}

/*
 * A name that no certificate has: certain to fail for a host, and a guess for the proxy's own, which clients
 * may not use.
 */
static void check_names(const struct checks *checks, const struct announced *announced)
{
    size_t index;
    if (announced->name != NULL && announced->count == 0) {
        add_former_chains(checks, announced->name);
        add_breach(checks, announced, BREACH_NO_CERTIFICATE, "tls-cert", NULL);
        cfg_problems_add(checks->problems, CFG_ERROR, announced->deep->place,
                         "\"tls-cert\" is promised for %s, and no certificate has that name",
                         announced->name);
    }
    if (announced->name == NULL && tls_context_find(checks->tls, checks->cfg->hostname, &index, 1) == 0)
        cfg_problems_add(
            checks->problems, CFG_WARNING, announced->deep->place,
            "\"tls-cert\" is promised, and no certificate has the name %s (\"hostname\"): clients that "
            "connect by it will not be able to verify it",
            checks->cfg->hostname);
}

static void check_issuer(const struct checks *checks, const struct announced *announced)
{
    for (size_t i = 0; i < announced->count; i++) {
        struct tls_certificate_info info = tls_context_certificate(checks->tls, announced->certificates[i]);
        if (!info.self_signed)
            continue;
        add_chain_breach(checks, announced, BREACH_SELF_SIGNED, "tls-cert", info.path);
        cfg_problems_add(
            checks->problems, CFG_ERROR, announced->deep->place,
            "\"tls-cert\" promises a certificate that an authority has issued, and %s has signed itself",
            info.path);
    }
}

/* ---- the chain, as clients see it ---- */

struct ca_problems {
    const struct checks *checks;
    const struct cfg_deep *deep;
};

static void add_ca_problem(void *arg, int source, bool is_error, const char *text)
{
    const struct ca_problems *to = arg;
    (void)source;
    /* What is wrong with the system's own file is the system's affair. */
    if (to->deep->ca == NULL)
        return;
    struct announced all = {.deep = to->deep};
    if (is_error)
        add_breach(to->checks, &all, BREACH_BAD_AUTHORITIES, NULL, to->deep->ca);
    cfg_problems_add(to->checks->problems, is_error ? CFG_ERROR : CFG_WARNING, to->deep->ca_place, "%s",
                     text);
}

/* NULL if there are no authorities; that is a problem if the file is not the system's. */
static const struct tls_verifier *verifier_for(struct checks *checks, const struct cfg_deep *deep)
{
    const char *ca = deep->ca != NULL ? deep->ca : ca_bundle_of_system();
    struct ca_problems to = {checks, deep};
    struct tls_report report = {.add = add_ca_problem, .arg = &to};
    if (ca == NULL || (checks->verifier != NULL && strcmp(ca, checks->ca) == 0))
        return ca != NULL ? checks->verifier : NULL;
    tls_verifier_free(&checks->verifier);
    checks->ca = ca;
    checks->verifier = tls_verifier_new(ca, &report);
    return checks->verifier;
}

/*
 * A name to verify it for: the host's, the proxy's own if the certificate has that, or else one that it
 * has.
 */
static void choose_name(const struct checks *checks, const struct announced *announced, size_t certificate,
                        char *into, size_t cap)
{
    size_t indexes[CERTIFICATES_MAX];
    struct tls_certificate_info info = tls_context_certificate(checks->tls, certificate);
    const char *name = announced->name != NULL ? announced->name : checks->cfg->hostname;
    bool has = announced->name != NULL;
    size_t count = tls_context_find(checks->tls, checks->cfg->hostname, indexes, CERTIFICATES_MAX);
    for (size_t i = 0; i < count && !has; i++)
        has = indexes[i] == certificate;
    if (!has)
        name = info.name_count > 0 ? info.names[0] : "";
    /* Any label will do in place of a star. */
    snprintf(into, cap, "%s%s", name[0] == '*' ? "any" : "", name[0] == '*' ? name + 1 : name);
}

/* Against the authorities that are given it is an error; the system's may not be those of the clients. */
static void check_chain(struct checks *checks, const struct announced *announced)
{
    const struct cfg_deep *deep = announced->deep;
    const struct tls_verifier *verifier = verifier_for(checks, deep);
    for (size_t i = 0; verifier != NULL && i < announced->count; i++) {
        char name[256];
        char words[TLS_VERIFIER_REASON];
        struct tls_certificate_info info = tls_context_certificate(checks->tls, announced->certificates[i]);
        choose_name(checks, announced, announced->certificates[i], name, sizeof name);
        if (info.self_signed ||
            tls_verifier_accepts(verifier, checks->tls, announced->certificates[i], name, words))
            continue;
        if (deep->ca != NULL)
            add_chain_breach(checks, announced, BREACH_UNVERIFIABLE, "tls-cert", info.path);
        cfg_problems_add(
            checks->problems, deep->ca != NULL ? CFG_ERROR : CFG_WARNING, deep->place,
            "\"tls-cert\" is promised, and clients that trust the authorities in %s can't verify %s: %s%s",
            deep->ca != NULL ? deep->ca : ca_bundle_of_system(), info.path, words,
            deep->ca != NULL ? "" : "; if yours trust others, name their file as \"ca\" here");
    }
}

/* ---- TLSA ---- */

static void check_tlsa(const struct checks *checks, const struct announced *announced)
{
    const struct cfg_deep *deep = announced->deep;
    if (deep->tlsa_count == 0)
        cfg_problems_add(
            checks->problems, CFG_WARNING, deep->place,
            "\"tls-dane-tlsa\" is promised; give the TLSA records in \"tlsa\", so that certificates can "
            "be held against them");
    for (size_t i = 0; deep->tlsa_count > 0 && i < announced->count; i++) {
        bool matched = false;
        for (size_t j = 0; j < deep->tlsa_count; j++)
            matched = matched ||
                      tls_context_matches_tlsa(checks->tls, announced->certificates[i], deep->tlsa[j].text);
        if (matched)
            continue;
        const char *path = tls_context_certificate(checks->tls, announced->certificates[i]).path;
        add_chain_breach(checks, announced, BREACH_TLSA_MISMATCH, "tls-dane-tlsa", path);
        cfg_problems_add(
            checks->problems, CFG_ERROR, deep->place,
            "\"tls-dane-tlsa\" is promised, and no record in \"tlsa\" matches the certificate %s", path);
    }
}

static void check_records(const struct checks *checks, const struct announced *announced)
{
    const struct cfg_deep *deep = announced->deep;
    for (size_t i = 0; i < deep->tlsa_count; i++) {
        if (tls_is_tlsa(deep->tlsa[i].text))
            continue;
        add_breach(checks, announced, BREACH_BAD_TLSA, NULL, deep->tlsa[i].text);
        cfg_problems_add(
            checks->problems, CFG_ERROR, deep->tlsa[i].place,
            "\"%s\" is no TLSA record, expected for example \"3 1 1 \" and 64 hexadecimal digits "
            "(RFC 6698 section 2.2)",
            deep->tlsa[i].text);
    }
}

/*
 * Whoever asks for the name of another certificate is promised it too; one customer's is no reason to serve
 * no one.
 */
static void warn_of_self_signed(const struct checks *checks, const struct cfg_deep *deep)
{
    for (size_t i = 0; i < tls_context_certificate_count(checks->tls); i++) {
        struct tls_certificate_info info = tls_context_certificate(checks->tls, i);
        if (info.self_signed)
            cfg_problems_add(checks->problems, CFG_WARNING, deep->place,
                             "\"tls-cert\" is promised to clients that are shown %s, which has signed itself",
                             info.path);
    }
}

static void check_certificates(struct checks *checks, const struct announced *to, const char *name)
{
    struct announced announced = {.deep = to->deep, .protocols = to->protocols, .name = name};
    announced.count = tls_context_find(checks->tls, name, announced.certificates, CERTIFICATES_MAX);
    if (has_tag(announced.deep, "tls-cert")) {
        check_names(checks, &announced);
        check_issuer(checks, &announced);
        check_chain(checks, &announced);
        if (name == NULL)
            warn_of_self_signed(checks, announced.deep);
    }
    if (has_tag(announced.deep, "tls-dane-tlsa"))
        check_tlsa(checks, &announced);
}

/* The protocols of the services that announce this status; NULL: of all services. */
static unsigned protocols_of(const struct cfg *cfg, const struct cfg_deep *deep)
{
    unsigned protocols = 0;
    for (size_t i = 0; i < cfg->service_count; i++)
        if (deep == NULL || cfg->services[i].deep == deep)
            protocols |= 1u << cfg->services[i].protocol;
    return protocols;
}

/* Has a service before this one the same status? */
static bool is_checked(const struct cfg *cfg, size_t service)
{
    for (size_t i = 0; i < service; i++)
        if (cfg->services[i].deep == cfg->services[service].deep)
            return true;
    return false;
}

static void check_service(struct checks *checks, const struct cfg_deep *deep)
{
    struct announced announced = {.deep = deep, .protocols = protocols_of(checks->cfg, deep)};
    check_versions(checks, &announced);
    check_records(checks, &announced);
    check_certificates(checks, &announced, NULL);
}

static void check_host(struct checks *checks, const struct cfg_host *host)
{
    struct announced announced = {
        .deep = host->deep, .protocols = protocols_of(checks->cfg, NULL), .name = host->names[0]};
    check_versions(checks, &announced);
    check_records(checks, &announced);
    for (size_t i = 0; i < host->name_count; i++)
        check_certificates(checks, &announced, host->names[i]);
}

void commitments_check(const struct cfg *cfg, const struct tls_context *tls,
                       const struct tls_context *previous, struct breaches *breaches,
                       struct cfg_problems *problems)
{
    struct checks checks = {
        .cfg = cfg, .tls = tls, .previous = previous, .breaches = breaches, .problems = problems};
    for (size_t i = 0; i < cfg->service_count; i++)
        if (!is_checked(cfg, i))
            check_service(&checks, cfg->services[i].deep);
    for (size_t i = 0; i < cfg->host_count; i++)
        if (cfg->hosts[i].deep != NULL)
            check_host(&checks, &cfg->hosts[i]);
    tls_verifier_free(&checks.verifier);
    breaches_sort_chains(breaches);
}
