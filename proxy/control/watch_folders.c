/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/watch_folders.h"

#include "base/array.h"
#include "tls/tls_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders below a certificate_dir: Caddy has one for each authority, and in that one for each name. */
#define DEPTH 2

/* ---- names ---- */

/* FNV-1a: there are some ten thousand names, and one too many does no harm. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = 14695981039346656037ULL;
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 1099511628211ULL;
    return hash;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

bool watch_folders_has_name(const uint64_t *names, size_t count, const char *name)
{
    uint64_t hash = hash_of(name);
    return count > 0 && bsearch(&hash, names, count, sizeof names[0], by_value) != NULL;
}

/* What tls_directory.h takes, and a little more. */
bool watch_folders_may_take(const char *name)
{
    static const char *const endings[] = {".pem", ".crt",   ".cer",     ".cert", ".key",
                                          ".rsa", ".ecdsa", ".ed25519", ".ocsp", ".combined"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < ARRAY_LEN(endings); i++)
        if (strcmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* The last part of the path. */
static void add_name(struct watch_folders *folders, const char *path)
{
    const char *slash = strrchr(path, '/');
    uint64_t *names = array_make_room(folders->names, folders->name_count, &folders->name_cap, sizeof *names);
    if (names == NULL) {
        folders->all_names = true;
        return;
    }
    folders->names = names;
    folders->names[folders->name_count++] = hash_of(slash != NULL ? slash + 1 : path);
}

/* Thousands of files are reached by the same links. */
static void sort_names(struct watch_folders *folders)
{
    size_t kept = 0;
    if (folders->name_count > 0)
        qsort(folders->names, folders->name_count, sizeof folders->names[0], by_value);
    for (size_t i = 0; i < folders->name_count; i++)
        if (kept == 0 || folders->names[i] != folders->names[kept - 1])
            folders->names[kept++] = folders->names[i];
    folders->name_count = kept;
}

/* In `path` the link that ends at `len` is replaced by what it leads to. False if it is too long. */
static bool follow_link(char path[PATH_MAX], size_t len, const char *target)
{
    char whole[PATH_MAX];
    size_t folder = len;
    while (target[0] != '/' && folder > 0 && path[folder - 1] != '/')
        folder--;
    if (target[0] == '/')
        folder = 0;
    int whole_len = snprintf(whole, sizeof whole, "%.*s%s%s", (int)folder, path, target, path + len);
    if (whole_len < 0 || (size_t)whole_len >= sizeof whole)
        return false;
    memcpy(path, whole, (size_t)whole_len + 1);
    return true;
}

/* The first symbolic link on the path: its end in the path, and its target. 0: there is none. */
static size_t find_link(char path[PATH_MAX], char target[PATH_MAX])
{
    size_t whole = strlen(path);
    for (size_t len = 1; len <= whole; len++) {
        if (len < whole && path[len] != '/')
            continue;
        char end = path[len];
        path[len] = '\0';
        ssize_t target_len = readlink(path, target, PATH_MAX - 1);
        path[len] = end;
        if (target_len > 0) {
            target[target_len] = '\0';
            return len;
        }
    }
    return 0;
}

/* Each link on the way may be replaced to lead to another file: certbot's, and "..data" of Kubernetes. */
static void add_names_on_the_way(struct watch_folders *folders, const char *file)
{
    enum { LINKS_MAX = 40 }; /* as the kernel's */
    char path[PATH_MAX];
    char target[PATH_MAX];
    size_t len;
    add_name(folders, file);
    if (snprintf(path, sizeof path, "%s", file) >= (int)sizeof path)
        return;
    for (unsigned i = 0; i < LINKS_MAX && (len = find_link(path, target)) > 0; i++) {
        char end = path[len];
        path[len] = '\0';
        add_name(folders, path);
        path[len] = end;
        if (!follow_link(path, len, target))
            return;
    }
    add_name(folders, path);
}

/* ---- folders ---- */

/* Where it is in the list, or belongs. */
static size_t find_place(const struct watch_folders *folders, const char *path)
{
    size_t low = 0;
    size_t high = folders->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(folders->paths[middle], path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_folder(struct watch_folders *folders, const char *path, bool takes_new)
{
    size_t place = find_place(folders, path);
    if (place < folders->count && strcmp(folders->paths[place], path) == 0) {
        folders->takes_new[place] |= takes_new;
        return;
    }
    char *copy = folders->count < WATCH_FOLDERS_MAX ? strdup(path) : NULL;
    if (copy == NULL) {
        folders->incomplete = true;
        return;
    }
    memmove(&folders->paths[place + 1], &folders->paths[place], (folders->count - place) * sizeof(char *));
    memmove(&folders->takes_new[place + 1], &folders->takes_new[place],
            (folders->count - place) * sizeof folders->takes_new[0]);
    folders->paths[place] = copy;
    folders->takes_new[place] = takes_new;
    folders->count++;
}

/* The folder of a file as it is named, and as it really is. */
static void add_file(struct watch_folders *folders, const char *path)
{
    char text[PATH_MAX];
    char real[PATH_MAX];
    const char *const paths[] = {path, path != NULL ? realpath(path, real) : NULL};
    if (path != NULL)
        add_names_on_the_way(folders, path);
    for (size_t i = 0; i < 2; i++) {
        const char *slash = paths[i] != NULL ? strrchr(paths[i], '/') : NULL;
        size_t len = slash != NULL ? (size_t)(slash - paths[i]) : 0;
        if (paths[i] == NULL || len >= sizeof text)
            continue;
        memcpy(text, paths[i], len);
        text[len] = '\0';
        add_folder(folders, slash == NULL ? "." : len == 0 ? "/" : text, false);
    }
}

/* The response beside a chain, which need not be there yet. */
static void add_ocsp(struct watch_folders *folders, const char *chain)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s.ocsp", chain) < (int)sizeof path)
        add_name(folders, path);
}

/* The folders in a folder of certificates, those too in which there is nothing yet. */
static void add_subfolders(struct watch_folders *folders, const char *path, unsigned depth)
{
    char whole[PATH_MAX];
    const struct dirent *entry;
    DIR *stream = tls_file_open_folder(path);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        struct stat status;
        int len = snprintf(whole, sizeof whole, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && entry->d_type != DT_REG && len > 0 && (size_t)len < sizeof whole &&
            stat(whole, &status) == 0 && S_ISDIR(status.st_mode)) {
            add_folder(folders, whole, true);
            if (depth > 1)
                add_subfolders(folders, whole, depth - 1);
        }
    }
    if (stream != NULL)
        closedir(stream);
}

static void add_of_tls(struct watch_folders *folders, const struct cfg_tls *cfg)
{
    for (size_t i = 0; i < cfg->directory_count; i++) {
        add_folder(folders, cfg->directories[i].path, true);
        add_file(folders, cfg->directories[i].path);
        add_subfolders(folders, cfg->directories[i].path, DEPTH);
    }
    for (size_t i = 0; i < cfg->certificate_count; i++) {
        add_file(folders, cfg->certificates[i].chain);
        add_file(folders, cfg->certificates[i].key);
        add_file(folders, cfg->certificates[i].passphrase);
        add_file(folders, cfg->certificates[i].ocsp);
    }
}

static void add_of_pools(struct watch_folders *folders, const struct cfg *cfg)
{
    for (size_t i = 0; i < cfg->pool_count; i++) {
        const struct cfg_pool_tls *tls = &cfg->pools[i].tls;
        add_file(folders, tls->ca);
        add_file(folders, tls->certificate);
        add_file(folders, tls->key);
        add_file(folders, tls->passphrase);
    }
}

void watch_folders_collect(const struct cfg *cfg, const struct tls_context *tls,
                           struct watch_folders *folders)
{
    *folders = (struct watch_folders){0};
    add_of_tls(folders, &cfg->tls);
    add_of_pools(folders, cfg);
    for (size_t i = 0; tls != NULL && i < tls_context_certificate_count(tls); i++) {
        struct tls_certificate_info info = tls_context_certificate(tls, i);
        add_file(folders, info.path);
        add_file(folders, info.key_path);
        add_ocsp(folders, info.path);
    }
    sort_names(folders);
}

void watch_folders_free(struct watch_folders *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        free(folders->paths[i]);
    folders->count = 0;
    free(folders->names);
    folders->names = NULL;
    folders->name_count = folders->name_cap = 0;
}
