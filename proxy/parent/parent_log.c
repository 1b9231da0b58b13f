/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/parent/parent_log.h"

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

/* The first signal may come before the write has begun to wait; one of the next ends it. */
#define AGAIN_MS 20

static void do_nothing(int number)
{
    (void)number;
}

static struct timeval milliseconds(long count)
{
    return (struct timeval){count / 1000, count % 1000 * 1000};
}

/* The flags of standard error are other processes', too: the write may wait, and a signal ends that. */
void parent_log_write(struct log_line *line)
{
    static const struct itimerval none = {0};
    struct itimerval limit = {.it_interval = milliseconds(AGAIN_MS),
                              .it_value = milliseconds(PARENT_LOG_WAIT_MS)};
    struct sigaction action = {.sa_handler = do_nothing};
    log_line_end(line);
    /* It stays: a signal may come late. */
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &limit, NULL);
    /* A pipe takes a line in one piece. */
    ssize_t written = write(STDERR_FILENO, line->text, line->len);
    setitimer(ITIMER_REAL, &none, NULL);
    (void)written;
}
