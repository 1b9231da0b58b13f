/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_socket.h"

#include "proxy/common/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 64, LOCK_TRIES = 100, LOCK_PAUSE_MS = 10, REASON_MAX = 512 };

/* ---- opening ---- */

struct opening {
    const struct cfg_admin *admin;
    struct sockaddr_un address;
    char folder[PATH_MAX];
    uid_t user; /* (uid_t)-1: as it is */
    gid_t group;
    struct cfg_problems *problems;
};

static bool fail(const struct opening *opening, const char *why)
{
    cfg_problems_add(opening->problems, CFG_ERROR, opening->admin->socket_place, "can't listen on %s: %s",
                     opening->admin->socket, why);
    return false;
}

static bool fail_in_folder(const struct opening *opening, int error)
{
    char why[PATH_MAX + 256];
    if (error == ENOENT || error == ENOTDIR)
        snprintf(why, sizeof why,
                 "there is no folder %s: create it (systemd: RuntimeDirectory=), or name another",
                 opening->folder);
    else if (error == EACCES || error == EPERM || error == EROFS)
        snprintf(why, sizeof why,
                 "%s at %s: let the user that starts the program write there, or name another",
                 error == EROFS ? "a file system that is only read" : "no permission", opening->folder);
    else
        snprintf(why, sizeof why, "%s", strerror(error));
    return fail(opening, why);
}

/* Of the folder, so that no file stays; nobody keeps it for long. -1 after a problem. */
static int lock_folder(const struct opening *opening)
{
    static const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    int folder = open(opening->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        fail_in_folder(opening, errno);
        return -1;
    }
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(folder, LOCK_EX | LOCK_NB) == 0)
            return folder;
        nanosleep(&pause, NULL);
    }
    fail(opening, "another program has locked its folder");
    close(folder);
    return -1;
}

/* Whether a program accepts at the address, or is about to. */
static bool is_served(const struct opening *opening)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_free = fd >= 0 &&
                   connect(fd, (const struct sockaddr *)&opening->address, sizeof opening->address) != 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return !is_free;
}

static bool make_way(const struct opening *opening)
{
    struct stat file;
    if (lstat(opening->admin->socket, &file) != 0)
        return errno == ENOENT || fail_in_folder(opening, errno);
    if (!S_ISSOCK(file.st_mode))
        return fail(opening, "there is a file of that name, and it is no socket: name another");
    if (is_served(opening))
        return fail(opening, "another program serves it: end that one, or name another");
    return unlink(opening->admin->socket) == 0 || fail_in_folder(opening, errno);
}

/* Nobody can connect before it listens, so that nobody meets it with another owner. */
static bool bind_file(const struct opening *opening, int fd)
{
    mode_t before = umask(opening->admin->group != NULL ? 0117 : 0177);
    int error =
        bind(fd, (const struct sockaddr *)&opening->address, sizeof opening->address) == 0 ? 0 : errno;
    umask(before);
    if (error != 0)
        return fail_in_folder(opening, error);
    if ((opening->user != (uid_t)-1 || opening->group != (gid_t)-1) &&
        lchown(opening->admin->socket, opening->user, opening->group) != 0) {
        cfg_problems_add(opening->problems, CFG_ERROR, opening->admin->group_place,
                         "can't give %s to its user and group: %s", opening->admin->socket, strerror(errno));
        unlink(opening->admin->socket);
        return false;
    }
    return listen(fd, BACKLOG) == 0 || fail(opening, strerror(errno));
}

/* With the folder locked. */
static bool open_locked(const struct opening *opening, struct admin_socket *into)
{
    struct stat file;
    if (!make_way(opening))
        return false;
    into->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (into->fd < 0)
        return fail(opening, strerror(errno));
    if (!bind_file(opening, into->fd)) {
        close(into->fd);
        into->fd = -1;
        return false;
    }
    if (lstat(opening->admin->socket, &file) == 0) {
        into->device = file.st_dev;
        into->inode = file.st_ino;
    }
    return true;
}

/* Who is root gives the file to the user that it becomes. */
static bool find_owner(const struct cfg *cfg, struct opening *opening)
{
    char reason[REASON_MAX];
    gid_t unused_group;
    uid_t unused_user;
    opening->user = (uid_t)-1;
    opening->group = (gid_t)-1;
    if (geteuid() == 0 &&
        !privileges_find(cfg->user, "0", &opening->user, &unused_group, reason, sizeof reason)) {
        cfg_problems_add(opening->problems, CFG_ERROR, cfg->user_place, "%s", reason);
        return false;
    }
    if (cfg->admin.group == NULL ||
        privileges_find("0", cfg->admin.group, &unused_user, &opening->group, reason, sizeof reason))
        return true;
    cfg_problems_add(opening->problems, CFG_ERROR, cfg->admin.group_place, "%s", reason);
    return false;
}

static void set_paths(struct opening *opening)
{
    const char *path = opening->admin->socket;
    const char *slash = strrchr(path, '/');
    snprintf(opening->address.sun_path, sizeof opening->address.sun_path, "%s", path);
    if (slash == NULL)
        snprintf(opening->folder, sizeof opening->folder, ".");
    else
        snprintf(opening->folder, sizeof opening->folder, "%.*s", slash == path ? 1 : (int)(slash - path),
                 path);
}

bool admin_socket_open(const struct cfg *cfg, struct admin_socket *socket, struct cfg_problems *problems)
{
    struct opening opening = {.admin = &cfg->admin, .address = {.sun_family = AF_UNIX}, .problems = problems};
    *socket = (struct admin_socket){.fd = -1};
    if (cfg->admin.socket == NULL)
        return true;
    set_paths(&opening);
    if (!find_owner(cfg, &opening))
        return false;
    int folder = lock_folder(&opening);
    if (folder < 0)
        return false;
    bool ok = open_locked(&opening, socket);
    close(folder);
    socket->has_group = cfg->admin.group != NULL;
    socket->group = opening.group;
    return ok;
}

bool admin_socket_close(struct admin_socket *socket, const char *path)
{
    struct stat file;
    if (socket->fd < 0)
        return true;
    close(socket->fd);
    socket->fd = -1;
    bool is_ours = lstat(path, &file) == 0 && file.st_dev == socket->device && file.st_ino == socket->inode;
    return !is_ours || unlink(path) == 0;
}

/* ---- who connects ---- */

/* The groups beside the first one. The kernel tells how many they are if they do not fit. */
static bool is_among_groups(int connection, gid_t group)
{
    gid_t few[64];
    gid_t *groups = few;
    socklen_t len = sizeof few;
    int failed = getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups, &len);
    if (failed != 0 && errno == ERANGE && (groups = malloc(len)) != NULL)
        failed = getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups, &len);
    bool found = false;
    for (size_t i = 0; failed == 0 && i < len / sizeof groups[0]; i++)
        found = found || groups[i] == group;
    if (groups != few)
        free(groups);
    return found;
}

bool admin_socket_permits(const struct admin_socket *socket, int connection, uid_t *uid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    *uid = (uid_t)-1;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.uid == (uid_t)-1)
        return false;
    *uid = peer.uid;
    return peer.uid == 0 || peer.uid == geteuid() ||
           (socket->has_group && (peer.gid == socket->group || is_among_groups(connection, socket->group)));
}
