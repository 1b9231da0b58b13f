/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_store.h"

#include "base/array.h"
#include "base/slice.h"
#include "tls/certificates/tls_access.h"
#include "tls/certificates/tls_directory.h"

#include <stdlib.h>
#include <string.h>

/*
 * How many certificates for one name are considered: a few kinds of keys, and an old and a new one of each.
 */
#define CANDIDATES_MAX 16

/* ---- loading ---- */

struct load {
    struct tls_store *store;
    const struct tls_store *previous;
    const struct tls_settings *settings;
    const struct tls_key_source *keys;
    const struct tls_report *report;
    size_t cap;
};

static int by_chain(const void *a, const void *b)
{
    const struct tls_certificate *left = *(struct tls_certificate *const *)a;
    const struct tls_certificate *right = *(struct tls_certificate *const *)b;
    int order = strcmp(left->files.chain, right->files.chain);
    return order != 0 ? order : strcmp(left->files.key, right->files.key);
}

/* The certificate that the previous store has from the same files; NULL if it has none. */
static struct tls_certificate *find_previous(const struct tls_store *previous,
                                             const struct tls_certificate_files *files)
{
    struct tls_certificate wanted = {.files = *files};
    const struct tls_certificate *key = &wanted;
    if (previous == NULL || previous->count == 0)
        return NULL;
    struct tls_certificate *const *found =
        bsearch(&key, previous->by_path, previous->count, sizeof previous->by_path[0], by_chain);
    bool same = found != NULL && text_is_same((*found)->files.passphrase, files->passphrase) &&
                (files->ocsp == NULL || text_is_same((*found)->files.ocsp, files->ocsp));
    return same ? *found : NULL;
}

/* Forwards the problems of a certificate that the store can do without: each error becomes a warning. */
struct as_warning {
    const struct tls_report *report;
    const char *consequence;
};

static void add_warning(void *arg, int source, bool is_error, const char *text)
{
    const struct as_warning *as_warning = arg;
    tls_report_add(as_warning->report, source, false, "%s%s", text, is_error ? as_warning->consequence : "");
}

static bool is_retained(const struct load *load, const char *chain)
{
    const struct tls_settings *settings = load->settings;
    return settings->retained_count > 0 && bsearch(&chain, settings->retained, settings->retained_count,
                                                   sizeof settings->retained[0], text_order) != NULL;
}

/* A reference to the previous certificate, although its files can't be used now. */
static struct tls_certificate *retain(const struct load *load, struct tls_certificate *old, int source)
{
    const struct tls_key_source *keys = old->keys;
    load->store->stale++;
    if (keys != NULL && keys->has != NULL && !keys->has(keys->arg, old->key_number))
        tls_report_add(load->report, source, false,
                       "the key of the certificate that was loaded from %s is lost: handshakes with it fail "
                       "until its files can be loaded again",
                       old->files.chain);
    return tls_certificate_ref(old);
}

/*
 * NULL after an error was reported, or only a warning if the certificate may lack, as those of folders may.
 * `seen`: NULL for one of the list.
 */
static struct tls_certificate *get(const struct load *load, const struct tls_certificate_files *files,
                                   const struct tls_seen_files *seen, int source)
{
    bool may_lack = seen != NULL;
    struct tls_certificate *old = find_previous(load->previous, files);
    if (old != NULL && old->keys == load->keys && tls_certificate_is_fresh(old, seen, load->report->now))
        return tls_certificate_ref(old);
    if (is_retained(load, files->chain) && (old != NULL || may_lack))
        return old != NULL ? retain(load, old, source) : NULL;
    struct as_warning as_warning = {load->report, old != NULL
                                                      ? "; the one that was loaded before stays in use"
                                                      : "; this certificate is left out"};
    struct tls_report soft = {add_warning, &as_warning, load->report->now};
    struct tls_key_use use = {load->keys, TLS_KEY_OF_SERVER};
    struct tls_certificate *certificate =
        tls_certificate_load(files, &use, source, old != NULL || may_lack ? &soft : load->report);
    return certificate != NULL || old == NULL ? certificate : retain(load, old, source);
}

static bool report_no_memory(const struct load *load)
{
    tls_report_add(load->report, TLS_NO_SOURCE, true, "no memory for the list of certificates");
    return false;
}

/* Takes the reference to the certificate. False after an error was reported. */
static bool keep(struct load *load, struct tls_certificate *certificate)
{
    struct tls_store *store = load->store;
    struct tls_certificate **all =
        array_make_room(store->certificates, store->count, &load->cap, sizeof *all);
    if (all == NULL) {
        tls_certificate_unref(&certificate);
        return report_no_memory(load);
    }
    store->certificates = all;
    store->certificates[store->count++] = certificate;
    return true;
}

static bool load_list(struct load *load, const struct tls_settings *settings)
{
    bool ok = true;
    for (size_t i = 0; i < settings->certificate_count; i++) {
        struct tls_certificate *certificate = get(load, &settings->certificates[i], NULL, (int)i);
        ok = certificate != NULL && keep(load, certificate) && ok;
    }
    return ok;
}

/* The chains that were found, sorted; NULL if memory is short. */
static char **sorted_chains(const struct tls_directory *directory)
{
    char **chains = calloc(directory->count + 1, sizeof(char *));
    for (size_t i = 0; chains != NULL && i < directory->count; i++)
        chains[i] = directory->pairs[i].chain;
    if (chains != NULL)
        qsort(chains, directory->count, sizeof chains[0], text_order);
    return chains;
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/*
 * Retains what was loaded from the folder before, and is not found now although the chain's file still
 * exists: its key was removed, for an instant or for good, or this process may not read it any more. The
 * certificate is still in use, like one that is found and broken.
 */
static bool retain_missed(struct load *load, const char *folder, int source,
                          const struct tls_directory *directory)
{
    const struct tls_store *previous = load->previous;
    if (previous == NULL)
        return true;
    char **chains = sorted_chains(directory);
    bool ok = chains != NULL || report_no_memory(load);
    for (size_t i = 0; ok && i < previous->count; i++) {
        struct tls_certificate *old = previous->certificates[i];
        if (!is_below(old->files.chain, folder) || old->keys != load->keys ||
            bsearch(&old->files.chain, chains, directory->count, sizeof chains[0], text_order) != NULL)
            continue;
        if (tls_access_is_absent(load->keys, old->files.chain) && !is_retained(load, old->files.chain))
            continue;
        tls_report_add(load->report, source, false,
                       "%s can't be read with its key any more; the one that was loaded before stays in use",
                       old->files.chain);
        ok = keep(load, retain(load, old, source));
    }
    free(chains);
    return ok;
}

/* Takes the paths over. False after an error was reported. */
static bool keep_left_out(const struct load *load, struct tls_left_out *from)
{
    struct tls_left_out *all = &load->store->left_out;
    while (from->count > 0) {
        char **paths = array_make_room(all->paths, all->count, &all->cap, sizeof *paths);
        if (paths == NULL)
            return report_no_memory(load);
        all->paths = paths;
        all->paths[all->count++] = from->paths[--from->count];
    }
    return true;
}

static bool load_directory(struct load *load, const struct tls_settings *settings, size_t index)
{
    struct tls_directory directory;
    int source = (int)(settings->certificate_count + index);
    bool ok = tls_directory_scan(settings->directories[index], load->keys,
                                 load->previous != NULL ? &load->previous->left_out : NULL, source,
                                 load->report, &directory);
    for (size_t i = 0; ok && i < directory.count; i++) {
        struct tls_certificate_files files = {directory.pairs[i].chain, directory.pairs[i].key,
                                              settings->passphrase, NULL};
        struct tls_certificate *certificate = get(load, &files, &directory.pairs[i].seen, source);
        ok = certificate == NULL || keep(load, certificate);
    }
    ok = ok && retain_missed(load, settings->directories[index], source, &directory);
    ok = ok && keep_left_out(load, &directory.left_out);
    tls_directory_free(&directory);
    return ok;
}

/* ---- the index ---- */

/*
 * The order of certificates from folders, of which several may have the same name. Self-signed ones, which
 * are for tests, are last. Among the others the one that was issued last is first, so that a renewed one is
 * used.
 */
static int by_issue(const void *a, const void *b)
{
    const struct tls_certificate *left = *(struct tls_certificate *const *)a;
    const struct tls_certificate *right = *(struct tls_certificate *const *)b;
    if (left->self_signed != right->self_signed)
        return left->self_signed - right->self_signed;
    int order = (left->begins < right->begins) - (left->begins > right->begins);
    return order != 0 ? order : by_chain(a, b);
}

static bool make_index(struct tls_store *store, size_t listed)
{
    qsort(store->certificates + listed, store->count - listed, sizeof store->certificates[0], by_issue);
    store->by_path = malloc(store->count * sizeof(struct tls_certificate *));
    if (store->by_path == NULL)
        return false;
    memcpy(store->by_path, store->certificates, store->count * sizeof(struct tls_certificate *));
    qsort(store->by_path, store->count, sizeof store->by_path[0], by_chain);
    for (size_t i = 0; i < store->count; i++)
        for (size_t j = 0; j < store->certificates[i]->name_count; j++)
            if (!tls_names_add(&store->names, slice_of(store->certificates[i]->names[j]), i))
                return false;
    tls_names_sort(&store->names);
    if (store->left_out.count > 0)
        qsort(store->left_out.paths, store->left_out.count, sizeof store->left_out.paths[0], text_order);
    return true;
}

static size_t find_name(const struct tls_store *store, const char *name, size_t indexes[], size_t max);

/* The place in `certificates` of the one whose path is the first, and that is not for tests. */
static size_t first_by_path(const struct tls_store *store)
{
    const struct tls_certificate *first = NULL;
    for (size_t i = 0; first == NULL && i < store->count; i++)
        if (!store->by_path[i]->self_signed)
            first = store->by_path[i];
    for (size_t i = 0; i < store->count; i++)
        if (store->certificates[i] == first)
            return i;
    return 0;
}

/*
 * With folders alone the default is the one for this host, so that no folder of a customer's becomes it; if
 * there is none it depends on paths, which renewals do not change.
 */
static void set_default(struct tls_store *store, const char *hostname, size_t listed)
{
    bool has_hostname = listed == 0 && hostname != NULL && store->names.count > 0 &&
                        find_name(store, hostname, &store->first, 1) == 1;
    if (!has_hostname)
        store->first = listed > 0 ? 0 : first_by_path(store);
    const struct tls_certificate *first = store->certificates[store->first];
    store->first_name = first->name_count > 0 ? first->names[0] : NULL;
    for (size_t i = 0; has_hostname && i < first->name_count; i++)
        if (slice_is_word(slice_of(first->names[i]), hostname))
            store->first_name = first->names[i];
}

bool tls_store_load(struct tls_store *store, const struct tls_settings *settings,
                    const struct tls_store *previous, const struct tls_report *report)
{
    *store = (struct tls_store){.strict = settings->strict_sni};
    struct load load = {
        .store = store, .previous = previous, .settings = settings, .keys = settings->keys, .report = report};
    bool ok = load_list(&load, settings);
    size_t listed = store->count;
    for (size_t i = 0; i < settings->directory_count; i++)
        ok = load_directory(&load, settings, i) && ok;
    if (ok && store->count == 0) {
        tls_report_add(report, (int)settings->certificate_count, true,
                       "no certificate can be used; expected a NAME.pem and its NAME.key");
        ok = false;
    }
    ok = ok && (make_index(store, listed) || report_no_memory(&load));
    if (ok)
        set_default(store, settings->hostname, listed);
    return ok;
}

void tls_store_free(struct tls_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        tls_certificate_unref(&store->certificates[i]);
    free(store->certificates);
    free(store->by_path);
    tls_left_out_free(&store->left_out);
    tls_names_free(&store->names);
    *store = (struct tls_store){0};
}

/* ---- choosing ---- */

static const struct tls_certificate *choose(const struct tls_store *store, const SSL_CLIENT_HELLO *hello,
                                            const size_t candidates[], size_t count)
{
    const struct tls_certificate *rsa = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct tls_certificate *at = store->certificates[candidates[i]];
        if ((at->kind == TLS_KEY_RSA && rsa != NULL) || !tls_hello_allows(hello, at->kind))
            continue;
        if (at->kind != TLS_KEY_RSA)
            return at;
        rsa = at;
    }
    return rsa;
}

/* The first certificate, or another one with its name that the client can verify. */
static const struct tls_certificate *choose_default(const struct tls_store *store,
                                                    const SSL_CLIENT_HELLO *hello)
{
    const struct tls_certificate *first = store->certificates[store->first];
    size_t candidates[CANDIDATES_MAX] = {store->first};
    size_t count = 1;
    if (store->first_name != NULL)
        count += tls_names_find_all(&store->names, slice_of(store->first_name), TLS_NAMES_EXACT,
                                    candidates + 1, CANDIDATES_MAX - 1);
    const struct tls_certificate *chosen = choose(store, hello, candidates, count);
    return chosen != NULL ? chosen : first;
}

const struct tls_certificate *tls_store_choose(const struct tls_store *store, const SSL_CLIENT_HELLO *hello)
{
    static const enum tls_names_kind kinds[] = {TLS_NAMES_EXACT, TLS_NAMES_WILDCARD};
    const char *name = SSL_get_servername(hello->ssl, TLSEXT_NAMETYPE_host_name);
    const struct tls_certificate *chosen = NULL;
    const struct tls_certificate *unusable = NULL;
    for (size_t i = 0; name != NULL && chosen == NULL && i < 2; i++) {
        size_t candidates[CANDIDATES_MAX];
        size_t count =
            tls_names_find_all(&store->names, slice_of(name), kinds[i], candidates, CANDIDATES_MAX);
        chosen = choose(store, hello, candidates, count);
        if (unusable == NULL && count > 0)
            unusable = store->certificates[candidates[0]];
    }
    if (chosen != NULL || unusable != NULL)
        return chosen != NULL ? chosen : unusable;
    return tls_store_rejects(store, name) ? NULL : choose_default(store, hello);
}

/* To find a certificate's wildcard name itself, another label takes the place of its star. */
static size_t find_name(const struct tls_store *store, const char *name, size_t indexes[], size_t max)
{
    char probe[256];
    const char *asked = name;
    if (name[0] == '*' && strlen(name) < sizeof probe) {
        strcpy(probe, name);
        probe[0] = '-';
        asked = probe;
    }
    size_t count = tls_names_find_all(&store->names, slice_of(asked), TLS_NAMES_EXACT, indexes, max);
    return count > 0 ? count
                     : tls_names_find_all(&store->names, slice_of(asked), TLS_NAMES_WILDCARD, indexes, max);
}

size_t tls_store_find(const struct tls_store *store, const char *name, size_t indexes[], size_t max)
{
    if (name != NULL)
        return find_name(store, name, indexes, max);
    size_t count = store->first_name != NULL && store->names.count > 0
                       ? find_name(store, store->first_name, indexes, max)
                       : 0;
    if (count == 0 && max > 0)
        indexes[count++] = store->first;
    return count;
}

bool tls_store_rejects(const struct tls_store *store, const char *name)
{
    return store->strict &&
           (name == NULL || tls_names_find(&store->names, slice_of(name), store->count) == store->count);
}
