/* SPDX-License-Identifier: BSD-2-Clause */
/* What the filters forbid and what they leave, each tried in a process of its own. */
#include "proxy/common/confine.h"

#include "base/array.h"
#include "base/sanitized.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

/* What a try comes to: an errno, or one of these. */
enum { WORKS = 0, KILLS = -1 };

static int result_of(long result)
{
    return result < 0 ? errno : WORKS;
}

/* ---- tries ---- */

static int try_execve(void)
{
    char *const arguments[] = {"/bin/true", NULL};
    return result_of(execve(arguments[0], arguments, arguments + 1));
}

static int try_execveat(void)
{
    char *const arguments[] = {"/bin/true", NULL};
    return result_of(syscall(SYS_execveat, AT_FDCWD, arguments[0], arguments, arguments + 1, 0));
}

static int try_ptrace(void)
{
    return result_of(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int try_reading_memory(void)
{
    char octet;
    struct iovec local = {&octet, 1};
    struct iovec remote = {&octet, 1};
    return result_of(process_vm_readv(getppid(), &local, 1, &remote, 1, 0));
}

static int try_mount(void)
{
    return result_of(mount("none", "/nowhere", "tmpfs", 0, NULL));
}

static int try_unshare(void)
{
    return result_of(unshare(CLONE_NEWUSER));
}

static int try_bpf(void)
{
    return result_of(syscall(SYS_bpf, 0, NULL, 0));
}

static int try_module(void)
{
    return result_of(syscall(SYS_finit_module, -1, "", 0));
}

static int try_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return result_of(child);
}

static int try_vfork(void)
{
    return result_of(syscall(SYS_clone, SIGCHLD | CLONE_VFORK, NULL, NULL, NULL, 0));
}

static int try_clone3(void)
{
    return result_of(syscall(SYS_clone3, NULL, 0));
}

static int try_io_uring(void)
{
    struct io_uring_params params = {0};
    return result_of(syscall(SYS_io_uring_setup, 1, &params));
}

static int try_setuid(void)
{
    return result_of(setuid(getuid()));
}

static int try_keyctl(void)
{
    return result_of(syscall(SYS_keyctl, 0, 0, 0));
}

static int try_perf(void)
{
    return result_of(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
}

static int try_signal_to_parent(void)
{
    return result_of(kill(getppid(), 0));
}

static int try_signal_to_thread_of_parent(void)
{
    return result_of(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int try_signal_to_self(void)
{
    return kill(getpid(), 0) == 0 ? result_of(syscall(SYS_tgkill, getpid(), getpid(), 0)) : errno;
}

static int try_typing(void)
{
    return result_of(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}

static int try_code(void)
{
    void *place = mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return place == MAP_FAILED ? errno : WORKS;
}

static int try_making_code(void)
{
    void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return place == MAP_FAILED ? -2 : result_of(mprotect(place, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
}

static int try_executing(void)
{
    void *place = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return place == MAP_FAILED ? -2 : result_of(mprotect(place, 4096, PROT_READ | PROT_EXEC));
}

static int try_packet_socket(void)
{
    return result_of(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int try_vsock(void)
{
    return result_of(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int try_alg_socket(void)
{
    return result_of(socket(AF_ALG, SOCK_SEQPACKET, 0));
}

static int try_local_socket(void)
{
    return result_of(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_local_datagrams(void)
{
    return result_of(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static int try_netlink(void)
{
    return result_of(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int try_udp(void)
{
    return result_of(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int try_open(void)
{
    return result_of(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int try_write_file(void)
{
    char path[] = "/tmp/test_confine_XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return errno;
    int error = result_of(fsync(fd));
    close(fd);
    unlink(path);
    return error;
}

static void *do_nothing(void *arg)
{
    return arg;
}

static int try_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, do_nothing, NULL);
    return error != 0 ? error : pthread_join(thread, NULL);
}

static int try_name(void)
{
    struct addrinfo *found = NULL;
    int error = getaddrinfo("localhost", "143", NULL, &found);
    if (error == 0)
        freeaddrinfo(found);
    return error == 0 ? WORKS : EIO;
}

static int try_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? result_of(setrlimit(RLIMIT_NOFILE, &limit)) : errno;
}

static int try_memory(void)
{
    for (size_t size = 16; size < ((size_t)64 << 20); size *= 2) {
        char *block = malloc(size);
        if (block == NULL)
            return ENOMEM;
        memset(block, 1, size);
        char *larger = realloc(block, 2 * size);
        if (larger == NULL)
            return ENOMEM;
        free(larger);
    }
    return WORKS;
}

/* As a session has it: both ends of a TCP connection in one loop. */
static int try_tcp(int listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int queue = epoll_create1(EPOLL_CLOEXEC);
    int one = 1;
    if (getsockname(listener, (struct sockaddr *)&address, &len) != 0)
        return errno;
    int client = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client < 0 || ioctl(client, FIONBIO, &one) != 0)
        return errno;
    if (connect(client, (struct sockaddr *)&address, len) != 0 && errno != EINPROGRESS)
        return errno;
    int server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (server < 0 || write(client, "x", 1) != 1 || shutdown(client, SHUT_WR) != 0)
        return errno;
    close(queue);
    return result_of(close(server));
}

static int listener_of_test = -1;

static int try_tcp_here(void)
{
    return try_tcp(listener_of_test);
}

static int try_bind(void)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -2 : result_of(bind(fd, (struct sockaddr *)&address, sizeof address));
}

static int try_abort(void)
{
    abort();
}

/* ---- what is expected ---- */

static const struct expectation {
    const char *name;
    int (*attempt)(void);
    int process;
    int worker;
} expectations[] = {
    {"execve", try_execve, KILLS, KILLS},
    {"execveat", try_execveat, KILLS, KILLS},
    {"ptrace", try_ptrace, KILLS, KILLS},
    {"process_vm_readv", try_reading_memory, KILLS, KILLS},
    {"mount", try_mount, KILLS, KILLS},
    {"unshare", try_unshare, KILLS, KILLS},
    {"bpf", try_bpf, KILLS, KILLS},
    {"finit_module", try_module, KILLS, KILLS},
    {"fork", try_fork, EPERM, EPERM},
    {"vfork", try_vfork, EPERM, EPERM},
    {"clone3", try_clone3, ENOSYS, EPERM},
    {"io_uring", try_io_uring, ENOSYS, EPERM},
    {"setuid", try_setuid, EPERM, EPERM},
    {"keyctl", try_keyctl, EPERM, EPERM},
    {"perf_event_open", try_perf, EPERM, EPERM},
    {"kill the parent", try_signal_to_parent, EPERM, EPERM},
    {"tgkill the parent", try_signal_to_thread_of_parent, EPERM, EPERM},
    {"TIOCSTI", try_typing, EPERM, EPERM},
    {"memory to write and execute", try_code, EACCES, EPERM},
    {"memory becomes executable", try_making_code, EACCES, EPERM},
    {"code", try_executing, WORKS, EPERM},
    {"AF_PACKET", try_packet_socket, EAFNOSUPPORT, EPERM},
    {"AF_VSOCK", try_vsock, EAFNOSUPPORT, EPERM},
    {"AF_ALG", try_alg_socket, EAFNOSUPPORT, EPERM},
    {"AF_UNIX", try_local_socket, WORKS, WORKS},
    {"AF_UNIX datagrams", try_local_datagrams, WORKS, EPERM},
    {"AF_NETLINK", try_netlink, WORKS, EPERM},
    {"UDP", try_udp, WORKS, EPERM},
    {"open", try_open, WORKS, EPERM},
    {"a file of its own", try_write_file, WORKS, EPERM},
    {"a thread", try_thread, WORKS, EPERM},
    {"a name", try_name, WORKS, EIO},
    {"bind", try_bind, WORKS, WORKS},
    {"setrlimit", try_limit, WORKS, EPERM},
    {"signals to itself", try_signal_to_self, WORKS, EPERM},
    {"memory", try_memory, WORKS, WORKS},
    {"TCP", try_tcp_here, WORKS, WORKS},
};

/* What the attempt comes to in a process that has done as told before it. */
static int outcome_of(void (*confine)(void), int (*attempt)(void))
{
    int ends[2];
    int result = -3;
    int status;
    fflush(NULL);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        confine();
        int found = attempt();
        _exit(write(ends[1], &found, sizeof found) == sizeof found ? 0 : 1);
    }
    close(ends[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        result = WTERMSIG(status) == SIGSYS ? KILLS : -WTERMSIG(status);
    else
        ck_assert_int_eq(read(ends[0], &result, sizeof result), sizeof result);
    close(ends[0]);
    return result;
}

static void as_process(void)
{
    if (confine_process() != CONFINED)
        _exit(2);
}

static void as_worker(void)
{
    as_process();
    if (confine_worker() != CONFINED)
        _exit(2);
}

START_TEST(the_process)
{
    const struct expectation *it = &expectations[_i];
    int result = outcome_of(as_process, it->attempt);
    ck_assert_msg(result == it->process, "%s: %d", it->name, result);
}
END_TEST

START_TEST(a_worker)
{
    const struct expectation *it = &expectations[_i];
    int result = outcome_of(as_worker, it->attempt);
    ck_assert_msg(result == it->worker, "%s: %d", it->name, result);
}
END_TEST

START_TEST(a_mistake_of_our_own_still_ends_as_one)
{
    ck_assert_int_eq(outcome_of(as_worker, try_abort), -SIGABRT);
}
END_TEST

/* ---- threads ---- */

static void *open_in_thread(void *arg)
{
    int *error = arg;
    *error = try_open();
    return NULL;
}

static void *confine_and_open(void *arg)
{
    int *error = arg;
    if (confine_worker() != CONFINED)
        _exit(2);
    *error = try_open();
    return NULL;
}

/* The worker's list is its thread's alone. */
static int open_elsewhere(void)
{
    pthread_t worker;
    pthread_t other;
    int of_worker = -1;
    int of_other = -1;
    if (pthread_create(&worker, NULL, confine_and_open, &of_worker) != 0 || pthread_join(worker, NULL) != 0)
        return -2;
    if (pthread_create(&other, NULL, open_in_thread, &of_other) != 0 || pthread_join(other, NULL) != 0)
        return -2;
    return of_worker == EPERM && of_other == WORKS ? WORKS : -2;
}

START_TEST(threads_have_their_own)
{
    ck_assert_int_eq(outcome_of(as_process, open_elsewhere), WORKS);
}
END_TEST

static pthread_t early;
static uv_sem_t go;

static void *fork_when_told(void *arg)
{
    int *error = arg;
    uv_sem_wait(&go);
    *error = try_fork();
    return NULL;
}

/* A thread that was there before is confined as well. */
static int fork_in_early_thread(void)
{
    static int error = -1;
    if (uv_sem_init(&go, 0) != 0 || pthread_create(&early, NULL, fork_when_told, &error) != 0)
        return -2;
    as_process();
    uv_sem_post(&go);
    return pthread_join(early, NULL) == 0 ? error : -2;
}

static void not_yet(void)
{
}

START_TEST(threads_that_are_there_are_confined)
{
    ck_assert_int_eq(outcome_of(not_yet, fork_in_early_thread), EPERM);
}
END_TEST

static void listen_for_test(void)
{
    listener_of_test = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener_of_test, 0);
    ck_assert_int_eq(listen(listener_of_test, 1), 0);
}

START_TEST(a_build_with_sanitizers_is_open)
{
    ck_assert_int_eq(confine_process(), CONFINED);
    ck_assert_int_eq(confine_worker(), CONFINED);
    ck_assert_int_eq(try_fork(), WORKS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("confine");
    TCase *tests = tcase_create("confine");
    tcase_add_checked_fixture(tests, listen_for_test, NULL);
    if (IS_SANITIZED) {
        tcase_add_test(tests, a_build_with_sanitizers_is_open);
    } else {
        tcase_add_loop_test(tests, the_process, 0, ARRAY_LEN(expectations));
        tcase_add_loop_test(tests, a_worker, 0, ARRAY_LEN(expectations));
        tcase_add_test(tests, a_mistake_of_our_own_still_ends_as_one);
        tcase_add_test(tests, threads_have_their_own);
        tcase_add_test(tests, threads_that_are_there_are_confined);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
