/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/watch.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Nothing more for this long, and the change is complete: a tool writes a chain and a key within milliseconds. */
#define QUIET_MS 1000
/* ... but no longer than this where something changes all the time. */
#define PATIENCE_MS 10000
/* Where events don't tell everything, and where they should. */
#define POLL_MS      60000
#define POLL_RARE_MS 600000
/* Of the 8,192 and more that Linux allows a user, most are for others. */
#define FOLDERS_MAX 1024

struct folder {
    uv_fs_event_t event;
    struct watch *watch;
    char *path;
    bool wanted; /* still, in watch_set */
};

struct watch {
    uv_timer_t quiet;
    uv_timer_t poll;
    uint64_t first; /* when the first event of those that are gathered came; 0: there is none */
    unsigned open;  /* handles */
    bool closing;
    bool incomplete;         /* there are folders that are not watched */
    bool grown;              /* one was added: what happened in it before that was not seen */
    struct folder **folders; /* in the order of their paths */
    size_t count;
    void (*on_change)(void *arg);
    void *arg;
};

/* ---- life ---- */

static void on_closed(struct watch *watch)
{
    if (--watch->open > 0 || !watch->closing)
        return;
    free(watch->folders);
    free(watch);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_closed(handle->data);
}

static void on_folder_closed(uv_handle_t *handle)
{
    struct folder *folder = handle->data;
    struct watch *watch = folder->watch;
    free(folder->path);
    free(folder);
    on_closed(watch);
}

static void close_folders(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        uv_close((uv_handle_t *)&watch->folders[i]->event, on_folder_closed);
    watch->count = 0;
}

void watch_close(struct watch **watch)
{
    struct watch *last = *watch;
    *watch = NULL;
    if (last == NULL)
        return;
    last->closing = true;
    close_folders(last);
    uv_close((uv_handle_t *)&last->quiet, on_timer_closed);
    uv_close((uv_handle_t *)&last->poll, on_timer_closed);
}

/* ---- events ---- */

static void report(struct watch *watch)
{
    watch->first = 0;
    uv_timer_stop(&watch->quiet);
    watch->on_change(watch->arg);
}

static void on_quiet(uv_timer_t *timer)
{
    report(timer->data);
}

static void on_poll(uv_timer_t *timer)
{
    report(timer->data);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct folder *folder = event->data;
    struct watch *watch = folder->watch;
    uint64_t now = uv_now(event->loop);
    (void)name;
    (void)events;
    (void)status;
    if (watch->first == 0)
        watch->first = now;
    uint64_t left = watch->first + PATIENCE_MS > now ? watch->first + PATIENCE_MS - now : 0;
    uv_timer_start(&watch->quiet, on_quiet, left < QUIET_MS ? left : QUIET_MS, 0);
}

struct watch *watch_new(uv_loop_t *loop, void (*on_change)(void *arg), void *arg)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    watch->folders = calloc(FOLDERS_MAX, sizeof(struct folder *));
    if (watch->folders == NULL) {
        free(watch);
        return NULL;
    }
    watch->on_change = on_change;
    watch->arg = arg;
    uv_timer_init(loop, &watch->quiet);
    uv_timer_init(loop, &watch->poll);
    watch->quiet.data = watch->poll.data = watch;
    watch->open = 2;
    return watch;
}

/* ---- what is watched ---- */

/* Where it is among those watched, or belongs. */
static size_t place_of(const struct watch *watch, const char *path)
{
    size_t low = 0;
    size_t high = watch->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(watch->folders[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool start(struct watch *watch, struct folder *folder)
{
    folder->watch = watch;
    folder->event.data = folder;
    if (uv_fs_event_init(watch->quiet.loop, &folder->event) != 0) {
        free(folder->path);
        free(folder);
        return false;
    }
    watch->open++;
    if (uv_fs_event_start(&folder->event, on_event, folder->path, 0) == 0)
        return true;
    uv_close((uv_handle_t *)&folder->event, on_folder_closed);
    return false;
}

static void add_folder(struct watch *watch, const char *path)
{
    size_t place = place_of(watch, path);
    if (place < watch->count && strcmp(watch->folders[place]->path, path) == 0) {
        watch->folders[place]->wanted = true;
        return;
    }
    struct folder *folder = watch->count < FOLDERS_MAX ? calloc(1, sizeof *folder) : NULL;
    if (folder == NULL || (folder->path = strdup(path)) == NULL) {
        free(folder);
        watch->incomplete = true;
        return;
    }
    if (!start(watch, folder)) {
        watch->incomplete = true;
        return;
    }
    memmove(&watch->folders[place + 1], &watch->folders[place],
            (watch->count - place) * sizeof(struct folder *));
    watch->folders[place] = folder;
    watch->count++;
    folder->wanted = true;
    watch->grown = true;
}

/* The folder of a file as it is named, and as it really is. */
static void add_file(struct watch *watch, const char *path)
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
        add_folder(watch, slash == NULL ? "." : len == 0 ? "/" : text);
    }
}

/* The folders in a folder of certificates, those too in which there is nothing yet. */
static void add_subfolders(struct watch *watch, const char *path)
{
    char whole[PATH_MAX];
    const struct dirent *entry;
    DIR *stream = opendir(path);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        struct stat status;
        int len = snprintf(whole, sizeof whole, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && entry->d_type != DT_REG && len > 0 && (size_t)len < sizeof whole &&
            stat(whole, &status) == 0 && S_ISDIR(status.st_mode))
            add_folder(watch, whole);
    }
    if (stream != NULL)
        closedir(stream);
}

static void drop_unwanted(struct watch *watch)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->count; i++) {
        struct folder *folder = watch->folders[i];
        if (folder->wanted)
            watch->folders[kept++] = folder;
        else
            uv_close((uv_handle_t *)&folder->event, on_folder_closed);
    }
    watch->count = kept;
}

static void add_all(struct watch *watch, const struct cfg_tls *cfg, const struct tls_context *tls)
{
    for (size_t i = 0; i < cfg->directory_count; i++) {
        add_folder(watch, cfg->directories[i].path);
        add_file(watch, cfg->directories[i].path);
        add_subfolders(watch, cfg->directories[i].path);
    }
    for (size_t i = 0; i < cfg->certificate_count; i++) {
        add_file(watch, cfg->certificates[i].chain);
        add_file(watch, cfg->certificates[i].key);
        add_file(watch, cfg->certificates[i].passphrase);
        add_file(watch, cfg->certificates[i].ocsp);
    }
    for (size_t i = 0; i < tls_context_certificate_count(tls); i++) {
        struct tls_certificate_info info = tls_context_certificate(tls, i);
        add_file(watch, info.path);
        add_file(watch, info.key_path);
    }
}

void watch_set(struct watch *watch, const struct cfg_tls *cfg, const struct tls_context *tls)
{
    watch->incomplete = watch->grown = false;
    for (size_t i = 0; i < watch->count; i++)
        watch->folders[i]->wanted = false;
    add_all(watch, cfg, tls);
    drop_unwanted(watch);
    if (watch->grown)
        uv_timer_start(&watch->quiet, on_quiet, QUIET_MS, 0);
    uint64_t interval = watch->incomplete ? POLL_MS : POLL_RARE_MS;
    uv_timer_start(&watch->poll, on_poll, interval, interval);
}
