/* SPDX-License-Identifier: BSD-2-Clause */
/* The syntax of draft sections 5.1, 5.3 and 6, rule by rule. */
#include "base/array.h"
#include "protocols/deep/deep_status.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

#define SIXTEEN "abcdefghijklmnop"
#define SIXTY   SIXTEEN SIXTEEN SIXTEEN "abcdefghijkl"

struct sample {
    const char *text;
    bool valid;
};

static const struct sample tags[] = {
    {"tls11", true},
    {"tls-dane-tlsa", true},
    {"a", true},
    {"Z", true},
    {"x-9_-", true},
    {SIXTY "abcd", true},   /* ALPHA *63: 64 in all */
    {SIXTY "abcde", false}, /* 65 */
    {"", false},
    {"1tls", false},
    {"-tls", false},
    {"_tls", false},
    {"tls 11", false},
    {"tls.11", false},
    {"tls11\n", false},
    {"tls\xc3\xa9", false},
};

START_TEST(security_tag)
{
    ck_assert_msg(deep_is_security_tag(slice_of(tags[_i].text)) == tags[_i].valid, "%s", tags[_i].text);
}
END_TEST

static const struct sample uris[] = {
    {"https://example.com", true},
    {"https://example.com/", true},
    {"HTTPS://example.com/", true},
    {"https://example.com:8443/a/b?c=d&e#f", true},
    {"https://[2001:db8::1]/", true},
    {"https://[2001:db8::1]:8443/", true},
    {"https://[::]/", true},
    {"https://[1:2:3:4:5:6:7:8]/", true},
    {"https://[1:2:3:4:5:6:192.0.2.1]/", true},
    {"https://[1::8]/", true},
    {"https://[1:2:3:4:5:6:7::]/", true},
    {"https://[::ffff:192.0.2.1]/", true},
    {"https://[v1.fe80:x]/", false}, /* IPvFuture */
    {"https://[1:2:3:4:5:6:7]/", false},
    {"https://[1:2:3:4:5:6:7:8:9]/", false},
    {"https://[1:2:3:4::5:6:7:8]/", false},
    {"https://[1::2::3]/", false},
    {"https://[1:::2]/", false},
    {"https://[1:]/", false},
    {"https://[:1]/", false},
    {"https://[:]/", false},
    {"https://[12345::]/", false},
    {"https://[::192.0.2]/", false},
    {"https://[::192.0.2.1.5]/", false},
    {"https://[::192.0.2.256]/", false},
    {"https://[::192.0.2.01]/", false},
    {"https://[::192.0.2.1:1]/", false},
    {"https://[::192.0.2.]/", false},
    {"https://[::1%25eth0]/", false},
    {"https://192.0.2.1/", true},
    {"https://user:pass@example.com/", true},
    {"https://example.com/%7Euser/%c3%a9", true},
    {"https://ex%41mple.com/", true},
    {"https://a/!$&'()*+,;=:@-._~", true},
    {"https://example.com?q", true},
    {"https://example.com#f", true},
    {"https://example.com:/", true}, /* port = *DIGIT */
    {"https://example.com/?a/b?c", true},
    {"http://example.com/", false},
    {"https:/example.com/", false},
    {"https:example.com", false},
    {"https", false},
    {"https://", false},
    {"https:///path", false},
    {"https://?q", false},
    {"https://#f", false},
    {"https://:443/", false},
    {"https://@example.com/", true}, /* userinfo may be empty */
    {"https://user@/", false},       /* and the host may not (RFC 9110 4.2.2) */
    {"https://user@:443/", false},
    {"https://a@b@c/", false},
    {"https://a[b@c/", false},
    {"https://example.com:port/", false},
    {"https://example.com:1:2/", false},
    {"https://2001:db8::1/", false},
    {"https://[2001:db8::1/", false},
    {"https://2001:db8::1]/", false},
    {"https://[]/", false},
    {"https://[::1]x/", false},
    {"https://[::g]/", false},
    {"https://[::1]]/", false},
    {"https://exa[mple.com/", false},
    {"https://example.com/[x]", false}, /* brackets are for the host alone */
    {"https://example.com/?[x]", false},
    {"https://example.com/#[x]", false},
    {"https://example.com/#a#b", false},
    {"https://example.com/a b", false},
    {"https://example.com/%", false},
    {"https://example.com/%4", false},
    {"https://example.com/%4g", false},
    {"https://example.com/<x>", false},
    {"https://example.com/\"x\"", false},
    {"https://example.com/\\", false},
    {"https://example.com/^`{|}", false},
    {"https://example.com/\x7f", false},
    {"https://ex\xc3\xa4mple.com/", false},
    {"https://example.com/\n", false},
    {"", false},
};

START_TEST(https_uri)
{
    ck_assert_msg(deep_is_https_uri(slice_of(uris[_i].text)) == uris[_i].valid, "%s", uris[_i].text);
}
END_TEST

START_TEST(https_uri_with_nul)
{
    static const uint8_t text[] = "https://example.com/\0x";
    ck_assert(!deep_is_https_uri((struct slice){text, sizeof text - 1}));
}
END_TEST

static const struct sample extensions[] = {
    {"1", true},   {"+x<y", true},   {"!", true},    {"5tls", true},
    {"@Z", true},  {"[", true},      {"~", true},    {"_a", true},
    {"", false},   {"a1", false}, /* that is a security-tag */
    {"<a", false}, {"1\"", false},   {"1\\", false}, {"\"", false},
    {"\\", false}, {"1 2", false}, /* EXTCHAR has the space by an error: it separates deep-tags */
    {" 1", false}, {"1\x7f", false}, {"1\t", false}, {"1\xc3\xa9", false},
};

START_TEST(extension)
{
    ck_assert_msg(deep_is_extension(slice_of(extensions[_i].text)) == extensions[_i].valid, "%s",
                  extensions[_i].text);
}
END_TEST

/* EXTCHAR and what may follow one, octet by octet, against the draft's ranges. */
START_TEST(extension_octets)
{
    for (int c = 0; c < 256; c++) {
        bool extchar = c == 0x21 || (c >= 0x23 && c <= 0x3b && c != 0x2f) || (c >= 0x3d && c <= 0x40) ||
                       (c >= 0x5b && c <= 0x60 && c != '\\') || (c >= 0x7b && c <= 0x7e);
        bool alpha = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        uint8_t alone = (uint8_t)c;
        uint8_t behind[2] = {'1', (uint8_t)c};
        ck_assert_msg(deep_is_extension((struct slice){&alone, 1}) == extchar, "0x%02x first", c);
        ck_assert_msg(deep_is_extension((struct slice){behind, 2}) == (extchar || alpha || c == '<'),
                      "0x%02x", c);
    }
}
END_TEST

static const struct sample ciphers[] = {
    {"TLS_AES_128_GCM_SHA256", true},
    {"0x1301", true},
    {"0xc02F", true},
    {"0X1301", true}, /* strings of ABNF are without case */
    {"A", true},
    {"0x130", false},
    {"0x13011", false},
    {"0x13g1", false},
    {"", false},
    {"1AES", false},
    {"_AES", false},
    {"TLS-AES", false},
    {"TLS AES", false},
    {"TLS_AES\r\n", false},
};

START_TEST(tls_cipher)
{
    ck_assert_msg(deep_is_tls_cipher(slice_of(ciphers[_i].text)) == ciphers[_i].valid, "%s",
                  ciphers[_i].text);
}
END_TEST

static const struct {
    const char *text;
    bool valid;
    size_t at;
} statuses[] = {
    {"", true, 0},
    {"tls11", true, 0},
    {"tls11 tls-cert <https://example.com/> +x", true, 0},
    {"<https://example.com/> tls11", true, 0},
    {" ", false, 0},
    {"tls11 ", false, 6},
    {" tls11", false, 0},
    {"tls11  tls12", false, 6},
    {"tls11 tls.12", false, 6},
    {"tls11 <https://example.com/", false, 6},
    {"tls11 <>", false, 6},
    {"<", false, 0},
    {"<http://example.com/>", false, 0},
    {"tls11 +x\\", false, 6},
    {"tls11\ttls12", false, 0},
    {"tls11\r\nEVIL", false, 0},
};

START_TEST(status)
{
    size_t at = 99;
    const char *wrong = deep_status_check(slice_of(statuses[_i].text), &at);
    ck_assert_msg((wrong == NULL) == statuses[_i].valid, "%s", statuses[_i].text);
    if (wrong != NULL)
        ck_assert_uint_eq(at, statuses[_i].at);
}
END_TEST

START_TEST(status_length)
{
    char text[DEEP_STATUS_MAX + 1];
    size_t at;
    memset(text, '1', sizeof text);
    ck_assert_ptr_null(deep_status_check((struct slice){(uint8_t *)text, DEEP_STATUS_MAX}, &at));
    ck_assert_ptr_nonnull(deep_status_check((struct slice){(uint8_t *)text, DEEP_STATUS_MAX + 1}, &at));
}
END_TEST

#define A_HUNDRED "1" SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN "abc"
#define NEARLY_FULL                                                                                          \
    A_HUNDRED " 2" A_HUNDRED " 3" A_HUNDRED " tls12 6" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "abcdefghijklmno"

static const struct merger {
    const char *own;
    const char *backends;
    const char *shown;
} mergers[] = {
    {"tls11 tls12", "", "tls11 tls12"},
    {"", "tls12 tls-cert", "tls12 tls-cert"},
    {"", "", ""},
    {"tls11 tls12", "tls12 tls-cert", "tls11 tls12 tls-cert"},
    {"tls12", "TLS12 Tls-Cert tls-cert", "tls12 Tls-Cert"}, /* without case */
    {"tls12", "  tls-cert   1x ", "tls12 tls-cert 1x"},
    {"tls12 <https://a.example/>", "tls-cert <https://b.example/>", "tls12 <https://a.example/> tls-cert"},
    {"tls12", "<https://b.example/> tls-cert <https://c.example/>", "tls12 <https://b.example/> tls-cert"},
    {"tls12", "tls_13! tls-cert", "tls12 tls-cert"},
    {"tls12", "<http://b.example/> <> < a\\b \"x\" \xc3\xa9 tls-cert\x01 \ttls11", "tls12"},
    {"tls12 1x", "1X 1x +y", "tls12 1x 1X +y"}, /* nobody says that extensions compare without case */
    {NEARLY_FULL, "tls-cert", NEARLY_FULL " tls-cert"},
    {NEARLY_FULL, "tls-cert1 1", NEARLY_FULL}, /* all behind what does not fit goes too */
    {NEARLY_FULL " tls-cert", "1", NEARLY_FULL " tls-cert"},
    {NEARLY_FULL " tls-cert", "tls12", NEARLY_FULL " tls-cert"},
};

START_TEST(merge)
{
    char shown[DEEP_STATUS_MAX + 1];
    size_t at;
    deep_status_merge(mergers[_i].own, slice_of(mergers[_i].backends), shown);
    ck_assert_str_eq(shown, mergers[_i].shown);
    ck_assert_ptr_null(deep_status_check(slice_of(shown), &at));
}
END_TEST

/* NUL and a tag that is too long: what slices bring, and texts don't. */
START_TEST(merge_any_octets)
{
    static const uint8_t octets[] = "tls\0cert tls-cert";
    char shown[DEEP_STATUS_MAX + 1];
    deep_status_merge("tls12", (struct slice){octets, sizeof octets - 1}, shown);
    ck_assert_str_eq(shown, "tls12 tls-cert");
    deep_status_merge("tls12", slice_of(SIXTY "abcde x"), shown);
    ck_assert_str_eq(shown, "tls12 x");
}
END_TEST

#define COUNT(array) ((int)(ARRAY_LEN(array)))

int main(void)
{
    Suite *suite = suite_create("deep_status");
    TCase *tcase = tcase_create("syntax");
    tcase_add_loop_test(tcase, security_tag, 0, COUNT(tags));
    tcase_add_loop_test(tcase, https_uri, 0, COUNT(uris));
    tcase_add_test(tcase, https_uri_with_nul);
    tcase_add_loop_test(tcase, extension, 0, COUNT(extensions));
    tcase_add_test(tcase, extension_octets);
    tcase_add_loop_test(tcase, tls_cipher, 0, COUNT(ciphers));
    tcase_add_loop_test(tcase, status, 0, COUNT(statuses));
    tcase_add_test(tcase, status_length);
    tcase_add_loop_test(tcase, merge, 0, COUNT(mergers));
    tcase_add_test(tcase, merge_any_octets);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
