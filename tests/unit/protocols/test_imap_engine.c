/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_private.h"
#include "protocols/imap/imap_protocol.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

/* What dialogues can't show: what is copied, what is kept, and how much an idle session is. */
static struct engine *engine;
static struct engine_out *out;

static void feed(enum side from, struct slice data)
{
    while (data.len > 0) {
        ck_assert(engine_wants(engine, from));
        size_t consumed = engine_feed(engine, from, data, out);
        ck_assert_uint_gt(consumed, 0);
        data = slice_from(data, consumed);
    }
}

static void feed_text(enum side from, const char *text)
{
    feed(from, slice_of(text));
    engine_out_reset(out);
}

static void setup(void)
{
    static const struct engine_service service = {
        .protocol = PROTOCOL_IMAP, .deep_status = "tls12", .hostname = "proxy.example.com"};
    static const struct engine_client client = {.tls_cipher = "TLS_AES_128_GCM_SHA256",
                                                .nonce = "abcdefghijklmnop"};
    engine = engine_new(&service, &client);
    out = engine_out_new();
    ck_assert(engine != NULL && out != NULL);
    feed_text(SIDE_BACKEND, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n");
}

static void teardown(void)
{
    engine_free(&engine);
    engine_out_free(&out);
}

static const struct imap_engine *imap(void)
{
    return (const struct imap_engine *)engine;
}

static void holds_nothing(void)
{
    ck_assert_ptr_null(imap()->from_client.held.data);
    ck_assert_ptr_null(imap()->client_held.data);
    ck_assert_ptr_null(imap()->backend_held.data);
    ck_assert_ptr_null(imap()->pending_output.data);
}

START_TEST(a_session_is_small_and_holds_nothing_while_it_idles)
{
    ck_assert_uint_le(imap_engine_ops.size, 600);
    holds_nothing();
    feed_text(SIDE_CLIENT, "a1 ID (\"name\" {1+}\r\nx)\r\n");
    feed_text(SIDE_BACKEND, "a1 OK [CAPABILITY IMAP4rev1 ID] done\r\n");
    feed_text(SIDE_CLIENT, "a2 IDLE\r\n");
    feed_text(SIDE_BACKEND, "+ idling\r\n* 3 EXISTS\r\n* ID NIL\r\n");
    holds_nothing();
    feed_text(SIDE_CLIENT, "DONE\r\na3 STARTTLS\r\n");
    holds_nothing();
}
END_TEST

/*
 * All of `data`, and nothing else, lies in the lane as one slice. One assertion, as Check is slow in counting
 * them.
 */
static void passes_as_one_slice(enum side from, struct slice data)
{
    bool wanted = engine_wants(engine, from);
    size_t consumed = engine_feed(engine, from, data, out);
    const struct engine_lane *lane = &out->lanes[side_opposite(from)];
    ck_assert(wanted && consumed == data.len && out->scratch_used == 0 && lane->count == 1 &&
              lane->slices[0].data == data.data && lane->slices[0].len == data.len);
    engine_out_reset(out);
}

START_TEST(whole_lines_pass_without_a_copy)
{
    passes_as_one_slice(SIDE_CLIENT, slice_of("a1 NOOP\r\na2 FETCH 1:2 BODY[]\r\na3 CHECK\r\n"));
    passes_as_one_slice(SIDE_BACKEND, slice_of("a1 OK done\r\n* 1 FETCH (BODY[] {3}\r\nabc)\r\n"
                                               "* 2 FETCH (BODY[] {0}\r\n)\r\n* OK still here\r\na2 OK\r\n"));
    holds_nothing();
}
END_TEST

enum { LARGE = 10 * 1024 * 1024, CHUNK = 16 * 1024 };

START_TEST(ten_megabytes_pass_without_a_copy)
{
    enum side from = _i == 0 ? SIDE_CLIENT : SIDE_BACKEND;
    if (from == SIDE_CLIENT) {
        feed_text(SIDE_CLIENT, "a1 APPEND INBOX {10485760}\r\n");
        feed_text(SIDE_BACKEND, "+ go\r\n");
    } else {
        feed_text(SIDE_BACKEND, "* 1 FETCH (BODY[] {10485760}\r\n");
    }
    uint8_t *chunk = malloc(CHUNK);
    ck_assert_ptr_nonnull(chunk);
    for (size_t i = 0; i < CHUNK; i++)
        chunk[i] = (uint8_t) "\r\na1 OK {9}\0* "[i % 14];
    for (size_t sent = 0; sent < LARGE; sent += CHUNK)
        passes_as_one_slice(from, (struct slice){chunk, CHUNK});
    free(chunk);
    holds_nothing();
    feed(from, slice_of(from == SIDE_CLIENT ? "\r\na2 STARTTLS\r\n" : ")\r\n* ID NIL\r\n"));
    ck_assert_uint_gt(out->lanes[SIDE_CLIENT].octets, 0);
    ck_assert_int_eq(engine_status(engine)->reason, ENGINE_OPEN);
}
END_TEST

START_TEST(a_line_of_data_without_end_is_not_kept)
{
    static uint8_t chunk[CHUNK];
    memset(chunk, '1', sizeof chunk);
    feed_text(SIDE_BACKEND, "* SEARCH ");
    for (int i = 0; i < 1000; i++)
        passes_as_one_slice(SIDE_BACKEND, (struct slice){chunk, sizeof chunk});
    holds_nothing();
}
END_TEST

START_TEST(a_hundred_thousand_commands_are_counted_not_kept)
{
    for (int i = 0; i < 100000; i++)
        passes_as_one_slice(SIDE_CLIENT, slice_of("a NOOP\r\n"));
    holds_nothing();
    ck_assert_uint_eq(imap()->unanswered, 100000);
    for (int i = 0; i < 100000; i++)
        passes_as_one_slice(SIDE_BACKEND, slice_of("a OK done\r\n"));
    ck_assert_uint_eq(imap()->unanswered, 0);
}
END_TEST

/*
 * Bare LFs cost two slices each: with the lanes full the engine stops between two lines, and goes on with
 * empty ones.
 */
START_TEST(full_lanes_stop_it)
{
    enum { LINES = 10 * ENGINE_OUT_SLICES };
    static const char line[] = "a NOOP\n";
    char *text = malloc(LINES * (sizeof line - 1) + 1);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < LINES; i++)
        memcpy(text + i * (sizeof line - 1), line, sizeof line);
    size_t octets = 0, feeds = 0;
    for (struct slice input = slice_of(text); input.len > 0; feeds++) {
        size_t consumed = engine_feed(engine, SIDE_CLIENT, input, out);
        ck_assert_uint_gt(consumed, 0);
        input = slice_from(input, consumed);
        octets += out->lanes[SIDE_BACKEND].octets;
        engine_out_reset(out);
    }
    free(text);
    ck_assert_uint_gt(feeds, 1);
    ck_assert_uint_eq(octets, LINES * sizeof line);
}
END_TEST

/* Fed in pieces, so that it is held; and then neither copied into the scratch nor kept. */
START_TEST(the_longest_line_is_handed_over)
{
    static uint8_t line[IMAP_LINE_AUTHENTICATED_MAX];
    memset(line, 'x', sizeof line);
    memcpy(line, "a1 SEARCH ", 10);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    struct slice whole = {line, sizeof line};
    for (size_t at = 0; at < sizeof line; at += 65536)
        feed(SIDE_CLIENT, slice_sub(whole, at, 65536));
    ck_assert_uint_eq(out->lanes[SIDE_BACKEND].count, 1);
    ck_assert(slice_equals(out->lanes[SIDE_BACKEND].slices[0], whole));
    ck_assert_uint_eq(out->scratch_used, 0);
    holds_nothing();
    engine_out_reset(out);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("engine");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_session_is_small_and_holds_nothing_while_it_idles);
    tcase_add_test(tcase, whole_lines_pass_without_a_copy);
    tcase_add_loop_test(tcase, ten_megabytes_pass_without_a_copy, 0, 2);
    tcase_add_test(tcase, a_line_of_data_without_end_is_not_kept);
    tcase_add_test(tcase, a_hundred_thousand_commands_are_counted_not_kept);
    tcase_add_test(tcase, full_lanes_stop_it);
    Suite *suite = suite_create("imap_engine");
    tcase_add_test(tcase, the_longest_line_is_handed_over);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
