/* SPDX-License-Identifier: BSD-2-Clause */
/* What this process may not read its key source reads, and nothing else. */
#include "tls/certificates/tls_access.h"

#include "cfg_file.h"
#include "run_suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_CAP = 512, SOMEBODY = 65534 };

static char *base;
static char closed[PATH_CAP];     /* a folder that may not be entered */
static char inside[PATH_CAP + 8]; /* a file in it */
static char absent[PATH_CAP + 8];
static unsigned asked;
static bool answers; /* the source */

static bool answer(const char *path, struct bytes *into, char *error, const char *text, size_t len)
{
    asked++;
    ck_assert_int_eq(strncmp(path, closed, strlen(closed)), 0);
    if (answers)
        return bytes_append(into, (struct slice){(const uint8_t *)text, len}, SIZE_MAX);
    snprintf(error, TLS_KEY_ERROR_MAX, "says no");
    return false;
}

static bool read_certificates(void *arg, const char *path, struct bytes *into, char *error)
{
    (void)arg;
    return answer(path, into, error, "chain", 5);
}

static bool read_ocsp(void *arg, const char *path, struct bytes *into, char *error)
{
    (void)arg;
    return answer(path, into, error, "response", 8);
}

static bool list(void *arg, const char *path, struct bytes *names, struct bytes *looks, char *error)
{
    static const struct tls_key_source_look seen[2] = {{.is_seen = true}, {.is_there = true}};
    (void)arg;
    return answer(path, names, error, "a.pem\0b", 8) &&
           bytes_append(looks, (struct slice){(const void *)seen, sizeof seen}, SIZE_MAX);
}

static bool look(void *arg, const char *path, struct tls_key_source_look *into)
{
    (void)arg;
    asked++;
    *into = (struct tls_key_source_look){.is_there = strcmp(path, absent) != 0,
                                         .is_folder = strcmp(path, closed) == 0};
    if (strcmp(path, inside) == 0)
        into->mark = (struct tls_file_mark){.size = 7};
    return answers;
}

static const struct tls_key_source source = {
    .read_certificates = read_certificates, .read_ocsp = read_ocsp, .list = list, .look = look};
static const struct tls_key_source without = {.list = NULL};

static void set_up(void)
{
    char *file;
    base = cfg_folder_make();
    ck_assert_int_eq(chmod(base, 0755), 0);
    snprintf(closed, sizeof closed, "%s/closed", base);
    snprintf(inside, sizeof inside, "%s/a.pem", closed);
    snprintf(absent, sizeof absent, "%s/b.pem", closed);
    ck_assert_int_eq(mkdir(closed, 0700), 0);
    file = cfg_folder_write(closed, "a.pem", "its own", 7);
    free(file);
    ck_assert_int_eq(chmod(closed, 0), 0);
    ck_assert(geteuid() != 0 || seteuid(SOMEBODY) == 0);
    asked = 0;
    answers = true;
}

static void tear_down(void)
{
    ck_assert(getuid() != 0 || seteuid(0) == 0);
    ck_assert_int_eq(chmod(closed, 0700), 0);
    unlink(inside);
    cfg_folder_remove(base);
}

START_TEST(files_that_may_not_be_read)
{
    struct bytes text = {0};
    char error[TLS_KEY_ERROR_MAX];
    bool is_absent = true;
    ck_assert(tls_access_read_certificates(&source, inside, &text, error));
    ck_assert(slice_equals(bytes_view(&text), slice_of("chain")));
    bytes_free(&text);
    ck_assert(tls_access_read_ocsp(&source, inside, &text, &is_absent, error));
    ck_assert(!is_absent);
    ck_assert(slice_equals(bytes_view(&text), slice_of("response")));
    bytes_free(&text);
    answers = false;
    ck_assert(!tls_access_read_certificates(&source, inside, &text, error));
    ck_assert_str_eq(error, "says no");
    answers = true;
    ck_assert_uint_eq(asked, 3);
}
END_TEST

/* The error is this process's own. */
START_TEST(nobody_to_ask)
{
    static const struct tls_key_source *const nobody[] = {NULL, &without};
    for (size_t i = 0; i < 2; i++) {
        struct bytes text = {0};
        struct bytes looks = {0};
        char error[TLS_KEY_ERROR_MAX] = "of before";
        bool is_absent = true;
        ck_assert(!tls_access_read_certificates(nobody[i], inside, &text, error));
        ck_assert_int_eq(errno, EACCES);
        ck_assert_str_eq(error, "");
        ck_assert(!tls_access_read_ocsp(nobody[i], absent, &text, &is_absent, error));
        ck_assert_int_eq(errno, EACCES);
        ck_assert(!is_absent); /* for all that is known */
        ck_assert(!tls_access_list(nobody[i], closed, 10, &text, &looks, error));
        ck_assert_int_eq(errno, EACCES);
        ck_assert_str_eq(error, "");
        ck_assert(!tls_access_is_folder(nobody[i], inside));
        ck_assert(!tls_access_is_absent(nobody[i], absent));
        struct tls_file_mark mark = tls_access_mark(nobody[i], inside);
        ck_assert(tls_file_mark_equals(&mark, &(struct tls_file_mark){0}));
        bytes_free(&text);
    }
}
END_TEST

START_TEST(folders_that_may_not_be_listed)
{
    struct bytes names = {0};
    struct bytes looks = {0};
    char error[TLS_KEY_ERROR_MAX];
    ck_assert(tls_access_list(&source, closed, 10, &names, &looks, error));
    ck_assert_uint_eq(looks.len, 2 * sizeof(struct tls_key_source_look));
    bytes_free(&looks);
    ck_assert(slice_equals(bytes_view(&names), (struct slice){(const uint8_t *)"a.pem\0b", 8}));
    ck_assert_uint_eq(asked, 1);
    bytes_free(&names);
    ck_assert(tls_access_list(&source, base, 10, &names, &looks, error));
    ck_assert(slice_equals(bytes_view(&names), (struct slice){(const uint8_t *)"closed", 7}));
    ck_assert_uint_eq(asked, 1); /* by itself */
    ck_assert_uint_eq(looks.len, 0);
    bytes_free(&names);
    ck_assert(!tls_access_list(&source, base, 0, &names, &looks, error));
    ck_assert_int_eq(errno, EFBIG);
    bytes_free(&names);
}
END_TEST

/* As of a path that is looked at by itself. */
START_TEST(marks_of_what_was_listed)
{
    static const struct tls_file_mark none = {0};
    struct tls_key_source_look seen = {.is_seen = true, .is_there = true, .mark = {.size = 7}};
    struct tls_file_mark mark = tls_access_mark_in(&seen);
    ck_assert(tls_file_mark_equals(&mark, &seen.mark));
    seen.is_folder = true;
    mark = tls_access_mark_in(&seen);
    ck_assert(tls_file_mark_equals(&mark, &none));
    seen = (struct tls_key_source_look){.is_seen = true, .mark = {.size = 7}};
    mark = tls_access_mark_in(&seen);
    ck_assert(tls_file_mark_equals(&mark, &none));
}
END_TEST

START_TEST(what_is_there)
{
    struct tls_file_mark mark = tls_access_mark(&source, inside);
    ck_assert(tls_file_mark_equals(&mark, &(struct tls_file_mark){.size = 7}));
    ck_assert(!tls_access_is_folder(&source, inside));
    ck_assert(!tls_access_is_absent(&source, inside));
    ck_assert(tls_access_is_absent(&source, absent));
    mark = tls_access_mark(&source, NULL);
    ck_assert(tls_file_mark_equals(&mark, &(struct tls_file_mark){0}));
    answers = false; /* what can't be told is not absent */
    ck_assert(!tls_access_is_absent(&source, absent));
    unsigned before = asked;
    ck_assert(tls_access_is_folder(&source, closed)); /* seen from outside */
    ck_assert(tls_access_is_absent(&source, "/no/such/path"));
    ck_assert_uint_eq(asked, before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_access");
    TCase *tests = tcase_create("tls_access");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, files_that_may_not_be_read);
    tcase_add_test(tests, nobody_to_ask);
    tcase_add_test(tests, folders_that_may_not_be_listed);
    tcase_add_test(tests, marks_of_what_was_listed);
    tcase_add_test(tests, what_is_there);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
