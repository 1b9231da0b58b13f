/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_CONFINE_H
#define DEEPPROXY_PROXY_COMMON_CONFINE_H

#include "base/must_check.h"

/*
 * What the proxy gives up when it begins to serve: system calls that neither it nor a library of it makes
 * (seccomp). Filters can't be taken back. Both follow no_new_privs, which privileges_drop sets.
 *
 * The process has a list of what is forbidden, as names are resolved by whatever plugins the system has, and
 * these may do what nobody here knows of. Calls that only a stranger's code can want (another program,
 * another process's memory, mounts, kernel modules) kill the process; the program's parent starts it anew.
 * Others fail with EPERM: a plugin that tries one of them loses an answer, and not the mail. io_uring and
 * clone3, whose arguments a filter can't see, do not seem to exist (ENOSYS): libuv and libc do without. No
 * process is begun, so all that runs in here are threads; and no signal is sent to another process.
 *
 * A worker has a list of what is allowed, as it runs nothing but our own code, libuv and BoringSSL: sockets
 * for streams, memory, clocks, locks. It opens no file, begins no thread. Anything else fails with EPERM: an
 * unusual path of the C library is no reason to end all sessions. A reload may bring a pool's first Unix
 * socket, or its first address to connect from: so both may always be used.
 *
 * What this leaves open: threads share memory and descriptors. Code of a stranger in a worker can change what
 * another thread is about to do, and have it open a file or connect elsewhere, as far as that thread may; so
 * the process's list is what holds against it, and the worker's list makes it take that detour. A filter sees
 * numbers, not what pointers point to: a worker may connect to any address, and to any Unix socket that the
 * program's user may connect to. Private keys are kept out of this
 * address space altogether (keys/keys_process.h).
 *
 * In a build with sanitizers there is no filter.
 */
enum confinement {
    CONFINED,
    CONFINE_MISSING, /* the kernel has no seccomp; nothing has changed */
    CONFINE_FAILED   /* with errno: the program must not serve */
};

/* In the main thread, when nothing is left to be started: for all threads, those there and those to come. */
MUST_CHECK enum confinement confine_process(void);

/* In the calling thread alone, and what it begins; on top of the process's. */
MUST_CHECK enum confinement confine_worker(void);

#endif
