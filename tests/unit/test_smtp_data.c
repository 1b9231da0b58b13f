/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"
#include "protocols/smtp_data.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 4096 };

/* Where some server takes the message to end, by its habit; the habits are those of research on CVE-2023-51764. */
struct habit {
    const char *name;
    bool bare_lf_ends; /* a line */
    bool bare_cr_ends;
    bool drops_nul;
};

static const struct habit habits[] = {
    {"strict", false, false, false},        {"bare LF", true, false, false},
    {"bare CR", false, true, false},        {"any", true, true, false},
    {"strict, no NUL", false, false, true}, {"bare LF, no NUL", true, false, true},
    {"bare CR, no NUL", false, true, true}, {"any, no NUL", true, true, true},
};

/* ck_assert writes a record each time, which is too slow for 200,000 messages. */
static void need(bool holds)
{
    if (!holds)
        ck_abort();
}

/* Reads like a server, slowly: offset behind the end of the message, or 0 where it has none. */
static size_t end_by_habit(const uint8_t *data, size_t len, const struct habit *habit)
{
    uint8_t line[OUTPUT_MAX];
    size_t line_len = 0;
    size_t previous = SIZE_MAX;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = data[i];
        if (c == '\0' && habit->drops_nul)
            continue;
        size_t next = i + 1;
        while (habit->drops_nul && next < len && data[next] == '\0')
            next++;
        bool crlf = c == '\n' && previous != SIZE_MAX && data[previous] == '\r';
        bool ends = crlf || (c == '\n' && habit->bare_lf_ends) ||
                    (c == '\r' && habit->bare_cr_ends && (next >= len || data[next] != '\n'));
        previous = i;
        line[line_len++] = c;
        if (!ends)
            continue;
        if (crlf)
            line_len--;
        line_len--;
        if (line_len == 1 && line[0] == '.')
            return i + 1;
        line_len = 0;
    }
    return 0;
}

static void collect(struct engine_out *out, struct bytes *got)
{
    need(out->lanes[SIDE_CLIENT].count == 0);
    for (size_t i = 0; i < out->lanes[SIDE_BACKEND].count; i++)
        need(bytes_append(got, out->lanes[SIDE_BACKEND].slices[i], OUTPUT_MAX));
    engine_out_reset(out);
}

/* Runs a message in pieces of `chunk` octets; returns how many octets it has taken. */
static size_t run(struct slice message, size_t chunk, struct bytes *got, bool *ended)
{
    static struct engine_out *out;
    if (out == NULL)
        out = engine_out_new();
    need(out != NULL);
    engine_out_reset(out);
    enum smtp_data_state state = SMTP_DATA_LINE;
    size_t at = 0;
    while (at < message.len && state != SMTP_DATA_END) {
        struct slice piece = slice_sub(message, at, chunk);
        size_t taken = smtp_data_take(&state, piece, out);
        need(taken + out->lanes[SIDE_BACKEND].count > 0);
        at += taken;
        collect(out, got);
    }
    *ended = state == SMTP_DATA_END;
    return at;
}

/* No CR, LF or NUL but in CRLF. */
static bool is_well_formed(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool crlf = s.data[i] == '\r' && i + 1 < s.len && s.data[i + 1] == '\n';
        if (!crlf && strchr("\r\n", s.data[i]) != NULL)
            return false;
        i += crlf;
    }
    return true;
}

static void check_message(struct slice message)
{
    struct bytes whole = {0};
    struct bytes cut = {0};
    bool ended;
    bool ended_cut;
    size_t taken = run(message, SIZE_MAX, &whole, &ended);
    need(run(message, 1, &cut, &ended_cut) == taken);
    need(ended == ended_cut && slice_equals(bytes_view(&whole), bytes_view(&cut)));
    size_t strict = end_by_habit(message.data, message.len, &habits[0]);
    need((ended ? taken : 0) == strict);
    struct slice consumed = slice_sub(message, 0, taken);
    if (is_well_formed(consumed))
        need(slice_equals(bytes_view(&whole), consumed));
    for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++)
        if (end_by_habit(whole.data, whole.len, &habits[i]) != (ended ? whole.len : 0))
            ck_abort_msg("a server of habit \"%s\" ends elsewhere", habits[i].name);
    bytes_free(&whole);
    bytes_free(&cut);
}

/* All messages of up to seven octets over the alphabet that matters, and the end behind each of them. */
START_TEST(no_habit_ends_elsewhere)
{
    static const char alphabet[] = {'\r', '\n', '.', 'x', '\0'};
    size_t letters = sizeof alphabet;
    size_t total = 1;
    for (int len = 0; len <= 7; len++, total *= letters) {
        for (size_t number = 0; number < total; number++) {
            uint8_t message[16];
            size_t rest = number;
            for (int i = 0; i < len; i++, rest /= letters)
                message[i] = (uint8_t)alphabet[rest % letters];
            memcpy(message + len, "\r\n.\r\n", 5);
            check_message((struct slice){message, (size_t)len});
            check_message((struct slice){message, (size_t)len + 5});
        }
    }
}
END_TEST

/* No copy and no rewriting in what clients send. */
START_TEST(a_well_formed_message_is_one_slice)
{
    static const char message[] = "Subject: x\r\n\r\n..dot\r\n.x\r\nx.\r\n \r\n.";
    struct engine_out *out = engine_out_new();
    enum smtp_data_state state = SMTP_DATA_LINE;
    struct slice s = slice_of(message);
    ck_assert_uint_eq(smtp_data_take(&state, s, out), s.len);
    ck_assert_uint_eq(out->lanes[SIDE_BACKEND].count, 1);
    ck_assert_ptr_eq(out->lanes[SIDE_BACKEND].slices[0].data, s.data);
    ck_assert_uint_eq(out->lanes[SIDE_BACKEND].slices[0].len, s.len);
    ck_assert_uint_eq(out->scratch_used, 0);
    engine_out_free(&out);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("DATA");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, no_habit_ends_elsewhere);
    tcase_add_test(tcase, a_well_formed_message_is_one_slice);
    Suite *suite = suite_create("smtp_data");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
