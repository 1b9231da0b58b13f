/* SPDX-License-Identifier: BSD-2-Clause */
/* Control by JSON: who answers what, what the program is asked for, and what comes of it. */
#include "proxy/admin/admin_api.h"

#include "base/array.h"
#include "run_suite.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct admin_pages pages;
static struct admin_request request;
static struct survey_query asked;
static unsigned surveys;
static unsigned reloads;
static bool takes_more;
static FILE *logged;
static int standard_error;

static void describe(void *arg, struct admin_state *into)
{
    (void)arg;
    *into = (struct admin_state){0};
}

static bool survey(void *arg, uint64_t visit, const struct survey_query *query)
{
    (void)arg;
    ck_assert_uint_eq(visit, 77);
    asked = *query;
    surveys++;
    return takes_more;
}

static bool reload(void *arg, uint64_t visit)
{
    (void)arg;
    ck_assert_uint_eq(visit, 77);
    reloads++;
    return takes_more;
}

static void set_up(void)
{
    logged = tmpfile();
    standard_error = dup(STDERR_FILENO);
    ck_assert(logged != NULL && dup2(fileno(logged), STDERR_FILENO) >= 0);
    pages = (struct admin_pages){.source = {.describe = describe, .survey = survey, .reload = reload},
                                 .log = log_new(CFG_LOG_INFO)};
    ck_assert_ptr_nonnull(pages.log);
    surveys = reloads = 0;
    takes_more = true;
}

static void tear_down(void)
{
    log_close(&pages.log);
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    fclose(logged);
}

static const char *log_text(void)
{
    static char text[65536];
    ck_assert(log_flush(pages.log));
    ssize_t len = pread(fileno(logged), text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static struct admin_call call_of(const char *line)
{
    char text[2048];
    snprintf(text, sizeof text, "%s HTTP/1.1\r\n\r\n", line);
    admin_request_begin(&request);
    ck_assert_int_ne(admin_request_feed(&request, slice_of(text)), HTTP_READING);
    return (struct admin_call){.pages = &pages,
                               .request = &request,
                               .is_local = true,
                               .is_permitted = true,
                               .uid = 1234,
                               .visit = 77};
}

/* In static memory; the answer is released. */
static const char *body_of(const struct http_answer *answer)
{
    static char text[65536];
    snprintf(text, sizeof text, "%.*s%.*s", (int)answer->body[0].len, (const char *)answer->body[0].data,
             (int)answer->body[1].len, (const char *)answer->body[1].data);
    http_answer_release(answer);
    return text;
}

static void expect(struct admin_call *call, enum http_status status, const char *body)
{
    ck_assert(!call->is_later);
    ck_assert_int_eq(call->answer.status, status);
    ck_assert_str_eq(body_of(&call->answer), body);
}

/* ---- requests ---- */

START_TEST(a_query)
{
    struct admin_call call =
        call_of("GET /v1/sessions?service=a%26b&pool=p&server=%5B::1%5D:143&client=::ffff:192.0.2.1&limit=7");
    admin_route(&call);
    ck_assert(call.is_later);
    ck_assert_str_eq(asked.service, "a&b");
    ck_assert_str_eq(asked.pool, "p");
    ck_assert_str_eq(asked.server, "[::1]:143");
    ck_assert_int_eq(asked.client.ss_family, AF_INET);
    ck_assert_uint_eq(asked.max, 7);
    ck_assert(!asked.ends_them);
    call = call_of("GET /v1/sessions");
    admin_route(&call);
    ck_assert_uint_eq(asked.max, SURVEY_ROWS);
    ck_assert_str_eq(asked.service, "");
    ck_assert_int_eq(asked.client.ss_family, AF_UNSPEC);
    ck_assert_uint_eq(surveys, 2);
    ck_assert_ptr_null(strstr(log_text(), "event=control")); /* who only looks changes nothing */
}
END_TEST

static const struct {
    const char *line;
    const char *logged;
} commands[] = {
    {"DELETE /v1/sessions/a%2Fb-1", "uid=1234 command=\"kick session=a/b-1\"\n"},
    {"DELETE /v1/sessions/x%0Aevent=forged", "uid=1234 command=\"kick session=x\\x0Aevent=forged\"\n"},
    {"DELETE /v1/sessions?client=2001:DB8::0", "uid=1234 command=\"kick client=2001:db8::\"\n"},
    {"DELETE /v1/sessions?service=s&pool=p&server=v",
     "uid=1234 command=\"kick service=s pool=p server=v\"\n"},
    {"POST /v1/reload", "uid=1234 command=reload\n"},
};

START_TEST(a_command)
{
    struct admin_call call = call_of(commands[_i].line);
    admin_route(&call);
    ck_assert(call.is_later);
    ck_assert_uint_eq(surveys + reloads, 1);
    ck_assert_msg(strstr(log_text(), commands[_i].logged) != NULL, "%s", log_text());
    ck_assert_ptr_nonnull(strstr(log_text(), "level=info event=control uid="));
}
END_TEST

static const struct {
    const char *line;
    enum http_status status;
} wrong_ones[] = {
    {"DELETE /v1/sessions", HTTP_STATUS_BAD_REQUEST},
    {"DELETE /v1/sessions?limit=1", HTTP_STATUS_BAD_REQUEST},
    {"DELETE /v1/sessions/a?limit=1", HTTP_STATUS_BAD_REQUEST},
    {"DELETE /v1/sessions?client=", HTTP_STATUS_BAD_REQUEST},
    {"DELETE /v1/sessions?client=0x7f.1", HTTP_STATUS_BAD_REQUEST},
    {"DELETE /v1/sessions?service=", HTTP_STATUS_BAD_REQUEST},
    {"GET /v1/sessions?limit=", HTTP_STATUS_BAD_REQUEST},
    {"GET /v1/sessions?limit=99999999999999999999999", HTTP_STATUS_BAD_REQUEST},
    {"POST /v1/reload?", HTTP_STATUS_OK}, /* an empty query is none */
    {"POST /v1/reload?x", HTTP_STATUS_BAD_REQUEST},
    {"GET /v1/config?x", HTTP_STATUS_BAD_REQUEST},
    {"GET /v1/certificates?client=::1", HTTP_STATUS_BAD_REQUEST},
    {"GET /v1/reload", HTTP_STATUS_METHOD_NOT_ALLOWED},
    {"POST /v1/sessions", HTTP_STATUS_METHOD_NOT_ALLOWED},
    {"GET /v1/sessions/a", HTTP_STATUS_METHOD_NOT_ALLOWED},
    {"get /v1/sessions", HTTP_STATUS_METHOD_NOT_ALLOWED},
    {"GET /v1", HTTP_STATUS_NOT_FOUND},
    {"GET /v1/sessions/", HTTP_STATUS_NOT_FOUND},
    {"GET /v1/sessions/%zz", HTTP_STATUS_BAD_REQUEST},
    {"GET /v1/pools?x", HTTP_STATUS_BAD_REQUEST},
    {"POST /v1/pools", HTTP_STATUS_METHOD_NOT_ALLOWED},
    {"GET /v1/servers?x", HTTP_STATUS_BAD_REQUEST},
    {"PATCH /v1/servers", HTTP_STATUS_METHOD_NOT_ALLOWED},
    {"PATCH /v1/servers/p", HTTP_STATUS_NOT_FOUND},
    {"PATCH /v1/servers/p/", HTTP_STATUS_NOT_FOUND},
    {"PATCH /v1/servers//s", HTTP_STATUS_NOT_FOUND},
    {"PATCH /v1/servers/p/s", HTTP_STATUS_NOT_FOUND}, /* there is none */
    {"PATCH /v1/servers/p/s?x", HTTP_STATUS_BAD_REQUEST},
    {"DELETE /v1/servers/p/s", HTTP_STATUS_METHOD_NOT_ALLOWED},
};

START_TEST(wrong)
{
    struct admin_call call = call_of(wrong_ones[_i].line);
    admin_route(&call);
    ck_assert(call.is_later == (wrong_ones[_i].status == HTTP_STATUS_OK));
    if (call.is_later)
        return;
    ck_assert_int_eq(call.answer.status, wrong_ones[_i].status);
    ck_assert_str_eq(call.answer.type, "application/json");
    const char *body = body_of(&call.answer);
    ck_assert_ptr_eq(strstr(body, "{\"error\":\""), body);
}
END_TEST

/* By TCP all of it is not there; by the socket it is, for who may. */
START_TEST(who_may)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct admin_call call = call_of(commands[i].line);
        call.is_local = false;
        admin_route(&call);
        expect(&call, HTTP_STATUS_NOT_FOUND, "there are /metrics, /healthz and /readyz\n");
        call = call_of(commands[i].line);
        call.is_permitted = false;
        admin_route(&call);
        expect(&call, HTTP_STATUS_FORBIDDEN,
               "{\"error\":\"only root, the program's own user and members of admin.group may do this\"}\n");
    }
    static const char *const of_servers[] = {"GET /v1/pools", "GET /v1/servers", "GET /v1/servers/p/s",
                                             "PATCH /v1/servers/p/s"};
    for (size_t i = 0; i < ARRAY_LEN(of_servers); i++) {
        struct admin_call call = call_of(of_servers[i]);
        call.is_local = false;
        admin_route(&call);
        expect(&call, HTTP_STATUS_NOT_FOUND, "there are /metrics, /healthz and /readyz\n");
        call = call_of(of_servers[i]);
        call.is_permitted = false;
        admin_route(&call);
        ck_assert_int_eq(call.answer.status, HTTP_STATUS_FORBIDDEN);
        http_answer_release(&call.answer);
    }
    struct admin_call page = call_of("GET /healthz");
    page.is_permitted = false;
    admin_route(&page);
    ck_assert_int_eq(page.answer.status, HTTP_STATUS_FORBIDDEN);
    http_answer_release(&page.answer);
    ck_assert_uint_eq(surveys + reloads, 0);
    ck_assert_ptr_nonnull(strstr(log_text(), "level=warning event=control-refused uid=1234\n"));
    ck_assert_ptr_null(strstr(log_text(), "event=control "));
}
END_TEST

START_TEST(too_many)
{
    takes_more = false;
    struct admin_call call = call_of("GET /v1/sessions");
    admin_route(&call);
    expect(&call, HTTP_STATUS_SERVICE_UNAVAILABLE, "{\"error\":\"too many ask at once\"}\n");
    call = call_of("POST /v1/reload");
    admin_route(&call);
    ck_assert_int_eq(call.answer.status, HTTP_STATUS_SERVICE_UNAVAILABLE);
    http_answer_release(&call.answer);
}
END_TEST

START_TEST(methods)
{
    struct admin_call call = call_of("PUT /v1/sessions");
    admin_route(&call);
    ck_assert_str_eq(call.answer.allow, "GET, HEAD, DELETE");
    expect(&call, HTTP_STATUS_METHOD_NOT_ALLOWED, "{\"error\":\"only GET, HEAD and DELETE are allowed\"}\n");
    call = call_of("PUT /v1/servers/p/unix:/run/imap");
    admin_route(&call);
    ck_assert_str_eq(call.answer.allow, "GET, HEAD, PATCH");
    http_answer_release(&call.answer);
    call = call_of("GET /v1/reload");
    admin_route(&call);
    ck_assert_str_eq(call.answer.allow, "POST");
    expect(&call, HTTP_STATUS_METHOD_NOT_ALLOWED, "{\"error\":\"only POST is allowed\"}\n");
}
END_TEST

/* The program shows nothing yet. */
START_TEST(no_servers)
{
    struct admin_call call = call_of("GET /v1/servers");
    admin_route(&call);
    expect(&call, HTTP_STATUS_OK, "[]\n");
    call = call_of("GET /v1/pools");
    admin_route(&call);
    expect(&call, HTTP_STATUS_OK, "[]\n");
    call = call_of("GET /v1/servers/p%20q/s");
    admin_route(&call);
    expect(&call, HTTP_STATUS_NOT_FOUND,
           "{\"error\":\"there is no pool \\\"p q\\\"; /v1/servers lists all\"}\n");
}
END_TEST

/* ---- answers ---- */

START_TEST(sessions)
{
    struct survey_query query = {.max = 2};
    struct survey of_workers[2] = {{.query = &query, .matched = 2}, {.query = &query, .matched = 3}};
    struct survey_row rows[] = {
        {{"a-1", "192.0.2.1:5", "imap", "main", "", "connecting"}, 1999, 1, 2},
        {{"a-2", "[2001:db8::1]:5", "imap", "m\xC3\xA9 \xE9\n\"", "s1", "relaying"}, 0, 0, 0},
        {{"b-1", "192.0.2.1:5", "imap", "main", "s1", "relaying"}, 0, 0, 0}};
    struct http_answer answer;
    survey_add(&of_workers[0], &rows[0]);
    survey_add(&of_workers[0], &rows[1]);
    survey_add(&of_workers[1], &rows[2]);
    admin_api_write_survey(&answer, &query, of_workers, 2);
    ck_assert_int_eq(answer.status, HTTP_STATUS_OK);
    ck_assert(answer.has_total);
    ck_assert_uint_eq(answer.total, 5);
    ck_assert_str_eq(
        body_of(&answer),
        "[{\"id\":\"a-1\",\"client\":\"192.0.2.1:5\",\"service\":\"imap\",\"pool\":\"main\",\"server\":null,"
        "\"state\":\"connecting\",\"age\":1,\"in\":1,\"out\":2},"
        "{\"id\":\"a-2\",\"client\":\"[2001:db8::1]:5\",\"service\":\"imap\","
        "\"pool\":\"m\\\\xC3\\\\xA9 "
        "\\\\xE9\\n\\\"\",\"server\":\"s1\",\"state\":\"relaying\",\"age\":0,\"in\":0,"
        "\"out\":0}]\n");
    survey_free(&of_workers[0]);
    survey_free(&of_workers[1]);
}
END_TEST

START_TEST(kicks)
{
    struct survey_query query = {.ends_them = true};
    struct survey of_workers[2] = {{.query = &query, .matched = 2}, {.query = &query, .matched = 3}};
    struct http_answer answer;
    admin_api_write_survey(&answer, &query, of_workers, 2);
    ck_assert_str_eq(body_of(&answer), "{\"kicked\":5}\n");
    admin_api_write_survey(&answer, &query, of_workers, 0);
    ck_assert_str_eq(body_of(&answer), "{\"kicked\":0}\n");
    snprintf(query.id, sizeof query.id, "a-1");
    admin_api_write_survey(&answer, &query, of_workers, 0);
    ck_assert_int_eq(answer.status, HTTP_STATUS_NOT_FOUND);
    ck_assert_str_eq(body_of(&answer), "{\"error\":\"there is no such session\"}\n");
}
END_TEST

START_TEST(reload_answers)
{
    struct cfg_problems problems = {0};
    struct http_answer answer;
    admin_api_write_reload(&answer, ADMIN_RELOAD_DONE, &problems);
    ck_assert_int_eq(answer.status, HTTP_STATUS_OK);
    ck_assert_str_eq(body_of(&answer), "{\"result\":\"done\",\"problems\":[]}\n");
    cfg_problems_add(&problems, CFG_WARNING, (struct cfg_place){"/a", 3}, "odd");
    cfg_problems_add(&problems, CFG_ERROR, (struct cfg_place){"/b", 0}, "bad");
    admin_api_write_reload(&answer, ADMIN_RELOAD_REFUSED, &problems);
    ck_assert_int_eq(answer.status, HTTP_STATUS_UNPROCESSABLE_ENTITY);
    ck_assert_str_eq(body_of(&answer),
                     "{\"error\":\"refused: the one before stays in effect\",\"problems\":["
                     "{\"severity\":\"warning\",\"file\":\"/a\",\"line\":3,\"problem\":\"odd\"},"
                     "{\"severity\":\"error\",\"file\":\"/b\",\"line\":null,\"problem\":\"bad\"}]}\n");
    admin_api_write_reload(&answer, ADMIN_RELOAD_ENDING, NULL);
    ck_assert_int_eq(answer.status, HTTP_STATUS_CONFLICT);
    http_answer_release(&answer);
    cfg_problems_free(&problems);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_api");
    TCase *tests = tcase_create("admin_api");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_query);
    tcase_add_loop_test(tests, a_command, 0, ARRAY_LEN(commands));
    tcase_add_loop_test(tests, wrong, 0, ARRAY_LEN(wrong_ones));
    tcase_add_test(tests, who_may);
    tcase_add_test(tests, too_many);
    tcase_add_test(tests, methods);
    tcase_add_test(tests, no_servers);
    tcase_add_test(tests, sessions);
    tcase_add_test(tests, kicks);
    tcase_add_test(tests, reload_answers);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
