/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_route.h"

#include "base/array.h"
#include "proxy/admin/admin_api.h"
#include "proxy/admin/admin_json.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 512 };

/* The rows of one path follow each other. */
static const struct route {
    enum http_method method; /* GET is HEAD, too */
    const char *path;
    bool is_control;
    void (*answer)(struct admin_call *call);
} routes[] = {
    {HTTP_GET, "/metrics", false, admin_page_metrics},
    {HTTP_GET, "/healthz", false, admin_page_health},
    {HTTP_GET, "/readyz", false, admin_page_readiness},
    {HTTP_GET, "/v1/pools", true, admin_api_pools},
    {HTTP_GET, "/v1/servers", true, admin_api_servers},
    {HTTP_GET, "/v1/servers/:pool/:server*", true, admin_api_server},
    {HTTP_PATCH, "/v1/servers/:pool/:server*", true, admin_api_order},
    {HTTP_GET, "/v1/sessions", true, admin_api_sessions},
    {HTTP_DELETE, "/v1/sessions", true, admin_api_kick},
    {HTTP_DELETE, "/v1/sessions/:id", true, admin_api_kick_one},
    {HTTP_GET, "/v1/certificates", true, admin_api_certificates},
    {HTTP_GET, "/v1/config", true, admin_api_config},
    {HTTP_POST, "/v1/reload", true, admin_api_reload},
};

static bool is_there(const struct route *route, const struct admin_call *call)
{
    return !route->is_control || call->is_local;
}

static bool is_first_of_path(const struct route *route)
{
    return route == routes || strcmp(route->path, route[-1].path) != 0;
}

/* By HTTP's words on TCP, where people and probes ask; by JSON where programs do. */
static void answer_error(struct admin_call *call, enum http_status status, const char *words)
{
    char line[WORDS_MAX + 2];
    snprintf(line, sizeof line, "%s\n", words);
    if (call->is_local)
        admin_json_error(&call->answer, status, words);
    else
        admin_page_words(&call->answer, status, line);
}

/* "there are /metrics, /healthz and /readyz" */
static void answer_unknown(struct admin_call *call)
{
    const char *paths[ARRAY_LEN(routes)];
    char words[WORDS_MAX] = "there are ";
    size_t count = 0;
    size_t len = strlen(words);
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (is_there(&routes[i], call) && is_first_of_path(&routes[i]))
            paths[count++] = routes[i].path;
    for (size_t i = 0; i < count && len < sizeof words; i++) {
        const char *after = i + 1 == count ? "" : i + 2 == count ? " and " : ", ";
        len += (size_t)snprintf(words + len, sizeof words - len, "%s%s", paths[i], after);
    }
    answer_error(call, HTTP_STATUS_NOT_FOUND, words);
}

/* "GET, HEAD" */
static void list_methods(const struct admin_call *call, const char *path, char *into, size_t cap)
{
    size_t len = 0;
    into[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(routes) && len < cap; i++)
        if (is_there(&routes[i], call) && strcmp(routes[i].path, path) == 0)
            len += (size_t)snprintf(into + len, cap - len, "%s%s%s", len > 0 ? ", " : "",
                                    http_method_str(routes[i].method),
                                    routes[i].method == HTTP_GET ? ", HEAD" : "");
}

/* "only GET and HEAD are allowed" */
static void answer_other_method(struct admin_call *call, const char *path)
{
    char methods[ADMIN_METHODS_MAX];
    char words[WORDS_MAX];
    list_methods(call, path, methods, sizeof methods);
    char *last = strrchr(methods, ',');
    if (last != NULL)
        snprintf(words, sizeof words, "only %.*s and%s are allowed", (int)(last - methods), methods,
                 last + 1);
    else
        snprintf(words, sizeof words, "only %s is allowed", methods);
    answer_error(call, HTTP_STATUS_METHOD_NOT_ALLOWED, words);
    snprintf(call->answer.allow, sizeof call->answer.allow, "%s", methods);
}

static void answer_rejected(struct admin_call *call)
{
    if (call->request->status == HTTP_STATUS_METHOD_NOT_ALLOWED)
        answer_other_method(call, routes[0].path);
    else
        answer_error(call, call->request->status, "the request is not understood, or too long");
}

static const struct route *find_route(const struct admin_call *call, const char **path)
{
    enum http_method method = call->request->method == HTTP_HEAD ? HTTP_GET : call->request->method;
    *path = NULL;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!is_there(&routes[i], call) || !admin_request_matches(call->request, routes[i].path))
            continue;
        *path = routes[i].path;
        if (routes[i].method == method)
            return &routes[i];
    }
    return NULL;
}

void admin_route(struct admin_call *call)
{
    const char *path;
    if (call->is_local && !call->is_permitted) {
        admin_api_refuse(call);
        return;
    }
    if (call->request->progress == HTTP_REJECTED) {
        answer_rejected(call);
        return;
    }
    const struct route *route = find_route(call, &path);
    if (route != NULL)
        route->answer(call);
    else if (path != NULL)
        answer_other_method(call, path);
    else
        answer_unknown(call);
}
