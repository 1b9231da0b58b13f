/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool read_all(int fd, struct bytes *into)
{
    uint8_t part[4096];
    bool ok = true;
    ssize_t got;
    while (ok && (got = read(fd, part, sizeof part)) != 0) {
        ok = got > 0 || errno == EINTR;
        if (got > 0 && !bytes_append(into, (struct slice){part, (size_t)got}, TLS_FILE_MAX)) {
            errno = into->len + (size_t)got > TLS_FILE_MAX ? EFBIG : ENOMEM;
            ok = false;
        }
    }
    wipe(part, sizeof part);
    return ok;
}

/* False with errno if it is not. */
static bool is_regular(const struct stat *status, off_t max)
{
    errno = S_ISDIR(status->st_mode)    ? EISDIR
            : !S_ISREG(status->st_mode) ? ENOTSUP
            : status->st_size > max     ? EFBIG
                                        : 0;
    return errno == 0;
}

bool tls_file_may_be_opened(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && is_regular(&status, TLS_LIST_MAX);
}

bool tls_file_read(const char *path, struct bytes *into)
{
    struct stat status;
    *into = (struct bytes){0};
    /* Not opened first: opening some devices has effects. */
    if (stat(path, &status) != 0 || !is_regular(&status, TLS_FILE_MAX))
        return false;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &status) == 0 && is_regular(&status, TLS_FILE_MAX) && read_all(fd, into);
    int error = errno;
    close(fd);
    errno = error;
    if (!ok)
        bytes_free(into);
    return ok;
}

struct tls_file_mark tls_file_mark(const char *path)
{
    struct stat status;
    if (path == NULL || stat(path, &status) != 0)
        return (struct tls_file_mark){0};
    return tls_file_mark_of(&status);
}

struct tls_file_mark tls_file_mark_of(const struct stat *status)
{
    return (struct tls_file_mark){status->st_dev, status->st_ino, status->st_size, status->st_mtim,
                                  status->st_ctim};
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool tls_file_mark_equals(const struct tls_file_mark *a, const struct tls_file_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           is_same_time(a->modified, b->modified) && is_same_time(a->changed, b->changed);
}

DIR *tls_file_open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL && fd >= 0)
        close(fd);
    return stream;
}
