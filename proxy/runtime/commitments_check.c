/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/promises.h"

#include "base/array.h"
#include "protocols/deep/deep_status.h"
#include "proxy/common/ca_bundle.h"
#include "tls/trust/tls_verifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Certificates that are looked at for a name. */
enum { CERTIFICATES_MAX = 16 };

/* A status, and the certificates that clients are shown to whom it is announced. */
struct promised {
    const struct cfg_deep *deep;
    const char *name; /* the host's; NULL: all that have nothing of their own */
    size_t certificates[CERTIFICATES_MAX];
    size_t count;
};

/* What everything is held against. The authorities are read once for all that are verified by the same file. */
struct checks {
    const struct cfg *cfg;
    const struct tls_context *tls;
    const struct tls_context *previous;
    struct promises_culprits *culprits;
    struct cfg_problems *problems;
    const char *ca;
    struct tls_verifier *verifier; /* made of `ca` */
};

static bool promises_tag(const struct cfg_deep *deep, const char *tag)
{
    return deep_status_has(deep->status, slice_of(tag));
}

/* Without memory it is none, and all is refused that came with it. */
static void blame(const struct checks *checks, const char *chain)
{
    struct promises_culprits *culprits = checks->culprits;
    if (culprits == NULL)
        return;
    const char **chains = array_make_room(culprits->chains, culprits->count, &culprits->cap, sizeof(char *));
    if (chains == NULL)
        return;
    culprits->chains = chains;
    chains[culprits->count++] = chain;
}

/* Those that had the name before, and have another now, or have gone. */
static void blame_former(const struct checks *checks, const char *name)
{
    size_t indexes[CERTIFICATES_MAX];
    size_t count =
        checks->previous != NULL ? tls_context_find(checks->previous, name, indexes, CERTIFICATES_MAX) : 0;
    for (size_t i = 0; i < count; i++)
        blame(checks, tls_context_certificate(checks->previous, indexes[i]).path);
}

static void check_versions(const struct checks *checks, const struct cfg_deep *deep)
{
    static const struct {
        const char *tag;
        uint16_t version;
    } tags[] = {{"tls11", TLS_1_1}, {"tls12", TLS_1_2}};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        if (promises_tag(deep, tags[i].tag) && !tls_context_is_strong(checks->tls, tags[i].version))
            cfg_problems_add(checks->problems, CFG_ERROR, deep->place,
                             "\"%s\" promises a cipher suite of 128 bits or more, and \"ciphers\" has none",
                             tags[i].tag);
}

/* A name that no certificate has: certain to fail for a host, and a guess for the proxy's own, which clients may not use. */
static void check_names(const struct checks *checks, const struct promised *promised)
{
    size_t index;
    if (promised->name != NULL && promised->count == 0) {
        blame_former(checks, promised->name);
        cfg_problems_add(checks->problems, CFG_ERROR, promised->deep->place,
                         "\"tls-cert\" is promised for %s, and no certificate has that name", promised->name);
    }
    if (promised->name == NULL && tls_context_find(checks->tls, checks->cfg->hostname, &index, 1) == 0)
        cfg_problems_add(
            checks->problems, CFG_WARNING, promised->deep->place,
            "\"tls-cert\" is promised, and no certificate has the name %s (\"hostname\"): clients that "
            "connect by it will not be able to verify it",
            checks->cfg->hostname);
}

static void check_issuer(const struct checks *checks, const struct promised *promised)
{
    for (size_t i = 0; i < promised->count; i++) {
        struct tls_certificate_info info = tls_context_certificate(checks->tls, promised->certificates[i]);
        if (!info.self_signed)
            continue;
        blame(checks, info.path);
        cfg_problems_add(
            checks->problems, CFG_ERROR, promised->deep->place,
            "\"tls-cert\" promises a certificate that an authority has issued, and %s has signed itself",
            info.path);
    }
}

/* ---- the chain, as clients see it ---- */

struct ca_problems {
    const struct cfg_deep *deep;
    struct cfg_problems *problems;
};

static void add_ca_problem(void *arg, int source, bool is_error, const char *text)
{
    const struct ca_problems *to = arg;
    (void)source;
    /* What is wrong with the system's own file is the system's affair. */
    if (to->deep->ca != NULL)
        cfg_problems_add(to->problems, is_error ? CFG_ERROR : CFG_WARNING, to->deep->ca_place, "%s", text);
}

/* NULL, after saying so where it is not the system's file, where there are no authorities. */
static const struct tls_verifier *verifier_for(struct checks *checks, const struct cfg_deep *deep)
{
    const char *ca = deep->ca != NULL ? deep->ca : ca_bundle_of_system();
    struct ca_problems to = {deep, checks->problems};
    struct tls_report report = {.say = add_ca_problem, .arg = &to};
    if (ca == NULL || (checks->verifier != NULL && strcmp(ca, checks->ca) == 0))
        return ca != NULL ? checks->verifier : NULL;
    tls_verifier_free(&checks->verifier);
    checks->ca = ca;
    checks->verifier = tls_verifier_new(ca, &report);
    return checks->verifier;
}

/* A name to verify it for: the host's, the proxy's own where the certificate has that, or else one that it has. */
static void choose_name(const struct checks *checks, const struct promised *promised, size_t certificate,
                        char *into, size_t cap)
{
    size_t indexes[CERTIFICATES_MAX];
    struct tls_certificate_info info = tls_context_certificate(checks->tls, certificate);
    const char *name = promised->name != NULL ? promised->name : checks->cfg->hostname;
    bool has = promised->name != NULL;
    size_t count = tls_context_find(checks->tls, checks->cfg->hostname, indexes, CERTIFICATES_MAX);
    for (size_t i = 0; i < count && !has; i++)
        has = indexes[i] == certificate;
    if (!has)
        name = info.name_count > 0 ? info.names[0] : "";
    /* Any label will do in place of a star. */
    snprintf(into, cap, "%s%s", name[0] == '*' ? "any" : "", name[0] == '*' ? name + 1 : name);
}

/* Against the authorities that are given it is an error; the system's may not be those of the clients. */
static void check_chain(struct checks *checks, const struct promised *promised)
{
    const struct cfg_deep *deep = promised->deep;
    const struct tls_verifier *verifier = verifier_for(checks, deep);
    for (size_t i = 0; verifier != NULL && i < promised->count; i++) {
        char name[256];
        char words[TLS_VERIFIER_WORDS];
        struct tls_certificate_info info = tls_context_certificate(checks->tls, promised->certificates[i]);
        choose_name(checks, promised, promised->certificates[i], name, sizeof name);
        if (info.self_signed ||
            tls_verifier_believes(verifier, checks->tls, promised->certificates[i], name, words))
            continue;
        if (deep->ca != NULL)
            blame(checks, info.path);
        cfg_problems_add(
            checks->problems, deep->ca != NULL ? CFG_ERROR : CFG_WARNING, deep->place,
            "\"tls-cert\" is promised, and clients that trust the authorities in %s can't verify %s: %s%s",
            deep->ca != NULL ? deep->ca : ca_bundle_of_system(), info.path, words,
            deep->ca != NULL ? "" : "; if yours trust others, name their file as \"ca\" here");
    }
}

/* ---- TLSA ---- */

static void check_tlsa(const struct checks *checks, const struct promised *promised)
{
    const struct cfg_deep *deep = promised->deep;
    if (deep->tlsa_count == 0)
        cfg_problems_add(
            checks->problems, CFG_WARNING, deep->place,
            "\"tls-dane-tlsa\" is promised; give the TLSA records in \"tlsa\", so that certificates can "
            "be held against them");
    for (size_t i = 0; deep->tlsa_count > 0 && i < promised->count; i++) {
        bool matched = false;
        for (size_t j = 0; j < deep->tlsa_count; j++)
            matched = matched ||
                      tls_context_matches_tlsa(checks->tls, promised->certificates[i], deep->tlsa[j].text);
        if (matched)
            continue;
        const char *path = tls_context_certificate(checks->tls, promised->certificates[i]).path;
        blame(checks, path);
        cfg_problems_add(
            checks->problems, CFG_ERROR, deep->place,
            "\"tls-dane-tlsa\" is promised, and no record in \"tlsa\" matches the certificate %s", path);
    }
}

static void check_records(const struct checks *checks, const struct cfg_deep *deep)
{
    for (size_t i = 0; i < deep->tlsa_count; i++)
        if (!tls_is_tlsa(deep->tlsa[i].text))
            cfg_problems_add(
                checks->problems, CFG_ERROR, deep->tlsa[i].place,
                "\"%s\" is no TLSA record, expected for example \"3 1 1 \" and 64 hexadecimal digits "
                "(RFC 6698 section 2.2)",
                deep->tlsa[i].text);
}

/* Whoever asks for the name of another certificate is promised it too; one customer's is no reason to serve no one. */
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

static void check_certificates(struct checks *checks, const struct cfg_deep *deep, const char *name)
{
    struct promised promised = {.deep = deep, .name = name};
    promised.count = tls_context_find(checks->tls, name, promised.certificates, CERTIFICATES_MAX);
    if (promises_tag(deep, "tls-cert")) {
        check_names(checks, &promised);
        check_issuer(checks, &promised);
        check_chain(checks, &promised);
        if (name == NULL)
            warn_of_self_signed(checks, deep);
    }
    if (promises_tag(deep, "tls-dane-tlsa"))
        check_tlsa(checks, &promised);
}

static bool is_checked(const struct cfg *cfg, size_t service)
{
    for (size_t i = 0; i < service; i++)
        if (cfg->services[i].deep == cfg->services[service].deep)
            return true;
    return false;
}

static void check_host(struct checks *checks, const struct cfg_host *host)
{
    check_versions(checks, host->deep);
    check_records(checks, host->deep);
    for (size_t i = 0; i < host->name_count; i++)
        check_certificates(checks, host->deep, host->names[i]);
}

void promises_culprits_free(struct promises_culprits *culprits)
{
    free(culprits->chains);
    *culprits = (struct promises_culprits){0};
}

void promises_check(const struct cfg *cfg, const struct tls_context *tls, const struct tls_context *previous,
                    struct promises_culprits *culprits, struct cfg_problems *problems)
{
    struct checks checks = {
        .cfg = cfg, .tls = tls, .previous = previous, .culprits = culprits, .problems = problems};
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct cfg_deep *deep = cfg->services[i].deep;
        if (is_checked(cfg, i))
            continue;
        check_versions(&checks, deep);
        check_records(&checks, deep);
        check_certificates(&checks, deep, NULL);
    }
    for (size_t i = 0; i < cfg->host_count; i++)
        if (cfg->hosts[i].deep != NULL)
            check_host(&checks, &cfg->hosts[i]);
    tls_verifier_free(&checks.verifier);
    if (culprits != NULL && culprits->count > 0)
        qsort(culprits->chains, culprits->count, sizeof culprits->chains[0], text_order);
}
