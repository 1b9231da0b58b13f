/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/sandbox.h"

#include "base/array.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- at the start ---- */

static bool set_limits(void)
{
    struct rlimit none = {0, 0};
    struct rlimit locked = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return false;
    if (setrlimit(RLIMIT_MEMLOCK, &locked) == 0)
        return true;
    /* Without the privilege to raise the hard limit: up to that one. */
    if (getrlimit(RLIMIT_MEMLOCK, &locked) != 0)
        return false;
    locked.rlim_cur = locked.rlim_max;
    return setrlimit(RLIMIT_MEMLOCK, &locked) == 0;
}

static bool die_with(pid_t parent)
{
    /* The parent may have ended before this call. */
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
}

const char *sandbox_begin(pid_t parent)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    if (!die_with(parent))
        return "end with the proxy";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return "set no_new_privs";
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return "become undumpable";
    return set_limits() ? NULL : "set limits";
}

/* ---- capabilities and users ---- */

#define CAPABILITY_WORDS 2 /* of version 3 */

/* Keeps the capabilities of `kept` that the process has. A capability's bit is its number. */
static bool keep_capabilities(unsigned long long kept)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[CAPABILITY_WORDS];
    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    for (unsigned i = 0; i < CAPABILITY_WORDS; i++) {
        unsigned word = (unsigned)(kept >> (32 * i));
        data[i].permitted &= word;
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) == 0;
}

const char *sandbox_keep_guard(void)
{
    /* CAP_KILL also lets the kernel end the signer, which may be another user's, together with the guard. */
    static const unsigned long long kept = 1ULL << CAP_KILL | 1ULL << CAP_DAC_OVERRIDE |
                                           1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_SETUID |
                                           1ULL << CAP_SETGID;
    return keep_capabilities(kept) ? NULL : "drop capabilities";
}

const char *sandbox_become(bool becomes, uid_t uid, gid_t gid, pid_t parent)
{
    if (becomes &&
        (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0))
        return "become the user of the key process";
    if (!keep_capabilities(0))
        return "drop capabilities";
    /* A change of user resets both. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return "become undumpable";
    return die_with(parent) ? NULL : "end with the guard";
}

/* ---- memory ---- */

/*
 * Locks the writable memory that exists: data, heap, stack. The libraries' code would take most of the limit.
 */
static bool lock_writable(FILE *maps)
{
    char line[512];
    bool ok = true;
    while (ok && fgets(line, sizeof line, maps) != NULL) {
        unsigned long begin;
        unsigned long end;
        char mode[5];
        if (sscanf(line, "%lx-%lx %4s", &begin, &end, mode) == 3 && mode[0] == 'r' && mode[1] == 'w')
            ok = mlock((const void *)begin, end - begin) == 0; // NOLINT: addresses from the kernel
    }
    return ok;
}

bool sandbox_lock_memory(void)
{
    if (SANDBOX_IS_OPEN)
        return true;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return false;
    bool ok = lock_writable(maps);
    fclose(maps);
    if (ok && mlockall(MCL_FUTURE) == 0)
        return true;
    sandbox_unlock_memory();
    return false;
}

void sandbox_unlock_memory(void)
{
    if (!SANDBOX_IS_OPEN)
        munlockall();
}
