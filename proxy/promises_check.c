/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/promises.h"

#include "proxy/authorities.h"
#include "tls/tls_verifier.h"

#include <stdio.h>
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

static bool promises_tag(const struct cfg_deep *deep, const char *tag)
{
    struct slice rest = slice_of(deep->status);
    for (struct slice word; (word = slice_next_word(&rest, ' ')).len > 0;)
        if (slice_is(word, tag))
            return true;
    return false;
}

static void check_versions(const struct cfg_deep *deep, const struct tls_context *tls,
                           struct cfg_problems *problems)
{
    static const struct {
        const char *tag;
        uint16_t version;
    } tags[] = {{"tls11", TLS_1_1}, {"tls12", TLS_1_2}};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (promises_tag(deep, tags[i].tag) && !tls_context_is_strong(tls, tags[i].version))
            cfg_problems_add(problems, CFG_ERROR, deep->place,
                             "\"%s\" promises a cipher suite of 128 bits or more, and \"ciphers\" has none",
                             tags[i].tag);
}

/* A name that no certificate has: certain to fail for a host, and a guess for the proxy's own, which clients may not use. */
static void check_names(const struct promised *promised, const struct cfg *cfg, const struct tls_context *tls,
                        struct cfg_problems *problems)
{
    size_t index;
    if (promised->name != NULL && promised->count == 0)
        cfg_problems_add(problems, CFG_ERROR, promised->deep->place,
                         "\"tls-cert\" is promised for %s, and no certificate has that name", promised->name);
    if (promised->name == NULL && tls_context_find(tls, cfg->hostname, &index, 1) == 0)
        cfg_problems_add(
            problems, CFG_WARNING, promised->deep->place,
            "\"tls-cert\" is promised, and no certificate has the name %s (\"hostname\"): clients that "
            "connect by it will not be able to verify it",
            cfg->hostname);
}

static void check_issuer(const struct promised *promised, const struct tls_context *tls,
                         struct cfg_problems *problems)
{
    for (size_t i = 0; i < promised->count; i++) {
        struct tls_certificate_info info = tls_context_certificate(tls, promised->certificates[i]);
        if (info.self_signed)
            cfg_problems_add(
                problems, CFG_ERROR, promised->deep->place,
                "\"tls-cert\" promises a certificate that an authority has issued, and %s has signed "
                "itself",
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

/* A name to verify it for: the host's, the proxy's own where the certificate has that, or else one that it has. */
static void choose_name(const struct promised *promised, const struct cfg *cfg, const struct tls_context *tls,
                        size_t certificate, char *into, size_t cap)
{
    size_t indexes[CERTIFICATES_MAX];
    struct tls_certificate_info info = tls_context_certificate(tls, certificate);
    const char *name = promised->name != NULL ? promised->name : cfg->hostname;
    bool has = promised->name != NULL;
    size_t count = tls_context_find(tls, cfg->hostname, indexes, CERTIFICATES_MAX);
    for (size_t i = 0; i < count && !has; i++)
        has = indexes[i] == certificate;
    if (!has)
        name = info.name_count > 0 ? info.names[0] : "";
    /* Any label will do in place of a star. */
    snprintf(into, cap, "%s%s", name[0] == '*' ? "any" : "", name[0] == '*' ? name + 1 : name);
}

/* Against the authorities that are given it is an error; the system's may not be those of the clients. */
static void verify(const struct promised *promised, const struct cfg *cfg, const struct tls_context *tls,
                   const struct tls_verifier *verifier, struct cfg_problems *problems)
{
    const struct cfg_deep *deep = promised->deep;
    for (size_t i = 0; i < promised->count; i++) {
        char name[256];
        char words[TLS_VERIFIER_WORDS];
        struct tls_certificate_info info = tls_context_certificate(tls, promised->certificates[i]);
        choose_name(promised, cfg, tls, promised->certificates[i], name, sizeof name);
        if (info.self_signed || tls_verifier_believes(verifier, tls, promised->certificates[i], name, words))
            continue;
        cfg_problems_add(
            problems, deep->ca != NULL ? CFG_ERROR : CFG_WARNING, deep->place,
            "\"tls-cert\" is promised, and clients that trust the authorities in %s can't verify %s: %s%s",
            deep->ca != NULL ? deep->ca : authorities_of_system(), info.path, words,
            deep->ca != NULL ? "" : "; if yours trust others, name their file as \"ca\" here");
    }
}

static void check_chain(const struct promised *promised, const struct cfg *cfg, const struct tls_context *tls,
                        struct cfg_problems *problems)
{
    const char *ca = promised->deep->ca != NULL ? promised->deep->ca : authorities_of_system();
    struct ca_problems to = {promised->deep, problems};
    struct tls_report report = {.say = add_ca_problem, .arg = &to};
    struct tls_verifier *verifier = ca != NULL ? tls_verifier_new(ca, &report) : NULL;
    if (verifier != NULL)
        verify(promised, cfg, tls, verifier, problems);
    tls_verifier_free(&verifier);
}

/* ---- TLSA ---- */

static void check_tlsa(const struct promised *promised, const struct tls_context *tls,
                       struct cfg_problems *problems)
{
    const struct cfg_deep *deep = promised->deep;
    if (deep->tlsa_count == 0)
        cfg_problems_add(
            problems, CFG_WARNING, deep->place,
            "\"tls-dane-tlsa\" is promised; give the TLSA records in \"tlsa\", so that certificates can "
            "be held against them");
    for (size_t i = 0; deep->tlsa_count > 0 && i < promised->count; i++) {
        bool matched = false;
        for (size_t j = 0; j < deep->tlsa_count; j++)
            matched = matched || tls_context_matches_tlsa(tls, promised->certificates[i], deep->tlsa[j].text);
        if (!matched)
            cfg_problems_add(
                problems, CFG_ERROR, deep->place,
                "\"tls-dane-tlsa\" is promised, and no record in \"tlsa\" matches the certificate %s",
                tls_context_certificate(tls, promised->certificates[i]).path);
    }
}

static void check_records(const struct cfg_deep *deep, struct cfg_problems *problems)
{
    for (size_t i = 0; i < deep->tlsa_count; i++)
        if (!tls_is_tlsa(deep->tlsa[i].text))
            cfg_problems_add(
                problems, CFG_ERROR, deep->tlsa[i].place,
                "\"%s\" is no TLSA record, expected for example \"3 1 1 \" and 64 hexadecimal digits "
                "(RFC 6698 section 2.2)",
                deep->tlsa[i].text);
}

/* Whoever asks for the name of another certificate is promised it too; one customer's is no reason to serve no one. */
static void warn_of_self_signed(const struct cfg_deep *deep, const struct tls_context *tls,
                                struct cfg_problems *problems)
{
    for (size_t i = 0; i < tls_context_certificate_count(tls); i++) {
        struct tls_certificate_info info = tls_context_certificate(tls, i);
        if (info.self_signed)
            cfg_problems_add(problems, CFG_WARNING, deep->place,
                             "\"tls-cert\" is promised to clients that are shown %s, which has signed itself",
                             info.path);
    }
}

static void check_certificates(const struct cfg_deep *deep, const char *name, const struct cfg *cfg,
                               const struct tls_context *tls, struct cfg_problems *problems)
{
    struct promised promised = {.deep = deep, .name = name};
    promised.count = tls_context_find(tls, name, promised.certificates, CERTIFICATES_MAX);
    if (promises_tag(deep, "tls-cert")) {
        check_names(&promised, cfg, tls, problems);
        check_issuer(&promised, tls, problems);
        check_chain(&promised, cfg, tls, problems);
        if (name == NULL)
            warn_of_self_signed(deep, tls, problems);
    }
    if (promises_tag(deep, "tls-dane-tlsa"))
        check_tlsa(&promised, tls, problems);
}

static bool is_checked(const struct cfg *cfg, size_t service)
{
    for (size_t i = 0; i < service; i++)
        if (cfg->services[i].deep == cfg->services[service].deep)
            return true;
    return false;
}

void promises_check(const struct cfg *cfg, const struct tls_context *tls, struct cfg_problems *problems)
{
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct cfg_deep *deep = cfg->services[i].deep;
        if (is_checked(cfg, i))
            continue;
        check_versions(deep, tls, problems);
        check_records(deep, problems);
        check_certificates(deep, NULL, cfg, tls, problems);
    }
    for (size_t i = 0; i < cfg->host_count; i++) {
        const struct cfg_host *host = &cfg->hosts[i];
        if (host->deep == NULL)
            continue;
        check_versions(host->deep, tls, problems);
        check_records(host->deep, problems);
        for (size_t j = 0; j < host->name_count; j++)
            check_certificates(host->deep, host->names[j], cfg, tls, problems);
    }
}
