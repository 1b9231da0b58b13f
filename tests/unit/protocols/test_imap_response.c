/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/imap/imap_response.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

#define TAG_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *line;
    enum imap_response_kind kind;
    enum imap_status status;
    size_t list;
} lines[] = {
    {"* 1 EXISTS\r\n", IMAP_RESPONSE_DATA, IMAP_STATUS_NONE, 0},
    {"* FETCH\n", IMAP_RESPONSE_DATA, IMAP_STATUS_NONE, 0},
    {"* VERYLONGWORDINDEED", IMAP_RESPONSE_DATA, IMAP_STATUS_NONE, 0},
    {"*\r\n", IMAP_RESPONSE_DATA, IMAP_STATUS_NONE, 0},
    {"* \r\n", IMAP_RESPONSE_DATA, IMAP_STATUS_NONE, 0},
    {"*OK x\r\n", IMAP_RESPONSE_DATA, IMAP_STATUS_NONE, 0},
    {"* OK\r\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_OK, 0},
    {"* ok x\r\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_OK, 0},
    {"* No [X] x\r\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_NO, 0},
    {"* BAD \r\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_BAD, 0},
    {"* BYE x\r\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_BYE, 0},
    {"* PREAUTH [capability A]\r\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_PREAUTH, 21},
    {"* OK [CAPABILITY A] x\r\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_OK, 16},
    {"* OK [CAPABILITY]\r\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_OK, 16},
    {"* OK [CAPABILITY\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_OK, 16},
    {"* OK [CAPABILITYX A]\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_OK, 0},
    {"* OK  [CAPABILITY A]\n", IMAP_RESPONSE_STATUS, IMAP_STATUS_OK, 0},
    {"* CAPABILITY A\r\n", IMAP_RESPONSE_CAPABILITY, IMAP_STATUS_NONE, 12},
    {"* capability\r\n", IMAP_RESPONSE_CAPABILITY, IMAP_STATUS_NONE, 12},
    {"* ID NIL\r\n", IMAP_RESPONSE_ID, IMAP_STATUS_NONE, 4},
    {"* IDS NIL\r\n", IMAP_RESPONSE_DATA, IMAP_STATUS_NONE, 0},
    {"+\r\n", IMAP_RESPONSE_GO_AHEAD, IMAP_STATUS_NONE, 0},
    {"+OK\r\n", IMAP_RESPONSE_GO_AHEAD, IMAP_STATUS_NONE, 0},
    {"a1 OK\r\n", IMAP_RESPONSE_TAGGED, IMAP_STATUS_OK, 0},
    {"a1 bad x\r\n", IMAP_RESPONSE_TAGGED, IMAP_STATUS_BAD, 0},
    {"a1 NO [CAPABILITY A]\r\n", IMAP_RESPONSE_TAGGED, IMAP_STATUS_NO, 17},
    {"a1 BYE x\r\n", IMAP_RESPONSE_TEXT, IMAP_STATUS_NONE, 0},
    {"a1 PREAUTH x\r\n", IMAP_RESPONSE_TEXT, IMAP_STATUS_NONE, 0},
    {"a1\r\n", IMAP_RESPONSE_TEXT, IMAP_STATUS_NONE, 0},
    {" OK\r\n", IMAP_RESPONSE_TEXT, IMAP_STATUS_NONE, 0},
    {"\r\n", IMAP_RESPONSE_TEXT, IMAP_STATUS_NONE, 0},
    {"\n", IMAP_RESPONSE_TEXT, IMAP_STATUS_NONE, 0},
    {TAG_64 " BAD [CAPABILITY A]\r\n", IMAP_RESPONSE_TAGGED, IMAP_STATUS_BAD, IMAP_TAG_MAX + 16},
    {TAG_64 "a OK [CAPABILITY A]\r\n", IMAP_RESPONSE_TEXT, IMAP_STATUS_NONE, 0},
};

/* An answer comes before IMAP_HEAD_MAX octets or the LF, and no octet behind it changes it. */
START_TEST(every_prefix_of_a_line_agrees_with_the_line)
{
    struct slice line = slice_of(lines[_i].line);
    bool decided = false;
    for (size_t len = 0; len <= line.len; len++) {
        struct imap_response r = imap_response_classify(slice_first(line, len));
        ck_assert_msg(!decided || r.kind != IMAP_RESPONSE_UNDECIDED, "line %d at %zu", _i, len);
        decided = r.kind != IMAP_RESPONSE_UNDECIDED;
        ck_assert_msg(decided || (len < IMAP_HEAD_MAX && len < line.len), "line %d at %zu", _i, len);
        if (!decided)
            continue;
        ck_assert_msg(r.kind == lines[_i].kind && r.status == lines[_i].status &&
                          r.list_offset == lines[_i].list,
                      "line %d at %zu: %d %d %zu", _i, len, (int)r.kind, (int)r.status, r.list_offset);
        if (r.kind == IMAP_RESPONSE_TAGGED)
            ck_assert(slice_equals(r.tag, slice_first(line, slice_find(line, ' '))));
    }
}
END_TEST

START_TEST(what_stands_behind_the_line_does_not_count)
{
    struct slice line = slice_of(lines[_i].line);
    char text[256];
    ck_assert_uint_lt(line.len + 20, sizeof text);
    memcpy(text, line.data, line.len);
    if (line.data[line.len - 1] != '\n')
        return;
    static const char *const more[] = {"[CAPABILITY A]\r\n", " OK x\r\n", "* 1 EXISTS\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        memcpy(text + line.len, more[i], strlen(more[i]) + 1);
        struct imap_response r = imap_response_classify(slice_of(text));
        ck_assert_msg(r.kind == lines[_i].kind && r.status == lines[_i].status &&
                          r.list_offset == lines[_i].list,
                      "line %d", _i);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("classify");
    tcase_add_loop_test(tcase, every_prefix_of_a_line_agrees_with_the_line, 0, (int)(ARRAY_LEN(lines)));
    tcase_add_loop_test(tcase, what_stands_behind_the_line_does_not_count, 0, (int)(ARRAY_LEN(lines)));
    Suite *suite = suite_create("imap_response_classify");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
