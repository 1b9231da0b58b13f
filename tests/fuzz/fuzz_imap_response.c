/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "lane.h"
#include "pattern.h"
#include "protocols/imap/imap_capability.h"
#include "protocols/imap/imap_response.h"
#include "protocols/imap/imap_literal.h"

/*
 * Fuzzes what tells a backend's responses apart: the input is a line. Its kind, from as few octets as decide
 * it, against regular expressions of the whole line; the literal at its end, in any two pieces, against a
 * look from behind; and the editing of it as a list of capabilities against a simple account of it.
 */
#define STATUS "(OK|NO|BAD|PREAUTH|BYE)"
#define TAG    "[^ \r*+][^ \r]{0,63}"
#define BEHIND "([ \r].*)?"
#define CODE   " \\[CAPABILITY([] \r].*)?"

static enum imap_response_kind kind_of(struct slice text)
{
    if (pattern_matches("[+].*", text))
        return IMAP_RESPONSE_GO_AHEAD;
    if (pattern_matches_word("[*] " STATUS BEHIND, text))
        return IMAP_RESPONSE_STATUS;
    if (pattern_matches_word("[*] CAPABILITY" BEHIND, text))
        return IMAP_RESPONSE_CAPABILITY;
    if (pattern_matches_word("[*] ID" BEHIND, text))
        return IMAP_RESPONSE_ID;
    if (pattern_matches("[*].*", text))
        return IMAP_RESPONSE_DATA;
    return pattern_matches_word(TAG " (OK|NO|BAD)" BEHIND, text) ? IMAP_RESPONSE_TAGGED : IMAP_RESPONSE_TEXT;
}

/* Where the words begin that a response is about; 0 where there are none. */
static size_t list_of(struct slice text, enum imap_response_kind kind)
{
    bool coded = kind == IMAP_RESPONSE_STATUS || kind == IMAP_RESPONSE_TAGGED;
    if (kind == IMAP_RESPONSE_CAPABILITY)
        return sizeof "* CAPABILITY" - 1;
    if (kind == IMAP_RESPONSE_ID)
        return sizeof "* ID" - 1;
    if (!coded || !pattern_matches_word("([*]|" TAG ") " STATUS CODE, text))
        return 0;
    struct slice rest = text;
    size_t tag = slice_next_word(&rest, ' ').len;
    size_t status = slice_next_word(&rest, ' ').len;
    return tag + 1 + status + sizeof " [CAPABILITY" - 1;
}

static bool same_response(const struct imap_response *a, const struct imap_response *b)
{
    return a->kind == b->kind && a->status == b->status && a->list_offset == b->list_offset &&
           slice_equals(a->tag, b->tag);
}

static void check_kind(struct slice line, struct slice text)
{
    struct imap_response whole = imap_response_classify(line);
    check(whole.kind != IMAP_RESPONSE_UNDECIDED, "a whole line is decided");
    for (size_t len = 1; len <= line.len && len <= IMAP_HEAD_MAX; len++) {
        struct imap_response r = imap_response_classify(slice_first(line, len));
        bool decided = r.kind != IMAP_RESPONSE_UNDECIDED;
        check(!decided || same_response(&r, &whole), "what has been decided stays");
        check(decided || len < IMAP_HEAD_MAX, "a decision takes no more octets than are held");
    }
    if (slice_find(text, '\0') < text.len)
        return;
    enum imap_response_kind kind = kind_of(text);
    check(whole.kind == kind, "a response is of the kind that its line says");
    check(whole.list_offset == list_of(text, kind), "and its list begins where it does");
}

/* From behind: "}", perhaps "+", digits, "{". */
static bool has_literal(struct slice text, struct imap_literal *literal)
{
    size_t at = text.len;
    if (at == 0 || text.data[--at] != '}')
        return false;
    literal->synchronizing = at == 0 || text.data[at - 1] != '+';
    at -= literal->synchronizing ? 0 : 1;
    size_t end = at;
    while (at > 0 && ascii_is_digit(text.data[at - 1]))
        at--;
    if (at == end || at == 0 || text.data[at - 1] != '{')
        return false;
    literal->octets = strtoull((const char *)text.data + at, NULL, 10);
    return true;
}

static void check_same_literal(bool found, const struct imap_literal *came, bool expected,
                               const struct imap_literal *literal)
{
    check(found == expected, "a literal is found where one is announced");
    if (!found)
        return;
    bool absurd = literal->octets > IMAP_LITERAL_MAX;
    check(came->synchronizing == literal->synchronizing, "and whether it is waited for");
    check(absurd ? came->octets > IMAP_LITERAL_MAX : came->octets == literal->octets, "and its length");
}

/* `text` has no CR. A tail takes the line's own with it, or not. */
static void check_literal(struct slice text)
{
    struct imap_literal literal = {0}, came = {0};
    bool expected = has_literal(text, &literal);
    bool found = imap_literal_at_end(text, &came);
    check_same_literal(found, &came, expected, &literal);
    for (size_t cut = 0; cut <= text.len && cut < 100; cut++) {
        struct imap_tail tail = {0};
        imap_tail_feed(&tail, slice_first(text, cut));
        imap_tail_feed(&tail, slice_from(text, cut));
        if (cut % 2 == 1)
            imap_tail_feed(&tail, slice_of("\r"));
        found = imap_tail_literal(&tail, &came);
        check_same_literal(found, &came, expected, &literal);
    }
}

static void check_capabilities(struct slice list, bool external)
{
    static const char hidden[] = "STARTTLS|DEEP|XCLIENT|COMPRESS=.*|X-MULTIPLEX.*|AUTH=.*-PLUS";
    struct engine_out *out = lane_out();
    struct imap_capabilities has = imap_capability_edit(list, external, out);
    struct bytes came = lane_take(out, SIDE_CLIENT), expected = {0};
    bool has_id = false, login_disabled = false;
    for (size_t at = 0; at < list.len;) {
        struct slice word = slice_sub(list, at, slice_find(slice_from(list, at), ' '));
        at += word.len + 1;
        has_id = has_id || slice_is_word(word, "ID");
        login_disabled = login_disabled || slice_is_word(word, "LOGINDISABLED");
        if (word.len == 0 || pattern_matches_word(hidden, word) ||
            (!external && slice_is_word(word, "auth=external")))
            continue;
        expect_text(&expected, " ");
        expect(&expected, word);
    }
    expect_text(&expected, has_id ? " DEEP" : " ID DEEP");
    check(has.id == has_id, "ID is noticed");
    check(has.login_disabled == login_disabled, "LOGINDISABLED is noticed");
    lane_compare(&came, &expected, "the client is shown the capabilities that it may see, and DEEP");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {data, size};
    struct slice text = slice_first(input, slice_find(input, '\n'));
    struct bytes line = {0};
    if (size > 8192)
        return 0;
    expect(&line, text);
    expect_text(&line, "\n");
    check_kind(bytes_view(&line), text);
    struct slice one_line = slice_first(text, slice_find(text, '\r'));
    check_literal(one_line);
    struct slice list = slice_find(one_line, '\0') < one_line.len ? slice_of("") : one_line;
    check_capabilities(list, false);
    check_capabilities(list, true);
    bytes_free(&line);
    return 0;
}
