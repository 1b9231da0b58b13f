/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_SANDBOX_H
#define DEEPPROXY_KEYS_SANDBOX_H

#include "base/must_check.h"
#include "base/sanitized.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Sanitizers need more memory and system calls than a sandbox allows. */
#define SANDBOX_IS_OPEN IS_SANITIZED

/*
 * What a process of deepproxy-keys gives up, for itself and for good. Each function that returns a string
 * returns NULL on success, or the name of the step that failed, static, with errno: the process must end
 * then. In a build with sanitizers memory stays unlocked, and a forbidden system call is only reported.
 */

/*
 * First, in the guard; its children inherit it. No privilege is gained by exec. No core is dumped, and no
 * process of the same user reads this memory or traces it. Signals that end the proxy are ignored: the end of
 * the socket ends us. The limit of locked memory is raised as far as possible. The kernel kills the process
 * when `parent` ends.
 */
MUST_CHECK const char *sandbox_begin(pid_t parent);

/* Keeps only the capabilities to open files, to become another user, and to end that user's process. */
MUST_CHECK const char *sandbox_keep_guard(void);

/*
 * Drops all groups and all capabilities, and becomes the user (`becomes`: only root can; without it the user
 * stays).
 */
MUST_CHECK const char *sandbox_become(bool becomes, uid_t uid, gid_t gid, pid_t parent);

/*
 * Locks all writable memory, now and later, as it may hold a key. False if the limit is too low: nothing is
 * locked then.
 */
MUST_CHECK bool sandbox_lock_memory(void);

/* Unlocks all memory, now and later. */
void sandbox_unlock_memory(void);

/* From here on any system call that is not on the guard's list ends the process. */
MUST_CHECK const char *sandbox_filter_guard(void);

/* The same with the signer's list, for all threads of the process. */
MUST_CHECK const char *sandbox_filter_signer(void);

#endif
