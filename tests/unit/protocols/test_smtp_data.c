/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "base/bytes.h"
#include "protocols/smtp/smtp_data.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 4096 };

/*
 * Where some server takes the message to end, by its habit; the habits are those of research on
 * CVE-2023-51764.
 */
struct habit {
    const char *name;
    bool bare_lf_ends; /* a line */
    bool bare_cr_ends;
    bool drops_nul;
    bool stops_at_nul; /* what stands behind it in a line is not seen: a C string */
};

static const struct habit habits[] = {
    {"strict", false, false, false, false},           {"bare LF", true, false, false, false},
    {"bare CR", false, true, false, false},           {"any", true, true, false, false},
    {"strict, no NUL", false, false, true, false},    {"bare LF, no NUL", true, false, true, false},
    {"bare CR, no NUL", false, true, true, false},    {"any, no NUL", true, true, true, false},
    {"strict, C strings", false, false, false, true}, {"bare LF, C strings", true, false, false, true},
    {"bare CR, C strings", false, true, false, true}, {"any, C strings", true, true, false, true},
};

/* ck_assert writes a record each time, which is too slow for 200,000 messages. */
static void need(bool holds)
{
    if (!holds)
        ck_abort();
}

static size_t next_octet(const uint8_t *data, size_t len, size_t at, const struct habit *habit)
{
    do
        at++;
    while (habit->drops_nul && at < len && data[at] == '\0');
    return at;
}

static bool ends_a_line(uint8_t c, bool crlf, bool lf_follows, const struct habit *habit)
{
    return crlf || (c == '\n' && habit->bare_lf_ends) || (c == '\r' && habit->bare_cr_ends && !lf_follows);
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
        size_t next = next_octet(data, len, i, habit);
        bool crlf = c == '\n' && previous != SIZE_MAX && data[previous] == '\r';
        bool ends = ends_a_line(c, crlf, next < len && data[next] == '\n', habit);
        previous = i;
        line[line_len++] = c;
        if (!ends)
            continue;
        line_len -= crlf ? 2 : 1;
        if (habit->stops_at_nul)
            line_len = slice_find((struct slice){line, line_len}, '\0');
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

struct result {
    struct bytes got;
    size_t taken;
    bool ended;
    bool refused;
};

/* Runs a message in pieces of `chunk` octets. */
static struct result run(struct slice message, size_t chunk, bool refuses_bare_lf)
{
    struct result result = {0};
    static struct engine_out *out;
    if (out == NULL)
        out = engine_out_new();
    need(out != NULL);
    engine_out_reset(out);
    enum smtp_data_state state = SMTP_DATA_LINE;
    while (result.taken < message.len && state != SMTP_DATA_END && state != SMTP_DATA_REFUSED) {
        struct slice piece = slice_sub(message, result.taken, chunk);
        size_t taken = smtp_data_take(&state, piece, refuses_bare_lf, out);
        need(taken + out->lanes[SIDE_BACKEND].count > 0);
        result.taken += taken;
        collect(out, &result.got);
    }
    result.ended = state == SMTP_DATA_END;
    result.refused = state == SMTP_DATA_REFUSED;
    return result;
}

/* Runs it whole and octet by octet. */
static struct result run_both(struct slice message, bool refuses_bare_lf)
{
    struct result whole = run(message, SIZE_MAX, refuses_bare_lf);
    struct result cut = run(message, 1, refuses_bare_lf);
    need(cut.taken == whole.taken && cut.ended == whole.ended && cut.refused == whole.refused);
    need(slice_equals(bytes_view(&whole.got), bytes_view(&cut.got)));
    bytes_free(&cut.got);
    return whole;
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

/* No server sees an end but where the whole message was let out. */
static void check_habits(const struct result *result)
{
    size_t end = result->ended ? result->got.len : 0;
    for (size_t i = 0; i < ARRAY_LEN(habits); i++)
        if (end_by_habit(result->got.data, result->got.len, &habits[i]) != end)
            ck_abort_msg("a server of habit \"%s\" ends elsewhere", habits[i].name);
}

static void check_message(struct slice message)
{
    struct result result = run_both(message, false);
    need((result.ended ? result.taken : 0) == end_by_habit(message.data, message.len, &habits[0]));
    need(!result.refused);
    struct slice consumed = slice_first(message, result.taken);
    if (is_well_formed(consumed))
        need(slice_equals(bytes_view(&result.got), consumed));
    check_habits(&result);
    bytes_free(&result.got);
}

static size_t find_bare_lf(struct slice s)
{
    size_t at = 0;
    while (at < s.len && (s.data[at] != '\n' || (at > 0 && s.data[at - 1] == '\r')))
        at++;
    return at;
}

/* Behind the first line from `from` on that is a dot alone, whatever ends it; 0 where there is none. */
static size_t end_of_refused(struct slice s, size_t from)
{
    size_t begin = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '\n')
            continue;
        struct slice line = slice_sub(s, begin, i - begin);
        if (i >= from && (slice_is_word(line, ".") || slice_is_word(line, ".\r")))
            return i + 1;
        begin = i + 1;
    }
    return 0;
}

/* With bare LFs refused: up to the first of them as ever, and from there on nothing. */
static void check_refusal(struct slice message)
{
    struct result strict = run_both(message, true);
    struct result normal = run(message, SIZE_MAX, false);
    size_t bare_lf = find_bare_lf(slice_first(message, normal.taken));
    if (bare_lf == normal.taken) {
        need(slice_equals(bytes_view(&strict.got), bytes_view(&normal.got)) && strict.ended == normal.ended);
    } else {
        struct result before = run(slice_first(message, bare_lf), SIZE_MAX, false);
        size_t end = end_of_refused(message, bare_lf);
        need(slice_equals(bytes_view(&strict.got), bytes_view(&before.got)));
        need(!strict.ended && strict.refused == (end > 0));
        need(strict.taken == (end > 0 ? end : message.len));
        bytes_free(&before.got);
    }
    check_habits(&strict);
    bytes_free(&strict.got);
    bytes_free(&normal.got);
}

/* All messages of up to seven octets over the alphabet that matters, and the end behind each of them. */
static void check_all(void (*check)(struct slice message))
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
            check((struct slice){message, (size_t)len});
            check((struct slice){message, (size_t)len + 5});
        }
    }
}

START_TEST(no_habit_ends_elsewhere)
{
    check_all(check_message);
}
END_TEST

START_TEST(nothing_goes_on_from_a_refused_bare_lf)
{
    check_all(check_refusal);
}
END_TEST

/* No copy and no rewriting in what clients send. */
START_TEST(a_well_formed_message_is_one_slice)
{
    static const char message[] = "Subject: x\r\n\r\n..dot\r\n.x\r\nx.\r\n \r\n.";
    struct engine_out *out = engine_out_new();
    enum smtp_data_state state = SMTP_DATA_LINE;
    struct slice s = slice_of(message);
    ck_assert_uint_eq(smtp_data_take(&state, s, true, out), s.len);
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
    tcase_add_test(tcase, nothing_goes_on_from_a_refused_bare_lf);
    tcase_add_test(tcase, a_well_formed_message_is_one_slice);
    Suite *suite = suite_create("smtp_data");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
