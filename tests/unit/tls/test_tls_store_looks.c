/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certificates in a folder that only the key source may enter: what is unchanged costs the lists alone, and
 * no change is missed for that.
 */
#include "base/array.h"
#include "certificates.h"
#include "external_keys.h"
#include "run_suite.h"
#include "tls/endpoint/tls_context.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SOMEBODY = 65534 };

static const char *closed; /* the folder */
static unsigned lists;     /* how often the source was asked */
static unsigned looks;
static unsigned reads;
static bool shows_looks;         /* the lists do */
static void (*after_list)(void); /* what happens then; NULL: nothing */
static char said[4096];

/* ---- the source ---- */

static void enter(void)
{
    ck_assert(getuid() != 0 || seteuid(0) == 0);
    ck_assert_int_eq(chmod(closed, 0700), 0);
}

static void leave(void)
{
    ck_assert_int_eq(chmod(closed, 0), 0);
    ck_assert(getuid() != 0 || seteuid(SOMEBODY) == 0);
}

static bool load_key(void *arg, const char *path, const char *passphrase_path, enum tls_key_role role,
                     struct tls_external_key *into)
{
    enter();
    reads++;
    bool ok = external_keys.load(arg, path, passphrase_path, role, into);
    leave();
    return ok;
}

static void release_key(void *arg, uint32_t number)
{
    external_keys.release(arg, number);
}

static bool read_chain(void *arg, const char *path, struct bytes *into, char *error)
{
    enter();
    reads++;
    bool ok = external_keys.read_chain(arg, path, into, error);
    leave();
    return ok;
}

static bool read_file(void *arg, const char *path, struct bytes *into, char *error)
{
    (void)arg;
    enter();
    reads++;
    bool ok = tls_file_read(path, into);
    leave();
    snprintf(error, TLS_KEY_ERROR_MAX, "is not there");
    return ok;
}

static bool look_at(const char *path, struct tls_key_source_look *into)
{
    struct stat status;
    *into = (struct tls_key_source_look){.is_seen = true, .is_there = stat(path, &status) == 0};
    if (into->is_there && S_ISDIR(status.st_mode))
        into->is_folder = true;
    else if (into->is_there)
        into->mark = tls_file_mark_of(&status);
    return true;
}

static bool look(void *arg, const char *path, struct tls_key_source_look *into)
{
    (void)arg;
    enter();
    looks++;
    bool ok = look_at(path, into);
    leave();
    return ok;
}

static bool list_all(const char *path, struct bytes *names, struct bytes *seen)
{
    const struct dirent *entry;
    char inside[1024];
    bool ok = true;
    DIR *stream = tls_file_open_folder(path);
    while (ok && stream != NULL && (entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.') {
            struct tls_key_source_look one;
            snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
            look_at(inside, &one);
            struct slice name = {(const uint8_t *)entry->d_name, strlen(entry->d_name) + 1};
            ok = bytes_append(names, name, SIZE_MAX) &&
                 (!shows_looks ||
                  bytes_append(seen, (struct slice){(const void *)&one, sizeof one}, SIZE_MAX));
        }
    if (stream != NULL)
        closedir(stream);
    return ok && stream != NULL;
}

static bool list(void *arg, const char *path, struct bytes *names, struct bytes *seen, char *error)
{
    (void)arg;
    (void)error;
    enter();
    lists++;
    bool ok = list_all(path, names, seen);
    if (after_list != NULL)
        after_list();
    leave();
    return ok;
}

static const struct tls_key_source source = {.load = load_key,
                                             .release = release_key,
                                             .read_chain = read_chain,
                                             .read_certificates = read_file,
                                             .read_ocsp = read_file,
                                             .look = look,
                                             .list = list};

/* ---- readings ---- */

static void note(void *arg, int of, bool is_error, const char *text)
{
    (void)arg;
    (void)of;
    size_t len = strlen(said);
    snprintf(said + len, sizeof said - len, "%s: %s\n", is_error ? "error" : "warning", text);
}

/* A reading of the folder; what is asked for is counted anew. */
static struct tls_context *read_folder(struct tls_context *previous)
{
    struct tls_report report = {.add = note, .now = (long long)time(NULL)};
    struct tls_settings from = {.min_version = TLS_1_2,
                                .max_version = TLS_1_3,
                                .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
                                .directories = &closed,
                                .directory_count = 1,
                                .keys = &source,
                                .previous = previous};
    lists = looks = reads = 0;
    said[0] = '\0';
    struct tls_context *context = tls_context_new_server(&from, &report);
    ck_assert_msg(context != NULL, "%s", said);
    return context;
}

static void make(const char *chain, const char *key, const char *name)
{
    struct certificate_wish wish = {.key = CERTIFICATE_P256, .names = {name}};
    certificate_make_at(&wish, chain, key);
}

static bool has_name(const struct tls_context *context, const char *name)
{
    size_t index;
    return tls_context_find(context, name, &index, 1) == 1 && index < tls_context_certificate_count(context);
}

static void make_folder(void)
{
    char path[512];
    closed = certificates_folder("closed");
    make("closed/a.pem", "closed/a.key", "a.example");
    make("closed/b.pem", "closed/b.key", "b.example");
    snprintf(path, sizeof path, "%s/b.pem.ocsp", closed);
    certificates_write_ocsp(path, &(struct ocsp_wish){.endless = false});
    certificates_folder("closed/archive");
    certificates_folder("closed/archive/.c");
    certificates_folder("closed/c");
    make("closed/archive/.c/fullchain1.pem", "closed/archive/.c/privkey1.pem", "c.example");
    snprintf(path, sizeof path, "%s/c/fullchain.pem", closed);
    ck_assert_int_eq(symlink("../archive/.c/fullchain1.pem", path), 0);
    snprintf(path, sizeof path, "%s/c/privkey.pem", closed);
    ck_assert_int_eq(symlink("../archive/.c/privkey1.pem", path), 0);
}

static void set_up(void)
{
    certificates_open();
    external_keys_reset();
    make_folder();
    shows_looks = true;
    after_list = NULL;
    leave();
}

/* Everything is removed by whoever has made it. */
static void tear_down(void)
{
    enter();
    external_keys_reset();
    certificates_close();
}

START_TEST(what_is_unchanged_is_listed_and_not_looked_at)
{
    struct tls_context *first = read_folder(NULL);
    ck_assert_uint_eq(tls_context_certificate_count(first), 3);
    ck_assert_str_eq(said, "");
    struct tls_context *second = read_folder(first);
    ck_assert(tls_context_same_certificates(first, second));
    ck_assert_uint_eq(lists, 3); /* the folder, c and archive */
    ck_assert_uint_eq(looks, 0);
    ck_assert_uint_eq(reads, 0);
    tls_context_unref(&first);
    tls_context_unref(&second);
}
END_TEST

START_TEST(what_a_list_does_not_show_is_looked_at)
{
    struct tls_context *first = read_folder(NULL);
    shows_looks = false;
    struct tls_context *second = read_folder(first);
    ck_assert(tls_context_same_certificates(first, second));
    ck_assert_uint_gt(looks, 0);
    ck_assert_uint_eq(reads, 0);
    tls_context_unref(&first);
    tls_context_unref(&second);
}
END_TEST

/* ---- changes ---- */

static void renew(void)
{
    make("closed/a.pem", "closed/a.key", "new.example");
}

/* The file that the links lead to. */
static void renew_in_place(void)
{
    make("closed/archive/.c/fullchain1.pem", "closed/archive/.c/privkey1.pem", "new.example");
}

static void switch_links(void)
{
    char path[512];
    make("closed/archive/.c/fullchain2.pem", "closed/archive/.c/privkey2.pem", "new.example");
    snprintf(path, sizeof path, "%s/c/fullchain.pem", closed);
    unlink(path);
    ck_assert_int_eq(symlink("../archive/.c/fullchain2.pem", path), 0);
    snprintf(path, sizeof path, "%s/c/privkey.pem", closed);
    unlink(path);
    ck_assert_int_eq(symlink("../archive/.c/privkey2.pem", path), 0);
}

static void add_response(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/c/fullchain.pem.ocsp", closed);
    certificates_write_ocsp(path, &(struct ocsp_wish){.endless = false});
}

static void remove_response(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/b.pem.ocsp", closed);
    unlink(path);
}

static const struct {
    void (*make)(void);
    const char *old; /* a name that is gone with it; NULL: names are the same */
} changes[] = {{renew, "a.example"},
               {renew_in_place, "c.example"},
               {switch_links, "c.example"},
               {add_response, NULL},
               {remove_response, NULL}};

static void (*change)(void);

/* After the last of the lists: every look is from before. */
static void change_at_last(void)
{
    if (lists == 3)
        change();
}

static void expect_changed(const struct tls_context *context, size_t i)
{
    ck_assert_uint_eq(tls_context_certificate_count(context), 3);
    if (changes[i].old == NULL)
        return;
    ck_assert(has_name(context, "new.example"));
    ck_assert(!has_name(context, changes[i].old));
}

START_TEST(a_change_before_the_reading)
{
    struct tls_context *first = read_folder(NULL);
    enter();
    changes[_i].make();
    leave();
    struct tls_context *second = read_folder(first);
    ck_assert(!tls_context_same_certificates(first, second));
    expect_changed(second, (size_t)_i);
    tls_context_unref(&first);
    tls_context_unref(&second);
}
END_TEST

/* The reading may miss it; the next one does not. */
START_TEST(a_change_between_the_list_and_the_marks)
{
    struct tls_context *first = read_folder(NULL);
    change = changes[_i].make;
    after_list = change_at_last;
    struct tls_context *second = read_folder(first);
    after_list = NULL;
    struct tls_context *third = read_folder(second);
    ck_assert(!tls_context_same_certificates(first, third));
    expect_changed(third, (size_t)_i);
    struct tls_context *fourth = read_folder(third);
    ck_assert(tls_context_same_certificates(third, fourth));
    ck_assert_uint_eq(looks + reads, 0);
    tls_context_unref(&first);
    tls_context_unref(&second);
    tls_context_unref(&third);
    tls_context_unref(&fourth);
}
END_TEST

/* What is loaded for the first time, while it changes. */
START_TEST(a_change_during_the_first_reading)
{
    change = changes[_i].make;
    after_list = change_at_last;
    struct tls_context *first = read_folder(NULL);
    after_list = NULL;
    struct tls_context *second = read_folder(first);
    expect_changed(second, (size_t)_i);
    tls_context_unref(&first);
    tls_context_unref(&second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_store_looks");
    TCase *tests = tcase_create("looks");
    int count = (int)ARRAY_LEN(changes);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_is_unchanged_is_listed_and_not_looked_at);
    tcase_add_test(tests, what_a_list_does_not_show_is_looked_at);
    tcase_add_loop_test(tests, a_change_before_the_reading, 0, count);
    tcase_add_loop_test(tests, a_change_between_the_list_and_the_marks, 0, count);
    tcase_add_loop_test(tests, a_change_during_the_first_reading, 0, count);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
