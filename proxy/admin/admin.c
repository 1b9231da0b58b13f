/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin.h"

#include "proxy/admin/visit.h"
#include "proxy/common/accept.h"
#include "proxy/common/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEVER UINT64_MAX

struct admin {
    uv_loop_t *loop;
    struct log *log;
    uv_timer_t timer;
    struct admin_listeners listeners;
    uint64_t paused_until;                       /* 0: not paused */
    struct visit *visits[ADMIN_CONNECTIONS_MAX]; /* NULL: the place is free */
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

/* ---- visits ---- */

static void on_timer(uv_timer_t *timer);

/* The one that has been there longest; NULL if there is none. */
static struct visit *find_oldest(const struct admin *admin)
{
    struct visit *oldest = NULL;
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        struct visit *visit = admin->visits[i];
        if (visit != NULL && (oldest == NULL || visit->expires < oldest->expires))
            oldest = visit;
    }
    return oldest;
}

/* The index of a place that has this visit (NULL: that is free); ADMIN_CONNECTIONS_MAX if there is none. */
static size_t find_place(const struct admin *admin, const struct visit *visit)
{
    size_t i = 0;
    while (i < ADMIN_CONNECTIONS_MAX && admin->visits[i] != visit)
        i++;
    return i;
}

/* To the next moment at which something is to be done without an event on a socket. */
static void set_timer(struct admin *admin)
{
    uint64_t now = uv_now(admin->loop);
    uint64_t due = admin->paused_until > 0 ? admin->paused_until : NEVER;
    const struct visit *oldest = find_oldest(admin);
    if (oldest != NULL && oldest->expires < due)
        due = oldest->expires;
    if (due == NEVER)
        uv_timer_stop(&admin->timer);
    else
        uv_timer_start(&admin->timer, on_timer, due > now ? due - now : 0, 0);
}

static void on_request(void *arg, struct visit *visit)
{
    struct admin *admin = arg;
    struct http_answer answer;
    admin_page_answer(&admin->pages, &visit->request, &answer);
    visit_answer(visit, &answer);
}

static void on_end(void *arg, struct visit *visit)
{
    struct admin *admin = arg;
    admin->visits[find_place(admin, visit)] = NULL;
    if (!uv_is_closing((uv_handle_t *)&admin->timer))
        set_timer(admin);
}

static const struct visit_events visit_events = {on_request, on_end};

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
        if (admin->visits[i] != NULL && admin->visits[i]->expires <= now)
            visit_break(admin->visits[i]);
    set_timer(admin);
}

static void begin_visit(struct admin *admin, int fd)
{
    static const int send_buffer = ADMIN_SEND_BUFFER;
    if (find_place(admin, NULL) == ADMIN_CONNECTIONS_MAX)
        visit_break(find_oldest(admin));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    struct visit *visit = visit_new(admin->loop, fd, &visit_events, admin);
    if (visit == NULL)
        return;
    visit->expires = uv_now(admin->loop) + ADMIN_VISIT_MS;
    admin->visits[find_place(admin, NULL)] = visit;
}

/* False if no more can be accepted now. */
static bool accept_one(struct admin *admin, int listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd;
    enum accept_outcome outcome = accept_connection(listener, &fd, (struct sockaddr *)&address, &len);
    if (outcome == ACCEPT_SHORT)
        pause_accepting(admin, errno);
    if (outcome == ACCEPT_DONE)
        begin_visit(admin, fd);
    return outcome == ACCEPT_DONE || outcome == ACCEPT_LOST;
}

static void on_incoming(uv_poll_t *poll, int status, int events)
{
    const struct admin_listener *listener = (struct admin_listener *)poll;
    struct admin *admin = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ADMIN_ACCEPTS && accept_one(admin, listener->fd); i++)
        ;
    set_timer(admin);
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
    uv_timer_init(loop, &admin->timer);
    admin->timer.data = admin;
    return admin;
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
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        if (admin->visits[i] != NULL)
            visit_break(admin->visits[i]);
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
    unsigned long version = http_parser_version();
    snprintf(name, sizeof name, "http-parser %lu.%lu.%lu", version >> 16 & 0xFF, version >> 8 & 0xFF,
             version & 0xFF);
    return name;
}
