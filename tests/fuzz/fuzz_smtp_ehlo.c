/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "lane.h"
#include "pattern.h"
#include "protocols/smtp/smtp_ehlo.h"

/*
 * Fuzzes the editing of EHLO's reply. The input has the lines of a reply, with or without their codes; what
 * the client is shown is compared with a simple account of it.
 */
static const char hidden[] = "STARTTLS|XCLIENT|XFORWARD|PIPECONNECT|X_PIPE_CONNECT|PIPE_CONNECT|DEEP|PRDR|"
                             "CHECKPOINT|X-EXPS|XEXCH50|X-ANONYMOUSTLS|ATRN|TURN";

static const char deep_status[] = "tls12 <https://a/>";

static struct slice next_text(struct slice *reply)
{
    struct slice line = take_line(reply);
    bool coded = slice_has_prefix(line, "250-") || slice_has_prefix(line, "250 ");
    return slice_from(line, coded ? 4 : 0);
}

static void expect_line(struct bytes *b, struct slice text)
{
    expect_text(b, "250-");
    expect(b, text);
    expect_text(b, "\r\n");
}

static bool is_shown(struct slice mechanism, enum smtp_auth_shown shown)
{
    bool is_external = slice_is_word(mechanism, "external");
    return shown != SMTP_AUTH_HIDDEN && !slice_has_suffix(mechanism, "-PLUS") &&
           (shown == SMTP_AUTH_WITH_EXTERNAL || !is_external);
}

/* AUTH and a separator, then the mechanisms that can work; nothing where none is left. */
static void expect_auth(struct bytes *b, struct slice text, enum smtp_auth_shown shown)
{
    struct bytes line = {0};
    struct slice rest = text;
    struct slice keyword = slice_next_word(&rest, ' ');
    size_t start = (size_t)(keyword.data - text.data) + 5;
    expect(&line, slice_first(text, start));
    size_t head = line.len;
    rest = slice_from(text, start);
    for (struct slice word; (word = slice_next_word(&rest, ' ')).len > 0;) {
        if (!is_shown(word, shown))
            continue;
        if (line.len > head)
            expect_text(&line, " ");
        expect(&line, word);
    }
    if (line.len > head)
        expect_line(b, bytes_view(&line));
    bytes_free(&line);
}

static void expect_extension(struct bytes *b, struct slice text, enum smtp_auth_shown shown)
{
    struct slice rest = text;
    struct slice keyword = slice_next_word(&rest, ' ');
    if (keyword.len == 0 || pattern_matches_word(hidden, keyword) || slice_has_prefix(keyword, "X-EXPS="))
        return;
    if (slice_is_word(keyword, "AUTH") || slice_has_prefix(keyword, "AUTH="))
        expect_auth(b, text, shown);
    else
        expect_line(b, text);
}

static bool announces(struct slice reply, const char *name)
{
    next_text(&reply);
    while (reply.len > 0) {
        struct slice line = next_text(&reply);
        if (slice_is_word(slice_next_word(&line, ' '), name))
            return true;
    }
    return false;
}

static void check_reply(struct slice reply, enum smtp_auth_shown shown)
{
    struct engine_out *out = lane_out();
    struct smtp_ehlo ehlo = {.pipelining = true, .chunking = true, .deep = true};
    struct bytes came = {0}, expected = {0};
    struct slice rest = reply;
    struct slice first = next_text(&rest);
    smtp_ehlo_begin(&ehlo, first, out);
    expect_line(&expected, first);
    while (rest.len > 0) {
        struct slice line = next_text(&rest);
        struct bytes part = lane_take(out, SIDE_CLIENT);
        expect(&came, bytes_view(&part));
        bytes_free(&part);
        smtp_ehlo_line(&ehlo, line, shown, out);
        expect_extension(&expected, line, shown);
    }
    smtp_ehlo_end(deep_status, out);
    struct bytes part = lane_take(out, SIDE_CLIENT);
    expect(&came, bytes_view(&part));
    bytes_free(&part);
    expect_text(&expected, "250 DEEP tls12 <https://a/>\r\n");
    lane_compare(&came, &expected, "the client is shown what it may see, and DEEP");
    check(ehlo.pipelining == announces(reply, "PIPELINING"), "PIPELINING is noticed");
    check(ehlo.chunking == announces(reply, "CHUNKING"), "CHUNKING is noticed");
    check(ehlo.deep == announces(reply, "DEEP"), "DEEP is noticed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 16384)
        return 0;
    for (int shown = SMTP_AUTH_WITHOUT_EXTERNAL; shown <= SMTP_AUTH_HIDDEN; shown++)
        check_reply((struct slice){data, size}, (enum smtp_auth_shown)shown);
    return 0;
}
