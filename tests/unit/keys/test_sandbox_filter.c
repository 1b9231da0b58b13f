/* SPDX-License-Identifier: BSD-2-Clause */
/* What the filters of guard and signer forbid and what they leave, each tried in a process of its own. */
#include "keys/sandbox.h"

#include "base/array.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a try comes to: an errno, or one of these. */
enum { WORKS = 0, KILLS = -1 };
enum { PAGE = 4096, NO_PROCESS = 0x7fffffff };

static int pipes[2];

static int result_of(long result)
{
    return result < 0 ? errno : WORKS;
}

/* ---- tries ---- */

static int try_open(int flags)
{
    return result_of(open("/dev/null", flags | O_CLOEXEC, 0600));
}

static int try_reading_a_file(void)
{
    return try_open(O_RDONLY);
}

static int try_reading_with_other_flags(void)
{
    return try_open(O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

static int try_writing_a_file(void)
{
    return try_open(O_WRONLY);
}

static int try_changing_a_file(void)
{
    return try_open(O_RDWR);
}

static int try_making_a_file(void)
{
    return try_open(O_RDONLY | O_CREAT);
}

static int try_emptying_a_file(void)
{
    return try_open(O_RDONLY | O_TRUNC);
}

static int try_appending_to_a_file(void)
{
    return try_open(O_RDONLY | O_APPEND);
}

static int try_read(void)
{
    char octet;
    return result_of(read(pipes[0], &octet, 0)); /* which does not wait */
}

static int try_write(void)
{
    return result_of(write(pipes[1], "x", 1));
}

static int try_socket(void)
{
    return result_of(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_unix_socket(void)
{
    return result_of(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_socketpair(void)
{
    int ends[2];
    return result_of(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
}

static int try_socketpair_of_another_family(void)
{
    int ends[2];
    return result_of(socketpair(AF_INET, SOCK_STREAM, 0, ends));
}

static int try_execve(void)
{
    char *const arguments[] = {"/bin/true", NULL};
    return result_of(execve(arguments[0], arguments, arguments + 1));
}

static int try_fork(void)
{
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    return result_of(child);
}

static int try_killing(void)
{
    return result_of(kill(NO_PROCESS, SIGKILL));
}

static int try_another_signal(void)
{
    return result_of(kill(NO_PROCESS, SIGTERM));
}

static int try_ptrace(void)
{
    return result_of(ptrace(PTRACE_ATTACH, NO_PROCESS, NULL, NULL));
}

static int map(int protection, int flags, int fd)
{
    return mmap(NULL, PAGE, protection, flags, fd, 0) == MAP_FAILED ? errno : WORKS;
}

static int try_memory(void)
{
    return map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int try_executable_memory(void)
{
    return map(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int try_memory_of_a_file(void)
{
    return map(PROT_READ, MAP_PRIVATE, pipes[0]);
}

static _Alignas(PAGE) char page[PAGE];

static int try_protecting(void)
{
    return result_of(mprotect(page, PAGE, PROT_READ));
}

static int try_making_executable(void)
{
    return result_of(mprotect(page, PAGE, PROT_READ | PROT_EXEC));
}

static int try_random(void)
{
    char octets[16];
    return result_of(getrandom(octets, sizeof octets, 0));
}

static int try_becoming_another_user(void)
{
    return result_of(syscall(SYS_setresuid, -1, -1, -1));
}

static const struct attempt {
    int (*attempt)(void);
    int by_guard;
    int by_signer;
} attempts[] = {
    {try_reading_a_file, WORKS, KILLS},
    {try_reading_with_other_flags, WORKS, KILLS},
    {try_writing_a_file, KILLS, KILLS},
    {try_changing_a_file, KILLS, KILLS},
    {try_making_a_file, KILLS, KILLS},
    {try_emptying_a_file, KILLS, KILLS},
    {try_appending_to_a_file, KILLS, KILLS},
    {try_read, WORKS, WORKS},
    {try_write, KILLS, KILLS},
    {try_socket, KILLS, KILLS},
    {try_unix_socket, KILLS, KILLS},
    {try_socketpair, WORKS, KILLS},
    {try_socketpair_of_another_family, KILLS, KILLS},
    {try_execve, KILLS, KILLS},
    {try_fork, WORKS, KILLS},
    {try_killing, ESRCH, KILLS},
    {try_another_signal, KILLS, KILLS},
    {try_ptrace, KILLS, KILLS},
    {try_memory, WORKS, WORKS},
    {try_executable_memory, KILLS, KILLS},
    {try_memory_of_a_file, KILLS, KILLS},
    {try_protecting, WORKS, WORKS},
    {try_making_executable, KILLS, KILLS},
    {try_random, WORKS, WORKS},
    {try_becoming_another_user, WORKS, KILLS},
};

/* ---- a process that tries ---- */

static void set_up(void)
{
    ck_assert_int_eq(pipe(pipes), 0);
}

static int wait_for(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        ck_assert_int_eq(WTERMSIG(status), SIGSYS);
        return KILLS;
    }
    return WEXITSTATUS(status);
}

static int result_behind(const char *(*filter)(void), int (*attempt)(void))
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        _exit(filter() == NULL ? attempt() : 255);
    }
    return wait_for(child);
}

START_TEST(each_by_itself)
{
    const struct attempt *a = &attempts[_i];
    if (SANDBOX_IS_OPEN)
        return;
    ck_assert_int_eq(result_behind(sandbox_filter_guard, a->attempt), a->by_guard);
    ck_assert_int_eq(result_behind(sandbox_filter_signer, a->attempt), a->by_signer);
}
END_TEST

static sem_t is_filtered;

static void *open_when_told(void *arg)
{
    (void)arg;
    sem_wait(&is_filtered);
    try_reading_a_file();
    _exit(0);
}

/* The signer's is for threads as well that were there before it. */
START_TEST(threads)
{
    if (SANDBOX_IS_OPEN)
        return;
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        bool ok =
            sem_init(&is_filtered, 0, 0) == 0 && pthread_create(&thread, NULL, open_when_told, NULL) == 0;
        if (!ok || sandbox_filter_signer() != NULL)
            _exit(255);
        sem_post(&is_filtered);
        pthread_join(thread, NULL);
        _exit(254);
    }
    ck_assert_int_eq(wait_for(child), KILLS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_filter");
    TCase *tests = tcase_create("sandbox_filter");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_loop_test(tests, each_by_itself, 0, ARRAY_LEN(attempts));
    tcase_add_test(tests, threads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
