/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/confine.h"

#include "base/array.h"
#include "base/sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * System calls are named: one that the system's libseccomp does not know yet is left out, as is one that this
 * machine's architecture does not have.
 */
struct rules {
    uint32_t action;
    const char *const *calls;
    size_t count;
};

static bool add(scmp_filter_ctx filter, const struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        int call = seccomp_syscall_resolve_name(rules->calls[i]);
        if (call != __NR_SCMP_ERROR && seccomp_rule_add(filter, rules->action, call, 0) != 0)
            return false;
    }
    return true;
}

/* ---- the process ---- */

static const char *const deadly[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "mount",
    "umount2",
    "pivot_root",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "setns",
    "unshare",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "bpf",
    "open_by_handle_at",
    "reboot",
    "swapon",
    "swapoff",
};

static const char *const refused[] = {
    "fork",
    "vfork",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    "chroot",
    "mknod",
    "mknodat",
    "acct",
    "quotactl",
    "personality",
    "perf_event_open",
    "userfaultfd",
    "add_key",
    "keyctl",
    "request_key",
    "kcmp",
    "pidfd_getfd",
    "pidfd_open",
    "tkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "pidfd_send_signal",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "stime",
    "sethostname",
    "setdomainname",
    "syslog",
    "iopl",
    "ioperm",
    "modify_ldt",
    "vm86",
    "lookup_dcookie",
    "fanotify_init",
    "name_to_handle_at",
    "move_pages",
    "migrate_pages",
    "vhangup",
    "nfsservctl",
    "process_madvise",
};

static const char *const absent[] = {"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"};

/* Threads, and no processes; signals to this process alone. */
static bool refuse_processes(scmp_filter_ctx filter)
{
    const uint32_t no = SCMP_ACT_ERRNO(EPERM);
    const scmp_datum_t own = (scmp_datum_t)getpid();
    return seccomp_rule_add(filter, no, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) ==
               0 &&
           seccomp_rule_add(filter, no, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_NE, own, 0)) == 0 &&
           seccomp_rule_add(filter, no, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, own, 0)) == 0;
}

/* Nothing is written into a terminal as if it had been typed there. */
static bool refuse_typing(scmp_filter_ctx filter)
{
    const uint32_t no = SCMP_ACT_ERRNO(EPERM);
    static const scmp_datum_t low = UINT32_MAX;
    return seccomp_rule_add(filter, no, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, low, TIOCSTI)) == 0 &&
           seccomp_rule_add(filter, no, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, low, TIOCLINUX)) == 0;
}

/* A new memory that can be written is not executed. */
static bool refuse_code(scmp_filter_ctx filter)
{
    static const scmp_datum_t both = PROT_WRITE | PROT_EXEC;
    const uint32_t no = SCMP_ACT_ERRNO(EACCES);
    return seccomp_rule_add(filter, no, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, both, both)) == 0 &&
           seccomp_rule_add(filter, no, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, both, both)) == 0;
}

/* All but those that TCP, name resolution and its plugins take. */
static bool refuse_families(scmp_filter_ctx filter)
{
    const uint32_t no = SCMP_ACT_ERRNO(EAFNOSUPPORT);
    for (unsigned family = 0; family < AF_NETLINK; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6 &&
            seccomp_rule_add(filter, no, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, family, 0)) != 0)
            return false;
    return seccomp_rule_add(filter, no, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK, 0)) == 0;
}

static bool add_for_process(scmp_filter_ctx filter)
{
    const struct rules rules[] = {{SCMP_ACT_KILL_PROCESS, deadly, ARRAY_LEN(deadly)},
                                  {SCMP_ACT_ERRNO(EPERM), refused, ARRAY_LEN(refused)},
                                  {SCMP_ACT_ERRNO(ENOSYS), absent, ARRAY_LEN(absent)}};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (!add(filter, &rules[i]))
            return false;
    return refuse_processes(filter) && refuse_typing(filter) && refuse_code(filter) &&
           refuse_families(filter) && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0;
}

/* ---- a worker ---- */

/* `listen`: on sockets that the main thread has bound. */
static const char *const allowed[] = {
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_ctl",
    "poll",
    "ppoll",
    "read",
    "readv",
    "recvfrom",
    "recvmsg",
    "write",
    "writev",
    "sendto",
    "sendmsg",
    "accept",
    "accept4",
    "bind",
    "connect",
    "listen",
    "shutdown",
    "close",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "fcntl",
    "futex",
    "munmap",
    "mremap",
    "madvise",
    "brk",
    "getrandom",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "clock_nanosleep",
    "nanosleep",
    "sched_yield",
    "getpid",
    "gettid",
    "sysinfo",
    "sched_getaffinity",
    "rt_sigprocmask",
    "rt_sigaction",
    "rt_sigreturn",
    "sigaltstack",
    "tgkill",
    "restart_syscall",
    "set_robust_list",
    "rseq",
    "membarrier",
    "exit",
    "exit_group",
};

static bool allow_memory(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                            SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

/* TCP, and Unix sockets of servers. */
static bool allow_sockets(scmp_filter_ctx filter)
{
    static const scmp_datum_t families[] = {AF_INET, AF_INET6, AF_UNIX};
    static const scmp_datum_t kinds = ~(scmp_datum_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                             SCMP_A0(SCMP_CMP_EQ, families[i], 0),
                             SCMP_A1(SCMP_CMP_MASKED_EQ, kinds, SOCK_STREAM)) != 0)
            return false;
    return true;
}

static bool allow_ioctls(scmp_filter_ctx filter)
{
    static const scmp_datum_t requests[] = {FIONBIO, FIOCLEX, FIONREAD, SIOCOUTQ};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_EQ, requests[i], 0)) != 0)
            return false;
    return true;
}

static bool add_for_worker(scmp_filter_ctx filter)
{
    const struct rules rules = {SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed)};
    return add(filter, &rules) && allow_memory(filter) && allow_sockets(filter) && allow_ioctls(filter);
}

/* ---- loading ---- */

/* A kernel that has filters finds that there is none at this address. */
static bool kernel_has_filters(void)
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == 0 || errno != EINVAL;
}

static bool set_attributes(scmp_filter_ctx filter)
{
    /* A tree in place of a list, which costs each call less. Older libraries have none. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    /*
     * Kernels before 5.16 would slow the whole process down: a mitigation for programs that run a stranger's
     * code on purpose, as browsers do.
     */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    return seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
}

static enum confinement load(uint32_t otherwise, bool (*add_rules)(scmp_filter_ctx filter))
{
    if (IS_SANITIZED)
        return CONFINED;
    if (!kernel_has_filters())
        return CONFINE_MISSING;
    scmp_filter_ctx filter = seccomp_init(otherwise);
    int error = -ENOMEM;
    if (filter != NULL && set_attributes(filter) && add_rules(filter))
        error = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    errno = -error;
    return error == 0 ? CONFINED : CONFINE_FAILED;
}

enum confinement confine_process(void)
{
    return load(SCMP_ACT_ALLOW, add_for_process);
}

enum confinement confine_worker(void)
{
    return load(SCMP_ACT_ERRNO(EPERM), add_for_worker);
}
