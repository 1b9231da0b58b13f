/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/durable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *durable_file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return strdup(".");
    return strndup(path, slash > path ? (size_t)(slash - path) : 1);
}

/* The rename itself must outlast a loss of power, too. Some file systems have no such thing for folders. */
static bool sync_folder(const char *path)
{
    char *folder = durable_file_folder(path);
    int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    int error = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    errno = error;
    return ok;
}

bool durable_file_rename(const char *from, const char *to)
{
    return rename(from, to) == 0 && sync_folder(to);
}

static bool write_all(FILE *file, bool (*write)(FILE *file, const void *arg), const void *arg)
{
    return write(file, arg) && fflush(file) == 0 && fsync(fileno(file)) == 0;
}

/* False with errno. */
static bool write_draft(const char *draft, mode_t mode, bool (*write)(FILE *file, const void *arg),
                        const void *arg)
{
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool ok = file != NULL && write_all(file, write, arg);
    int error = errno;
    if (file == NULL) {
        if (fd >= 0)
            close(fd);
    } else if (fclose(file) != 0 && ok) {
        ok = false;
        error = errno;
    }
    errno = error;
    return ok;
}

bool durable_file_replace(const char *path, mode_t mode, bool (*write)(FILE *file, const void *arg),
                          const void *arg)
{
    size_t len = strlen(path) + sizeof ".new";
    char *draft = malloc(len);
    if (draft == NULL)
        return false;
    snprintf(draft, len, "%s.new", path);
    bool ok = write_draft(draft, mode, write, arg) && durable_file_rename(draft, path);
    int error = errno;
    free(draft);
    errno = error;
    return ok;
}
