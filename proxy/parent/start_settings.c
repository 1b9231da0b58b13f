/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/parent/start_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

_Static_assert(sizeof(struct start_settings) <= PIPE_BUF, "a pipe takes an answer in one piece");

static _Noreturn void answer(const char *path, pid_t parent, int into)
{
    struct start_settings settings = {0};
    struct cfg_problems problems = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    struct cfg *cfg = cfg_load_to_check(path, &problems);
    if (cfg == NULL)
        _exit(EXIT_FAILURE);
    settings.is_isolated = cfg->key_isolation;
    settings.level = cfg->log_level;
    if (cfg->key_isolation && key_spawn_find_user(cfg, &settings.user, settings.error))
        settings.error[0] = '\0';
    bool ok = write(into, &settings, sizeof settings) == (ssize_t)sizeof settings;
    _exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
}

int start_settings_ask(const char *path, pid_t *child)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    *child = fork();
    if (*child == 0)
        answer(path, parent, ends[1]);
    int error = errno;
    close(ends[1]);
    if (*child > 0)
        return ends[0];
    close(ends[0]);
    errno = error;
    return -1;
}

void start_settings_receive(int from, struct start_settings *settings)
{
    if (read(from, settings, sizeof *settings) == (ssize_t)sizeof *settings)
        return;
    *settings = (struct start_settings){.is_isolated = true, .level = CFG_LOG_INFO};
    snprintf(settings->error, sizeof settings->error, "the process that reads its settings has ended");
}
