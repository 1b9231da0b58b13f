/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/path_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * For so long one answer lists, and looks at least at one name: a slow file system must not keep the guard
 * from what else it is told, and from showing that it lives.
 */
#define LIST_MS 250

static void set_numbers(struct keys_look *look, const struct stat *about)
{
    const uint64_t numbers[KEYS_LOOK_NUMBERS] = {
        about->st_dev,
        about->st_ino,
        (uint64_t)about->st_size,
        (uint64_t)about->st_mtim.tv_sec,
        (uint64_t)about->st_mtim.tv_nsec,
        (uint64_t)about->st_ctim.tv_sec,
        (uint64_t)about->st_ctim.tv_nsec,
    };
    memcpy(look->numbers, numbers, sizeof numbers);
}

static bool look_from(int folder, const char *path, struct keys_look *look)
{
    struct stat about;
    *look = (struct keys_look){.kind = KEYS_NOTHING};
    if (fstatat(folder, path, &about, 0) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    look->kind = S_ISREG(about.st_mode) ? KEYS_FILE : S_ISDIR(about.st_mode) ? KEYS_FOLDER : KEYS_OTHER;
    if (look->kind == KEYS_FILE)
        set_numbers(look, &about);
    return true;
}

bool path_look_at(const char *path, struct keys_look *look)
{
    return look_from(AT_FDCWD, path, look);
}

/* By a call of its own, as tls_file_open_folder. */
static DIR *open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL && fd >= 0)
        close(fd);
    return stream;
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* False if there is no room. */
static bool put_entry(DIR *stream, const char *name, uint8_t *payload, size_t cap, size_t *len)
{
    struct keys_entry entry = {.name = slice_of(name)};
    if (!look_from(dirfd(stream), name, &entry.look))
        entry.look.kind = KEYS_UNSEEN;
    return keys_put_entry(payload, cap, len, &entry);
}

bool path_look_list(const char *path, uint32_t first, uint8_t *payload, size_t cap, size_t *len)
{
    const struct dirent *entry;
    uint32_t number = 0;
    uint32_t next = 0;
    long long end_ms = now_ms() + LIST_MS;
    DIR *stream = open_folder(path);
    if (stream == NULL)
        return false;
    *len = KEYS_NEXT_LEN;
    while (next == 0 && number < KEYS_COUNT_MAX - 1 && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        bool is_late = number > first && now_ms() > end_ms;
        if (number >= first && (is_late || !put_entry(stream, entry->d_name, payload, cap, len)))
            next = number;
        number++;
    }
    closedir(stream);
    keys_put_next(payload, next);
    return true;
}
