/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens: each kind at its shortest, and what is nearly one. */
#include "config/cfg_lexer.h"

#include "base/array.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

/* One token that is the whole text, whatever follows it. */
static const struct {
    const char *text;
    enum cfg_token_kind kind;
} wholes[] = {
    {"a", CFG_TOKEN_NAME},          {"*", CFG_TOKEN_NAME},
    {"a-_*9", CFG_TOKEN_NAME},      {"true", CFG_TOKEN_BOOLEAN},
    {"False", CFG_TOKEN_BOOLEAN},   {"truey", CFG_TOKEN_NAME},
    {"0", CFG_TOKEN_INTEGER},       {"+1", CFG_TOKEN_INTEGER},
    {"-1", CFG_TOKEN_INTEGER},      {"1L", CFG_TOKEN_INTEGER},
    {"12LL", CFG_TOKEN_INTEGER},    {"1LLL", CFG_TOKEN_BAD},
    {"1.5", CFG_TOKEN_FLOAT},       {"-10.25", CFG_TOKEN_FLOAT},
    {"1.5e1", CFG_TOKEN_FLOAT},     {"1.5E+10", CFG_TOKEN_FLOAT},
    {"1.5e-1", CFG_TOKEN_FLOAT},    {"1.5e", CFG_TOKEN_BAD},
    {"1.5e+", CFG_TOKEN_BAD},       {"1.5e1x", CFG_TOKEN_BAD},
    {"1.5L", CFG_TOKEN_BAD},        {"1.", CFG_TOKEN_BAD},
    {"1e5", CFG_TOKEN_BAD},         {".5", CFG_TOKEN_BAD}, /* a number all the same: one word, one message */
    {".55", CFG_TOKEN_BAD},         {"-.5", CFG_TOKEN_BAD},
    {"+", CFG_TOKEN_BAD},           {"-", CFG_TOKEN_BAD},
    {"1-1", CFG_TOKEN_BAD},         {"1_000", CFG_TOKEN_BAD},
    {"10.0.0.1", CFG_TOKEN_BAD},    {"\"\"", CFG_TOKEN_STRING},
    {"\"a\"", CFG_TOKEN_STRING},    {"\" # // /* \"", CFG_TOKEN_STRING},
    {"\"\\\"\"", CFG_TOKEN_STRING}, {"\"\\\\\"", CFG_TOKEN_STRING},
    {"\x7f", CFG_TOKEN_BAD},        {"\x01", CFG_TOKEN_BAD},
    {"!", CFG_TOKEN_BAD},           {"~", CFG_TOKEN_BAD},
    {"'", CFG_TOKEN_BAD},           {".", CFG_TOKEN_BAD},
    {"\xc3\xa9", CFG_TOKEN_BAD},    {"\xe2\x80\x9c", CFG_TOKEN_BAD},
    {"=", CFG_TOKEN_PUNCTUATION},   {":", CFG_TOKEN_PUNCTUATION},
    {";", CFG_TOKEN_PUNCTUATION},   {",", CFG_TOKEN_PUNCTUATION},
    {"{", CFG_TOKEN_PUNCTUATION},   {"}", CFG_TOKEN_PUNCTUATION},
    {"[", CFG_TOKEN_PUNCTUATION},   {"]", CFG_TOKEN_PUNCTUATION},
    {"(", CFG_TOKEN_PUNCTUATION},   {")", CFG_TOKEN_PUNCTUATION},
};

/* Octets in memory of just their size, so that a sanitizer sees whoever reads more. */
static char *copy_of(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    return copy;
}

static struct cfg_lexer lexer_of(const char *copy, size_t len)
{
    return (struct cfg_lexer){.text = {(const uint8_t *)copy, len}, .file = "F", .line = 1};
}

static void expect(struct cfg_lexer *lexer, enum cfg_token_kind kind, const char *text, unsigned line)
{
    struct cfg_token token = cfg_lexer_next(lexer);
    ck_assert_msg(token.kind == kind && slice_equals(token.text, slice_of(text)),
                  "\"%.*s\" (%d), expected \"%s\" (%d)", (int)token.text.len, (const char *)token.text.data,
                  token.kind, text, kind);
    ck_assert_uint_eq(token.place.line, line);
    ck_assert_str_eq(token.place.file, "F");
    ck_assert_int_eq(token.wrong != NULL, kind == CFG_TOKEN_BAD);
}

/* At the end of the text, before a blank, and before the next token. */
START_TEST(a_token)
{
    const char *text = wholes[_i].text;
    char longer[64];
    for (int i = 0; i < 3; i++) {
        static const char *const after[] = {"", " ;", ";"};
        snprintf(longer, sizeof longer, "%s%s", text, after[i]);
        char *copy = copy_of(longer, strlen(longer));
        struct cfg_lexer lexer = lexer_of(copy, strlen(longer));
        expect(&lexer, wholes[_i].kind, text, 1);
        if (i > 0)
            expect(&lexer, CFG_TOKEN_PUNCTUATION, ";", 1);
        expect(&lexer, CFG_TOKEN_END, "", 1);
        expect(&lexer, CFG_TOKEN_END, "", 1);
        free(copy);
    }
}
END_TEST

START_TEST(marks)
{
    char *copy = copy_of("=a", 2);
    struct cfg_lexer lexer = lexer_of(copy, 2);
    struct cfg_token token = cfg_lexer_next(&lexer);
    ck_assert(cfg_token_is(&token, '='));
    ck_assert(!cfg_token_is(&token, ';'));
    token = cfg_lexer_next(&lexer);
    ck_assert(!cfg_token_is(&token, 'a')); /* a name */
    free(copy);
}
END_TEST

/* What is skipped, each followed by a name; and the line that this is on. */
static const struct {
    const char *text;
    unsigned line;
} blanks[] = {
    {"a", 1},     {" \t\f\r\na", 2}, {"#\na", 2},      {"//\na", 2},   {"# x\n// y\n/* z */a", 3},
    {"/**/a", 1}, {"/***/a", 1},     {"/*\n\n*/a", 3}, {"/*/ */a", 1}, {"/* \" */a", 1},
};

START_TEST(what_is_skipped)
{
    char *copy = copy_of(blanks[_i].text, strlen(blanks[_i].text));
    struct cfg_lexer lexer = lexer_of(copy, strlen(blanks[_i].text));
    expect(&lexer, CFG_TOKEN_NAME, "a", blanks[_i].line);
    free(copy);
}
END_TEST

/* Comments that reach to the end of the text, or beyond. */
static const struct {
    const char *text;
    enum cfg_token_kind kind;
} ends[] = {
    {"", CFG_TOKEN_END},    {" ", CFG_TOKEN_END},    {"#", CFG_TOKEN_END},
    {"//", CFG_TOKEN_END},  {"# a", CFG_TOKEN_END},  {"/*", CFG_TOKEN_BAD},
    {"/*/", CFG_TOKEN_BAD}, {"/* *", CFG_TOKEN_BAD}, {"/", CFG_TOKEN_BAD},
};

START_TEST(at_the_end)
{
    const char *text = ends[_i].text;
    char *copy = copy_of(text, strlen(text));
    struct cfg_lexer lexer = lexer_of(copy, strlen(text));
    expect(&lexer, ends[_i].kind, ends[_i].kind == CFG_TOKEN_BAD ? text : "", 1);
    expect(&lexer, CFG_TOKEN_END, "", 1);
    free(copy);
}
END_TEST

/* A NUL is an octet as any other, and means nothing. */
START_TEST(a_nul)
{
    char *copy = copy_of("a\0b", 3);
    struct cfg_lexer lexer = lexer_of(copy, 3);
    expect(&lexer, CFG_TOKEN_NAME, "a", 1);
    struct cfg_token token = cfg_lexer_next(&lexer);
    ck_assert_int_eq(token.kind, CFG_TOKEN_BAD);
    ck_assert_uint_eq(token.text.len, 1);
    expect(&lexer, CFG_TOKEN_NAME, "b", 1);
    free(copy);
}
END_TEST

static const struct {
    const char *text;
    const char *path; /* NULL: it is none */
} includes[] = {
    {"@include \"b\"", "b"},
    {"  \t@include\t \"b c\" ;", "b c"},
    {"\n@include \"b\"\n", "b"},
    {"@include\"b\"", NULL},
    {"@include \"\"", NULL},
    {"@include \"b", NULL},
    {"@include b", NULL},
    {"@include x \"b\"", NULL},
    {"@includes \"b\"", NULL},
    {"@\"b\"", NULL},
    {"@", NULL},
    {"@include \"b\n\"", NULL},
};

START_TEST(include)
{
    char *copy = copy_of(includes[_i].text, strlen(includes[_i].text));
    struct cfg_lexer lexer = lexer_of(copy, strlen(includes[_i].text));
    struct cfg_token token = cfg_lexer_next(&lexer);
    if (includes[_i].path == NULL) {
        ck_assert_int_eq(token.kind, CFG_TOKEN_BAD);
    } else {
        ck_assert_int_eq(token.kind, CFG_TOKEN_INCLUDE);
        ck_assert(slice_equals(token.text, slice_of(includes[_i].path)));
        token = cfg_lexer_next(&lexer);
        ck_assert(token.kind == CFG_TOKEN_END || cfg_token_is(&token, ';'));
    }
    free(copy);
}
END_TEST

/* Nothing but blanks may be before it on its line. */
START_TEST(an_include_behind_something)
{
    static const char text[] = "a @include \"b\"";
    char *copy = copy_of(text, strlen(text));
    struct cfg_lexer lexer = lexer_of(copy, strlen(text));
    expect(&lexer, CFG_TOKEN_NAME, "a", 1);
    expect(&lexer, CFG_TOKEN_BAD, "@include \"b\"", 1);
    free(copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_lexer");
    TCase *tests = tcase_create("tokens");
    tcase_add_loop_test(tests, a_token, 0, ARRAY_LEN(wholes));
    tcase_add_test(tests, marks);
    tcase_add_loop_test(tests, what_is_skipped, 0, ARRAY_LEN(blanks));
    tcase_add_loop_test(tests, at_the_end, 0, ARRAY_LEN(ends));
    tcase_add_test(tests, a_nul);
    tcase_add_loop_test(tests, include, 0, ARRAY_LEN(includes));
    tcase_add_test(tests, an_include_behind_something);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
