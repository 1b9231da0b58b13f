/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/parent/parent.h"

#include "base/array.h"
#include "proxy/keyclient/key_spawn.h"
#include "proxy/parent/parent_link.h"
#include "proxy/parent/parent_log.h"
#include "proxy/parent/restarts.h"
#include "proxy/parent/start_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CAUSE_MAX = KEY_SPAWN_ERROR_MAX,
    /*
     * A guard that is silent for three of these is ended. The proxy has given such a guard up by then
     * (key_supervision.c). They are counted, and not measured: this process may have been stopped, too.
     */
    SILENCE_MS = 5000,
    SILENCES_MAX = 3,
    SIGNAL_STATUS = 128 /* as shells have it: and the signal's number */
};

enum parent_step {
    PARENT_PAUSING, /* the proxy is to be started when its time has come */
    PARENT_ASKING,  /* for the settings of the start */
    PARENT_SERVING, /* the proxy is there */
    PARENT_ENDED
};

struct child {
    pid_t pid; /* 0: it is not there */
    uint64_t started_ms;
    uint64_t due_ms; /* when it is to be started again; 0: it is not */
    struct restarts restarts;
    char cause[CAUSE_MAX]; /* why it has ended, or was not started */
};

struct parent {
    const char *path;
    enum parent_step step;
    int signals; /* signalfd(2) */
    struct child proxy;
    struct child guard;
    int beats; /* of the guard; -1 */
    unsigned silences;
    uint64_t silent_ms; /* when the next one counts; 0: none does */
    pid_t asked;        /* the child that reads the settings; 0: none */
    int settings_end;   /* of its pipe; -1 */
    struct start_settings settings;
    int link;        /* to the proxy; -1 */
    unsigned owed;   /* signals that the proxy has not been told of, by their indices in handed_on */
    int owed_guard;  /* a control socket likewise; -1 */
    bool is_restart; /* a proxy has ended before, and not by itself */
    bool is_stopping;
    bool gives_up;
    int status; /* of the program */
};

static const int handed_on[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT};
static sigset_t inherited; /* what was blocked before parent_hold_signals */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool ends_program(int number)
{
    return number == SIGTERM || number == SIGINT;
}

/* ---- the log ---- */

static void log_child(const struct parent *parent, enum cfg_log_level level, const char *event,
                      const struct child *child, uint64_t pause_ms)
{
    struct log_line line;
    if (level > parent->settings.level)
        return;
    log_line_begin(&line, level, event);
    log_line_add_text(&line, "cause", child->cause);
    if (pause_ms > 0)
        log_line_add_seconds(&line, "pause", pause_ms);
    parent_log_write(&line);
}

static void describe_end(char cause[CAUSE_MAX], int status)
{
    if (WIFSIGNALED(status))
        snprintf(cause, CAUSE_MAX, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(cause, CAUSE_MAX, "exit status %d", WEXITSTATUS(status));
}

/* ---- telling the proxy ---- */

static void owe_guard(struct parent *parent, int control)
{
    if (parent->owed_guard >= 0)
        close(parent->owed_guard);
    parent->owed_guard = control;
}

static bool is_in_debt(const struct parent *parent)
{
    return parent->link >= 0 && (parent->owed != 0 || parent->owed_guard >= 0);
}

/* A proxy that has ended is told nothing: what comes of that is decided when its end is reported. */
static bool tell(const struct parent *parent, const struct parent_word *word)
{
    return parent_link_send(parent->link, word) || errno != EAGAIN;
}

/* As far as the proxy reads it. */
static void pay(struct parent *parent)
{
    struct parent_word word = {.kind = PARENT_GUARD, .control = parent->owed_guard};
    if (parent->link < 0)
        return;
    if (word.control >= 0 && tell(parent, &word))
        owe_guard(parent, -1);
    word = (struct parent_word){.kind = PARENT_SIGNAL, .control = -1};
    for (size_t i = 0; i < ARRAY_LEN(handed_on); i++) {
        word.signal = handed_on[i];
        if ((parent->owed & 1U << i) != 0 && tell(parent, &word))
            parent->owed &= ~(1U << i);
    }
}

static void hand_on(struct parent *parent, int number)
{
    for (size_t i = 0; i < ARRAY_LEN(handed_on); i++)
        if (handed_on[i] == number)
            parent->owed |= 1U << i;
    pay(parent);
}

static void close_link(struct parent *parent)
{
    if (parent->link >= 0)
        close(parent->link);
    parent->link = -1;
    owe_guard(parent, -1);
}

/* ---- the end ---- */

static void end(struct parent *parent, int status)
{
    parent->step = PARENT_ENDED;
    parent->status = parent->gives_up ? PARENT_STATUS_GAVE_UP : status;
}

/* Nothing is started again from here on. The word goes first: a proxy that serves listens to nothing else. */
static void stop(struct parent *parent, int number)
{
    parent->is_stopping = true;
    parent->guard.due_ms = 0;
    if (parent->step != PARENT_SERVING) {
        end(parent, PARENT_STATUS_STOPPED);
        return;
    }
    hand_on(parent, number);
    kill(parent->proxy.pid, number);
}

/* The supervisor is to see it: a new program may find what this one can't. */
static void give_up(struct parent *parent)
{
    parent->gives_up = true;
    stop(parent, SIGTERM);
}

/* ---- guard ---- */

/* From now on, or, with -1, not any more. */
static void listen_to_guard(struct parent *parent, int beats)
{
    if (parent->beats >= 0)
        close(parent->beats);
    parent->beats = beats;
    parent->silences = 0;
    parent->silent_ms = beats >= 0 ? now_ms() + SILENCE_MS : 0;
}

/* What it sends has no meaning, and is not looked at. */
static void on_beat(struct parent *parent)
{
    char octets[64];
    ssize_t len = recv(parent->beats, octets, sizeof octets, MSG_DONTWAIT);
    if (len > 0) {
        parent->silences = 0;
        parent->silent_ms = now_ms() + SILENCE_MS;
    } else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
        listen_to_guard(parent, -1); /* it is about to end */
    }
}

static void on_silence(struct parent *parent)
{
    parent->silent_ms = now_ms() + SILENCE_MS;
    if (++parent->silences < SILENCES_MAX)
        return;
    parent->silent_ms = 0;
    snprintf(parent->guard.cause, CAUSE_MAX, "no sign of life for %d seconds",
             SILENCES_MAX * SILENCE_MS / 1000);
    log_child(parent, CFG_LOG_ERROR, "guard-hung", &parent->guard, 0);
    kill(parent->guard.pid, SIGKILL);
}

static bool start_guard(struct parent *parent, int *control)
{
    struct child *guard = &parent->guard;
    guard->started_ms = now_ms();
    guard->due_ms = 0;
    *control = -1;
    if (parent->settings.error[0] != '\0') {
        snprintf(guard->cause, sizeof guard->cause, "%s", parent->settings.error);
        return false;
    }
    int beats = -1;
    *control = key_spawn_watched(&parent->settings.user, &guard->pid, &beats, guard->cause);
    if (*control < 0)
        guard->pid = 0;
    listen_to_guard(parent, beats);
    return *control >= 0;
}

static void restart_guard_later(struct parent *parent)
{
    struct child *guard = &parent->guard;
    uint64_t now = now_ms();
    uint64_t pause_ms;
    if (restarts_next(&guard->restarts, now - guard->started_ms, &pause_ms)) {
        guard->due_ms = now + pause_ms;
        return;
    }
    log_child(parent, CFG_LOG_ERROR, "guard-given-up", guard, 0);
    give_up(parent);
}

static void restart_guard(struct parent *parent)
{
    int control;
    if (start_guard(parent, &control)) {
        log_child(parent, CFG_LOG_WARNING, "guard-restarted", &parent->guard, 0);
        owe_guard(parent, control);
        pay(parent);
    } else {
        log_child(parent, CFG_LOG_ERROR, "guard-not-restarted", &parent->guard, 0);
        restart_guard_later(parent);
    }
}

/* At the end of a proxy its guard ends as well, and nobody waits for another. */
static void on_guard_end(struct parent *parent, int status)
{
    parent->guard.pid = 0;
    listen_to_guard(parent, -1);
    describe_end(parent->guard.cause, status);
    if (parent->step == PARENT_SERVING && !parent->is_stopping)
        restart_guard_later(parent);
}

static void end_guard(struct parent *parent)
{
    parent->guard.due_ms = 0;
    if (parent->guard.pid > 0)
        kill(parent->guard.pid, SIGKILL);
}

/* ---- proxy ---- */

/*
 * In the child. A SIGTERM or SIGINT ends it until its workers begin, and so does the parent's end. The others
 * must not, and come as words.
 */
static _Noreturn void become_proxy(const struct parent *parent, int link)
{
    char *arguments[] = {"deepproxy", "serve", "-c", (char *)(uintptr_t)parent->path, NULL};
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(handed_on); i++)
        signal(handed_on[i], ends_program(handed_on[i]) ? SIG_DFL : SIG_IGN);
    sigprocmask(SIG_SETMASK, &inherited, NULL);
    if (link == PARENT_LINK_FD ? fcntl(link, F_SETFD, 0) == 0 : dup2(link, PARENT_LINK_FD) >= 0)
        execv("/proc/self/exe", arguments);
    fprintf(stderr, "deepproxy: can't start itself as /proc/self/exe: %s\n", strerror(errno));
    _exit(EXIT_FAILURE);
}

/* False with errno. The first word is there before the proxy is. */
static bool start_proxy(struct parent *parent, const struct parent_word *first)
{
    int far;
    if (!parent_link_pair(&parent->link, &far))
        return false;
    pid_t pid = parent_link_send(parent->link, first) ? fork() : -1;
    int error = errno;
    if (pid == 0)
        become_proxy(parent, far);
    close(far);
    errno = error;
    if (pid < 0)
        return false;
    parent->proxy.pid = pid;
    parent->step = PARENT_SERVING;
    pay(parent);
    return true;
}

static void restart_proxy_later(struct parent *parent)
{
    struct child *proxy = &parent->proxy;
    uint64_t now = now_ms();
    uint64_t pause_ms;
    parent->step = PARENT_PAUSING;
    if (!restarts_next(&proxy->restarts, now - proxy->started_ms, &pause_ms)) {
        log_child(parent, CFG_LOG_ERROR, "proxy-given-up", proxy, 0);
        give_up(parent);
        return;
    }
    log_child(parent, CFG_LOG_ERROR, "proxy-ended", proxy, pause_ms);
    proxy->due_ms = now + pause_ms;
}

static void fail_to_start(struct parent *parent)
{
    snprintf(parent->proxy.cause, sizeof parent->proxy.cause, "can't be started: %s", strerror(errno));
    close_link(parent);
    end_guard(parent);
    restart_proxy_later(parent);
}

/* Guard and proxy, after the settings are known. */
static void start_both(struct parent *parent)
{
    struct parent_word first = {.kind = PARENT_NO_GUARD, .control = -1};
    parent->guard.restarts = (struct restarts){0};
    if (parent->settings.is_isolated && start_guard(parent, &first.control))
        first.kind = PARENT_GUARD;
    else if (parent->settings.is_isolated)
        snprintf(first.text, sizeof first.text, "%s", parent->guard.cause);
    bool ok = start_proxy(parent, &first);
    if (!ok)
        fail_to_start(parent);
    if (first.control >= 0)
        close(first.control);
}

static void ask_for_settings(struct parent *parent)
{
    parent->proxy.started_ms = now_ms();
    parent->proxy.due_ms = 0;
    parent->step = PARENT_ASKING;
    parent->settings_end = start_settings_ask(parent->path, &parent->asked);
    if (parent->settings_end < 0)
        fail_to_start(parent);
}

static void on_settings(struct parent *parent)
{
    start_settings_receive(parent->settings_end, &parent->settings);
    close(parent->settings_end);
    parent->settings_end = -1;
    start_both(parent);
}

/* What the program's status is, if the proxy's end is its end. */
static int status_of_end(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return ends_program(WTERMSIG(status)) ? PARENT_STATUS_STOPPED : SIGNAL_STATUS + WTERMSIG(status);
}

/* Trying again would not help: it has done what it was told to, or has found at its start that it can't. */
static bool has_ended_by_itself(const struct parent *parent, int status)
{
    return WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_SUCCESS ||
                                 (WEXITSTATUS(status) == EXIT_FAILURE && !parent->is_restart));
}

static void on_proxy_end(struct parent *parent, int status)
{
    parent->proxy.pid = 0;
    describe_end(parent->proxy.cause, status);
    close_link(parent);
    if (parent->is_stopping && WIFSIGNALED(status) && !ends_program(WTERMSIG(status)))
        log_child(parent, CFG_LOG_ERROR, "proxy-ended", &parent->proxy, 0);
    if (parent->is_stopping || has_ended_by_itself(parent, status)) {
        end(parent, status_of_end(status));
        return;
    }
    parent->is_restart = true;
    end_guard(parent);
    restart_proxy_later(parent);
}

/* ---- what happens ---- */

/* Those of others, too: orphans are given to PID 1. */
static void reap(struct parent *parent)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == parent->asked)
            parent->asked = 0;
        else if (pid == parent->guard.pid)
            on_guard_end(parent, status);
        else if (pid == parent->proxy.pid)
            on_proxy_end(parent, status);
    }
}

/* What was sent before a child has ended counts before that. */
static void on_signals(struct parent *parent)
{
    struct signalfd_siginfo info;
    while (read(parent->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        int number = (int)info.ssi_signo;
        if (ends_program(number))
            stop(parent, number);
        else if (number != SIGCHLD)
            hand_on(parent, number);
    }
    reap(parent);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static int wait_ms(const struct parent *parent)
{
    uint64_t due = earlier(earlier(parent->proxy.due_ms, parent->guard.due_ms), parent->silent_ms);
    uint64_t now = now_ms();
    if (due == 0)
        return -1;
    return due > now ? (int)(due - now) : 0;
}

static bool is_due(const struct child *child)
{
    return child->due_ms != 0 && child->due_ms <= now_ms();
}

static void handle_next(struct parent *parent)
{
    struct pollfd events[] = {{parent->signals, POLLIN, 0},
                              {parent->settings_end, POLLIN, 0},
                              {is_in_debt(parent) ? parent->link : -1, POLLOUT, 0},
                              {parent->beats, POLLIN, 0}};
    if (poll(events, ARRAY_LEN(events), wait_ms(parent)) < 0)
        return;
    if (events[2].revents != 0)
        pay(parent);
    if (events[3].revents != 0)
        on_beat(parent);
    else if (parent->silent_ms != 0 && parent->silent_ms <= now_ms())
        on_silence(parent);
    if (events[0].revents != 0)
        on_signals(parent);
    if (events[1].revents != 0 && parent->step == PARENT_ASKING)
        on_settings(parent);
    if (parent->step == PARENT_PAUSING && is_due(&parent->proxy))
        ask_for_settings(parent);
    if (parent->step == PARENT_SERVING && is_due(&parent->guard))
        restart_guard(parent);
}

/* ---- start and end ---- */

static void set_of_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LEN(handed_on); i++)
        sigaddset(set, handed_on[i]);
}

void parent_hold_signals(void)
{
    sigset_t set;
    set_of_signals(&set);
    sigprocmask(SIG_BLOCK, &set, &inherited);
    /* If it is ignored, children end without a report. */
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
}

/* Its guard ends with the control socket, which only the proxy had. */
static void end_all(struct parent *parent)
{
    close_link(parent);
    if (parent->settings_end >= 0)
        close(parent->settings_end);
    if (parent->asked > 0)
        kill(parent->asked, SIGKILL);
    if (parent->guard.pid > 0)
        key_spawn_wait(parent->guard.pid);
    listen_to_guard(parent, -1);
    close(parent->signals);
}

int parent_run(const char *path)
{
    struct parent parent = {.path = path,
                            .settings_end = -1,
                            .settings.level = CFG_LOG_INFO,
                            .link = -1,
                            .owed_guard = -1,
                            .beats = -1};
    sigset_t set;
    /* The proxy may be of the same user: it is not to trace or read this process. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    set_of_signals(&set);
    parent.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (parent.signals < 0) {
        fprintf(stderr, "deepproxy: can't start: %s\n", strerror(errno));
        return PARENT_STATUS_START;
    }
    ask_for_settings(&parent);
    while (parent.step != PARENT_ENDED)
        handle_next(&parent);
    end_all(&parent);
    return parent.status;
}
