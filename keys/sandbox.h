/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_SANDBOX_H
#define DEEPPROXY_KEYS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Sanitizers need more memory and system calls than a sandbox leaves. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_IS_OPEN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANDBOX_IS_OPEN 1
#endif
#endif
#ifndef SANDBOX_IS_OPEN
#define SANDBOX_IS_OPEN 0
#endif

/*
 * What a process gives up. All of these return NULL, or the name of the step that failed, static, with errno set: then
 * the process must not go on. A build with sanitizers keeps its memory unlocked and only reports
 * the system calls that it should not make.
 */

/*
 * For good, and for what is started from here: no privilege is gained by exec, no core is dumped, nobody of the same user
 * reads this memory or traces it; signals that end the proxy are ignored, as the end of the socket is what ends us. The
 * limit of locked memory is raised as far as may be. The process is killed with `parent`.
 */
const char *sandbox_begin(pid_t parent);

/* Keeps no capability but those that opening files, becoming another user and ending that user's process take. */
const char *sandbox_keep_guard(void);

/* As another user (root alone can; not root: stays), without groups and without any capability. */
const char *sandbox_become(bool becomes, uid_t uid, gid_t gid, pid_t parent);

/*
 * Locks what memory can hold a key, now and later: all that is writable. False where the limit is too low; memory is then
 * not locked at all.
 */
bool sandbox_lock_memory(void);
void sandbox_unlock_memory(void);

/* System calls from here on: any other ends the process. The signer's are for all of its threads. */
const char *sandbox_filter_guard(void);
const char *sandbox_filter_signer(void);

#endif
