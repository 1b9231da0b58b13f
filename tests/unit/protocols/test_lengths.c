/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of protocols/limits.h: each length is at least what the RFC allows and what the common servers
 * take, and the longest line that is copied fits into a step.
 */
#include "base/array.h"
#include "protocols/engine_out.h"
#include "protocols/imap/imap_id.h"
#include "protocols/imap/imap_response.h"
#include "protocols/limits.h"
#include "protocols/line.h"

#include "run_suite.h"

/*
 * An ID of RFC 2971 section 3.3, each octet after a backslash: quotation marks and separators, TAG " ID ()"
 * CRLF.
 */
#define LONGEST_ID (30 * (2 * (30 + 1024) + 4 + 2) + IMAP_TAG_MAX + 8)

/* "AUTHENTICATE", "AUTH": with spaces around the mechanism (RFC 4422 section 3.1), and a line end. */
#define WORDS_OF(command) (sizeof command + 20 + 1 + LINE_END_LEN)

static const struct {
    const char *what;
    size_t limit, rfc, servers;
} limits[] = {
    {"SASL", SASL_MAX, 12288, 12288},                                 /* RFC 4954; Postfix */
    {"SASL at most", SASL_MAX_HIGHEST, 12288, 4 * ((48000 + 2) / 3)}, /* a Kerberos ticket in base64 */
    {"IMAP before the login", IMAP_LINE_MAX, 8192, 1024},             /* RFC 7162; Dovecot */
    {"IMAP after it", IMAP_LINE_AUTHENTICATED_MAX, 8192, 131072},     /* RFC 7162; Cyrus */
    {"IMAP's AUTHENTICATE", IMAP_AUTHENTICATE_WORDS_MAX, IMAP_TAG_MAX + 1 + WORDS_OF("AUTHENTICATE"), 0},
    {"ID", IMAP_ID_COMMAND_MAX, LONGEST_ID, 31799}, /* RFC 2971; Dovecot */
    {"ID's response", IMAP_HELD_ID_MAX, LONGEST_ID, 31799},
    {"a line of capabilities", IMAP_HELD_LINE_MAX, 8192, 520}, /* RFC 7162; Dovecot */
    {"POP3", POP3_COMMAND_MAX, 255, 8191},                     /* RFC 2449; Cyrus */
    {"POP3's AUTH", POP3_AUTH_WORDS_MAX, WORDS_OF("AUTH"), 0},
    {"POP3's challenge", POP3_CHALLENGE_WORDS_MAX, sizeof "+ " - 1 + LINE_END_LEN, 0},
    {"SMTP", SMTP_COMMAND_MAX, 512 + 2000, 16384}, /* RFC 5321 and extensions; Exim */
    {"SMTP's AUTH", SMTP_AUTH_WORDS_MAX, WORDS_OF("AUTH"), 0},
    {"SMTP's challenge", SMTP_CHALLENGE_WORDS_MAX, sizeof "334 " - 1 + LINE_END_LEN, 0},
    {"an endless line", SMTP_LINE_ENDLESS, SASL_MAX_HIGHEST + SMTP_AUTH_WORDS_MAX + 1, 0},
};

START_TEST(each_is_what_the_rfc_and_servers_have)
{
    ck_assert_msg(limits[_i].limit >= limits[_i].rfc, "%s: %zu, and the RFC has %zu", limits[_i].what,
                  limits[_i].limit, limits[_i].rfc);
    ck_assert_msg(limits[_i].limit >= limits[_i].servers, "%s: %zu, and servers take %zu", limits[_i].what,
                  limits[_i].limit, limits[_i].servers);
}
END_TEST

/* A line that has no owner is made, whatever `limits` says: those of SASL, and an ID. */
START_TEST(what_is_copied_fits_into_a_step)
{
    ck_assert_uint_le(SASL_MAX_HIGHEST + IMAP_AUTHENTICATE_WORDS_MAX, ENGINE_STEP_SCRATCH);
    ck_assert_uint_le(SASL_MAX_HIGHEST + SMTP_AUTH_WORDS_MAX, ENGINE_STEP_SCRATCH);
    ck_assert_uint_le(IMAP_ID_COMMAND_MAX, ENGINE_STEP_SCRATCH);
    ck_assert_uint_le(IMAP_HELD_ID_MAX + IMAP_ID_OWN_FIELDS_MAX, ENGINE_STEP_SCRATCH);
    ck_assert_uint_le(LINE_COPIED_MAX, ENGINE_STEP_SCRATCH);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lengths");
    TCase *tcase = tcase_create("lengths");
    tcase_add_loop_test(tcase, each_is_what_the_rfc_and_servers_have, 0, ARRAY_LEN(limits));
    tcase_add_test(tcase, what_is_copied_fits_into_a_step);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
