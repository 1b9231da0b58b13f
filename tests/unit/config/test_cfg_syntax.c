/* SPDX-License-Identifier: BSD-2-Clause */
/* Mistakes of syntax, each in a text of its own: the first one is all that is said. */
#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

static const struct cfg_case cases[] = {
    {"groups in [ ]", "a = 1;\nb = [ { x = 1; } ];\n",
     "F:2: error: [ ] holds strings or numbers alone: a list of groups is written ( { ... }, { ... } )\n"},
    {"a list in [ ]", "b = [ ( 1 ) ];\n",
     "F:1: error: [ ] holds strings or numbers alone: a list of groups is written ( { ... }, { ... } )\n"},
    {"[ ] with two types", "b = [ 1,\n \"x\" ];\n",
     "F:2: error: [ ] holds values of one type, and \"x\" is of another\n"},
    {"strings in { }", "a = 1;\nlisten = { \"x\", \"y\" };\n",
     "F:2: error: { } holds settings (key = value;), and \"x\" is a value: a list of strings is written "
     "[ \"a\", \"b\" ]\n"},
    {"groups in { }", "services = {\n { x = 1; } };\n",
     "F:2: error: { } holds settings (key = value;), and \"{\" begins a value: a list of groups is written "
     "( { ... }, { ... } )\n"},
    {"no comma between groups", "a = (\n { x = 1; }\n { y = 2; }\n);\n",
     "F:3: error: a comma is missing before \"{\"\n"},
    {"no comma between strings", "a = [ \"x\"\n \"y\" ];\n", "F:2: error: a comma is missing before \"y\"\n"},
    {"no comma between numbers", "a = [ 1 2 ];\n", "F:1: error: a comma is missing before \"2\"\n"},
    {"comma after the last element", "a = ( 1,\n 2,\n);\n",
     "F:2: error: the comma before \")\" has no value after it: delete it, or add a value\n"},
    {"comma after the last string", "a = [ \"x\", ];\n",
     "F:1: error: the comma before \"]\" has no value after it: delete it, or add a value\n"},
    {"a group that is not closed", "a = 1;\nb = {\n c = 1;\n",
     "F:2: error: the \"{\" is never closed, expected \"}\"\n"},
    {"a list that is not closed", "b = (\n 1", "F:1: error: the \"(\" is never closed, expected \")\"\n"},
    {"an array that is not closed", "b = [", "F:1: error: the \"[\" is never closed, expected \"]\"\n"},
    {"an array that ends behind a comma", "b = [ 1,",
     "F:1: error: the \"[\" is never closed, expected \"]\"\n"},
    {"closed by another bracket", "b = (\n 1\n];\n",
     "F:3: error: found \"]\", expected \")\" for the \"(\" of line 1\n"},
    {"a group closed by another bracket", "b = {\n a = 1;\n);\n",
     "F:3: error: found \")\", expected \"}\" for the \"{\" of line 1\n"},
    {"a bracket that nothing opened", "a = 1;\n}\n",
     "F:2: error: found \"}\", expected a key; no \"{\" is open here\n"},
    {"no =", "a = 1;\ntls { };\n", "F:2: error: \"=\" and a value are missing after \"tls\"\n"},
    {"a key alone", "a", "F:1: error: \"=\" and a value are missing after \"a\"\n"},
    {"a key with a dot", "a.b = 1;",
     "F:1: error: this character means nothing outside of quotation marks: .\n"},
    {"no value", "a = ;\n", "F:1: error: a value is missing after \"a =\"\n"},
    {"no value in a group", "g = {\n a = };\n", "F:2: error: a value is missing after \"a =\"\n"},
    {"no value at the end", "a =\n\n", "F:1: error: a value is missing after \"a =\"\n"},
    {"a word without quotation marks", "log_level = info;\n",
     "F:1: error: \"info\" is no value: strings are written in quotation marks (\"info\"), and a switch is "
     "true or "
     "false\n"},
    {"yes", "session_tickets = yes;\n",
     "F:1: error: \"yes\" is no value: strings are written in quotation marks (\"yes\"), and a switch is "
     "true or "
     "false\n"},
    {"an IPv6 address without quotation marks", "listen = [::]:993;\n",
     "F:1: error: found \":\", expected a value; strings are written in quotation marks\n"},
    {"an IPv4 address without quotation marks", "listen = [ 10.0.0.1:993 ];\n",
     "F:1: error: a number is decimal digits alone, and anything else is written in quotation marks: "
     "10.0.0.1\n"},
    {"a time without quotation marks", "idle = 30s;\n",
     "F:1: error: a number is decimal digits alone, and anything else is written in quotation marks: 30s\n"},
    {"a hexadecimal number", "workers = 0x10;\n",
     "F:1: error: a number is decimal digits alone, and anything else is written in quotation marks: 0x10\n"},
    {"a sign alone", "a = -;\n",
     "F:1: error: a number is decimal digits alone, and anything else is written in quotation marks: -\n"},
    {"an exponent without digits", "a = 1.5e;\n",
     "F:1: error: a number is decimal digits alone, and anything else is written in quotation marks: 1.5e\n"},
    {"two values", "a = 1 2;\n",
     "F:1: error: found \"2\", expected a key; a setting is written key = value;\n"},
    {"a key in quotation marks", "\"a\" = 1;\n",
     "F:1: error: found \"a\", expected a key; a setting is written key = value;\n"},
    {"a string over two lines", "a = \"mail;\nb = \"x\";\n",
     "F:1: error: the string has no closing quotation mark on its line: \"mail;\n"},
    {"a string to the end of the file", "a = \"mail",
     "F:1: error: the string has no closing quotation mark on its line: \"mail\n"},
    {"a backslash at the end of the line", "a = \"mail\\\n\";",
     "F:1: error: the string has no closing quotation mark on its line: \"mail\\\n"},
    {"a backslash at the end of the file", "a = \"\\",
     "F:1: error: the string has no closing quotation mark on its line: \"\\\n"},
    {"a control character in a string", "a = \"x\ty\";",
     "F:1: error: there is a control character in the string that begins: \"x\n"},
    {"single quotation marks", "a = 'x';\n",
     "F:1: error: strings are written in double quotation marks: '\n"},
    {"typographic quotation marks", "a = \xe2\x80\x9cx\xe2\x80\x9d;\n",
     "F:1: error: this character means nothing here (are they typographic quotation marks? Only \" counts): "
     "\xe2\x80\x9c\n"},
    {"a stray character", "a = 1;\n%\n",
     "F:2: error: this character means nothing outside of quotation marks: %\n"},
    {"a control character", "a = 1;\x01\n", "F:1: error: a control character means nothing here\n"},
    {"a comment without end", "a = 1;\n/* abc\n\n", "F:2: error: the comment has no end (*/): /* abc\n"},
    {"a slash alone", "/", "F:1: error: this character means nothing outside of quotation marks: /\n"},
    {"@include behind something", "a = 1; @include \"x\"\n",
     "F:1: error: @include must be first on a line, with the file's name in quotation marks after it: "
     "@include \"x\"\n"},
    {"@include of nothing", "@include \"\"\n",
     "F:1: error: @include must be first on a line, with the file's name in quotation marks after it: "
     "@include \"\"\n"},
    {"@include without quotation marks", "@include x\n",
     "F:1: error: @include must be first on a line, with the file's name in quotation marks after it: "
     "@include x\n"},
    {"@include with a word too many", "@include a \"x\"\n",
     "F:1: error: @include must be first on a line, with the file's name in quotation marks after it: "
     "@include a \"x\"\n"},
    {"an @include that is cut", "@include \"x",
     "F:1: error: @include must be first on a line, with the file's name in quotation marks after it: "
     "@include \"x\n"},
    {"another word with @", "@inc",
     "F:1: error: @include must be first on a line, with the file's name in quotation "
     "marks after it: @inc\n"},
    {"brackets without end", "a = ((((((((((((((((((((1))))))))))))))))))));\n",
     "F:1: error: brackets are nested more than 16 deep\n"},
    {"a long line is cut short", "a = 'xxxxx; 12345678901234567890123456789012345678901234567890;\n",
     "F:1: error: strings are written in double quotation marks: '\n"},
    {"a long word is cut short", "a = a2345678901234567890123456789012345678901234567890;\n",
     "F:1: error: \"a234567890123456789012345678901234567890\" is no value: strings are written in quotation "
     "marks "
     "(\"a234567890123456789012345678901234567890\"), and a switch is true or false\n"},
};

START_TEST(mistake)
{
    cfg_case_check(&cases[_i]);
}
END_TEST

/* Whatever libconfig allows besides is read as libconfig reads it. */
START_TEST(liberties)
{
    struct cfg *cfg;
    char *printed =
        cfg_text_load("\xef\xbb\xbf// the byte order mark is no character\n"
                      "hostname : \"mail.\"\n\t\"example.\" /* one\n string */ \"com\" # the end\r\n"
                      "workers = +3, max_connections = 007L\n" CFG_TLS CFG_IMAP_SERVICE CFG_POOL,
                      &cfg);
    ck_assert_str_eq(printed, "");
    ck_assert_str_eq(cfg->hostname, "mail.example.com");
    ck_assert_uint_eq(cfg->workers, 3);
    ck_assert_uint_eq(cfg->max_connections, 7);
    ck_assert_uint_eq(cfg->tls.place.line, 6);
    free(printed);
    cfg_free(&cfg);
}
END_TEST

START_TEST(nul_octet)
{
    static const char text[] = "a = 1;\n\0b = 2;\n";
    struct cfg *cfg;
    char *folder = cfg_folder_make();
    char *path = cfg_folder_write(folder, "F", text, sizeof text - 1);
    char *printed = cfg_folder_load(folder, path, &cfg);
    ck_assert_str_eq(printed, "F:2: error: a control character means nothing here\n");
    free(printed);
    free(path);
    cfg_folder_remove(folder);
}
END_TEST

/* No octet, wherever it stands, does anything worse than to be refused. */
START_TEST(any_octet_anywhere)
{
    static const char whole[] = "hostname = \"h\";\n" CFG_TLS CFG_IMAP_SERVICE CFG_POOL "# end\n";
    static const char octets[] = "\0\x01\n\"\\{}[]();,=:@#/*'-.5aL\xff";
    char text[sizeof whole];
    struct cfg *cfg;
    char *folder = cfg_folder_make();
    for (size_t at = (size_t)_i; at < sizeof whole - 1; at += 8) {
        for (size_t i = 0; i < sizeof octets - 1; i++) {
            memcpy(text, whole, sizeof whole);
            text[at] = octets[i];
            char *path = cfg_folder_write(folder, "F", text, sizeof whole - 1);
            free(cfg_folder_load(folder, path, &cfg));
            cfg_free(&cfg);
            free(path);
        }
    }
    cfg_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_syntax");
    TCase *tcase = tcase_create("syntax");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, mistake, 0, ARRAY_LEN(cases));
    tcase_add_test(tcase, liberties);
    tcase_add_test(tcase, nul_octet);
    tcase_add_loop_test(tcase, any_octet_anywhere, 0, 8);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
