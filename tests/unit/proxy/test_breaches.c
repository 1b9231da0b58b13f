/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/breaches.h"

#include "base/array.h"
#include "run_suite.h"

enum { IMAP = 1, POP3 = 2 };

static const struct breach expired = {.kind = BREACH_UNVERIFIABLE,
                                      .protocols = IMAP,
                                      .host = "h.example",
                                      .tag = "tls-cert",
                                      .subject = "a.pem",
                                      .problem = 3};

static const struct {
    const char *what;
    struct breach breach;
    bool is_covered;
} cases[] = {
    {"the same", {BREACH_UNVERIFIABLE, IMAP, "h.example", "tls-cert", "a.pem", 7}, true},
    {"another kind", {BREACH_SELF_SIGNED, IMAP, "h.example", "tls-cert", "a.pem", 3}, false},
    {"another host", {BREACH_UNVERIFIABLE, IMAP, "i.example", "tls-cert", "a.pem", 3}, false},
    {"everybody", {BREACH_UNVERIFIABLE, IMAP, NULL, "tls-cert", "a.pem", 3}, false},
    {"another tag", {BREACH_UNVERIFIABLE, IMAP, "h.example", "tls-dane-tlsa", "a.pem", 3}, false},
    {"another chain", {BREACH_UNVERIFIABLE, IMAP, "h.example", "tls-cert", "b.pem", 3}, false},
    {"another protocol", {BREACH_UNVERIFIABLE, POP3, "h.example", "tls-cert", "a.pem", 3}, false},
    {"one more protocol", {BREACH_UNVERIFIABLE, IMAP | POP3, "h.example", "tls-cert", "a.pem", 3}, false},
};

START_TEST(is_it_new)
{
    struct breaches breaches = {0};
    struct breach breach = cases[_i].breach;
    ck_assert_msg(!breaches_cover(&breaches, &breach), "%s: nothing was broken", cases[_i].what);
    breaches_add(&breaches, expired);
    ck_assert_msg(breaches_cover(&breaches, &breach) == cases[_i].is_covered, "%s", cases[_i].what);
    breaches_free(&breaches);
    ck_assert_uint_eq(breaches.count, 0);
}
END_TEST

/* Two services that had groups of their own before have one now. */
START_TEST(protocols_add_up)
{
    struct breaches breaches = {0};
    struct breach both = expired;
    struct breach other = expired;
    both.protocols = IMAP | POP3;
    other.protocols = POP3;
    breaches_add(&breaches, expired);
    breaches_add(&breaches, other);
    ck_assert(breaches_cover(&breaches, &both));
    breaches_free(&breaches);
}
END_TEST

/* A breach to which protocols do not matter is covered by its like alone. */
START_TEST(no_protocol)
{
    static const struct breach file = {.kind = BREACH_BAD_AUTHORITIES, .subject = "ca.pem"};
    struct breaches breaches = {0};
    breaches_add(&breaches, expired);
    ck_assert(!breaches_cover(&breaches, &file));
    breaches_add(&breaches, file);
    ck_assert(breaches_cover(&breaches, &file));
    breaches_free(&breaches);
}
END_TEST

START_TEST(found_by_problem)
{
    struct breaches breaches = {0};
    breaches_add(&breaches, expired);
    ck_assert_str_eq(breaches_find(&breaches, 3)->subject, "a.pem");
    ck_assert_ptr_null(breaches_find(&breaches, 2));
    breaches_free(&breaches);
}
END_TEST

START_TEST(chains_in_order)
{
    struct breaches breaches = {0};
    breaches_sort_chains(&breaches);
    breaches_add_chain(&breaches, "b.pem");
    breaches_add_chain(&breaches, "a.pem");
    breaches_sort_chains(&breaches);
    ck_assert_uint_eq(breaches.chain_count, 2);
    ck_assert_str_eq(breaches.chains[0], "a.pem");
    breaches_free(&breaches);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("breaches");
    TCase *tests = tcase_create("breaches");
    tcase_add_loop_test(tests, is_it_new, 0, ARRAY_LEN(cases));
    tcase_add_test(tests, protocols_add_up);
    tcase_add_test(tests, no_protocol);
    tcase_add_test(tests, found_by_problem);
    tcase_add_test(tests, chains_in_order);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
