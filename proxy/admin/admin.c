/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin.h"

#include "proxy/admin/admin_route.h"
#include "proxy/admin/visit.h"
#include "proxy/common/accept.h"
#include "proxy/common/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEVER UINT64_MAX

/* Places: for connections by TCP first, then for those by the socket, which no crowd on TCP takes. */
enum { PLACES = ADMIN_CONNECTIONS_MAX + ADMIN_CONTROL_CONNECTIONS_MAX };

struct admin {
    uv_loop_t *loop;
    struct log *log;
    uv_timer_t timer;
    uv_idle_t writing; /* runs while visits wait for a page of metrics */
    struct admin_listeners listeners;
    struct admin_listener control; /* of `socket`, if that is there */
    struct admin_socket socket;
    const char *socket_path;
    uint64_t paused_until;        /* 0: not paused */
    struct visit *visits[PLACES]; /* NULL: the place is free */
    uint64_t last_visit;
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

struct places {
    size_t from;
    size_t to;
};

static struct places places_of(bool is_local)
{
    return is_local ? (struct places){ADMIN_CONNECTIONS_MAX, PLACES}
                    : (struct places){0, ADMIN_CONNECTIONS_MAX};
}

/* The one that expires first; NULL if there is none. */
static struct visit *find_oldest(const struct admin *admin, struct places places)
{
    struct visit *oldest = NULL;
    for (size_t i = places.from; i < places.to; i++) {
        struct visit *visit = admin->visits[i];
        if (visit != NULL && (oldest == NULL || visit->expires < oldest->expires))
            oldest = visit;
    }
    return oldest;
}

/* The index of the one that has this visit (NULL: that is free); places.to if there is none. */
static size_t find_place(const struct admin *admin, struct places places, const struct visit *visit)
{
    size_t i = places.from;
    while (i < places.to && admin->visits[i] != visit)
        i++;
    return i;
}

/* To the next moment at which something is to be done without an event on a socket. */
static void set_timer(struct admin *admin)
{
    uint64_t now = uv_now(admin->loop);
    uint64_t due = admin->paused_until > 0 ? admin->paused_until : NEVER;
    const struct visit *oldest = find_oldest(admin, (struct places){0, PLACES});
    if (oldest != NULL && oldest->expires < due)
        due = oldest->expires;
    if (due == NEVER)
        uv_timer_stop(&admin->timer);
    else
        uv_timer_start(&admin->timer, on_timer, due > now ? due - now : 0, 0);
}

/* ---- pages of metrics ---- */

static void answer_tickets(struct admin *admin, struct metrics_page *page)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct visit *visit = admin->visits[i];
        struct http_answer answer;
        if (visit == NULL || visit->ticket == 0 || visit->ticket > admin->pages.ticket_max)
            continue;
        visit->ticket = 0;
        admin_page_give(&answer, page);
        visit_answer(visit, &answer);
    }
}

/* One step in each iteration of the loop, in which all else has its turn. */
static void on_writing(uv_idle_t *writing)
{
    struct admin *admin = writing->data;
    struct metrics_page *page;
    if (!admin_page_go_on(&admin->pages, &page))
        return;
    answer_tickets(admin, page);
    metrics_page_unref(&page);
    if (admin->pages.ticket_max == admin->pages.tickets)
        uv_idle_stop(writing);
}

/* ---- requests ---- */

static void on_request(void *arg, struct visit *visit)
{
    struct admin *admin = arg;
    struct admin_call call = {.pages = &admin->pages,
                              .request = &visit->request,
                              .is_local = visit->is_local,
                              .is_permitted = visit->is_permitted,
                              .uid = visit->uid,
                              .visit = visit->number};
    admin_route(&call);
    if (!call.is_later) {
        visit_answer(visit, &call.answer);
        return;
    }
    visit->ticket = call.ticket;
    if (call.ticket > 0) {
        uv_idle_start(&admin->writing, on_writing);
        return;
    }
    visit->expires = uv_now(admin->loop) + ADMIN_WAIT_MS;
    set_timer(admin);
}

/* Whoever has gone meanwhile gets nothing. */
static void answer_later(struct admin *admin, uint64_t number, const struct http_answer *answer)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct visit *visit = admin->visits[i];
        if (visit == NULL || visit->number != number || visit->state != VISIT_WAITING)
            continue;
        visit->expires = uv_now(admin->loop) + ADMIN_VISIT_MS;
        visit_answer(visit, answer);
        set_timer(admin);
        return;
    }
    http_answer_release(answer);
}

void admin_answer_survey(struct admin *admin, uint64_t visit, const struct survey_query *query,
                         const struct survey *of_workers, unsigned workers)
{
    struct http_answer answer;
    admin_api_write_survey(&answer, query, of_workers, workers);
    answer_later(admin, visit, &answer);
}

void admin_answer_failure(struct admin *admin, uint64_t visit)
{
    struct http_answer answer;
    admin_json_error(&answer, HTTP_STATUS_SERVICE_UNAVAILABLE, "memory is short");
    answer_later(admin, visit, &answer);
}

void admin_answer_reload(struct admin *admin, uint64_t visit, enum admin_reload how,
                         const struct cfg_problems *problems)
{
    struct http_answer answer;
    admin_api_write_reload(&answer, how, problems);
    answer_later(admin, visit, &answer);
}

static void on_end(void *arg, struct visit *visit)
{
    struct admin *admin = arg;
    admin->visits[find_place(admin, places_of(visit->is_local), visit)] = NULL;
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
    if (admin->control.is_served)
        uv_poll_stop(&admin->control.poll);
}

static void resume_accepting(struct admin *admin)
{
    admin->paused_until = 0;
    for (size_t i = 0; i < admin->listeners.count; i++)
        uv_poll_start(&admin->listeners.items[i]->poll, UV_READABLE, on_incoming);
    if (admin->control.is_served)
        uv_poll_start(&admin->control.poll, UV_READABLE, on_incoming);
}

static void on_timer(uv_timer_t *timer)
{
    struct admin *admin = timer->data;
    uint64_t now = uv_now(admin->loop);
    if (admin->paused_until > 0 && admin->paused_until <= now)
        resume_accepting(admin);
    for (size_t i = 0; i < PLACES; i++)
        if (admin->visits[i] != NULL && admin->visits[i]->expires <= now)
            visit_break(admin->visits[i]);
    set_timer(admin);
}

static void begin_visit(struct admin *admin, int fd, bool is_local)
{
    static const int send_buffer = ADMIN_SEND_BUFFER;
    struct places places = places_of(is_local);
    if (find_place(admin, places, NULL) == places.to)
        visit_break(find_oldest(admin, places));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    struct visit *visit = visit_new(admin->loop, fd, &visit_events, admin);
    if (visit == NULL)
        return;
    visit->is_local = is_local;
    visit->is_permitted = is_local && admin_socket_permits(&admin->socket, fd, &visit->uid);
    visit->number = ++admin->last_visit;
    visit->expires = uv_now(admin->loop) + ADMIN_VISIT_MS;
    admin->visits[find_place(admin, places, NULL)] = visit;
}

/* False if no more can be accepted now. */
static bool accept_one(struct admin *admin, const struct admin_listener *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd;
    enum accept_outcome outcome = accept_connection(listener->fd, &fd, (struct sockaddr *)&address, &len);
    if (outcome == ACCEPT_SHORT)
        pause_accepting(admin, errno);
    if (outcome == ACCEPT_DONE)
        begin_visit(admin, fd, listener == &admin->control);
    return outcome == ACCEPT_DONE || outcome == ACCEPT_LOST;
}

static void on_incoming(uv_poll_t *poll, int status, int events)
{
    const struct admin_listener *listener = (struct admin_listener *)poll;
    struct admin *admin = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ADMIN_ACCEPTS && accept_one(admin, listener); i++)
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

int admin_serve_socket(struct admin *admin, struct admin_socket *socket, const char *path)
{
    if (socket->fd < 0)
        return 0;
    int error = uv_poll_init(admin->loop, &admin->control.poll, socket->fd);
    if (error != 0)
        return error;
    admin->socket = *socket;
    admin->socket_path = path;
    socket->fd = -1;
    admin->control.fd = admin->socket.fd;
    admin->control.poll.data = admin;
    admin->control.is_served = true;
    uv_poll_start(&admin->control.poll, UV_READABLE, on_incoming);
    log_event(admin, CFG_LOG_INFO, "control-listening", "socket", path);
    return 0;
}

static void close_socket(struct admin *admin)
{
    if (!admin->control.is_served)
        return;
    admin->control.is_served = false;
    uv_close((uv_handle_t *)&admin->control.poll, NULL);
    if (!admin_socket_close(&admin->socket, admin->socket_path))
        log_event(admin, CFG_LOG_WARNING, "control-socket-left", "error", strerror(errno));
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
    admin->pages.log = log;
    admin->socket.fd = -1;
    uv_timer_init(loop, &admin->timer);
    admin->timer.data = admin;
    uv_idle_init(loop, &admin->writing);
    admin->writing.data = admin;
    return admin;
}

void admin_certificates_changed(struct admin *admin)
{
    metrics_certificates_unref(&admin->pages.certificates);
}

void admin_close(struct admin *admin)
{
    struct admin_listeners none = {0};
    close_socket(admin);
    admin_serve(admin, &none);
    uv_close((uv_handle_t *)&admin->timer, NULL);
    uv_close((uv_handle_t *)&admin->writing, NULL);
    metrics_writer_give_up(&admin->pages.writer);
    for (size_t i = 0; i < PLACES; i++)
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
