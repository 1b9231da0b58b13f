/* SPDX-License-Identifier: BSD-2-Clause */
/* What a survey asks for, and the rows of its answer. */
#include "proxy/worker/survey.h"

#include "base/array.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    return address;
}

static struct survey_row row_of(const char *id, const char *service, const char *pool, const char *server)
{
    return (struct survey_row){.texts = {id, "192.0.2.1:1", service, pool, server, "relaying"},
                               .age_ms = 5,
                               .octets_in = 6,
                               .octets_out = UINT64_MAX};
}

static const struct {
    struct survey_query query;
    const char *client; /* NULL: any */
    bool wants;         /* the session a-1 of 192.0.2.1, service imap, server s1 of the pool main */
} queries[] = {
    {{.id = ""}, NULL, true},
    {{.id = "a-1"}, NULL, true},
    {{.id = "a-10"}, NULL, false},
    {{.id = "a-"}, NULL, false},
    {{.service = "imap"}, NULL, true},
    {{.service = "IMAP"}, NULL, false},
    {{.pool = "main"}, NULL, true},
    {{.pool = "other"}, NULL, false},
    {{.server = "s1"}, NULL, true},
    {{.server = "s2"}, NULL, false},
    {{.pool = "main", .server = "s2"}, NULL, false},
    {{.pool = "other", .server = "s1"}, NULL, false},
    {{.service = "imap", .pool = "main", .server = "s1", .id = "a-1"}, "192.0.2.1", true},
    {{.id = ""}, "192.0.2.2", false},
    {{.id = ""}, "2001:db8::1", false},
    {{.id = "a-1"}, "192.0.2.2", false},
};

START_TEST(wanted)
{
    struct survey_query query = queries[_i].query;
    struct survey_row row = row_of("a-1", "imap", "main", "s1");
    struct sockaddr_storage client = address_of("192.0.2.1");
    ((struct sockaddr_in *)(void *)&client)->sin_port = htons(1);
    if (queries[_i].client != NULL)
        query.client = address_of(queries[_i].client);
    ck_assert(survey_wants(&query, &row, (const struct sockaddr *)&client) == queries[_i].wants);
}
END_TEST

START_TEST(rows)
{
    struct survey_query query = {.max = 3};
    struct survey survey = {.query = &query};
    struct survey_row row;
    size_t at = 0;
    ck_assert(!survey_next(&survey, &at, &row));
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "a-%d", i);
        row = row_of(id, "imap", i == 1 ? "" : "main", "");
        survey_add(&survey, &row);
    }
    ck_assert_uint_eq(survey.row_count, 3);
    for (int i = 0; i < 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "a-%d", i);
        ck_assert(survey_next(&survey, &at, &row));
        ck_assert_str_eq(row.texts[SURVEY_ID], id);
        ck_assert_str_eq(row.texts[SURVEY_CLIENT], "192.0.2.1:1");
        ck_assert_str_eq(row.texts[SURVEY_POOL], i == 1 ? "" : "main");
        ck_assert_str_eq(row.texts[SURVEY_SERVER], "");
        ck_assert_str_eq(row.texts[SURVEY_STATE], "relaying");
        ck_assert_uint_eq(row.age_ms, 5);
        ck_assert_uint_eq(row.octets_in, 6);
        ck_assert_uint_eq(row.octets_out, UINT64_MAX);
    }
    ck_assert(!survey_next(&survey, &at, &row));
    survey_free(&survey);
}
END_TEST

/* However many rows are asked for and however long they are; each that is there is whole. */
START_TEST(octets_are_bounded)
{
    static char longest[SURVEY_NAME_MAX];
    struct survey_query query = {.max = SIZE_MAX};
    struct survey survey = {.query = &query};
    struct survey_row row;
    size_t at = 0;
    size_t count = 0;
    memset(longest, 'x', sizeof longest - 1);
    row = row_of("a-1", longest, longest, longest);
    for (size_t i = 0; i < SURVEY_OCTETS_MAX / sizeof longest; i++)
        survey_add(&survey, &row);
    ck_assert_uint_le(survey.rows.len, SURVEY_OCTETS_MAX);
    ck_assert_uint_gt(survey.rows.len, SURVEY_OCTETS_MAX - 4 * sizeof longest);
    while (survey_next(&survey, &at, &row)) {
        ck_assert_str_eq(row.texts[SURVEY_SERVER], longest);
        ck_assert_str_eq(row.texts[SURVEY_STATE], "relaying");
        count++;
    }
    ck_assert_uint_eq(count, survey.row_count);
    survey_free(&survey);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("survey");
    TCase *tests = tcase_create("survey");
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, wanted, 0, ARRAY_LEN(queries));
    tcase_add_test(tests, rows);
    tcase_add_test(tests, octets_are_bounded);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
