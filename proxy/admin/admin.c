/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin.h"

#include "proxy/common/accept.h"
#include "proxy/common/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEVER UINT64_MAX

/* A connection. */
struct visitor {
    int fd;           /* -1: the place is free */
    uint64_t expires; /* uv_now */
};

struct admin {
    uv_loop_t *loop;
    struct log *log;
    struct MHD_Daemon *daemon; /* NULL until there is an address to serve */
    uv_poll_t poll;            /* the daemon's epoll descriptor */
    uv_timer_t timer;
    struct admin_listeners listeners;
    uint64_t paused_until; /* 0: not paused */
    struct visitor visitors[ADMIN_CONNECTIONS_MAX];
    struct admin_pages pages;
};

static void log_event(const struct admin *admin, enum cfg_log_level level, const char *event, const char *key,
                      const char *value)
{
    struct log_line line;
    log_line_begin(&line, level, event);
    log_line_add_text(&line, key, value);
    log_write(admin->log, &line);
}

/* ---- visitors ---- */

static struct visitor *find_visitor(struct admin *admin, int fd)
{
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        if (admin->visitors[i].fd == fd)
            return &admin->visitors[i];
    return NULL;
}

/* NULL if there is none. */
static struct visitor *find_oldest(struct admin *admin)
{
    struct visitor *oldest = NULL;
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        struct visitor *visitor = &admin->visitors[i];
        if (visitor->fd >= 0 && (oldest == NULL || visitor->expires < oldest->expires))
            oldest = visitor;
    }
    return oldest;
}

/*
 * MHD_NotifyConnectionCallback. The descriptor belongs to the connection until the library reports its end.
 */
static void on_visit(void *arg, struct MHD_Connection *connection, void **context,
                     enum MHD_ConnectionNotificationCode what)
{
    struct admin *admin = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct visitor *visitor = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED && (visitor = find_visitor(admin, -1)) != NULL) {
        *visitor = (struct visitor){info->connect_fd, uv_now(admin->loop) + ADMIN_VISIT_MS};
        *context = visitor;
    } else if (what == MHD_CONNECTION_NOTIFY_CLOSED && visitor != NULL) {
        visitor->fd = -1;
    }
}

/*
 * The library sees the end, and closes: by a reset, so that the kernel keeps nothing for a client that does
 * not read.
 */
static void end_visit(const struct admin *admin, struct visitor *visitor)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(visitor->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(visitor->fd, SHUT_RDWR);
    visitor->expires = uv_now(admin->loop) + ADMIN_VISIT_MS;
}

/* MHD_AccessHandlerCallback: called when the header fields are complete. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body, size_t *body_len,
                                  void **context)
{
    struct admin *admin = arg;
    (void)version;
    (void)body;
    (void)body_len;
    (void)context;
    return admin_page_answer(&admin->pages, connection, method, path);
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer);

/* To the next moment at which something is to be done without an event on a socket. */
static void set_timer(struct admin *admin)
{
    uint64_t now = uv_now(admin->loop);
    uint64_t due = admin->paused_until > 0 ? admin->paused_until : NEVER;
    const struct visitor *oldest = find_oldest(admin);
    MHD_UNSIGNED_LONG_LONG wait;
    if (oldest != NULL && oldest->expires < due)
        due = oldest->expires;
    if (MHD_get_timeout(admin->daemon, &wait) == MHD_YES && now + wait < due)
        due = now + wait;
    if (due == NEVER)
        uv_timer_stop(&admin->timer);
    else
        uv_timer_start(&admin->timer, on_timer, due > now ? due - now : 0, 0);
}

static void run_daemon(struct admin *admin)
{
    MHD_run(admin->daemon);
    set_timer(admin);
}

static void on_daemon(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run_daemon(poll->data);
}

/* ---- accepting ---- */

static void on_incoming(uv_poll_t *poll, int status, int events);

static void pause_accepting(struct admin *admin, int error)
{
    log_event(admin, CFG_LOG_WARNING, "admin-accept-failed", "error",
              uv_strerror(uv_translate_sys_error(error)));
    admin->paused_until = uv_now(admin->loop) + ADMIN_PAUSE_MS;
    for (size_t i = 0; i < admin->listeners.count; i++)
        uv_poll_stop(&admin->listeners.items[i]->poll);
}

static void resume_accepting(struct admin *admin)
{
    admin->paused_until = 0;
    for (size_t i = 0; i < admin->listeners.count; i++)
        uv_poll_start(&admin->listeners.items[i]->poll, UV_READABLE, on_incoming);
}

static void on_timer(uv_timer_t *timer)
{
    struct admin *admin = timer->data;
    uint64_t now = uv_now(admin->loop);
    if (admin->paused_until > 0 && admin->paused_until <= now)
        resume_accepting(admin);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        if (admin->visitors[i].fd >= 0 && admin->visitors[i].expires <= now)
            end_visit(admin, &admin->visitors[i]);
    run_daemon(admin);
}

static bool make_place(struct admin *admin)
{
    if (find_visitor(admin, -1) == NULL) {
        end_visit(admin, find_oldest(admin));
        MHD_run(admin->daemon);
    }
    return find_visitor(admin, -1) != NULL;
}

/* False if no more can be accepted now. */
static bool accept_one(struct admin *admin, int listener)
{
    static const int send_buffer = ADMIN_SEND_BUFFER;
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd;
    enum accept_outcome outcome = accept_connection(listener, &fd, (struct sockaddr *)&address, &len);
    if (outcome == ACCEPT_SHORT)
        pause_accepting(admin, errno);
    if (outcome != ACCEPT_DONE)
        return outcome == ACCEPT_LOST;
    if (!make_place(admin)) {
        close(fd);
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    /* The library closes the socket if this fails. */
    return MHD_add_connection(admin->daemon, fd, (const struct sockaddr *)&address, len) == MHD_YES;
}

static void on_incoming(uv_poll_t *poll, int status, int events)
{
    const struct admin_listener *listener = (struct admin_listener *)poll;
    struct admin *admin = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ADMIN_ACCEPTS && accept_one(admin, listener->fd); i++)
        ;
    run_daemon(admin);
}

/* ---- listeners ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    free((struct admin_listener *)handle);
}

static void stop_listener(struct admin_listener *listener)
{
    uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
    close(listener->fd);
}

static bool start_listener(struct admin *admin, struct admin_listener *listener)
{
    char address[ADDRESS_TEXT_MAX];
    int error = uv_poll_init_socket(admin->loop, &listener->poll, listener->fd);
    if (error != 0) {
        log_event(admin, CFG_LOG_ERROR, "admin-listen-failed", "error", uv_strerror(error));
        return false;
    }
    listener->poll.data = admin;
    listener->is_served = true;
    address_format((const struct sockaddr *)&listener->address, address);
    log_event(admin, CFG_LOG_INFO, "admin-listening", "address", address);
    return true;
}

static bool has_listener(const struct admin_listeners *listeners, const struct admin_listener *listener)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i] == listener)
            return true;
    return false;
}

void admin_serve(struct admin *admin, struct admin_listeners *listeners)
{
    for (size_t i = 0; i < admin->listeners.count; i++)
        if (!has_listener(listeners, admin->listeners.items[i]))
            stop_listener(admin->listeners.items[i]);
    admin->listeners.count = 0;
    for (size_t i = 0; i < listeners->count; i++) {
        struct admin_listener *listener = listeners->items[i];
        if (listener->is_served || start_listener(admin, listener)) {
            admin->listeners.items[admin->listeners.count++] = listener;
            listeners->items[i] = NULL;
        }
    }
    resume_accepting(admin);
    admin_listeners_give_up(listeners);
}

const struct admin_listeners *admin_listening(const struct admin *admin)
{
    return &admin->listeners;
}

/* ---- life ---- */

struct admin *admin_new(uv_loop_t *loop, const struct admin_source *source, struct log *log)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return NULL;
    admin->loop = loop;
    admin->log = log;
    admin->pages.source = *source;
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        admin->visitors[i].fd = -1;
    uv_timer_init(loop, &admin->timer);
    admin->timer.data = admin->poll.data = admin;
    return admin;
}

static bool watch_daemon(struct admin *admin)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info != NULL && uv_poll_init(admin->loop, &admin->poll, info->epoll_fd) == 0 &&
           uv_poll_start(&admin->poll, UV_READABLE, on_daemon) == 0;
}

bool admin_prepare(struct admin *admin)
{
    if (admin->daemon != NULL)
        return true;
    admin->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request,
                                     admin, MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_CONNECTION_MEMORY,
                                     MHD_OPTION_NOTIFY_CONNECTION, on_visit, admin, MHD_OPTION_END);
    if (admin->daemon == NULL || watch_daemon(admin))
        return admin->daemon != NULL;
    MHD_stop_daemon(admin->daemon);
    admin->daemon = NULL;
    return false;
}

void admin_certificates_changed(struct admin *admin)
{
    metrics_certificates_unref(&admin->pages.certificates);
}

void admin_close(struct admin *admin)
{
    struct admin_listeners none = {0};
    admin_serve(admin, &none);
    uv_close((uv_handle_t *)&admin->timer, NULL);
    if (admin->daemon == NULL)
        return;
    uv_close((uv_handle_t *)&admin->poll, NULL);
    MHD_stop_daemon(admin->daemon);
    admin->daemon = NULL;
}

void admin_free(struct admin **admin)
{
    if (*admin != NULL)
        admin_certificates_changed(*admin);
    free(*admin);
    *admin = NULL;
}

const char *admin_library_name(void)
{
    static char name[64];
    snprintf(name, sizeof name, "libmicrohttpd %s", MHD_get_version());
    return name;
}
