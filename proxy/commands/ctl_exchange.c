/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/commands/ctl_exchange.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BODY_MAX = 64 * 1024 * 1024 };

/* ---- the request ---- */

static void add_text(struct ctl_request *request, const char *text)
{
    size_t len = strlen(request->target);
    snprintf(request->target + len, sizeof request->target - len, "%s", text);
}

/* What does not fit is cut off: the longest names that there can be fit. */
static void add_encoded(struct ctl_request *request, const char *text)
{
    for (const uint8_t *c = (const uint8_t *)text; *c != '\0'; c++) {
        char octet[4];
        bool is_plain = ascii_is_alpha(*c) || ascii_is_digit(*c) || strchr("-._~", *c) != NULL;
        snprintf(octet, sizeof octet, is_plain ? "%c" : "%%%02X", *c);
        add_text(request, octet);
    }
}

void ctl_add_segment(struct ctl_request *request, const char *name)
{
    add_text(request, "/");
    add_encoded(request, name);
}

void ctl_add_parameter(struct ctl_request *request, const char *name, const char *value)
{
    add_text(request, strchr(request->target, '?') == NULL ? "?" : "&");
    add_text(request, name);
    add_text(request, "=");
    add_encoded(request, value);
}

/* ---- the socket ---- */

static bool fail(const char *path, const char *why)
{
    fprintf(stderr, "deepproxy ctl: %s: %s\n", path, why);
    return false;
}

static const char silence[] = "the program does not answer";

static bool fail_to_connect(const char *path, int error)
{
    if (error == ENOENT)
        return fail(path,
                    "there is no such socket: does the program run, and with this path as admin.socket?");
    if (error == ECONNREFUSED)
        return fail(path, "nobody listens there: the program does not run");
    if (error == EACCES || error == EPERM)
        return fail(path, "no permission: root, the program's own user and members of admin.group have it");
    if (error == EAGAIN || error == EINPROGRESS)
        return fail(path, silence);
    return fail(path, strerror(error));
}

/* -1 after a message. */
static int connect_to(const char *path, unsigned wait_s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval send_limit = {.tv_sec = CTL_WAIT_S};
    struct timeval receive_limit = {.tv_sec = wait_s};
    if (strlen(path) >= sizeof address.sun_path) {
        fail(path, "the path is too long for a socket");
        return -1;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send_limit, sizeof send_limit) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive_limit, sizeof receive_limit) == 0 &&
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    fail_to_connect(path, errno);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool send_request(int fd, const struct ctl_request *request)
{
    char text[CTL_TARGET_MAX + CTL_BODY_MAX + 256];
    char length[96] = "";
    if (request->body[0] != '\0')
        snprintf(length, sizeof length, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 strlen(request->body));
    int len =
        snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n\r\n%s",
                 request->method, request->target, length, request->body);
    return send(fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

/* ---- the answer: http_parser_settings ---- */

struct reading {
    struct ctl_answer *answer;
    bool is_total; /* the field whose value comes */
    bool is_done;
};

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct reading *reading = parser->data;
    reading->is_total = slice_is_word((struct slice){(const uint8_t *)at, len}, "X-Total-Count");
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct reading *reading = parser->data;
    for (size_t i = 0; reading->is_total && i < len && ascii_is_digit((uint8_t)at[i]); i++)
        reading->answer->total = reading->answer->total * 10 + (unsigned long)(at[i] - '0');
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct reading *reading = parser->data;
    return bytes_append(&reading->answer->body, (struct slice){(const uint8_t *)at, len}, BODY_MAX) ? 0 : 1;
}

static int on_complete(http_parser *parser)
{
    struct reading *reading = parser->data;
    reading->answer->status = parser->status_code;
    reading->is_done = true;
    return 0;
}

static bool receive_answer(const char *path, int fd, struct ctl_answer *answer)
{
    static const http_parser_settings settings = {.on_header_field = on_field,
                                                  .on_header_value = on_value,
                                                  .on_body = on_body,
                                                  .on_message_complete = on_complete};
    char octets[16384];
    http_parser parser;
    struct reading reading = {.answer = answer};
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &reading;
    while (!reading.is_done) {
        ssize_t len = recv(fd, octets, sizeof octets, 0);
        if (len < 0 && errno == EAGAIN)
            return fail(path, silence);
        if (len <= 0)
            return fail(path, "the program has closed the connection without an answer");
        if (http_parser_execute(&parser, &settings, octets, (size_t)len) != (size_t)len)
            return fail(path, "what answers there does not speak HTTP");
    }
    return true;
}

bool ctl_exchange(const char *socket, const struct ctl_request *request, struct ctl_answer *answer)
{
    *answer = (struct ctl_answer){0};
    int fd = connect_to(socket, request->wait_s);
    if (fd < 0)
        return false;
    bool ok = send_request(fd, request) ? receive_answer(socket, fd, answer) : fail(socket, silence);
    close(fd);
    if (!ok)
        bytes_free(&answer->body);
    return ok;
}
