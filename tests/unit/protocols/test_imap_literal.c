/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/imap/imap_literal.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *line; /* without LF */
    bool literal;
    uint64_t octets;
    bool waits;
} lines[] = {
    {"", false, 0, false},
    {"{5}", true, 5, true},
    {"* 1 FETCH (BODY[] {1234}\r", true, 1234, true},
    {"a APPEND x ~{7+}\r", true, 7, false},
    {"a {0}", true, 0, true},
    {"a {007}", true, 7, true},
    {"a {}", false, 0, false},
    {"a {+}", false, 0, false},
    {"a {5-}", false, 0, false},
    {"a {5++}", false, 0, false},
    {"a {5 }", false, 0, false},
    {"a { 5}", false, 0, false},
    {"a {-5}", false, 0, false},
    {"a {5", false, 0, false},
    {"a {5} ", false, 0, false},
    {"a {5}\r\r", false, 0, false},
    {"a {5}\"", false, 0, false},
    {"a {5}{6}", true, 6, true},
    {"a {5{6}", true, 6, true},
    {"a {5}6}", false, 0, false},
    {"a {9223372036854775807}", true, INT64_MAX, true},
    {"a {9223372036854775808}", true, (uint64_t)INT64_MAX + 1, true},
    {"a {18446744073709551616}", true, UINT64_MAX, true},
    {"a {99999999999999999999999999999999}", true, UINT64_MAX, true},
    {"a {00000000000000000000000000000003}", true, 3, true},
};

static void expect(const struct imap_tail *tail, size_t i, size_t cut)
{
    struct imap_literal literal = {0};
    char what[120];
    snprintf(what, sizeof what, "\"%s\" cut at %zu", lines[i].line, cut);
    ck_assert_msg(imap_tail_literal(tail, &literal) == lines[i].literal, "%s", what);
    ck_assert_msg(literal.octets == lines[i].octets, "%s: %llu", what, (unsigned long long)literal.octets);
    ck_assert_msg(literal.synchronizing == lines[i].waits, "%s", what);
}

START_TEST(lines_are_told_alike_whatever_the_cuts)
{
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct slice line = slice_of(lines[i].line);
        struct imap_tail by_octet = {0};
        for (size_t at = 0; at < line.len; at++)
            imap_tail_feed(&by_octet, slice_sub(line, at, 1));
        expect(&by_octet, i, 1);
        for (size_t cut = 0; cut <= line.len; cut++) {
            struct imap_tail tail = {0};
            imap_tail_feed(&tail, slice_first(line, cut));
            imap_tail_feed(&tail, slice_from(line, cut));
            expect(&tail, i, cut);
        }
    }
}
END_TEST

START_TEST(a_whole_line_is_told_as_its_pieces_are)
{
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct slice line = slice_of(lines[i].line);
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        struct imap_literal literal = {0};
        bool found = imap_literal_at_end(line, &literal);
        bool bare_cr = line.len > 0 && line.data[line.len - 1] == '\r';
        ck_assert_msg(bare_cr || found == lines[i].literal, "\"%s\"", lines[i].line);
        ck_assert_msg(!found || literal.octets == lines[i].octets, "\"%s\"", lines[i].line);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("literal");
    tcase_add_test(tcase, lines_are_told_alike_whatever_the_cuts);
    tcase_add_test(tcase, a_whole_line_is_told_as_its_pieces_are);
    Suite *suite = suite_create("imap_literal");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
