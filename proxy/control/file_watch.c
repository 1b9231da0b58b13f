/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/file_watch.h"

#include <stdlib.h>
#include <string.h>

/*
 * Nothing more for this long, and the change is complete: a tool writes a chain and a key within
 * milliseconds.
 */
#define QUIET_MS 1000
/* ... but at most this long, if something changes all the time. */
#define PATIENCE_MS 10000
/* How often folders are polled that have no events, and those that should have. */
#define POLL_MS      60000
#define POLL_RARE_MS 600000
/* Twice what is wanted: those of before go when those that are new have come. */
#define FOLDERS_MAX (2 * WATCH_FOLDERS_MAX)

struct folder {
    uv_fs_event_t event;
    struct file_watch *watch;
    char *path;
    bool wanted;    /* still, in file_watch_set */
    bool takes_new; /* what appears there may be a certificate */
};

struct file_watch {
    uv_timer_t quiet;
    uv_timer_t poll;
    uint64_t first; /* when the first of the gathered events came; 0: there is none */
    unsigned open;  /* handles */
    bool closing;
    bool incomplete;         /* there are folders that are not watched */
    bool grown;              /* one was added: what happened in it before that was not seen */
    struct folder **folders; /* in the order of their paths */
    size_t count;
    uint64_t *names; /* as in struct watch_folders */
    size_t name_count;
    bool all_names; /* each counts */
    void (*on_change)(void *arg);
    void *arg;
};

/* ---- life ---- */

static void on_closed(struct file_watch *watch)
{
    if (--watch->open > 0 || !watch->closing)
        return;
    free(watch->folders);
    free(watch->names);
    free(watch);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_closed(handle->data);
}

static void on_folder_closed(uv_handle_t *handle)
{
    struct folder *folder = handle->data;
    struct file_watch *watch = folder->watch;
    free(folder->path);
    free(folder);
    on_closed(watch);
}

static void close_folders(struct file_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        uv_close((uv_handle_t *)&watch->folders[i]->event, on_folder_closed);
    watch->count = 0;
}

void file_watch_close(struct file_watch **watch)
{
    struct file_watch *last = *watch;
    *watch = NULL;
    if (last == NULL)
        return;
    last->closing = true;
    close_folders(last);
    uv_close((uv_handle_t *)&last->quiet, on_timer_closed);
    uv_close((uv_handle_t *)&last->poll, on_timer_closed);
}

/* ---- events ---- */

static void report_change(struct file_watch *watch)
{
    watch->first = 0;
    uv_timer_stop(&watch->quiet);
    watch->on_change(watch->arg);
}

static void on_quiet(uv_timer_t *timer)
{
    report_change(timer->data);
}

static void on_poll(uv_timer_t *timer)
{
    report_change(timer->data);
}

/* The end of the folder itself is reported by its own name. */
static bool is_own_name(const struct folder *folder, const char *name)
{
    const char *slash = strrchr(folder->path, '/');
    return strcmp(slash != NULL ? slash + 1 : folder->path, name) == 0;
}

/*
 * In a folder that takes something new, what appears or disappears may be a folder of any name, and what
 * changes is a file.
 */
static bool counts(const struct folder *folder, const char *name, int events)
{
    const struct file_watch *watch = folder->watch;
    bool moves = (events & UV_RENAME) != 0;
    if (name == NULL || watch->all_names || watch_folders_has_name(watch->names, watch->name_count, name))
        return true;
    if (folder->takes_new)
        return moves ? name[0] != '.' : watch_folders_may_take(name);
    return moves && is_own_name(folder, name);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct folder *folder = event->data;
    struct file_watch *watch = folder->watch;
    uint64_t now = uv_now(event->loop);
    if (status == 0 && !counts(folder, name, events))
        return;
    if (watch->first == 0)
        watch->first = now;
    uint64_t left = watch->first + PATIENCE_MS > now ? watch->first + PATIENCE_MS - now : 0;
    uv_timer_start(&watch->quiet, on_quiet, left < QUIET_MS ? left : QUIET_MS, 0);
}

struct file_watch *file_watch_new(uv_loop_t *loop, void (*on_change)(void *arg), void *arg)
{
    struct file_watch *watch = calloc(1, sizeof *watch);
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
static size_t find_place(const struct file_watch *watch, const char *path)
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

static bool start_folder(struct file_watch *watch, struct folder *folder)
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

static void add_folder(struct file_watch *watch, const char *path, bool takes_new)
{
    size_t place = find_place(watch, path);
    if (place < watch->count && strcmp(watch->folders[place]->path, path) == 0) {
        watch->folders[place]->wanted = true;
        watch->folders[place]->takes_new = takes_new;
        return;
    }
    struct folder *folder = watch->count < FOLDERS_MAX ? calloc(1, sizeof *folder) : NULL;
    if (folder == NULL || (folder->path = strdup(path)) == NULL) {
        free(folder);
        watch->incomplete = true;
        return;
    }
    if (!start_folder(watch, folder)) {
        watch->incomplete = true;
        return;
    }
    memmove(&watch->folders[place + 1], &watch->folders[place],
            (watch->count - place) * sizeof(struct folder *));
    watch->folders[place] = folder;
    watch->count++;
    folder->wanted = true;
    folder->takes_new = takes_new;
    watch->grown = true;
}

static void drop_unwanted(struct file_watch *watch)
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

static void set_names(struct file_watch *watch, const struct watch_folders *folders)
{
    size_t size = folders->name_count * sizeof watch->names[0];
    uint64_t *names = malloc(size + 1);
    watch->all_names = folders->all_names || names == NULL;
    if (names == NULL)
        return;
    if (size > 0)
        memcpy(names, folders->names, size);
    free(watch->names);
    watch->names = names;
    watch->name_count = folders->name_count;
}

void file_watch_set(struct file_watch *watch, const struct watch_folders *folders)
{
    set_names(watch, folders);
    watch->incomplete = folders->incomplete;
    watch->grown = false;
    for (size_t i = 0; i < watch->count; i++)
        watch->folders[i]->wanted = false;
    for (size_t i = 0; i < folders->count; i++)
        add_folder(watch, folders->paths[i], folders->takes_new[i]);
    drop_unwanted(watch);
    if (watch->grown)
        uv_timer_start(&watch->quiet, on_quiet, QUIET_MS, 0);
    uint64_t interval = watch->incomplete ? POLL_MS : POLL_RARE_MS;
    uv_timer_start(&watch->poll, on_poll, interval, interval);
}
