/* SPDX-License-Identifier: BSD-2-Clause */
/* Request lines of HTTP, and commands of mail protocols that come near them. */
#include "base/array.h"
#include "protocols/http_request.h"
#include "run_suite.h"

static const struct sample {
    const char *line;
    bool is_request;
} samples[] = {
    {"GET / HTTP/1.1", true},
    {"POST /a/b?c=d HTTP/1.0", true},
    {"OPTIONS * HTTP/1.1", true},
    {"CONNECT mail.example.com:993 HTTP/1.1", true},
    {"GET http://mail.example.com/ HTTP/1.1", true},
    {"PRI * HTTP/2.0", true},
    {"PROPFIND / HTTP/1.1", true},
    {"get / http/1.1", true},
    {"GET /", true}, /* 0.9, or a line that was cut */
    {"PATCH *", true},
    {"TRACE /", true},
    {"DELETE /x HTTP/3", true},
    {"", false},
    {" ", false},
    {"GET", false},
    {"GET ", false},
    {"GET SELECT", false},
    {"get /", false},
    {"GETS /", false},
    {" / HTTP/1.1", false},
    {"GET  / HTTP/1.1", false},
    {"a1 SELECT HTTP/1.1", false},
    {"a1 LOGIN / HTTP/1.1", false},
    {"a1 CREATE a/b", false},
    {"MAIL FROM:<a@example.com> BODY=8BITMIME", false},
    {"X /y HTTP/", false},
    {"X /y HTTP/x.1", false},
    {"X /y HTTP/1.1.1", false},
    {"X /y HTTP/1.1 z", false},
    {"X /y FTTP/1.1", false},
    {"X y HTTP/1.1", false},
};

START_TEST(request)
{
    ck_assert_msg(http_is_request(slice_of(samples[_i].line)) == samples[_i].is_request, "%s",
                  samples[_i].line);
}
END_TEST

/* What is told by its beginning is told by HTTP_BEGINNING_MAX octets, and no fewer for the longest. */
START_TEST(beginning)
{
    static const char *const begun[] = {"GET /", "OPTIONS /", "CONNECT *", "HEAD /", "PUT /"};
    for (size_t i = 0; i < ARRAY_LEN(begun); i++) {
        struct slice whole = slice_of(begun[i]);
        ck_assert(http_begins_request(slice_first(whole, HTTP_BEGINNING_MAX)));
        ck_assert(!http_begins_request(slice_first(whole, whole.len - 1)));
    }
    ck_assert(!http_begins_request(slice_of("PRI * HTTP/2.0")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_request");
    TCase *tcase = tcase_create("lines");
    tcase_add_loop_test(tcase, request, 0, ARRAY_LEN(samples));
    tcase_add_test(tcase, beginning);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
