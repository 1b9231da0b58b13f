/* SPDX-License-Identifier: BSD-2-Clause */
/* The daily line about certificates that end: from when on, how urgent, and with how many days left. */
#include "proxy/runtime/certificate_expiry.h"

#include "base/array.h"
#include "certificates.h"
#include "run_suite.h"
#include "tls_pair.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DAY = 24 * 3600 };

static const struct moment {
    int64_t left; /* seconds to the certificate's end */
    enum expiry expiry;
    const char *line; /* how its line begins; NULL: there is none */
    const char *days;
} moments[] = {
    {30 * DAY, CERTIFICATE_EXPIRY_FAR, NULL, NULL},
    {21 * DAY, CERTIFICATE_EXPIRY_FAR, NULL, NULL},
    {21 * DAY - 1, CERTIFICATE_EXPIRY_NEAR,
     "level=warning event=certificate-expires certificate=", " days=20\n"},
    {DAY, CERTIFICATE_EXPIRY_NEAR, "level=warning event=certificate-expires certificate=", " days=1\n"},
    {DAY - 1, CERTIFICATE_EXPIRY_NEAR, "level=warning event=certificate-expires certificate=", " days=0\n"},
    {1, CERTIFICATE_EXPIRY_NEAR, "level=warning event=certificate-expires certificate=", " days=0\n"},
    {0, CERTIFICATE_EXPIRY_PAST, "level=error event=certificate-expired certificate=", NULL},
    {-1, CERTIFICATE_EXPIRY_PAST, "level=error event=certificate-expired certificate=", NULL},
    {-400 * DAY, CERTIFICATE_EXPIRY_PAST, "level=error event=certificate-expired certificate=", NULL},
};

START_TEST(what_becomes_of_it)
{
    const struct moment *moment = &moments[_i];
    int64_t now = 1800000000;
    ck_assert_int_eq(certificate_expiry_of(now + moment->left, now), moment->expiry);
}
END_TEST

/* What is logged, in static memory. */
static const char *log_expiry(const struct tls_context *tls, const struct pool_tls_set *pools, int64_t now)
{
    static char said[4096];
    int to = open(certificates_write("log", ""), O_RDWR | O_CLOEXEC);
    int before = dup(STDERR_FILENO);
    ck_assert(to >= 0 && before >= 0 && dup2(to, STDERR_FILENO) >= 0);
    certificate_expiry_log(tls, pools, now, NULL);
    dup2(before, STDERR_FILENO);
    ssize_t len = pread(to, said, sizeof said - 1, 0);
    ck_assert_int_ge(len, 0);
    said[len] = '\0';
    close(before);
    close(to);
    return said;
}

START_TEST(its_line)
{
    static const struct certificate_wish wish = {.names = {"mail.example.com", "other.example.com"}};
    const struct moment *moment = &moments[_i];
    struct tls_certificate_files files = certificate_make(&wish);
    struct tls_pair_settings settings = {.certificates = &files, .certificate_count = 1};
    struct tls_context *tls = tls_pair_server_context(&settings);
    struct pool_tls_set *pools = pool_tls_set_new(1); /* whose pool has no TLS */
    const char *said = log_expiry(tls, pools, tls_context_certificate(tls, 0).ends - moment->left);
    if (moment->line == NULL) {
        ck_assert_str_eq(said, "");
    } else {
        ck_assert_ptr_nonnull(strstr(said, moment->line));
        ck_assert_ptr_nonnull(strstr(said, files.chain));
        ck_assert_ptr_nonnull(strstr(said, " name=mail.example.com"));
        ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1); /* one line */
        ck_assert(moment->days == NULL ? strstr(said, "days=") == NULL : strstr(said, moment->days) != NULL);
    }
    pool_tls_set_unref(&pools);
    tls_context_unref(&tls);
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("certificate_expiry");
    TCase *tests = tcase_create("certificate_expiry");
    tcase_add_loop_test(tests, what_becomes_of_it, 0, ARRAY_LEN(moments));
    tcase_add_loop_test(tests, its_line, 0, ARRAY_LEN(moments));
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
