/* SPDX-License-Identifier: BSD-2-Clause */
/* Which folders are watched: those of each file that a change of certificates can change, each once. */
#include "proxy/control/watch_folders.h"

#include "base/array.h"
#include "certificates.h"
#include "run_suite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct watch_folders folders;
static struct tls_context *context; /* without certificates */
static char root[PATH_MAX];
static char path[PATH_MAX + 64]; /* of the latest below() */

static void set_up(void)
{
    char name[32];
    snprintf(name, sizeof name, "watched-%ld", (long)getpid());
    ck_assert_ptr_nonnull(realpath(certificates_folder(name), root));
    context = tls_context_new_client(TLS_1_2, TLS_1_3);
    ck_assert_ptr_nonnull(context);
}

static void tear_down(void)
{
    watch_folders_free(&folders);
    ck_assert_uint_eq(folders.count, 0);
    tls_context_unref(&context);
}

static char *below(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static char *copy_below(const char *name)
{
    char *copy = strdup(below(name));
    ck_assert_ptr_nonnull(copy);
    return copy;
}

static void expect(const char *const names[], size_t count)
{
    ck_assert_uint_eq(folders.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_str_eq(folders.paths[i], names[i][0] == '/' ? names[i] : below(names[i]));
    ck_assert(!folders.incomplete);
}

/* Each in a folder of its own, whose names are not in the order of the fields. */
START_TEST(every_file_of_the_configuration)
{
    struct cfg_certificate certificate = {.chain = copy_below("h/f"),
                                          .key = copy_below("g/f"),
                                          .passphrase = copy_below("f/f"),
                                          .ocsp = copy_below("e/f")};
    struct cfg_pool pools[2] = {{.tls = {.ca = copy_below("d/f"), .certificate = copy_below("c/f")}},
                                {.tls = {.key = copy_below("b/f"), .passphrase = copy_below("a/f")}}};
    struct cfg cfg = {
        .tls = {.certificates = &certificate, .certificate_count = 1}, .pools = pools, .pool_count = 2};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    watch_folders_collect(&cfg, context, &folders);
    expect(names, ARRAY_LEN(names));
    free(certificate.chain);
    free(certificate.key);
    free(certificate.passphrase);
    free(certificate.ocsp);
    for (size_t i = 0; i < 2; i++) {
        free(pools[i].tls.ca);
        free(pools[i].tls.certificate);
        free(pools[i].tls.key);
        free(pools[i].tls.passphrase);
    }
}
END_TEST

START_TEST(files_of_one_folder)
{
    struct cfg_certificate certificates[] = {
        {.chain = copy_below("x/chain"), .key = copy_below("x/key")},
        {.chain = copy_below("x/other"), .key = copy_below("w/key")},
    };
    struct cfg cfg = {.tls = {.certificates = certificates, .certificate_count = 2}};
    static const char *const names[] = {"w", "x"};
    watch_folders_collect(&cfg, context, &folders);
    expect(names, ARRAY_LEN(names));
    for (size_t i = 0; i < 2; i++) {
        free(certificates[i].chain);
        free(certificates[i].key);
    }
}
END_TEST

START_TEST(names_without_a_folder_and_in_the_root)
{
    struct cfg_certificate certificate = {.chain = "no-such-file", .key = "/no-such-file"};
    struct cfg cfg = {.tls = {.certificates = &certificate, .certificate_count = 1}};
    watch_folders_collect(&cfg, context, &folders);
    ck_assert_uint_eq(folders.count, 2);
    ck_assert_str_eq(folders.paths[0], ".");
    ck_assert_str_eq(folders.paths[1], "/");
}
END_TEST

/* The folder of the link, as it may be replaced, and that of the file behind it. */
START_TEST(a_symbolic_link)
{
    ck_assert_int_eq(mkdir(below("data"), 0700), 0);
    ck_assert_int_eq(mkdir(below("links"), 0700), 0);
    char *file = copy_below("data/pem");
    FILE *made = fopen(file, "w");
    ck_assert_ptr_nonnull(made);
    fclose(made);
    ck_assert_int_eq(symlink(file, below("links/pem")), 0);
    struct cfg_certificate certificate = {.chain = copy_below("links/pem")};
    struct cfg cfg = {.tls = {.certificates = &certificate, .certificate_count = 1}};
    static const char *const names[] = {"data", "links"};
    watch_folders_collect(&cfg, context, &folders);
    expect(names, ARRAY_LEN(names));
    free(certificate.chain);
    free(file);
}
END_TEST

/* With the folders in it, links to folders among them, and with its own: it may be a link that changes. */
START_TEST(a_folder_of_certificates)
{
    ck_assert_int_eq(mkdir(below("live"), 0700), 0);
    ck_assert_int_eq(mkdir(below("live/one"), 0700), 0);
    ck_assert_int_eq(mkdir(below("live/.hidden"), 0700), 0);
    ck_assert_int_eq(mkdir(below("elsewhere"), 0700), 0);
    char *elsewhere = copy_below("elsewhere");
    ck_assert_int_eq(symlink(elsewhere, below("live/two")), 0);
    ck_assert_int_eq(symlink(below("live/nowhere"), below("live/dangling")), 0);
    FILE *file = fopen(below("live/file"), "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    struct cfg_directory directory = {.path = copy_below("live")};
    struct cfg cfg = {.tls = {.directories = &directory, .directory_count = 1}};
    const char *const names[] = {root, "live", "live/one", "live/two"};
    watch_folders_collect(&cfg, context, &folders);
    expect(names, ARRAY_LEN(names));
    free(directory.path);
    free(elsewhere);
}
END_TEST

START_TEST(more_than_are_watched)
{
    enum { MORE = WATCH_FOLDERS_MAX + 1 };
    struct cfg_certificate *certificates = calloc(MORE, sizeof certificates[0]);
    ck_assert_ptr_nonnull(certificates);
    struct cfg cfg = {.tls = {.certificates = certificates, .certificate_count = MORE - 1}};
    for (size_t i = 0; i < MORE; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu/f", MORE - i);
        certificates[i].chain = copy_below(name);
    }
    watch_folders_collect(&cfg, context, &folders);
    ck_assert_uint_eq(folders.count, WATCH_FOLDERS_MAX);
    ck_assert(!folders.incomplete);
    for (size_t i = 1; i < folders.count; i++)
        ck_assert_int_lt(strcmp(folders.paths[i - 1], folders.paths[i]), 0);
    watch_folders_free(&folders);
    cfg.tls.certificate_count = MORE;
    watch_folders_collect(&cfg, context, &folders);
    ck_assert_uint_eq(folders.count, WATCH_FOLDERS_MAX);
    ck_assert(folders.incomplete);
    for (size_t i = 0; i < MORE; i++)
        free(certificates[i].chain);
    free(certificates);
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("watch_folders");
    TCase *tests = tcase_create("watch_folders");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, every_file_of_the_configuration);
    tcase_add_test(tests, files_of_one_folder);
    tcase_add_test(tests, names_without_a_folder_and_in_the_root);
    tcase_add_test(tests, a_symbolic_link);
    tcase_add_test(tests, a_folder_of_certificates);
    tcase_add_test(tests, more_than_are_watched);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
