/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_probe.h"

#include "tls/certificates/tls_directory.h"
#include "tls/certificates/tls_pem.h"
#include "tls/endpoint/tls_context_private.h"
#include "tls/endpoint/tls_policy.h"
#include "tls/tls_names.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

/*
 * Chains that are read to find the preferred name: a health check of a provider with thousands of
 * certificates is no work for minutes.
 */
enum { CHAINS_MAX = 1000 };

/* What is wrong with a file was reported by the program that has loaded it. */
static void ignore(void *arg, int source, bool is_error, const char *text)
{
    (void)arg;
    (void)source;
    (void)is_error;
    (void)text;
}

static const struct tls_report silent = {.add = ignore};

/* ---- the context ---- */

struct tls_context *tls_context_new_probe(const struct tls_settings *server)
{
    struct tls_context *context = tls_context_new_client(server->min_version, server->max_version);
    if (context != NULL && (!tls_policy_apply(tls_context_ssl_ctx(context), server, &silent) ||
                            !tls_policy_accept_signatures(tls_context_ssl_ctx(context))))
        tls_context_unref(&context);
    return context;
}

/* ---- the name ---- */

struct search {
    const char *preferred;
    char *name;
    bool has_preferred;
    size_t chains;
};

static bool covers(struct slice name, const char *preferred)
{
    struct tls_names names = {0};
    bool found = preferred != NULL && tls_names_add(&names, name, 1);
    tls_names_sort(&names);
    found = found && tls_names_find(&names, slice_of(preferred), 0) == 1;
    tls_names_free(&names);
    return found;
}

static bool can_be_sent(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_graph(name.data[i]))
            return false;
    return name.len > 0;
}

static void take_name(struct search *search, struct slice name)
{
    bool is_wildcard = slice_has_prefix(name, "*.");
    if (search->has_preferred || !can_be_sent(name))
        return;
    search->has_preferred = covers(name, search->preferred);
    if (search->has_preferred)
        snprintf(search->name, TLS_PROBE_NAME_MAX, "%s", search->preferred);
    else if (search->name[0] == '\0')
        snprintf(search->name, TLS_PROBE_NAME_MAX, "%s%.*s", is_wildcard ? "probe" : "",
                 (int)(is_wildcard ? name.len - 1 : name.len), name.data + (is_wildcard ? 1 : 0));
}

static void take_leaf(struct search *search, const X509 *leaf)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    for (size_t i = 0; all != NULL && i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type == GEN_DNS)
            take_name(search, (struct slice){ASN1_STRING_get0_data(name->d.dNSName),
                                             (size_t)ASN1_STRING_length(name->d.dNSName)});
    }
    GENERAL_NAMES_free(all);
    ERR_clear_error();
}

static bool is_over(const struct search *search)
{
    return search->has_preferred || search->chains >= CHAINS_MAX;
}

static void take_chain(struct search *search, const char *path)
{
    X509 *chain[TLS_CHAIN_MAX];
    if (is_over(search))
        return;
    search->chains++;
    size_t count = tls_pem_read_chain(path, NULL, false, TLS_NO_SOURCE, &silent, chain);
    if (count > 0)
        take_leaf(search, chain[0]);
    for (size_t i = 0; i < count; i++)
        X509_free(chain[i]);
}

static void take_directory(struct search *search, const char *path)
{
    struct tls_directory directory;
    if (is_over(search))
        return;
    if (tls_directory_scan(path, NULL, NULL, TLS_NO_SOURCE, &silent, &directory))
        for (size_t i = 0; i < directory.count; i++)
            take_chain(search, directory.pairs[i].chain);
    tls_directory_free(&directory);
}

bool tls_probe_find_name(const struct tls_settings *server, const char *preferred,
                         char name[TLS_PROBE_NAME_MAX])
{
    struct search search = {.preferred = preferred, .name = name};
    name[0] = '\0';
    for (size_t i = 0; i < server->certificate_count; i++)
        take_chain(&search, server->certificates[i].chain);
    for (size_t i = 0; i < server->directory_count; i++)
        take_directory(&search, server->directories[i]);
    return name[0] != '\0';
}
