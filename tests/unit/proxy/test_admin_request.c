/* SPDX-License-Identifier: BSD-2-Clause */
/* An HTTP request: whole, octet by octet, and what is none. */
#include "proxy/admin/admin_request.h"

#include "base/array.h"
#include "run_suite.h"

#include <stdio.h>
#include <string.h>

static struct admin_request request;

static enum http_progress feed(const char *text, size_t len)
{
    return admin_request_feed(&request, (struct slice){(const uint8_t *)text, len});
}

#define HEAD(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct {
    const char *text;
    enum http_method method;
    const char *path;  /* decoded segments, each after a slash; a slash in one is "|" */
    const char *query; /* "name=value;" for each */
} good[] = {
    {HEAD("/metrics"), HTTP_GET, "/metrics", ""},
    {"HEAD /readyz HTTP/1.0\r\n\r\n", HTTP_HEAD, "/readyz", ""},
    {HEAD("/"), HTTP_GET, "/", ""},
    {HEAD("//metrics"), HTTP_GET, "//metrics", ""},
    {HEAD("/metrics/"), HTTP_GET, "/metrics/", ""},
    {HEAD("/v1/servers/main%2Fpool/%5b::1%5D:143"), HTTP_GET, "/v1/servers/main|pool/[::1]:143", ""},
    {HEAD("/a%25b"), HTTP_GET, "/a%b", ""},
    {HEAD("/s?client=2001%3Adb8::1&pool=a%26b&verbose&x=="), HTTP_GET, "/s",
     "client=2001:db8::1;pool=a&b;verbose=;x==;"},
    {HEAD("/s?"), HTTP_GET, "/s", ""},
    {HEAD("/s#fragment"), HTTP_GET, "/s", ""},
    {HEAD("http://host:80/v1/config?a=b"), HTTP_GET, "/v1/config", "a=b;"},
    {"DELETE /v1/sessions/a-1 HTTP/1.1\r\n\r\n", HTTP_DELETE, "/v1/sessions/a-1", ""},
    {"POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nbody", HTTP_POST, "/x", ""},
    {"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", HTTP_POST, "/x", ""},
    {"GET /two HTTP/1.1\r\n\r\nGET /other HTTP/1.1\r\n\r\n", HTTP_GET, "/two", ""},
    {"GET /up HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", HTTP_GET, "/up", ""},
};

static void check_good(size_t i)
{
    char path[256] = "";
    char query[256] = "";
    ck_assert_int_eq(request.progress, HTTP_COMPLETE);
    ck_assert_int_eq(request.method, good[i].method);
    for (size_t j = 0; j < request.segment_count; j++) {
        char *at = path + strlen(path);
        snprintf(at, sizeof path - (size_t)(at - path), "/%s", request.segments[j]);
        for (char *slash = at + 1; (slash = strchr(slash, '/')) != NULL;)
            *slash = '|';
    }
    for (size_t j = 0; j < request.parameter_count; j++)
        snprintf(query + strlen(query), sizeof query - strlen(query), "%s=%s;", request.parameters[j].name,
                 request.parameters[j].value);
    ck_assert_str_eq(path, good[i].path);
    ck_assert_str_eq(query, good[i].query);
}

START_TEST(whole)
{
    admin_request_begin(&request);
    feed(good[_i].text, strlen(good[_i].text));
    check_good((size_t)_i);
}
END_TEST

START_TEST(in_pieces)
{
    admin_request_begin(&request);
    for (const char *at = good[_i].text; *at != '\0'; at++)
        feed(at, 1);
    check_good((size_t)_i);
}
END_TEST

static const struct {
    const char *text;
    enum http_status status;
} bad[] = {
    {"GET /metrics\r\n\r\n", HTTP_STATUS_BAD_REQUEST}, /* HTTP/0.9 */
    {"GET /metrics HTTP/2.0\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {"GET /a b HTTP/1.1\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {"\x16\x03\x01\x02\x01", HTTP_STATUS_METHOD_NOT_ALLOWED},
    {"get /metrics HTTP/1.1\r\n\r\n", HTTP_STATUS_METHOD_NOT_ALLOWED},
    {HEAD("/%"), HTTP_STATUS_BAD_REQUEST},
    {HEAD("/%4"), HTTP_STATUS_BAD_REQUEST},
    {HEAD("/%4g"), HTTP_STATUS_BAD_REQUEST},
    {HEAD("/a%00b"), HTTP_STATUS_BAD_REQUEST},
    {HEAD("/a?b=%zz"), HTTP_STATUS_BAD_REQUEST},
    {HEAD("/1/2/3/4/5/6/7/8/9"), HTTP_STATUS_BAD_REQUEST},
    {HEAD("/?1&2&3&4&5&6&7&8&9"), HTTP_STATUS_BAD_REQUEST},
    {"OPTIONS * HTTP/1.1\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {"CONNECT host:80 HTTP/1.1\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {"GET / HTTP/1.1\r\nNo field\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
};

START_TEST(rejected)
{
    admin_request_begin(&request);
    for (const char *at = bad[_i].text; *at != '\0'; at++)
        feed(at, 1);
    ck_assert_int_eq(request.progress, HTTP_REJECTED);
    ck_assert_int_eq(request.status, bad[_i].status);
    /* It stays so. */
    ck_assert_int_eq(feed(good[0].text, strlen(good[0].text)), HTTP_REJECTED);
}
END_TEST

/* A target of the largest size, and one octet more. */
START_TEST(target_limit)
{
    static char text[ADMIN_TARGET_MAX + 64];
    for (size_t len = ADMIN_TARGET_MAX; len <= ADMIN_TARGET_MAX + 1; len++) {
        memset(text, 'a', sizeof text);
        memcpy(text, "GET /", 5);
        memcpy(text + 4 + len, " HTTP/1.1\r\n\r\n", 13);
        for (int piece = 0; piece < 2; piece++) {
            admin_request_begin(&request);
            for (size_t at = 0; piece == 1 && at < 4 + len + 13; at++)
                feed(text + at, 1);
            feed(text, 4 + len + 13);
            ck_assert_int_eq(request.progress, len > ADMIN_TARGET_MAX ? HTTP_REJECTED : HTTP_COMPLETE);
        }
        if (len > ADMIN_TARGET_MAX)
            ck_assert_int_eq(request.status, HTTP_STATUS_URI_TOO_LONG);
        else
            ck_assert_uint_eq(strlen(request.segments[0]), ADMIN_TARGET_MAX - 1);
    }
}
END_TEST

/* A head of the largest size is still read; it must have ended by then. */
START_TEST(head_limit)
{
    static char text[2 * ADMIN_REQUEST_MAX];
    for (size_t len = ADMIN_REQUEST_MAX; len <= ADMIN_REQUEST_MAX + 1; len++) {
        memset(text, 'y', len);
        memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
        memcpy(text + len - 4, "\r\n\r\n", 4);
        admin_request_begin(&request);
        feed(text, len / 2);
        feed(text + len / 2, len - len / 2);
        ck_assert_int_eq(request.progress, len > ADMIN_REQUEST_MAX ? HTTP_REJECTED : HTTP_COMPLETE);
    }
    ck_assert_int_eq(request.status, HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE);
}
END_TEST

/* ---- bodies ---- */

#define PATCH   "PATCH /v1/servers/p/s HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED PATCH "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
    const char *text;
    const char *body;
} bodies[] = {
    {PATCH "Content-Length: 17\r\n\r\n{\"admin\":\"drain\"}", "{\"admin\":\"drain\"}"},
    {PATCH "Content-Length: 1\r\n\r\n{}GET / HTTP/1.1\r\n\r\n", "{"},
    {PATCH "Content-Length: 0\r\n\r\n", ""},
    {PATCH "\r\n{}", ""},
    {CHUNKED "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n{}", "abcd"},
    {CHUNKED "0\r\nTrailer: t\r\n\r\n", ""},
    {PATCH "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n\r\n", "\r\n"},
    {PATCH "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}", "{}"},
};

static void check_body(size_t i)
{
    ck_assert_int_eq(request.progress, HTTP_COMPLETE);
    ck_assert_int_eq(request.method, HTTP_PATCH);
    ck_assert_uint_eq(request.segment_count, 4);
    ck_assert_uint_eq(request.body_len, strlen(bodies[i].body));
    ck_assert_mem_eq(request.body, bodies[i].body, request.body_len);
}

START_TEST(body_at_every_cut)
{
    const char *text = bodies[_i].text;
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        admin_request_begin(&request);
        feed(text, cut);
        feed(text + cut, strlen(text) - cut);
        check_body((size_t)_i);
    }
    admin_request_begin(&request);
    for (const char *at = text; *at != '\0'; at++)
        feed(at, 1);
    check_body((size_t)_i);
}
END_TEST

static const struct {
    const char *text;
    enum http_status status; /* 0: more is awaited */
} bad_bodies[] = {
    {PATCH "Content-Length: 4097\r\n\r\n", HTTP_STATUS_PAYLOAD_TOO_LARGE},
    {PATCH "Content-Length: 1844674407370955160\r\n\r\n", HTTP_STATUS_PAYLOAD_TOO_LARGE},
    {PATCH "Content-Length: 18446744073709551616\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {PATCH "Content-Length: -1\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {PATCH "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {PATCH "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_STATUS_BAD_REQUEST},
    {CHUNKED "x\r\n", HTTP_STATUS_BAD_REQUEST},
    {CHUNKED "ffffffffffffffff1\r\n", HTTP_STATUS_BAD_REQUEST},
    {PATCH "Content-Length: 3\r\n\r\n{}", 0},
    {CHUNKED "2\r\n{}\r\n", 0},
};

START_TEST(bad_body)
{
    admin_request_begin(&request);
    for (const char *at = bad_bodies[_i].text; *at != '\0'; at++)
        feed(at, 1);
    ck_assert_int_eq(request.progress, bad_bodies[_i].status != 0 ? HTTP_REJECTED : HTTP_READING);
    ck_assert_int_eq(request.status, bad_bodies[_i].status);
}
END_TEST

/* A body of the largest size, and one octet more, after a head of the largest size. */
START_TEST(body_limit)
{
    static char text[ADMIN_REQUEST_MAX + ADMIN_BODY_MAX + 1];
    for (size_t len = ADMIN_BODY_MAX; len <= ADMIN_BODY_MAX + 1; len++) {
        char last[64];
        snprintf(last, sizeof last, "\r\nContent-Length: %zu\r\n\r\n", len);
        memset(text, 'y', sizeof text);
        memcpy(text, "PATCH / HTTP/1.1\r\nX: ", 21);
        memcpy(text + ADMIN_REQUEST_MAX - strlen(last), last, strlen(last));
        admin_request_begin(&request);
        feed(text, ADMIN_REQUEST_MAX + len);
        ck_assert_int_eq(request.progress, len > ADMIN_BODY_MAX ? HTTP_REJECTED : HTTP_COMPLETE);
        ck_assert_int_eq(request.status, len > ADMIN_BODY_MAX ? HTTP_STATUS_PAYLOAD_TOO_LARGE : 0);
    }
    ck_assert_uint_eq(request.body_len, 0);
}
END_TEST

/* Chunks have no length before they end. */
START_TEST(chunks_limit)
{
    static const char chunk[] = "1\r\nx\r\n";
    admin_request_begin(&request);
    feed(CHUNKED, strlen(CHUNKED));
    for (size_t i = 0; i < ADMIN_BODY_MAX; i++)
        ck_assert_int_eq(feed(chunk, strlen(chunk)), HTTP_READING);
    ck_assert_int_eq(feed(chunk, strlen(chunk)), HTTP_REJECTED);
    ck_assert_int_eq(request.status, HTTP_STATUS_PAYLOAD_TOO_LARGE);
}
END_TEST

/* Nor have their extensions and trailers an end of their own. */
START_TEST(sent_limit)
{
    static const char *const endless[] = {CHUNKED "1;", CHUNKED "0\r\nX: "};
    admin_request_begin(&request);
    feed(endless[_i], strlen(endless[_i]));
    for (size_t i = 0; i <= ADMIN_REQUEST_MAX + ADMIN_BODY_SENT_MAX; i++)
        feed("y", 1);
    ck_assert_int_eq(request.progress, HTTP_REJECTED);
    ck_assert_int_eq(request.status, HTTP_STATUS_PAYLOAD_TOO_LARGE);
}
END_TEST

START_TEST(matching)
{
    static const struct {
        const char *target;
        const char *pattern;
        bool matches;
    } rows[] = {
        {HEAD("/v1/sessions"), "/v1/sessions", true},
        {HEAD("/v1/sessions/"), "/v1/sessions", false},
        {HEAD("/v1/sessions"), "/v1/sessions/:id", false},
        {HEAD("/v1/sessions/"), "/v1/sessions/:id", false},
        {HEAD("/v1/sessions/a"), "/v1/sessions/:id", true},
        {HEAD("/v1/sessions/a/b"), "/v1/sessions/:id", false},
        {HEAD("/v1/sessions/a%2Fb"), "/v1/sessions/:id", true},
        {HEAD("/v1/servers/p/s"), "/v1/servers/:pool/:server*", true},
        {HEAD("/v1/servers/p/unix:/run/imap"), "/v1/servers/:pool/:server*", true},
        {HEAD("/v1/servers/p/s/"), "/v1/servers/:pool/:server*", true},
        {HEAD("/v1/servers/p//s"), "/v1/servers/:pool/:server*", false},
        {HEAD("/v1/servers/p/"), "/v1/servers/:pool/:server*", false},
        {HEAD("/v1/servers/p"), "/v1/servers/:pool/:server*", false},
        {HEAD("/v1%2Fsessions"), "/v1/sessions", false},
        {HEAD("/v1/session"), "/v1/sessions", false},
        {HEAD("/v1/sessionss"), "/v1/sessions", false},
        {HEAD("/"), "/metrics", false},
        {HEAD("//metrics"), "/metrics", false},
        {HEAD("/Metrics"), "/metrics", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        admin_request_begin(&request);
        ck_assert_int_eq(feed(rows[i].target, strlen(rows[i].target)), HTTP_COMPLETE);
        ck_assert_msg(admin_request_matches(&request, rows[i].pattern) == rows[i].matches, "%s %s",
                      rows[i].target, rows[i].pattern);
    }
}
END_TEST

START_TEST(parameters)
{
    admin_request_begin(&request);
    const char *text = HEAD("/s?a=1&b=&a=2");
    ck_assert_int_eq(feed(text, strlen(text)), HTTP_COMPLETE);
    ck_assert_str_eq(admin_request_parameter(&request, "a"), "1");
    ck_assert_str_eq(admin_request_parameter(&request, "b"), "");
    ck_assert_ptr_null(admin_request_parameter(&request, "c"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_request");
    TCase *tests = tcase_create("admin_request");
    tcase_add_loop_test(tests, whole, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tests, in_pieces, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tests, rejected, 0, ARRAY_LEN(bad));
    tcase_add_test(tests, target_limit);
    tcase_add_test(tests, head_limit);
    tcase_add_loop_test(tests, body_at_every_cut, 0, ARRAY_LEN(bodies));
    tcase_add_loop_test(tests, bad_body, 0, ARRAY_LEN(bad_bodies));
    tcase_add_test(tests, body_limit);
    tcase_add_test(tests, chunks_limit);
    tcase_add_loop_test(tests, sent_limit, 0, 2);
    tcase_add_test(tests, matching);
    tcase_add_test(tests, parameters);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
