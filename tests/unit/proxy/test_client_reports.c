/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts of what clients report, by tag and kind. */
#include "base/array.h"
#include "proxy/runtime/client_reports.h"

#include "protocols/deep/deep_status.h"
#include "protocols/engine_private.h"
#include "run_suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct engine_service service = {.protocol = PROTOCOL_IMAP, .deep_status = "", .hostname = "h"};
static const struct engine_client client = {.tls_cipher = "TLS_AES_128_GCM_SHA256"};

static void end_session(struct client_reports *reports, const char *latch, const char *fail, const char *tags)
{
    struct engine *engine = engine_new(&service, &client);
    if (latch != NULL)
        engine_set_report(engine, ENGINE_REPORT_LATCH, slice_of(latch));
    if (fail != NULL)
        engine_set_report(engine, ENGINE_REPORT_LATCH_FAIL, slice_of(fail));
    if (tags != NULL)
        engine_set_report(engine, ENGINE_REPORT_SECURITY_TAGS, slice_of(tags));
    client_reports_count(reports, engine);
    engine_free(&engine);
}

static void expect(const struct client_reports *reports, const char *tag, unsigned latch, unsigned fail,
                   unsigned security_tags)
{
    size_t i = 0;
    while (i < reports->tag_count && strcmp(reports->tags[i].name, tag) != 0)
        i++;
    ck_assert_msg(i < reports->tag_count, "no %s", tag);
    ck_assert_uint_eq(reports->tags[i].counts[CLIENT_REPORTS_LATCH], latch);
    ck_assert_uint_eq(reports->tags[i].counts[CLIENT_REPORTS_LATCH_FAIL], fail);
    ck_assert_uint_eq(reports->tags[i].counts[CLIENT_REPORTS_SECURITY_TAGS], security_tags);
}

START_TEST(the_tags_of_a_service)
{
    static const char *const expected[] = {"other", "tls11", "tls12", "tls-cert", "tls-dane-tlsa", "own"};
    struct client_reports *reports;
    ck_assert_ptr_nonnull(reports = client_reports_new("TLS12 own <https://example.com/> Own 1x"));
    ck_assert_uint_eq(reports->tag_count, ARRAY_LEN(expected));
    for (size_t i = 0; i < reports->tag_count; i++)
        ck_assert_str_eq(reports->tags[i].name, expected[i]);
    client_reports_unref(&reports);
}
END_TEST

/* A status of as many tags as there can be. */
START_TEST(many_tags)
{
    char status[DEEP_STATUS_MAX + 1];
    size_t len = 0;
    for (char a = 'a'; a <= 'z'; a++)
        for (char b = '0'; b <= '4' && len + 3 <= DEEP_STATUS_MAX; b++) {
            status[len++] = a;
            status[len++] = b;
            status[len++] = ' ';
        }
    status[len] = '\0';
    struct client_reports *reports;
    ck_assert_ptr_nonnull(reports = client_reports_new(status));
    ck_assert_uint_eq(reports->tag_count, len / 3 + 5);
    end_session(reports, status, NULL, NULL);
    expect(reports, "a0", 1, 0, 0);
    expect(reports, "other", 1, 0, 0); /* what is kept of a report is cut, in the middle of a tag */
    client_reports_unref(&reports);
}
END_TEST

START_TEST(counting)
{
    struct client_reports *reports;
    ck_assert_ptr_nonnull(reports = client_reports_new("tls12 own"));
    end_session(reports, NULL, NULL, NULL);
    end_session(reports, "tls11 tls12", "tls-cert", "tls12");
    end_session(reports, "tls12,own", NULL, "TLS12 tls12,tls12"); /* once a session; without case */
    end_session(reports, "", " , ", "invented made-up ?\x01\xff");
    ck_assert_uint_eq(reports->sessions, 4);
    expect(reports, "tls11", 1, 0, 0);
    expect(reports, "tls12", 2, 0, 2);
    expect(reports, "tls-cert", 0, 1, 0);
    expect(reports, "own", 1, 0, 0);
    expect(reports, "tls-dane-tlsa", 0, 0, 0);
    expect(reports, "other", 0, 0, 1);
    client_reports_unref(&reports);
}
END_TEST

START_TEST(another_status_later)
{
    struct client_reports *reports = client_reports_new("tls12 own");
    struct client_reports *held = client_reports_ref(reports);
    end_session(reports, "own new", NULL, NULL);
    ck_assert(client_reports_add_status(reports, "TLS12 new <https://example.com/> OWN"));
    ck_assert_uint_eq(reports->tag_count, 7);
    end_session(reports, "own new", NULL, NULL);
    client_reports_unref(&reports);
    ck_assert_ptr_null(reports);
    expect(held, "own", 2, 0, 0);
    expect(held, "new", 1, 0, 0);
    expect(held, "other", 1, 0, 0);
    ck_assert_uint_eq(held->sessions, 2);
    client_reports_unref(&held);
}
END_TEST

/* A configuration that changes for ever does not make it grow for ever. */
START_TEST(statuses_without_end)
{
    struct client_reports *reports = client_reports_new("");
    char status[8];
    for (int i = 0; i < 2 * CLIENT_REPORTS_TAGS_MAX; i++) {
        snprintf(status, sizeof status, "t%d", i);
        ck_assert(client_reports_add_status(reports, status));
    }
    ck_assert_uint_eq(reports->tag_count, CLIENT_REPORTS_TAGS_MAX);
    end_session(reports, status, NULL, NULL);
    expect(reports, "other", 1, 0, 0);
    client_reports_unref(&reports);
}
END_TEST

/* What is logged, in static memory, without the time at the beginning of each line. */
static const char *logged(const struct client_reports *reports)
{
    static char lines[4096];
    char read[4096];
    size_t len = 0;
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    ck_assert(file != NULL && before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    client_reports_log(reports, "imap", NULL);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    while (fgets(read, sizeof read, file) != NULL)
        len += (size_t)snprintf(lines + len, sizeof lines - len, "%s", strchr(read, ' ') + 1);
    fclose(file);
    return lines;
}

/* A line for the service, and one for each tag that was reported in any way; "other" is the last. */
START_TEST(logging)
{
    struct client_reports *reports = client_reports_new("own");
    ck_assert_str_eq(logged(reports), "level=info event=reports service=imap sessions=0\n");
    end_session(reports, "tls12", NULL, "made-up");
    end_session(reports, "tls12", "own", NULL);
    ck_assert_str_eq(
        logged(reports),
        "level=info event=reports service=imap sessions=2\n"
        "level=info event=reports service=imap tag=tls12 sessions=2 latch=2 latch_fail=0 security_tags=0\n"
        "level=info event=reports service=imap tag=own sessions=2 latch=0 latch_fail=1 security_tags=0\n"
        "level=info event=reports service=imap tag=other sessions=2 latch=0 latch_fail=0 security_tags=1\n");
    client_reports_unref(&reports);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reports");
    TCase *tcase = tcase_create("counts");
    tcase_add_test(tcase, the_tags_of_a_service);
    tcase_add_test(tcase, many_tags);
    tcase_add_test(tcase, counting);
    tcase_add_test(tcase, another_status_later);
    tcase_add_test(tcase, statuses_without_end);
    tcase_add_test(tcase, logging);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
