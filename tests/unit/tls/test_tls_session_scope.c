/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_session_scope.h"
#include "run_suite.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct scope {
    uint8_t octets[SSL_MAX_SID_CTX_LENGTH];
};

/* Of a handshake with a name, whose SSL object has a context already, or none if `before` is empty. */
static struct scope scope_of(const char *before, const char *name)
{
    struct scope scope = {{0}};
    size_t len = 0;
    SSL_CTX *ctx = SSL_CTX_new(TLS_with_buffers_method());
    SSL *ssl = SSL_new(ctx);
    ck_assert(SSL_set_session_id_context(ssl, (const uint8_t *)before, strlen(before)));
    ck_assert(tls_session_scope_set(ssl, name));
    const uint8_t *octets = SSL_get0_session_id_context(ssl, &len);
    ck_assert_uint_eq(len, sizeof scope.octets);
    memcpy(scope.octets, octets, len);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return scope;
}

static bool is_same(struct scope a, struct scope b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

START_TEST(the_same_name_is_the_same_scope)
{
    ck_assert(is_same(scope_of("", "mail.example.com"), scope_of("", "mail.example.com")));
    ck_assert(is_same(scope_of("", "mail.example.com"), scope_of("", "Mail.Example.COM")));
    ck_assert(is_same(scope_of("", NULL), scope_of("", NULL)));
    ck_assert(!is_same(scope_of("", "mail.example.com"), scope_of("", "mail.example.org")));
    ck_assert(!is_same(scope_of("", "mail.example.com"), scope_of("", NULL)));
}
END_TEST

START_TEST(what_was_there_before_counts)
{
    ck_assert(is_same(scope_of("x", "mail.example.com"), scope_of("x", "mail.example.com")));
    ck_assert(!is_same(scope_of("x", "mail.example.com"), scope_of("y", "mail.example.com")));
    ck_assert(!is_same(scope_of("x", "mail.example.com"), scope_of("", "mail.example.com")));
    ck_assert(!is_same(scope_of("x", "mail.example.com"), scope_of("x", "mail.example.org")));
    /* Not only by both, one after the other. */
    ck_assert(!is_same(scope_of("A", "BC"), scope_of("AB", "C")));
    ck_assert(!is_same(scope_of("", "ABC"), scope_of("ABC", "")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_session_scope");
    TCase *tests = tcase_create("scope");
    tcase_add_test(tests, the_same_name_is_the_same_scope);
    tcase_add_test(tests, what_was_there_before_counts);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
