/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_KEYCLIENT_KEY_SPAWN_H
#define DEEPPROXY_PROXY_KEYCLIENT_KEY_SPAWN_H

#include "base/must_check.h"
#include "config/cfg.h"
#include "keys/keys_process.h"

#include <sys/types.h>

/*
 * Starts deepproxy-keys, the guard of the private keys (keys/keys_process.h), and waits for its end. It sends
 * the guard nothing, and receives nothing: that is for the owner of the control socket (key_manager.h). It
 * keeps no state.
 */
enum { KEY_SPAWN_ERROR_MAX = 512 /* octets of an error, with its NUL */ };

/*
 * The user that the signer runs as, by the configuration: `key_user`, or else `user` and `group`, or else the
 * program's default (privileges.h). Nobody else than this process's own user if this process is not root.
 * False with a reason in `error` if there is no such user.
 */
MUST_CHECK bool key_spawn_find_user(const struct cfg *cfg, struct keys_user *user,
                                    char error[KEY_SPAWN_ERROR_MAX]);

/*
 * Starts the program, which is found beside this one or where it is installed (key_spawn_path), as a child
 * of the calling thread: the kernel ends the program when that thread ends. `user` is the user to sign as.
 * Returns the control socket, closed on exec, whose end ends the program, and sets `*pid`; the caller owns
 * the socket, and waits for the process. -1 with a reason in `error`: nothing was started.
 */
MUST_CHECK int key_spawn(const struct keys_user *user, pid_t *pid, char error[KEY_SPAWN_ERROR_MAX]);

/*
 * As key_spawn, and sets `*beats` to a socket, closed on exec and never blocking, which the caller owns: as
 * long as the program does not hang, an octet comes each KEYS_BEAT_MS (keys_process.h).
 */
MUST_CHECK int key_spawn_watched(const struct keys_user *user, pid_t *pid, int *beats,
                                 char error[KEY_SPAWN_ERROR_MAX]);

/*
 * Waits for the end of the program, after its control socket was closed everywhere: at most a few seconds,
 * and ends it by force after half of them.
 */
void key_spawn_wait(pid_t pid);

/*
 * The path of the program: beside this one, or where it is installed if seen from this one, so that both may
 * be moved together, or where it was to be installed. Static. NULL, with what to do in `error`, if it is in
 * none of these places.
 */
MUST_CHECK const char *key_spawn_path(char error[KEY_SPAWN_ERROR_MAX]);

#endif
