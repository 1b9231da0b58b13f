/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_request.h"

#include <string.h>

static void reject(struct admin_request *request, enum http_status status)
{
    if (request->progress == HTTP_REJECTED)
        return;
    request->progress = HTTP_REJECTED;
    request->status = status;
}

/* ---- the target ---- */

static int value_of_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    int upper = ascii_upper((uint8_t)c);
    return upper >= 'A' && upper <= 'F' ? upper - 'A' + 10 : -1;
}

/* In place. False if an escape is broken, or would be a NUL. */
static bool decode(char *text)
{
    char *into = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *into++ = *from;
            continue;
        }
        int high = value_of_digit(from[1]);
        int low = high >= 0 ? value_of_digit(from[2]) : -1;
        if (low < 0 || high * 16 + low == 0)
            return false;
        *into++ = (char)(high * 16 + low);
        from += 2;
    }
    *into = '\0';
    return true;
}

/* `path` is what follows the first slash. */
static bool split_path(struct admin_request *request, char *path)
{
    for (char *segment = path; segment != NULL;) {
        char *slash = strchr(segment, '/');
        if (slash != NULL)
            *slash = '\0';
        if (request->segment_count == ADMIN_SEGMENTS_MAX || !decode(segment))
            return false;
        request->segments[request->segment_count++] = segment;
        segment = slash != NULL ? slash + 1 : NULL;
    }
    return true;
}

static bool add_parameter(struct admin_request *request, char *pair)
{
    char *value = strchr(pair, '=');
    if (value != NULL)
        *value++ = '\0';
    if (request->parameter_count == ADMIN_PARAMETERS_MAX || !decode(pair) ||
        (value != NULL && !decode(value)))
        return false;
    request->parameters[request->parameter_count++] =
        (struct http_parameter){pair, value != NULL ? value : ""};
    return true;
}

static bool split_query(struct admin_request *request, char *query)
{
    for (char *pair = query; pair != NULL && *pair != '\0';) {
        char *next = strchr(pair, '&');
        if (next != NULL)
            *next++ = '\0';
        if (!add_parameter(request, pair))
            return false;
        pair = next;
    }
    return true;
}

/* Ends the field's text by a NUL: it is followed by "?" or "#", by nothing, or by what is not needed. */
static char *take_field(struct admin_request *request, const struct http_parser_url *url,
                        enum http_parser_url_fields field)
{
    if ((url->field_set & (1U << field)) == 0)
        return NULL;
    char *text = request->target + url->field_data[field].off;
    text[url->field_data[field].len] = '\0';
    return text;
}

static bool read_target(struct admin_request *request)
{
    struct http_parser_url url;
    http_parser_url_init(&url);
    request->target[request->target_len] = '\0';
    if (http_parser_parse_url(request->target, request->target_len, request->method == HTTP_CONNECT, &url) !=
        0)
        return false;
    char *query = take_field(request, &url, UF_QUERY);
    char *path = take_field(request, &url, UF_PATH);
    return path != NULL && path[0] == '/' && split_path(request, path + 1) && split_query(request, query);
}

/* ---- http_parser_settings ---- */

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct admin_request *request = parser->data;
    if (len > ADMIN_TARGET_MAX - request->target_len) {
        reject(request, HTTP_STATUS_URI_TOO_LONG);
        return 1;
    }
    memcpy(request->target + request->target_len, at, len);
    request->target_len += len;
    return 0;
}

/* To http-parser: go on with the body; or the end, whatever the fields say of one, and whatever follows. */
enum { GO_ON = 0, THE_END = 2 };

static int on_headers_complete(http_parser *parser)
{
    struct admin_request *request = parser->data;
    bool is_of_length = parser->content_length != UINT64_MAX;
    request->method = (enum http_method)parser->method;
    request->is_in_body = request->method == HTTP_PATCH;
    if (parser->http_major != 1 || !read_target(request))
        reject(request, HTTP_STATUS_BAD_REQUEST);
    else if (request->is_in_body && is_of_length && parser->content_length > ADMIN_BODY_MAX)
        reject(request, HTTP_STATUS_PAYLOAD_TOO_LARGE);
    else if (!request->is_in_body)
        request->progress = HTTP_COMPLETE;
    return request->progress == HTTP_READING ? GO_ON : THE_END;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct admin_request *request = parser->data;
    if (len > ADMIN_BODY_MAX - request->body_len) {
        reject(request, HTTP_STATUS_PAYLOAD_TOO_LARGE);
        return 1;
    }
    memcpy(request->body + request->body_len, at, len);
    request->body_len += len;
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    struct admin_request *request = parser->data;
    if (request->progress == HTTP_READING)
        request->progress = HTTP_COMPLETE;
    return 1; /* what follows is not looked at */
}

static enum http_status status_of_error(enum http_errno error)
{
    return error == HPE_INVALID_METHOD    ? HTTP_STATUS_METHOD_NOT_ALLOWED
           : error == HPE_HEADER_OVERFLOW ? HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE
                                          : HTTP_STATUS_BAD_REQUEST;
}

/* ---- the request ---- */

void admin_request_begin(struct admin_request *request)
{
    *request = (struct admin_request){.progress = HTTP_READING};
    http_parser_init(&request->parser, HTTP_REQUEST);
    request->parser.data = request;
}

/* How many octets there may be, of head and body together. */
static size_t limit(const struct admin_request *request)
{
    return ADMIN_REQUEST_MAX + (request->is_in_body ? ADMIN_BODY_SENT_MAX : 0);
}

static void feed_part(struct admin_request *request, struct slice part)
{
    static const http_parser_settings settings = {.on_url = on_url,
                                                  .on_headers_complete = on_headers_complete,
                                                  .on_body = on_body,
                                                  .on_message_complete = on_message_complete};
    request->len += part.len;
    http_parser_execute(&request->parser, &settings, (const char *)part.data, part.len);
    if (request->progress != HTTP_READING)
        return;
    if (HTTP_PARSER_ERRNO(&request->parser) != HPE_OK)
        reject(request, status_of_error(HTTP_PARSER_ERRNO(&request->parser)));
    else if (request->len == limit(request))
        reject(request, request->is_in_body ? HTTP_STATUS_PAYLOAD_TOO_LARGE
                                            : HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE);
}

enum http_progress admin_request_feed(struct admin_request *request, struct slice octets)
{
    while (request->progress == HTTP_READING && octets.len > 0) {
        struct slice part = slice_first(octets, limit(request) - request->len);
        feed_part(request, part);
        octets = slice_from(octets, part.len);
    }
    return request->progress;
}

bool admin_request_matches(const struct admin_request *request, const char *pattern)
{
    for (size_t i = 0; i < request->segment_count; i++) {
        if (*pattern++ != '/')
            return false;
        size_t len = strcspn(pattern, "/");
        const char *segment = request->segments[i];
        bool is_any = *pattern == ':' && segment[0] != '\0';
        if (is_any && pattern[len - 1] == '*')
            return true;
        if (!is_any && (strlen(segment) != len || memcmp(segment, pattern, len) != 0))
            return false;
        pattern += len;
    }
    return *pattern == '\0';
}

const char *admin_request_parameter(const struct admin_request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (strcmp(request->parameters[i].name, name) == 0)
            return request->parameters[i].value;
    return NULL;
}
