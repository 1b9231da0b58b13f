/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_access.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what is there ---- */

/* stat(2), or what the source sees. False if there is nothing, or nobody may look. */
static bool look(const struct tls_key_source *keys, const char *path, struct tls_key_source_look *into)
{
    struct stat status;
    *into = (struct tls_key_source_look){.is_there = path != NULL && stat(path, &status) == 0};
    if (into->is_there) {
        into->is_seen = true;
        into->is_folder = S_ISDIR(status.st_mode);
        into->mark = tls_file_mark_of(&status);
        return true;
    }
    return path != NULL && errno == EACCES && keys != NULL && keys->look != NULL &&
           keys->look(keys->arg, path, into) && into->is_there;
}

struct tls_file_mark tls_access_mark(const struct tls_key_source *keys, const char *path)
{
    struct tls_key_source_look seen;
    return look(keys, path, &seen) ? tls_access_mark_in(&seen) : (struct tls_file_mark){0};
}

struct tls_file_mark tls_access_mark_in(const struct tls_key_source_look *seen)
{
    return seen->is_there && !seen->is_folder ? seen->mark : (struct tls_file_mark){0};
}

bool tls_access_is_folder(const struct tls_key_source *keys, const char *path)
{
    struct tls_key_source_look seen;
    return look(keys, path, &seen) && seen.is_folder;
}

bool tls_access_is_absent(const struct tls_key_source *keys, const char *path)
{
    struct tls_key_source_look seen;
    struct stat status;
    if (stat(path, &status) == 0)
        return false;
    if (errno != EACCES)
        return errno == ENOENT || errno == ENOTDIR;
    return keys != NULL && keys->look != NULL && keys->look(keys->arg, path, &seen) && !seen.is_there;
}

/* ---- files ---- */

typedef bool (*source_reads)(void *arg, const char *path, struct bytes *into, char *error);

/* By itself, or by the source's function, if there is one. */
static bool read_file(const struct tls_key_source *keys, source_reads reads, const char *path,
                      struct bytes *into, char *error)
{
    error[0] = '\0';
    if (tls_file_read(path, into))
        return true;
    if (errno != EACCES || reads == NULL)
        return false;
    if (reads(keys->arg, path, into, error))
        return true;
    bytes_free(into);
    return false;
}

bool tls_access_read_certificates(const struct tls_key_source *keys, const char *path, struct bytes *into,
                                  char *error)
{
    return read_file(keys, keys != NULL ? keys->read_certificates : NULL, path, into, error);
}

bool tls_access_read_ocsp(const struct tls_key_source *keys, const char *path, struct bytes *into,
                          bool *is_absent, char *error)
{
    bool ok = read_file(keys, keys != NULL ? keys->read_ocsp : NULL, path, into, error);
    int reason = errno;
    *is_absent = !ok && tls_access_is_absent(keys, path);
    errno = reason;
    return ok;
}

/* ---- folders ---- */

/* False with errno. */
static bool list_here(const char *path, size_t max, struct bytes *into)
{
    const struct dirent *entry;
    size_t count = 0;
    bool ok = true;
    DIR *stream = tls_file_open_folder(path);
    if (stream == NULL)
        return false;
    while (ok && (entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.') {
            struct slice name = {(const uint8_t *)entry->d_name, strlen(entry->d_name) + 1};
            errno = count < max ? ENOMEM : EFBIG;
            ok = count++ < max && bytes_append(into, name, SIZE_MAX);
        }
    int error = errno;
    closedir(stream);
    errno = error;
    return ok;
}

bool tls_access_list(const struct tls_key_source *keys, const char *path, size_t max, struct bytes *names,
                     struct bytes *looks, char *error)
{
    error[0] = '\0';
    return list_here(path, max, names) || (errno == EACCES && keys != NULL && keys->list != NULL &&
                                           keys->list(keys->arg, path, names, looks, error));
}
