/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/pop3/pop3_reply.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

static const char end_mark[] = "\r\n.\r\n";

/* The slow way: the reply stands behind a line, so a CRLF goes before it in thought. */
static size_t end_by_definition(const uint8_t *data, size_t len)
{
    uint8_t behind_line[256] = "\r\n";
    memcpy(behind_line + 2, data, len);
    for (size_t i = 0; i + 5 <= len + 2; i++)
        if (memcmp(behind_line + i, end_mark, 5) == 0)
            return i + 5 - 2;
    return 0;
}

/* The end in `data` fed in chunks of `chunk` octets, the first of `first`; 0 where there is none. */
static size_t end_in_chunks(const uint8_t *data, size_t len, size_t first, size_t chunk)
{
    uint8_t matched = POP3_END_AFTER_LINE;
    for (size_t done = 0; done < len;) {
        size_t size = done == 0 ? first : chunk;
        struct slice s = slice_sub((struct slice){data, len}, done, size);
        size_t end = pop3_end_find(&matched, s);
        if (end > 0)
            return end <= s.len ? done + end : SIZE_MAX;
        done += s.len;
    }
    return 0;
}

static bool all_cuts_agree(const uint8_t *data, size_t len)
{
    size_t expected = end_by_definition(data, len);
    for (size_t first = 1; first <= len; first++)
        if (end_in_chunks(data, len, first, len) != expected)
            return false;
    for (size_t chunk = 1; chunk <= 7; chunk++)
        if (end_in_chunks(data, len, chunk, chunk) != expected)
            return false;
    return true;
}

/* All texts of these four octets up to this length: longer ones hold nothing that these don't. */
enum { ALPHABET = 4, LENGTH = 8 };

START_TEST(finds_the_end_in_all_short_texts)
{
    for (unsigned number = 0; number < 1u << 2 * LENGTH; number++) {
        uint8_t text[LENGTH];
        for (unsigned i = 0; i < LENGTH; i++)
            text[i] = (uint8_t) "\r\n.x"[number >> 2 * i & (ALPHABET - 1)];
        if (!all_cuts_agree(text, LENGTH))
            ck_abort_msg("text number %u", number);
    }
}
END_TEST

/* Many dots before the end, which are searched in another way than a few. */
START_TEST(finds_the_end_behind_any_number_of_dots)
{
    for (size_t dots = 0; dots < 40; dots++) {
        uint8_t text[128];
        memset(text, '.', dots);
        memcpy(text + dots, end_mark, 5);
        ck_assert(all_cuts_agree(text, dots + 5));
        ck_assert(all_cuts_agree(text, dots + 4));
        memcpy(text + dots + 5, "+OK\r\n.\r\n", 8);
        ck_assert(all_cuts_agree(text, dots + 13));
    }
}
END_TEST

START_TEST(reads_the_first_word)
{
    static const struct {
        const char *text;
        enum pop3_indicator indicator;
    } lines[] = {
        {"+OK", POP3_INDICATOR_OK},
        {"+OK 2 320", POP3_INDICATOR_OK},
        {"+ok", POP3_INDICATOR_OK},
        {"-ERR", POP3_INDICATOR_ERR},
        {"-ERR [IN-USE]", POP3_INDICATOR_ERR},
        {"+", POP3_INDICATOR_CHALLENGE},
        {"+ ", POP3_INDICATOR_CHALLENGE},
        {"+ PDE+", POP3_INDICATOR_CHALLENGE},
        {"", POP3_INDICATOR_NONE},
        {"+O", POP3_INDICATOR_NONE},
        {" +OK", POP3_INDICATOR_NONE},
        {"* OK", POP3_INDICATOR_NONE},
        {"-ER", POP3_INDICATOR_NONE},
        {".", POP3_INDICATOR_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        ck_assert_msg(pop3_indicator_of(slice_of(lines[i].text)) == lines[i].indicator, "%s", lines[i].text);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("pop3_reply");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, finds_the_end_in_all_short_texts);
    tcase_add_test(tcase, finds_the_end_behind_any_number_of_dots);
    tcase_add_test(tcase, reads_the_first_word);
    Suite *suite = suite_create("pop3_reply");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
