/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "keys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

/*
 * The signer waits on its sockets, signs, and answers. It opens nothing, connects to nothing, starts nothing.
 * glibc and libcrypto add memory, locks, random numbers and clocks (most of these need no system call, by the
 * vDSO).
 */
static const int signer_calls[] = {
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(read),
    SCMP_SYS(close),
    SCMP_SYS(futex),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(munlockall),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(tgkill),
};

/*
 * Besides these, the guard opens files to read them, lists folders, and starts a signer. Before its own
 * filter the signer reads its memory map, becomes another user and starts threads. The guard executes nothing
 * and uses no network.
 */
static const int guard_calls[] = {
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    SCMP_SYS(wait4),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capget),
    SCMP_SYS(capset),
    SCMP_SYS(prctl),
    SCMP_SYS(getppid),
    SCMP_SYS(seccomp),
    SCMP_SYS(mlock),
    SCMP_SYS(mlockall),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(prlimit64),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(fcntl),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_getaffinity),
};

static bool allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
            return false;
    return true;
}

/* Memory that is neither executable nor a file's. */
static bool allow_memory(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                            SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

static bool allow_reading_files(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, 0)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(getdents64), 0) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                            SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0)) == 0;
}

static bool allow_ending_the_signer(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, SCMP_A1(SCMP_CMP_EQ, SIGKILL, 0)) == 0;
}

static const char *load(scmp_filter_ctx filter, bool ok)
{
    int error = ok ? seccomp_load(filter) : -ENOMEM;
    seccomp_release(filter);
    errno = -error;
    return error == 0 ? NULL : "filter system calls (seccomp)";
}

#define DEFAULT_ACTION (SANDBOX_IS_OPEN ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS)

const char *sandbox_filter_guard(void)
{
    scmp_filter_ctx filter = seccomp_init(DEFAULT_ACTION);
    bool ok = filter != NULL && allow_all(filter, signer_calls, ARRAY_LEN(signer_calls)) &&
              allow_all(filter, guard_calls, ARRAY_LEN(guard_calls)) && allow_memory(filter) &&
              allow_reading_files(filter) && allow_ending_the_signer(filter);
    return load(filter, ok);
}

const char *sandbox_filter_signer(void)
{
    scmp_filter_ctx filter = seccomp_init(DEFAULT_ACTION);
    bool ok = filter != NULL && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
              allow_all(filter, signer_calls, ARRAY_LEN(signer_calls)) && allow_memory(filter);
    return load(filter, ok);
}
