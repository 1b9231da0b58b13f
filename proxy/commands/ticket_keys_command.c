/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/commands/ticket_keys_command.h"

#include "base/bytes.h"
#include "proxy/runtime/ticket_file.h"
#include "tls/tickets/tls_ticket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SUFFIX ".new"

/* The file that becomes the next version; held locked while it is made, so that no two rotate at once. */
struct draft {
    char path[PATH_MAX];
    char target[PATH_MAX];
    int fd;
};

static bool report_errno(const char *what, const char *path)
{
    fprintf(stderr, "deepproxy: can't %s %s: %s\n", what, path, strerror(errno));
    return false;
}

/* A symbolic link stays one: what it points to is replaced. */
static bool find_target(struct draft *draft, const char *path)
{
    if (realpath(path, draft->target) == NULL) {
        if (errno != ENOENT)
            return report_errno("find", path);
        if (strlen(path) >= sizeof draft->target) {
            errno = ENAMETOOLONG;
            return report_errno("make", path);
        }
        strcpy(draft->target, path);
    }
    size_t room = sizeof draft->path - sizeof SUFFIX;
    if (strlen(draft->target) > room) {
        errno = ENAMETOOLONG;
        return report_errno("make", draft->target);
    }
    snprintf(draft->path, sizeof draft->path, "%.*s" SUFFIX, (int)room, draft->target);
    return true;
}

/*
 * Another user who made the file before us, or has another name for it, could read what we write. So it must
 * be ours alone, or of the owner of the keys: a run that was killed at its end had given it to that user.
 */
static bool is_own(const struct draft *draft, struct stat *facts)
{
    struct stat target;
    if (fstat(draft->fd, facts) != 0)
        return report_errno("look at", draft->path);
    bool is_mine =
        facts->st_uid == geteuid() || (stat(draft->target, &target) == 0 && facts->st_uid == target.st_uid);
    if (S_ISREG(facts->st_mode) && is_mine && facts->st_nlink <= 1)
        return true;
    fprintf(stderr, "deepproxy: %s is there and was not made by this user: find out who did, and remove it\n",
            draft->path);
    return false;
}

/* Locked, and still the file at that path: the holder of the lock before us may have renamed it. */
static bool lock_draft(const struct draft *draft)
{
    struct stat ours;
    struct stat there;
    if (!is_own(draft, &ours))
        return false;
    if (flock(draft->fd, LOCK_EX | LOCK_NB) == 0 && lstat(draft->path, &there) == 0 &&
        ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
        return true;
    fprintf(stderr, "deepproxy: another deepproxy ticket-keys is at work on %s; nothing was changed\n",
            draft->target);
    return false;
}

static bool open_draft(struct draft *draft)
{
    /* A draft that a crash has left there has no lock, and is taken over. */
    draft->fd = open(draft->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (draft->fd < 0)
        return report_errno("make", draft->path);
    if (lock_draft(draft))
        return true;
    close(draft->fd);
    return false;
}

/* The keys to write; `*exists` and `*facts`: of the file that they replace. */
static bool next_keys(const char *target, struct tls_ticket_set *set, struct stat *facts, bool *exists)
{
    struct ticket_file_problem problem;
    *exists = ticket_file_read(target, set, facts, &problem);
    if (*exists) {
        tls_ticket_file_rotate(set);
        return true;
    }
    if (problem.error == ENOENT) {
        tls_ticket_file_make(set);
        return true;
    }
    fprintf(stderr, "deepproxy: %s", target);
    if (problem.line > 0)
        fprintf(stderr, ":%u", problem.line);
    fprintf(stderr, ": %s; nothing was changed\n", problem.text);
    return false;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, text, len);
        if (written < 0 && errno != EINTR)
            return false;
        text += written > 0 ? written : 0;
        len -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

static bool fill_draft(const struct draft *draft, const struct tls_ticket_set *set, const struct stat *like)
{
    char text[TLS_TICKET_FILE_TEXT];
    /* No other user may open it before it has the owner of the old file. */
    bool ok = fchmod(draft->fd, 0600) == 0 && ftruncate(draft->fd, 0) == 0;
    tls_ticket_file_format(set, text);
    ok = ok && write_all(draft->fd, text, sizeof text);
    wipe(text, sizeof text);
    if (!ok)
        return report_errno("write", draft->path);
    if (like != NULL &&
        (fchown(draft->fd, like->st_uid, like->st_gid) != 0 || fchmod(draft->fd, like->st_mode & 0777)))
        return report_errno("give the owner of the old file to", draft->path);
    return fsync(draft->fd) == 0 || report_errno("write", draft->path);
}

/* The rename itself must outlive a power failure, too. */
static bool sync_folder(const char *target)
{
    char copy[PATH_MAX];
    strcpy(copy, target);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return report_errno("open", folder);
    /* Some file systems have no such thing for folders. */
    bool ok = fsync(fd) == 0 || errno == EINVAL || report_errno("write", folder);
    close(fd);
    return ok;
}

static bool replace_target(const struct draft *draft)
{
    struct tls_ticket_set set;
    struct stat facts;
    bool exists = false;
    bool ok =
        next_keys(draft->target, &set, &facts, &exists) && fill_draft(draft, &set, exists ? &facts : NULL);
    tls_ticket_set_wipe(&set);
    if (ok && rename(draft->path, draft->target) != 0)
        ok = report_errno("replace", draft->target);
    if (!ok) {
        unlink(draft->path);
        return false;
    }
    printf("%s: %s\n", draft->target,
           exists ? "rotated; the oldest key is gone, a new one is there" : "made, with three keys");
    return sync_folder(draft->target);
}

int ticket_keys_command(const char *path)
{
    struct draft draft;
    if (!find_target(&draft, path) || !open_draft(&draft))
        return EXIT_FAILURE;
    bool ok = replace_target(&draft);
    close(draft.fd);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
