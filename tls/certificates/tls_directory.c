/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_directory.h"

#include "base/array.h"
#include "tls/certificates/tls_access.h"
#include "tls/certificates/tls_pem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *name;
    const struct tls_key_source_look *look; /* in `looks`; NULL: only the path itself tells */
};

/* A folder's names, sorted. */
struct listing {
    struct entry *entries;
    size_t count;
    struct bytes looks; /* of the key source, in its order; empty: this process has listed the folder */
};

struct scan {
    struct tls_directory *into;
    const struct tls_left_out *known;
    size_t root_len; /* of the folder's path */
    const struct tls_key_source *keys;
    const struct tls_report *report;
    int source;
};

/* ---- listing ---- */

static int by_name(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    return strcmp(left->name, right->name);
}

/* NULL: there is no such name. */
static const struct entry *find_name(const struct listing *listing, const char *name)
{
    struct entry wanted = {.name = (char *)(uintptr_t)name};
    return listing->count > 0
               ? bsearch(&wanted, listing->entries, listing->count, sizeof listing->entries[0], by_name)
               : NULL;
}

static bool has_name(const struct listing *listing, const char *name)
{
    return find_name(listing, name) != NULL;
}

static void free_listing(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    bytes_free(&listing->looks);
    *listing = (struct listing){0};
}

/* What the source has seen of the name that it has sent as number `i`. */
static const struct tls_key_source_look *look_at(const struct listing *listing, size_t i)
{
    const struct tls_key_source_look *looks = (const void *)listing->looks.data;
    return i < listing->looks.len / sizeof looks[0] && looks[i].is_seen ? &looks[i] : NULL;
}

static bool add_name(struct listing *listing, size_t *cap, const char *name)
{
    struct entry *entries = array_make_room(listing->entries, listing->count, cap, sizeof *entries);
    if (entries == NULL)
        return false;
    listing->entries = entries;
    char *copy = strdup(name);
    if (copy == NULL)
        return false;
    listing->entries[listing->count] = (struct entry){copy, look_at(listing, listing->count)};
    listing->count++;
    return true;
}

static bool add_names(struct listing *listing, struct slice names)
{
    size_t cap = 0;
    for (struct slice rest = names; rest.len > 0; rest = slice_from(rest, slice_find(rest, 0) + 1))
        if (!add_name(listing, &cap, (const char *)rest.data))
            return false;
    if (listing->count > 0)
        qsort(listing->entries, listing->count, sizeof listing->entries[0], by_name);
    return true;
}

/* False as tls_access_list. */
static bool list(const struct tls_key_source *keys, const char *path, struct listing *listing, char *error)
{
    struct bytes names = {0};
    bool ok = tls_access_list(keys, path, TLS_DIRECTORY_MAX, &names, &listing->looks, error);
    if (ok && !add_names(listing, bytes_view(&names))) {
        errno = ENOMEM;
        ok = false;
    }
    int reason = errno;
    bytes_free(&names);
    errno = reason;
    return ok;
}

/* ---- which key belongs to which chain ---- */

static bool ends(const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/*
 * The length of the name before ".pem" and the like; 0 if it is no chain's name. HAProxy has bundles of one
 * name for two kinds of key (NAME.pem.rsa, NAME.pem.ecdsa): there the ending is a part of the name.
 */
static size_t stem_of(const char *name)
{
    static const char *const suffixes[] = {".pem", ".crt", ".cer", ".cert"};
    static const char *const kinds[] = {".rsa", ".ecdsa"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (ends(name, suffixes[i]))
            return strlen(name) - strlen(suffixes[i]);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (ends(name, kinds[i]))
            return strlen(name);
    return 0;
}

/* Files that certificate tools leave without a key: authorities, parameters. */
static bool has_no_key_by_design(const char *name)
{
    static const char *const names[] = {"ca.pem",      "ca.crt",       "ca.cer",           "ca.cert",
                                        "cacert.pem",  "chain.pem",    "ca-bundle.crt",    "ca-bundle.pem",
                                        "dhparam.pem", "dhparams.pem", "ssl-dhparams.pem", "dh.pem"};
    static const char *const endings[] = {".issuer.crt", ".issuer.pem", "-ca.crt",
                                          "-ca.pem",     ".ca.crt",     "-chain.pem"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (ends(name, endings[i]))
            return true;
    return false;
}

/* Forms that hold a certificate and that are not read: the ending tells. */
static bool is_other_form(const char *name)
{
    static const char *const endings[] = {".p12", ".pfx", ".p7b", ".p7c", ".der", ".jks"};
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (ends(name, endings[i]))
            return true;
    return false;
}

static bool is_full(const char *name)
{
    return strcmp(name, "fullchain.pem") == 0 || strcmp(name, "fullchain.cer") == 0;
}

/* Keys, and what certificate tools write beside a chain with its issuers. */
static bool is_aside(const struct listing *listing, const char *name)
{
    bool has_full = has_name(listing, "fullchain.pem") || has_name(listing, "fullchain.cer");
    return (has_full && !is_full(name)) || strcmp(name, "privkey.pem") == 0 || ends(name, "-key.pem");
}

/* The one key of a folder, or NULL. */
static const char *sole_key(const struct listing *listing)
{
    const char *found = NULL;
    if (has_name(listing, "privkey.pem"))
        return "privkey.pem";
    for (size_t i = 0; i < listing->count; i++) {
        if (ends(listing->entries[i].name, ".key") && found != NULL)
            return NULL;
        if (ends(listing->entries[i].name, ".key"))
            found = listing->entries[i].name;
    }
    return found;
}

static bool find_key(const struct listing *listing, const char *name, size_t stem, char *into, size_t cap)
{
    static const char *const endings[] = {".key", "-key.pem"};
    const char *sole = is_full(name) ? sole_key(listing) : NULL;
    if (sole != NULL) {
        snprintf(into, cap, "%s", sole);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        int len = snprintf(into, cap, "%.*s%s", (int)stem, name, endings[i]);
        if (len > 0 && (size_t)len < cap && has_name(listing, into))
            return true;
    }
    /* HAProxy's ssl-load-extra-files: NAME.pem.key */
    int len = snprintf(into, cap, "%s.key", name);
    return len > 0 && (size_t)len < cap && has_name(listing, into);
}

/* ---- pairs ---- */

/* Adds the mark of a file in this folder. False if the list does not tell. */
static bool add_mark(const struct listing *listing, const char *name, struct tls_file_mark *mark)
{
    const struct entry *entry = find_name(listing, name);
    *mark = (struct tls_file_mark){0};
    if (entry != NULL && entry->look != NULL)
        *mark = tls_access_mark_in(entry->look);
    return entry == NULL || entry->look != NULL;
}

/* Without an OCSP response in the list there is none, if the list has the other two. */
static struct tls_seen_files see(const struct listing *listing, const char *chain, const char *key)
{
    char ocsp[NAME_MAX + sizeof ".ocsp"];
    struct tls_seen_files seen;
    snprintf(ocsp, sizeof ocsp, "%s.ocsp", chain);
    seen.is_seen = add_mark(listing, chain, &seen.marks[0]) && add_mark(listing, key, &seen.marks[1]) &&
                   add_mark(listing, ocsp, &seen.marks[2]);
    return seen;
}

/* Takes both paths over. False if memory is short. */
static bool add_pair(struct tls_directory *into, char *chain, char *key, const struct tls_seen_files *seen)
{
    struct tls_directory_pair *pairs = array_make_room(into->pairs, into->count, &into->cap, sizeof *pairs);
    if (pairs != NULL)
        into->pairs = pairs;
    if (chain == NULL || key == NULL || pairs == NULL) {
        free(chain);
        free(key);
        return false;
    }
    into->pairs[into->count++] = (struct tls_directory_pair){chain, key, *seen};
    return true;
}

static char *join(const char *folder, const char *name)
{
    size_t len = strlen(folder) + strlen(name) + 2;
    char *path = malloc(len);
    if (path != NULL)
        snprintf(path, len, "%s/%s", folder, name);
    return path;
}

static bool has_key(const struct scan *scan, const char *path)
{
    char error[TLS_KEY_ERROR_MAX];
    struct bytes chain = {0};
    if (scan->keys == NULL)
        return tls_pem_has_key(path);
    bool has = scan->keys->read_chain(scan->keys->arg, path, &chain, error);
    bytes_free(&chain);
    return has;
}

/* Takes the path over, and tells of it, if it was not left out before. False if memory is short. */
static bool leave_out(const struct scan *scan, char *path, const char *why)
{
    struct tls_left_out *all = &scan->into->left_out;
    char **paths = array_make_room(all->paths, all->count, &all->cap, sizeof *paths);
    const struct tls_left_out *known = scan->known;
    if (paths == NULL) {
        free(path);
        return false;
    }
    all->paths = paths;
    all->paths[all->count++] = path;
    if (known == NULL || known->count == 0 ||
        bsearch(&path, known->paths, known->count, sizeof known->paths[0], text_order) == NULL)
        tls_report_add(scan->report, scan->source, false, "%s is left out: %s", path, why);
    return true;
}

/* A key for which nothing has been certified, and forms that are not read. */
static bool add_other(const struct scan *scan, const char *folder, const struct listing *listing,
                      const char *name)
{
    static const char *const suffixes[] = {".pem", ".crt", ".cer", ".cert", ""};
    char chain[NAME_MAX + 1];
    bool is_key = ends(name, ".key");
    bool has_chain = has_name(listing, "fullchain.pem") || has_name(listing, "fullchain.cer");
    for (size_t i = 0; is_key && !has_chain && i < ARRAY_LEN(suffixes); i++) {
        snprintf(chain, sizeof chain, "%.*s%s", (int)(strlen(name) - strlen(".key")), name, suffixes[i]);
        has_chain = has_name(listing, chain);
    }
    if (!is_other_form(name) && (!is_key || has_chain || has_no_key_by_design(chain)))
        return true;
    char *path = join(folder, name);
    if (path == NULL)
        return false;
    return leave_out(scan, path,
                     is_key ? "it is a key without a certificate; expected the chain beside it, in a "
                              "file of the same name with .pem or .crt"
                            : "it is in a form that is not read; expected PEM (openssl pkcs12 -in FILE "
                              "-nodes -out NEW.pem, or openssl x509 -inform DER -in FILE -out NEW.pem)");
}

static bool add_file(struct scan *scan, const char *folder, const struct listing *listing, const char *name)
{
    char key[NAME_MAX + 1];
    size_t stem = stem_of(name);
    if (stem == 0)
        return add_other(scan, folder, listing, name);
    if (is_aside(listing, name))
        return true;
    char *path = join(folder, name);
    if (path == NULL)
        return false;
    if (find_key(listing, name, stem, key, sizeof key)) {
        struct tls_seen_files seen = see(listing, name, key);
        return add_pair(scan->into, path, join(folder, key), &seen);
    }
    if (has_key(scan, path)) {
        struct tls_seen_files seen = see(listing, name, name);
        return add_pair(scan->into, path, strdup(path), &seen);
    }
    if (has_no_key_by_design(name)) {
        free(path);
        return true;
    }
    return leave_out(scan, path,
                     "it has no key; expected one beside it, in a file of the same name with .key, or in "
                     "the file itself");
}

/*
 * Whether the folders in this one are looked into: Caddy has a folder for each name, in one for each
 * authority.
 */
static bool may_go_deeper(const struct scan *scan, const char *path)
{
    size_t depth = 0;
    for (const char *at = path + scan->root_len; *at != '\0'; at++)
        depth += *at == '/';
    return depth < TLS_DIRECTORY_DEPTH;
}

static bool scan_folder(struct scan *scan, const char *path, bool with_folders);

/* With errno, if the error is empty. */
static void report_unlisted(const struct scan *scan, const char *path, bool is_error, const char *error)
{
    if (error[0] != '\0')
        tls_report_add(scan->report, scan->source, is_error, "the folder of certificates %s %s", path, error);
    else
        tls_report_add(scan->report, scan->source, is_error, "can't read the folder of certificates %s: %s",
                       path, strerror(errno));
}

static bool add_entry(struct scan *scan, const char *path, const struct listing *listing,
                      const struct entry *entry, bool with_folders)
{
    char *whole = join(path, entry->name);
    bool ok = whole != NULL;
    if (ok && (entry->look != NULL ? entry->look->is_folder : tls_access_is_folder(scan->keys, whole)))
        ok = !with_folders || scan_folder(scan, whole, false);
    else if (ok)
        ok = add_file(scan, path, listing, entry->name);
    free(whole);
    return ok;
}

/*
 * False after an error was reported. A folder below the first one reports none: that it can't be read is a
 * warning, and if memory is short the first folder reports it.
 */
static bool scan_folder(struct scan *scan, const char *path, bool with_folders)
{
    struct listing listing = {0};
    char error[TLS_KEY_ERROR_MAX];
    bool is_listed = list(scan->keys, path, &listing, error);
    bool ok = is_listed;
    if (!is_listed)
        report_unlisted(scan, path, with_folders, error);
    for (size_t i = 0; ok && i < listing.count; i++)
        ok = add_entry(scan, path, &listing, &listing.entries[i], may_go_deeper(scan, path));
    free_listing(&listing);
    if (is_listed && !ok && with_folders)
        tls_report_add(scan->report, scan->source, true, "no memory for the files of the folder %s", path);
    /* One customer's folder that can't be read must not keep the others from being served. */
    return ok || (!is_listed && !with_folders);
}

bool tls_directory_scan(const char *path, const struct tls_key_source *keys, const struct tls_left_out *known,
                        int source, const struct tls_report *report, struct tls_directory *into)
{
    struct scan scan = {.into = into,
                        .known = known,
                        .root_len = strlen(path),
                        .keys = keys,
                        .report = report,
                        .source = source};
    *into = (struct tls_directory){0};
    return scan_folder(&scan, path, true);
}

void tls_left_out_free(struct tls_left_out *left_out)
{
    for (size_t i = 0; i < left_out->count; i++)
        free(left_out->paths[i]);
    free(left_out->paths);
    *left_out = (struct tls_left_out){0};
}

void tls_directory_free(struct tls_directory *directory)
{
    for (size_t i = 0; i < directory->count; i++) {
        free(directory->pairs[i].chain);
        free(directory->pairs[i].key);
    }
    free(directory->pairs);
    tls_left_out_free(&directory->left_out);
    *directory = (struct tls_directory){0};
}
