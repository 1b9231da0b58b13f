/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator wants of a server: what is understood, and what is told of the rest. */
#include "proxy/admin/admin_order.h"

#include "base/array.h"
#include "run_suite.h"

#include <string.h>

static const struct {
    const char *body;
    const char *written;
} good[] = {
    {"{\"admin\":\"drain\"}", "drain p/s"},
    {"{\"admin\":\"maintenance\"}", "maintain p/s"},
    {" { \"admin\" : \"ready\" } \r\n", "ready p/s"},
    {"{\"weight\":0}", "weight p/s 0"},
    {"{\"weight\":1000}", "weight p/s 1000"},
    {"{\"within\":600,\"admin\":\"drain\"}", "drain p/s --within 600s"},
    {"{\"admin\":\"drain\",\"within\":1,\"weight\":7}", "drain p/s --within 1s; weight p/s 7"},
    {"{\"admin\":\"drain\",\"within\":86400}", "drain p/s --within 86400s"},
    {"{\"\\u0061dmin\":\"dr\\u0061in\"}", "drain p/s"},
};

START_TEST(understood)
{
    struct admin_order order;
    char words[ADMIN_ORDER_WORDS_MAX];
    ck_assert_msg(admin_order_read(slice_of(good[_i].body), &order, words), "%s: %s", good[_i].body, words);
    admin_order_write(&order, "p", "s", words, sizeof words);
    ck_assert_str_eq(words, good[_i].written);
}
END_TEST

static const struct {
    const char *body;
    const char *words;
} bad[] = {
    {"", "no body"},
    {"{", "no JSON"},
    {"drain", "no JSON"},
    {"{\"admin\":\"drain\"}x", "no JSON"},
    {"{\"admin\":\"drain\",\"admin\":\"ready\"}", "no JSON (duplicate"},
    {"{\"admin\":\"\xFF\"}", "no JSON"},
    {"{\"admin\":\"a\\u0000\"}", "no JSON"},
    {"[]", "no object"},
    {"\"drain\"", "no JSON"},
    {"{}", "nothing to change"},
    {"{\"admin\":\"down\"}", "expected \"ready\", \"drain\" or \"maintenance\""},
    {"{\"admin\":\"Drain\"}", "expected \"ready\""},
    {"{\"admin\":\"\"}", "expected \"ready\""},
    {"{\"admin\":1}", "expected \"ready\""},
    {"{\"admin\":null}", "expected \"ready\""},
    {"{\"weight\":-1}", "\"weight\": expected a whole number from 0 to 1000"},
    {"{\"weight\":1001}", "from 0 to 1000"},
    {"{\"weight\":4294967297}", "from 0 to 1000"},
    {"{\"weight\":99999999999999999999}", "no JSON"},
    {"{\"weight\":1.0}", "from 0 to 1000"},
    {"{\"weight\":\"5\"}", "from 0 to 1000"},
    {"{\"weight\":true}", "from 0 to 1000"},
    {"{\"admin\":\"drain\",\"within\":0}", "\"within\": expected a whole number from 1 to 86400"},
    {"{\"admin\":\"drain\",\"within\":86401}", "from 1 to 86400"},
    {"{\"within\":60}", "goes with {\"admin\": \"drain\"}"},
    {"{\"admin\":\"ready\",\"within\":60}", "goes with"},
    {"{\"admin\":\"maintenance\",\"within\":60}", "goes with"},
    {"{\"state\":\"up\"}", "unknown key \"state\", expected \"admin\", \"weight\" and \"within\""},
    {"{\"admin\":\"drain\",\"x\":1}", "unknown key \"x\""},
};

START_TEST(refused)
{
    struct admin_order order;
    char words[ADMIN_ORDER_WORDS_MAX] = "";
    ck_assert(!admin_order_read(slice_of(bad[_i].body), &order, words));
    ck_assert_msg(strstr(words, bad[_i].words) != NULL, "%s: %s", bad[_i].body, words);
}
END_TEST

/* Every part of a body that is understood is none by itself. */
START_TEST(cut_off)
{
    struct admin_order order;
    char words[ADMIN_ORDER_WORDS_MAX];
    struct slice body = slice_of(good[6].body);
    for (size_t len = 0; len < body.len; len++)
        ck_assert(!admin_order_read(slice_first(body, len), &order, words));
}
END_TEST

/* As deep as a body can be. */
START_TEST(deep)
{
    struct admin_order order;
    char words[ADMIN_ORDER_WORDS_MAX];
    static char body[4096];
    memset(body, '[', sizeof body);
    ck_assert(!admin_order_read((struct slice){(const uint8_t *)body, sizeof body}, &order, words));
}
END_TEST

/* Names as a shell takes them. */
START_TEST(names)
{
    static const char *const rows[][2] = {
        {"s1", "drain p/s1"},
        {"[2001:db8::1%eth0]:143", "drain p/[2001:db8::1%eth0]:143"},
        {"n.example:143@192.0.2.1:143", "drain p/n.example:143@192.0.2.1:143"},
        {"unix:/run/my imap", "drain p/'unix:/run/my imap'"},
        {"unix:/$x;'y'", "drain p/'unix:/$x;'\\''y'\\'''"}};
    struct admin_order order = {.has_admin = true, .admin = SERVER_DRAIN};
    char words[ADMIN_ORDER_WORDS_MAX];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        admin_order_write(&order, "p", rows[i][0], words, sizeof words);
        ck_assert_str_eq(words, rows[i][1]);
    }
}
END_TEST

/* What does not fit is cut off. */
START_TEST(written_short)
{
    struct admin_order order = {.has_admin = true,
                                .admin = SERVER_DRAIN,
                                .has_within = true,
                                .within_s = 5,
                                .has_weight = true,
                                .weight = 3};
    char whole[64];
    admin_order_write(&order, "p", "s", whole, sizeof whole);
    for (size_t cap = 1; cap < sizeof whole; cap++) {
        char part[64];
        memset(part, 'x', sizeof part);
        admin_order_write(&order, "p", "s", part, cap);
        ck_assert_uint_eq(strlen(part), cap - 1 < strlen(whole) ? cap - 1 : strlen(whole));
        ck_assert_mem_eq(part, whole, strlen(part));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_order");
    TCase *tests = tcase_create("admin_order");
    tcase_add_loop_test(tests, understood, 0, ARRAY_LEN(good));
    tcase_add_loop_test(tests, refused, 0, ARRAY_LEN(bad));
    tcase_add_test(tests, cut_off);
    tcase_add_test(tests, deep);
    tcase_add_test(tests, names);
    tcase_add_test(tests, written_short);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
