/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_SOCKET_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_SOCKET_H

#include "base/must_check.h"
#include "config/cfg.h"

#include <sys/types.h>

/*
 * The Unix socket for control: its file, and who may use it. The file is the user's that the program becomes,
 * with mode 0600, or 0660 with the group. Beside the file's mode the credentials count that the kernel has of
 * the peer, so that a folder or a mode that somebody has changed opens nothing.
 */

/* All zero but for `fd` -1 is none. */
struct admin_socket {
    int fd;
    bool has_group;
    gid_t group;
    dev_t device; /* of its file, which nothing else is removed for */
    ino_t inode;
};

/*
 * Binds and listens, before other threads begin, and before root is given up. A socket file that nobody
 * listens on is replaced, and no other: the folder is locked meanwhile, against others that do the same. With
 * no socket in the configuration: true. False after an error in `problems`.
 */
MUST_CHECK bool admin_socket_open(const struct cfg *cfg, struct admin_socket *socket,
                                  struct cfg_problems *problems);

/* Closes it, and removes its file if that is the same still. False with errno if the file stays for that. */
bool admin_socket_close(struct admin_socket *socket, const char *path);

/*
 * May the peer of a connection use it: root, the user of this process, and members of the group? `*uid` is
 * the peer's user. False, with `*uid` (uid_t)-1, if the kernel does not know.
 */
MUST_CHECK bool admin_socket_permits(const struct admin_socket *socket, int connection, uid_t *uid);

#endif
