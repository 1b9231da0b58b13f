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

/* A folder's names, sorted. */
struct listing {
    char **names;
    size_t count;
};

struct scan {
    struct tls_directory *into;
    const struct tls_key_source *keys;
    const struct tls_report *report;
    int source;
};

/* ---- listing ---- */

static bool has_name(const struct listing *listing, const char *name)
{
    return bsearch(&name, listing->names, listing->count, sizeof listing->names[0], text_order) != NULL;
}

static void free_listing(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->names[i]);
    free(listing->names);
    *listing = (struct listing){0};
}

static bool add_name(struct listing *listing, size_t *cap, const char *name)
{
    char **names = array_make_room(listing->names, listing->count, cap, sizeof *names);
    if (names == NULL)
        return false;
    listing->names = names;
    char *copy = strdup(name);
    if (copy == NULL)
        return false;
    listing->names[listing->count++] = copy;
    return true;
}

static bool add_names(struct listing *listing, struct slice names)
{
    size_t cap = 0;
    for (struct slice rest = names; rest.len > 0; rest = slice_from(rest, slice_find(rest, 0) + 1))
        if (!add_name(listing, &cap, (const char *)rest.data))
            return false;
    if (listing->count > 0)
        qsort(listing->names, listing->count, sizeof listing->names[0], text_order);
    return true;
}

/* False as tls_access_list. */
static bool list(const struct tls_key_source *keys, const char *path, struct listing *listing, char *error)
{
    struct bytes names = {0};
    bool ok = tls_access_list(keys, path, TLS_DIRECTORY_MAX, &names, error);
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

/* The length of the name before ".pem" and the like; 0 if it is no chain's name. */
static size_t stem_of(const char *name)
{
    static const char *const suffixes[] = {".pem", ".crt", ".cer"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (ends(name, suffixes[i]))
            return strlen(name) - strlen(suffixes[i]);
    return 0;
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
        if (ends(listing->names[i], ".key") && found != NULL)
            return NULL;
        if (ends(listing->names[i], ".key"))
            found = listing->names[i];
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
    return false;
}

/* ---- pairs ---- */

static bool add_pair(struct tls_directory *into, char *chain, char *key)
{
    struct tls_directory_pair *pairs = array_make_room(into->pairs, into->count, &into->cap, sizeof *pairs);
    if (pairs != NULL)
        into->pairs = pairs;
    if (chain == NULL || key == NULL || pairs == NULL) {
        free(chain);
        free(key);
        return false;
    }
    into->pairs[into->count++] = (struct tls_directory_pair){chain, key};
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

static bool add_file(struct scan *scan, const char *folder, const struct listing *listing, const char *name)
{
    char key[NAME_MAX + 1];
    size_t stem = stem_of(name);
    if (stem == 0 || is_aside(listing, name))
        return true;
    char *path = join(folder, name);
    if (path == NULL)
        return false;
    if (find_key(listing, name, stem, key, sizeof key))
        return add_pair(scan->into, path, join(folder, key));
    if (has_key(scan, path))
        return add_pair(scan->into, path, strdup(path));
    tls_report_add(scan->report, scan->source, false,
                   "%s is left out: it has no key; expected %.*s.key beside it, or a key in the file", path,
                   (int)stem, name);
    free(path);
    return true;
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

static bool add_entry(struct scan *scan, const char *path, const struct listing *listing, const char *name,
                      bool with_folders)
{
    char *whole = join(path, name);
    bool ok = whole != NULL;
    if (ok && tls_access_is_folder(scan->keys, whole))
        ok = !with_folders || scan_folder(scan, whole, false);
    else if (ok)
        ok = add_file(scan, path, listing, name);
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
        ok = add_entry(scan, path, &listing, listing.names[i], with_folders);
    free_listing(&listing);
    if (is_listed && !ok && with_folders)
        tls_report_add(scan->report, scan->source, true, "no memory for the files of the folder %s", path);
    /* One customer's folder that can't be read must not keep the others from being served. */
    return ok || (!is_listed && !with_folders);
}

bool tls_directory_scan(const char *path, const struct tls_key_source *keys, int source,
                        const struct tls_report *report, struct tls_directory *into)
{
    struct scan scan = {into, keys, report, source};
    *into = (struct tls_directory){0};
    return scan_folder(&scan, path, true);
}

void tls_directory_free(struct tls_directory *directory)
{
    for (size_t i = 0; i < directory->count; i++) {
        free(directory->pairs[i].chain);
        free(directory->pairs[i].key);
    }
    free(directory->pairs);
    *directory = (struct tls_directory){0};
}
