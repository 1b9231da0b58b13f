/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_REQUEST_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_REQUEST_H

#include "base/slice.h"

#include <http_parser.h>
#include <stdbool.h>

/*
 * An HTTP request, read by http-parser from pieces of any size into memory of a fixed size. It touches no
 * socket and allocates nothing. Header fields are counted and passed over. The body is read if the method is
 * PATCH, with a Content-Length or in chunks; all other methods say by their target alone what is to be done.
 * HTTP/1.0 and 1.1 are understood.
 */
enum {
    ADMIN_REQUEST_MAX = 8192, /* octets of a head; Prometheus sends 300 */
    ADMIN_BODY_MAX = 4096,    /* octets of a body; a command has 50 */
    /* Octets of a body as they come, in chunks of any size, whose heads have some ten octets each. */
    ADMIN_BODY_SENT_MAX = 8 * ADMIN_BODY_MAX,
    ADMIN_TARGET_MAX = 1024,
    ADMIN_SEGMENTS_MAX = 8,
    ADMIN_PARAMETERS_MAX = 8
};

enum http_progress {
    HTTP_READING,
    HTTP_COMPLETE, /* all that is read of it is there and understood */
    HTTP_REJECTED  /* `status` is to be answered */
};

struct http_parameter {
    const char *name;
    const char *value; /* "" if it has none */
};

/* Texts are decoded (RFC 3986 section 2.1), have no NUL inside, and lie in `target`: it may not be moved. */
struct admin_request {
    http_parser parser;
    enum http_progress progress;
    enum http_status status; /* HTTP_REJECTED: why */
    size_t len;              /* octets so far */
    size_t target_len;
    char target[ADMIN_TARGET_MAX + 2];
    /* HTTP_COMPLETE: */
    enum http_method method;
    const char *segments[ADMIN_SEGMENTS_MAX]; /* "/v1/sessions" has two, and "/" one, which is empty */
    size_t segment_count;
    struct http_parameter parameters[ADMIN_PARAMETERS_MAX]; /* of the query */
    size_t parameter_count;
    char body[ADMIN_BODY_MAX]; /* "" if the method is not PATCH */
    size_t body_len;
    bool is_in_body; /* HTTP_READING: the head has been read */
};

/* Begins a request, of which nothing has been read. */
void admin_request_begin(struct admin_request *request);

/* Reads more of it; what comes after it is ignored. */
enum http_progress admin_request_feed(struct admin_request *request, struct slice octets);

/*
 * Is the path that of `pattern`, as "/v1/sessions/:id"? A segment that begins with ":" stands for any that is
 * not empty; the last one may end with "*", and stands for those that follow, too.
 */
bool admin_request_matches(const struct admin_request *request, const char *pattern);

/* The value of a parameter; NULL if the query does not have it. */
const char *admin_request_parameter(const struct admin_request *request, const char *name);

#endif
