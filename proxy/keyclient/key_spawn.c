/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/keyclient/key_spawn.h"

#include "proxy/common/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "deepproxy-keys"
/* It ends within milliseconds by itself, unless it is stopped or waits for a file system. */
#define END_MS 2000

extern char **environ;

/* ---- the user ---- */

bool key_spawn_find_user(const struct cfg *cfg, struct keys_user *user, char error[KEY_SPAWN_ERROR_MAX])
{
    const char *name = cfg->key_user != NULL ? cfg->key_user : cfg->user;
    const char *group = cfg->key_user != NULL ? NULL : cfg->group;
    *user = (struct keys_user){.changes = geteuid() == 0};
    if (user->changes && !privileges_find(name, group, &user->uid, &user->gid, error, KEY_SPAWN_ERROR_MAX))
        return false;
    /* Root may lack the right to change its groups, in a container's name space. */
    user->changes = user->changes && (user->uid != 0 || user->gid != 0);
    return true;
}

/* ---- the program ---- */

/* The folder of this program, with its slash; false if it can't be told, or is too long. */
static bool find_own_folder(char folder[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (len <= 0)
        return false;
    folder[len] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        return false;
    slash[1] = '\0';
    return true;
}

/* Is the program at this place, seen from this program's folder? */
static bool is_there(char path[PATH_MAX], const char *folder, const char *place)
{
    int len = snprintf(path, PATH_MAX, "%s%s", folder, place);
    return len > 0 && len < PATH_MAX && access(path, X_OK) == 0;
}

const char *key_spawn_path(char error[KEY_SPAWN_ERROR_MAX])
{
    static char path[PATH_MAX];
    /* As a build leaves it; as it is installed, wherever that was moved to; as it was to be installed. */
    static const char moved[] = DEEPPROXY_LIBEXECDIR_FROM_SBINDIR "/" PROGRAM;
    static const char installed[] = DEEPPROXY_LIBEXECDIR "/" PROGRAM;
    char folder[PATH_MAX] = "";
    if (find_own_folder(folder) && (is_there(path, folder, PROGRAM) || is_there(path, folder, moved)))
        return path;
    if (access(installed, X_OK) == 0)
        return installed;
    snprintf(error, KEY_SPAWN_ERROR_MAX,
             "there is no " PROGRAM
             " for the private keys, beside this program, as %.128s%s or as %s: install "
             "it, or set key_isolation = false to have the keys in this process",
             folder, moved, installed);
    return NULL;
}

/* 0 or an error number. `beats` is -1, or beyond KEYS_BEAT_FD. */
static int spawn(const char *path, const struct keys_user *user, int control, int beats, pid_t *pid)
{
    char uid[16];
    char gid[16];
    char *arguments[] = {PROGRAM, beats >= 0 ? "watched" : "serve", user->changes ? uid : NULL, gid, NULL};
    posix_spawn_file_actions_t actions;
    snprintf(uid, sizeof uid, "%u", user->uid);
    snprintf(gid, sizeof gid, "%u", user->gid);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_adddup2(&actions, control, KEYS_CONTROL_FD);
    if (error == 0 && beats >= 0)
        error = posix_spawn_file_actions_adddup2(&actions, beats, KEYS_BEAT_FD);
    if (error == 0)
        error = posix_spawn(pid, path, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int spawn_with_control(const struct keys_user *user, int beats, pid_t *pid,
                              char error[KEY_SPAWN_ERROR_MAX])
{
    int ends[2];
    const char *path = key_spawn_path(error);
    if (path == NULL)
        return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        snprintf(error, KEY_SPAWN_ERROR_MAX, "no socket for the key process: %s", strerror(errno));
        return -1;
    }
    int failed = spawn(path, user, ends[1], beats, pid);
    close(ends[1]);
    if (failed == 0)
        return ends[0];
    close(ends[0]);
    snprintf(error, KEY_SPAWN_ERROR_MAX, "can't start %s: %s", path, strerror(failed));
    return -1;
}

int key_spawn(const struct keys_user *user, pid_t *pid, char error[KEY_SPAWN_ERROR_MAX])
{
    return spawn_with_control(user, -1, pid, error);
}

/* The far end has a number that no other is duplicated to before it. False with errno. */
static bool open_beats(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return false;
    int far = fcntl(ends[1], F_DUPFD_CLOEXEC, KEYS_BEAT_FD + 1);
    int failure = errno;
    close(ends[1]);
    ends[1] = far;
    if (far < 0)
        close(ends[0]);
    errno = failure;
    return far >= 0;
}

int key_spawn_watched(const struct keys_user *user, pid_t *pid, int *beats, char error[KEY_SPAWN_ERROR_MAX])
{
    int ends[2];
    if (!open_beats(ends)) {
        snprintf(error, KEY_SPAWN_ERROR_MAX, "no socket for the key process: %s", strerror(errno));
        return -1;
    }
    int control = spawn_with_control(user, ends[1], pid, error);
    close(ends[1]);
    if (control >= 0)
        *beats = ends[0];
    else
        close(ends[0]);
    return control;
}

/* ---- its end ---- */

/* Whether the process, a child, has ended and was waited for within this time. */
static bool is_over(pid_t pid, int end, int timeout_ms)
{
    struct pollfd process = {end, POLLIN, 0};
    int ready;
    do
        ready = poll(&process, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0 && waitpid(pid, NULL, WNOHANG) != 0;
}

void key_spawn_wait(pid_t pid)
{
    int end = (int)syscall(SYS_pidfd_open, pid, 0);
    if (end >= 0 && !is_over(pid, end, END_MS) && kill(pid, SIGKILL) == 0 && !is_over(pid, end, END_MS))
        fprintf(stderr, "deepproxy: " PROGRAM " (process %ld) does not end\n", (long)pid);
    if (end >= 0)
        close(end);
}
