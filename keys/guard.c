/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/file_opener.h"
#include "keys/keys_message.h"
#include "keys/keys_process.h"
#include "keys/keys_wire.h"
#include "keys/path_look.h"
#include "keys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPENED_MAX = 2 }; /* a key's file, and its passphrase's */

struct guard {
    struct keys_user user; /* of the signer */
    int signer;            /* the socket to it; -1: there is none */
    pid_t pid;
    int channels[KEYS_CHANNELS_MAX];
    size_t channel_count;
    bool is_watched;
    long long beat_at_ms; /* when the last octet was sent */
    uint8_t message[KEYS_REPLY_MAX];
};

static void copy_path(char into[KEYS_PATH_MAX + 1], struct slice path)
{
    memcpy(into, path.data, path.len);
    into[path.len] = '\0';
}

static bool reply(enum keys_reply_type type, const char *text)
{
    uint8_t message[512];
    struct slice payload = slice_first(slice_of(text), sizeof message - 1);
    return keys_message_send(KEYS_CONTROL_FD, (struct slice){message, keys_put_reply(message, type, payload)},
                             NULL, 0);
}

/* ---- the signer's life ---- */

static _Noreturn void become_signer(struct guard *guard, int control)
{
    pid_t parent = getppid();
    close(KEYS_CONTROL_FD);
    if (guard->is_watched)
        close(KEYS_BEAT_FD);
    if (guard->signer >= 0)
        close(guard->signer);
    signer_run(control, guard->channels, guard->channel_count, &guard->user, parent);
}

static void close_channels(struct guard *guard)
{
    keys_close_all(guard->channels, guard->channel_count);
    guard->channel_count = 0;
}

/* Answers only if it fails: otherwise the signer answers when it is ready. */
static void start_signer(struct guard *guard)
{
    int ends[2];
    if (guard->signer >= 0) {
        close_channels(guard);
        reply(KEYS_FAILED, "the signer runs already");
        return;
    }
    bool ok = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
    guard->pid = ok ? fork() : -1;
    if (guard->pid == 0) {
        guard->signer = ends[0];
        become_signer(guard, ends[1]);
    }
    close_channels(guard);
    if (guard->pid < 0) {
        reply(KEYS_FAILED, strerror(errno));
        if (ok)
            keys_close_all(ends, 2);
        return;
    }
    close(ends[1]);
    /* A signer that reads no more must not keep the guard from ending it. */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    guard->signer = ends[0];
}

/* Waits for the end of a process, and describes it as text. */
static void describe_end(pid_t pid, char *into, size_t cap)
{
    int status = 0;
    pid_t ended;
    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended == pid && WIFSIGNALED(status))
        snprintf(into, cap, "killed by signal %d%s", WTERMSIG(status),
                 WTERMSIG(status) == SIGSYS ? " (it made a forbidden system call)" : "");
    else
        snprintf(into, cap, "exit status %d", ended == pid ? WEXITSTATUS(status) : -1);
}

/* The signer has ended. False if the proxy has gone. */
static bool end_signer(struct guard *guard)
{
    char text[128];
    close(guard->signer);
    guard->signer = -1;
    describe_end(guard->pid, text, sizeof text);
    return reply(KEYS_ENDED, text);
}

/* Forwards the signer's message. False if the proxy has gone. */
static bool receive_from_signer(struct guard *guard)
{
    size_t fds = 0;
    ssize_t len = keys_message_receive(guard->signer, guard->message, sizeof guard->message, NULL, &fds);
    enum keys_reply_type type;
    struct slice payload;
    struct slice message = {guard->message, len > 0 ? (size_t)len : 0};
    if (!keys_take_reply(message, &type, &payload) || type == KEYS_ENDED) {
        /* It has ended, or is faulty. */
        kill(guard->pid, SIGKILL);
        return end_signer(guard);
    }
    return keys_message_send(KEYS_CONTROL_FD, message, NULL, 0);
}

/* Its end is handled when its socket is read. */
static void end_by_force(const struct guard *guard)
{
    if (guard->signer >= 0)
        kill(guard->pid, SIGKILL);
}

/* ---- commands ---- */

static bool reply_unopened(const char *before)
{
    char text[256];
    if (errno == ENXIO)
        snprintf(text, sizeof text, "%sis no regular file", before);
    else
        snprintf(text, sizeof text, "%scan't be opened: %s", before, strerror(errno));
    return reply(KEYS_FAILED, text);
}

/*
 * Opens a path, if there is one, and adds the descriptor. False if it can't be opened: KEYS_FAILED was sent
 * then.
 */
static bool open_for(struct slice path, const char *before, int fds[OPENED_MAX], size_t *count)
{
    char text[KEYS_PATH_MAX + 1];
    if (path.len == 0)
        return true;
    copy_path(text, path);
    int fd = file_opener_open(text);
    if (fd < 0) {
        reply_unopened(before);
        return false;
    }
    fds[(*count)++] = fd;
    return true;
}

/*
 * False with errno if the signer can't be told: its end is handled when its socket is read. The proxy lets no
 * more commands wait than the socket takes, so that a full one shows a signer that hangs.
 */
static bool send_to_signer(const struct guard *guard, const struct keys_command *command, const int *fds,
                           size_t fd_count)
{
    uint8_t message[KEYS_COMMAND_MAX];
    if (keys_message_send(guard->signer, (struct slice){message, keys_put_command(message, command)}, fds,
                          fd_count))
        return true;
    int error = errno;
    kill(guard->pid, SIGKILL);
    errno = error;
    return false;
}

/* A command that keys_command_reads. */
static void open_and_forward(const struct guard *guard, const struct keys_command *command)
{
    int fds[OPENED_MAX] = {-1, -1};
    size_t count = 0;
    /* The signer gets descriptors; the form of the command needs a path. */
    struct keys_command forwarded = {.type = command->type, .key = command->key, .path = slice_of("-")};
    if (guard->signer < 0) {
        reply(KEYS_FAILED, "could not be used, as the key process does not run");
        return;
    }
    bool opened = open_for(command->path, "", fds, &count) &&
                  open_for(command->passphrase_path, "has a passphrase whose file ", fds, &count);
    bool sent = opened && send_to_signer(guard, &forwarded, fds, count);
    int error = errno;
    keys_close_all(fds, count);
    if (opened && !sent)
        reply(KEYS_FAILED, strerror(error));
}

static bool reply_payload(struct slice payload)
{
    static uint8_t message[KEYS_REPLY_MAX];
    return keys_message_send(KEYS_CONTROL_FD,
                             (struct slice){message, keys_put_reply(message, KEYS_DONE, payload)}, NULL, 0);
}

/* What the guard answers itself: names, and whether a file is the same. The signer need not run. */
static void answer_look(const struct keys_command *command)
{
    char path[KEYS_PATH_MAX + 1];
    uint8_t payload[KEYS_LOOK_LEN];
    struct keys_look look;
    copy_path(path, command->path);
    if (!path_look_at(path, &look)) {
        reply_unopened("");
        return;
    }
    keys_put_look(payload, &look);
    reply_payload((struct slice){payload, sizeof payload});
}

static void answer_list(const struct keys_command *command)
{
    static uint8_t payload[KEYS_REPLY_MAX - 1];
    char path[KEYS_PATH_MAX + 1];
    size_t len = 0;
    copy_path(path, command->path);
    if (path_look_list(path, command->key, payload, sizeof payload, &len))
        reply_payload((struct slice){payload, len});
    else
        reply_unopened("");
}

/* A command that has no path. */
static void forward(const struct guard *guard, const struct keys_command *command)
{
    bool sent = guard->signer >= 0 && send_to_signer(guard, command, NULL, 0);
    if (!sent && command->type == KEYS_PING)
        reply(KEYS_FAILED, "the key process does not run, or does not read");
}

static bool add_channels(struct guard *guard, const int *fds, size_t count)
{
    if (count > KEYS_CHANNELS_MAX - guard->channel_count) {
        keys_close_all(fds, count);
        return false;
    }
    memcpy(guard->channels + guard->channel_count, fds, count * sizeof fds[0]);
    guard->channel_count += count;
    return true;
}

/* False if the proxy has gone, or is faulty. */
static bool obey(struct guard *guard)
{
    int fds[KEYS_CHANNELS_EACH];
    size_t count = KEYS_CHANNELS_EACH;
    struct keys_command command;
    ssize_t len = keys_message_receive(KEYS_CONTROL_FD, guard->message, sizeof guard->message, fds, &count);
    if (len <= 0 || !keys_take_command((struct slice){guard->message, (size_t)len}, &command))
        return false;
    if (command.type == KEYS_CHANNELS)
        return add_channels(guard, fds, count);
    keys_close_all(fds, count);
    if (command.type == KEYS_START)
        start_signer(guard);
    else if (command.type == KEYS_KILL)
        end_by_force(guard);
    else if (keys_command_reads(command.type))
        open_and_forward(guard, &command);
    else if (command.type == KEYS_LOOK)
        answer_look(&command);
    else if (command.type == KEYS_LIST)
        answer_list(&command);
    else
        forward(guard, &command);
    return true;
}

/* ---- the process ---- */

/* What can't be sent now shows nobody that this process hangs. */
static void beat(struct guard *guard)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long now_ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    if (!guard->is_watched || now_ms - guard->beat_at_ms < KEYS_BEAT_MS)
        return;
    guard->beat_at_ms = now_ms;
    (void)send(KEYS_BEAT_FD, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static const char *confine(pid_t proxy)
{
    const char *failed = sandbox_begin(proxy);
    if (failed == NULL)
        failed = sandbox_keep_guard();
    return failed != NULL ? failed : sandbox_filter_guard();
}

/* Not earlier: the loader's errors must reach the terminal. */
static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd < KEYS_CONTROL_FD; fd++)
        dup2(null, fd);
    if (null > KEYS_CONTROL_FD)
        close(null);
}

int guard_run(const struct keys_user *signer, bool is_watched, pid_t proxy)
{
    static struct guard guard = {.signer = -1, .beat_at_ms = -KEYS_BEAT_MS};
    guard.user = *signer;
    guard.is_watched = is_watched;
    leave_terminal();
    const char *failed = confine(proxy);
    if (failed != NULL) {
        char text[256];
        snprintf(text, sizeof text, "can't %s: %s", failed, strerror(errno));
        reply(KEYS_FAILED, text);
        return EXIT_FAILURE;
    }
    for (bool alive = true; alive;) {
        struct pollfd sockets[] = {{KEYS_CONTROL_FD, POLLIN, 0}, {guard.signer, POLLIN, 0}};
        beat(&guard);
        if (poll(sockets, 2, is_watched ? KEYS_BEAT_MS : -1) < 0)
            continue;
        alive = sockets[1].revents == 0 || receive_from_signer(&guard);
        alive = alive && (sockets[0].revents == 0 || obey(&guard));
    }
    return EXIT_SUCCESS;
}
