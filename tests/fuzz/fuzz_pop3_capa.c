/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "lane.h"
#include "pattern.h"
#include "protocols/pop3/pop3_capa.h"

/*
 * Fuzzes the editing of POP3's capability lists: the input has the lines of one. They come through the line
 * reader, in chunks of a length that the first octet says, and for a client with a certificate where it says
 * so; what the client is shown, of CAPA and of AUTH's list, is compared with a simple account of it.
 */
static bool external;

static bool is_shown(struct slice mechanism)
{
    return !slice_has_suffix(mechanism, "-PLUS") && (external || !slice_is_word(mechanism, "external"));
}

static bool expect_sasl(struct bytes *b, struct slice mechanisms)
{
    size_t kept = 0, all = 0;
    struct bytes line = {0};
    expect_text(&line, "SASL");
    for (struct slice word; (word = slice_next_word(&mechanisms, ' ')).len > 0; all++) {
        if (!is_shown(word))
            continue;
        expect_text(&line, " ");
        expect(&line, word);
        kept++;
    }
    expect_text(&line, "\r\n");
    if (kept > 0 && kept < all)
        expect(b, bytes_view(&line));
    bytes_free(&line);
    return kept > 0 && kept == all;
}

static void expect_capability(struct bytes *b, struct slice text)
{
    struct slice rest = text;
    struct slice keyword = slice_next_word(&rest, ' ');
    bool as_it_is = slice_is_word(keyword, "SASL") ? expect_sasl(b, rest)
                                                   : !pattern_matches_word("STLS|DEEP|XCLIENT|XOIP", keyword);
    if (!as_it_is)
        return;
    expect(b, text);
    expect_text(b, "\r\n");
}

static void expect_mechanism(struct bytes *b, struct slice text)
{
    if (!is_shown(text))
        return;
    expect(b, text);
    expect_text(b, "\r\n");
}

/* Both lists of all whole lines, as they come out. */
static void let_out(struct slice chunk, struct line_reader *reader, struct bytes *capa, struct bytes *auth)
{
    struct line line;
    while (line_reader_take(reader, &chunk, NO_LIMIT, &line) == LINE_WHOLE) {
        struct engine_out *out = lane_out();
        pop3_capa_send(&line, external, out);
        struct bytes part = lane_take(out, SIDE_CLIENT);
        expect(capa, bytes_view(&part));
        bytes_free(&part);
        pop3_mechanism_send(&line, external, out);
        part = lane_take(out, SIDE_CLIENT);
        expect(auth, bytes_view(&part));
        bytes_free(&part);
        line_reader_done(reader);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t chunk = 1 + data[0] % 64u;
    external = (data[0] & 64u) != 0;
    struct slice list = {data + 1, size - 1};
    struct line_reader reader = {0};
    struct bytes capa = {0}, auth = {0}, expected_capa = {0}, expected_auth = {0};
    for (size_t at = 0; at < list.len; at += chunk)
        let_out(slice_sub(list, at, chunk), &reader, &capa, &auth);
    line_reader_done(&reader);
    while (slice_find(list, '\n') < list.len) {
        struct slice text = take_line(&list);
        expect_capability(&expected_capa, text);
        expect_mechanism(&expected_auth, text);
    }
    lane_compare(&capa, &expected_capa, "the client is shown the capabilities that it may see");
    lane_compare(&auth, &expected_auth, "the client is shown the mechanisms that it may use");
    return 0;
}
