/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/watch_folders.h"

#include "tls/tls_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static void add_folder(struct watch_folders *folders, const char *path)
{
    size_t place = find_place(folders, path);
    if (place < folders->count && strcmp(folders->paths[place], path) == 0)
        return;
    char *copy = folders->count < WATCH_FOLDERS_MAX ? strdup(path) : NULL;
    if (copy == NULL) {
        folders->incomplete = true;
        return;
    }
    memmove(&folders->paths[place + 1], &folders->paths[place], (folders->count - place) * sizeof(char *));
    folders->paths[place] = copy;
    folders->count++;
}

/* The folder of a file as it is named, and as it really is. */
static void add_file(struct watch_folders *folders, const char *path)
{
    char text[PATH_MAX];
    char real[PATH_MAX];
    const char *const paths[] = {path, path != NULL ? realpath(path, real) : NULL};
    for (size_t i = 0; i < 2; i++) {
        const char *slash = paths[i] != NULL ? strrchr(paths[i], '/') : NULL;
        size_t len = slash != NULL ? (size_t)(slash - paths[i]) : 0;
        if (paths[i] == NULL || len >= sizeof text)
            continue;
        memcpy(text, paths[i], len);
        text[len] = '\0';
        add_folder(folders, slash == NULL ? "." : len == 0 ? "/" : text);
    }
}

/* The folders in a folder of certificates, those too in which there is nothing yet. */
static void add_subfolders(struct watch_folders *folders, const char *path)
{
    char whole[PATH_MAX];
    const struct dirent *entry;
    DIR *stream = tls_file_open_folder(path);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        struct stat status;
        int len = snprintf(whole, sizeof whole, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && entry->d_type != DT_REG && len > 0 && (size_t)len < sizeof whole &&
            stat(whole, &status) == 0 && S_ISDIR(status.st_mode))
            add_folder(folders, whole);
    }
    if (stream != NULL)
        closedir(stream);
}

static void add_of_tls(struct watch_folders *folders, const struct cfg_tls *cfg)
{
    for (size_t i = 0; i < cfg->directory_count; i++) {
        add_folder(folders, cfg->directories[i].path);
        add_file(folders, cfg->directories[i].path);
        add_subfolders(folders, cfg->directories[i].path);
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
    for (size_t i = 0; i < tls_context_certificate_count(tls); i++) {
        struct tls_certificate_info info = tls_context_certificate(tls, i);
        add_file(folders, info.path);
        add_file(folders, info.key_path);
    }
}

void watch_folders_free(struct watch_folders *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        free(folders->paths[i]);
    folders->count = 0;
}
