/* SPDX-License-Identifier: BSD-2-Clause */
/* Folders that exist, the kernel's own events, and a clock that the test moves. */
#include "proxy/control/file_watch.h"

#include "base/array.h"
#include "cfg_file.h"
#include "manual_clock.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As the source has them: a change of one of these is a change of what operators see. */
enum { QUIET_MS = 1000, PATIENCE_MS = 10000, POLL_MS = 60000, POLL_RARE_MS = 600000 };
enum { FOLDERS = 7, ALL = (1 << FOLDERS) - 1, PATH_CAP = 512 };

static uv_loop_t loop;
static struct file_watch *watch;
static unsigned changes;
static char *base;
static char paths[FOLDERS][PATH_CAP];

int __real_uv_fs_event_start(uv_fs_event_t *event, uv_fs_event_cb call, const char *path, unsigned flags);
int __wrap_uv_fs_event_start(uv_fs_event_t *event, uv_fs_event_cb call, const char *path, unsigned flags);
static unsigned starts;

int __wrap_uv_fs_event_start(uv_fs_event_t *event, uv_fs_event_cb call, const char *path, unsigned flags)
{
    starts++;
    return __real_uv_fs_event_start(event, call, path, flags);
}

static void on_change(void *arg)
{
    ck_assert_ptr_eq(arg, paths);
    changes++;
}

static void set_up(void)
{
    changes = starts = 0;
    base = cfg_folder_make();
    for (size_t i = 0; i < FOLDERS; i++) {
        snprintf(paths[i], PATH_CAP, "%s/%c", base, (char)('a' + i));
        ck_assert_int_eq(mkdir(paths[i], 0700), 0);
    }
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    manual_clock_begin();
    watch = file_watch_new(&loop, on_change, paths);
    ck_assert_ptr_nonnull(watch);
}

static void tear_down(void)
{
    file_watch_close(&watch);
    ck_assert_ptr_null(watch);
    file_watch_close(&watch); /* nothing, the second time */
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(manual_clock_count(), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    for (size_t i = 0; i < FOLDERS; i++)
        cfg_folder_remove(strdup(paths[i]));
    cfg_folder_remove(base);
}

/* Watches those whose bit is set. */
static void watch_these(unsigned set)
{
    struct watch_folders folders = {.count = 0};
    for (size_t i = 0; i < FOLDERS; i++)
        if ((set >> i & 1) != 0) {
            folders.takes_new[folders.count] = true;
            folders.paths[folders.count++] = paths[i];
        }
    file_watch_set(watch, &folders);
}

/* The kernel has its events ready as soon as a change is made. */
static void take_events(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void change(size_t folder)
{
    char *path = cfg_folder_write(paths[folder], "new", "", 0);
    unlink(path);
    free(path);
    take_events();
}

/* All that is under way is reported. */
static void settle(void)
{
    manual_clock_advance(QUIET_MS);
    changes = 0;
}

START_TEST(a_change_is_reported_once_when_it_is_complete)
{
    watch_these(ALL);
    settle();
    change(0);
    manual_clock_advance(QUIET_MS - 1);
    ck_assert_uint_eq(changes, 0);
    manual_clock_advance(1);
    ck_assert_uint_eq(changes, 1);
    manual_clock_advance(10 * QUIET_MS);
    ck_assert_uint_eq(changes, 1);
}
END_TEST

START_TEST(what_follows_soon_belongs_to_it)
{
    watch_these(ALL);
    settle();
    for (size_t i = 0; i < FOLDERS; i++) {
        change(i);
        manual_clock_advance(QUIET_MS - 1);
    }
    ck_assert_uint_eq(changes, 0);
    manual_clock_advance(1);
    ck_assert_uint_eq(changes, 1);
}
END_TEST

/* Something changes all the time: the first report comes after the patience, and so does each further one. */
START_TEST(patience_has_an_end)
{
    enum { EACH = 900 };
    watch_these(ALL);
    settle();
    for (unsigned reports = 1; reports <= 2; reports++) {
        uint64_t waited = 0;
        change(0);
        while (changes < reports && waited < 2 * PATIENCE_MS) {
            uint64_t step = manual_clock_next() < EACH ? manual_clock_next() : EACH;
            manual_clock_advance(step);
            waited += step;
            if (changes < reports)
                change(waited % FOLDERS);
        }
        ck_assert_uint_eq(changes, reports);
        ck_assert_uint_eq(waited, PATIENCE_MS);
    }
}
END_TEST

START_TEST(if_events_tell_everything_it_looks_rarely)
{
    watch_these(ALL);
    settle();
    ck_assert_uint_eq(manual_clock_next(), POLL_RARE_MS - QUIET_MS);
    manual_clock_advance(POLL_RARE_MS - QUIET_MS - 1);
    ck_assert_uint_eq(changes, 0);
    for (unsigned i = 1; i <= 3; i++) {
        manual_clock_advance(i == 1 ? 1 : POLL_RARE_MS);
        ck_assert_uint_eq(changes, i);
    }
}
END_TEST

/*
 * The reasons why events may not tell everything: there were too many folders, and one that can't be watched.
 */
START_TEST(if_they_do_not_it_looks_often)
{
    char nowhere[PATH_CAP];
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", base);
    struct watch_folders folders = {.paths = {paths[0]}, .count = 1, .incomplete = _i == 0};
    if (_i == 1)
        folders.paths[folders.count++] = nowhere;
    file_watch_set(watch, &folders);
    settle();
    manual_clock_advance(POLL_MS - QUIET_MS - 1);
    ck_assert_uint_eq(changes, 0);
    for (unsigned i = 1; i <= 3; i++) {
        manual_clock_advance(i == 1 ? 1 : POLL_MS);
        ck_assert_uint_eq(changes, i);
    }
    /* What it could not watch has come, or is wanted no more. */
    if (_i == 1)
        ck_assert_int_eq(mkdir(nowhere, 0700), 0);
    folders.incomplete = false;
    file_watch_set(watch, &folders);
    settle();
    manual_clock_advance(POLL_RARE_MS - QUIET_MS - 1);
    ck_assert_uint_eq(changes, 0);
    manual_clock_advance(1);
    ck_assert_uint_eq(changes, 1);
}
END_TEST

/* What happened in a folder before it was watched was not seen; what was watched before needs no report. */
START_TEST(a_new_folder_is_a_change)
{
    watch_these(1);
    settle();
    watch_these(1);
    ck_assert_uint_gt(manual_clock_next(), QUIET_MS);
    watch_these(3);
    manual_clock_advance(QUIET_MS - 1);
    ck_assert_uint_eq(changes, 0);
    manual_clock_advance(1);
    ck_assert_uint_eq(changes, 1);
    watch_these(1);
    ck_assert_uint_gt(manual_clock_next(), QUIET_MS);
}
END_TEST

static unsigned bits(unsigned set)
{
    unsigned count = 0;
    for (; set != 0; set >>= 1)
        count += set & 1;
    return count;
}

/* Whatever was watched before, what is wanted is watched, nothing else, and none is begun anew that was. */
START_TEST(from_any_set_to_any_other)
{
    unsigned before = 0;
    uint32_t x = 12345;
    for (unsigned round = 0; round < 200; round++) {
        x = x * 1664525u + 1013904223u;
        unsigned set = (x >> 16) & ALL;
        starts = 0;
        watch_these(set);
        take_events();
        ck_assert_uint_eq(starts, bits(set & ~before));
        settle();
        for (size_t i = 0; i < FOLDERS; i++) {
            change(i);
            manual_clock_advance(QUIET_MS);
            ck_assert_uint_eq(changes, set >> i & 1);
            changes = 0;
        }
        before = set;
    }
}
END_TEST

static void many_folders(char kind, struct watch_folders *into)
{
    for (size_t i = 0; i < WATCH_FOLDERS_MAX; i++) {
        char path[PATH_CAP];
        snprintf(path, sizeof path, "%s/%c/%04zu", base, kind, i);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        into->paths[i] = strdup(path);
        into->takes_new[i] = true;
    }
    into->count = WATCH_FOLDERS_MAX;
}

static void remove_many(struct watch_folders *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        ck_assert_int_eq(rmdir(folders->paths[i]), 0);
    watch_folders_free(folders);
}

/*
 * A reload may want as many others as may be watched at all: those of before go when the new ones have come.
 */
START_TEST(as_many_others_as_there_may_be)
{
    static struct watch_folders one, other;
    many_folders('a', &one);
    many_folders('b', &other);
    file_watch_set(watch, &one);
    file_watch_set(watch, &other);
    take_events();
    ck_assert_uint_eq(starts, 2 * WATCH_FOLDERS_MAX);
    settle();
    ck_assert_uint_eq(manual_clock_next(), POLL_RARE_MS - QUIET_MS);
    free(cfg_folder_write(other.paths[WATCH_FOLDERS_MAX - 1], "new", "", 0));
    char last[PATH_CAP];
    snprintf(last, sizeof last, "%s/new", other.paths[WATCH_FOLDERS_MAX - 1]);
    unlink(last);
    take_events();
    manual_clock_advance(QUIET_MS);
    ck_assert_uint_eq(changes, 1);
    remove_many(&one);
    remove_many(&other);
}
END_TEST

/* ---- names ---- */

/* A folder and two files: base/a/chain.pem is a link to base/b/chain1.pem, by way of base/now. */
static void collect(struct watch_folders *folders, const char *directory)
{
    char link[2 * PATH_CAP];
    char chain[2 * PATH_CAP];
    char key[2 * PATH_CAP];
    struct cfg_certificate certificate = {.chain = NULL};
    struct cfg_directory folder = {.path = (char *)(uintptr_t)directory};
    struct cfg cfg = {.tls = {.certificates = &certificate,
                              .certificate_count = 1,
                              .directories = &folder,
                              .directory_count = directory != NULL}};
    snprintf(link, sizeof link, "%s/now", base);
    snprintf(chain, sizeof chain, "%s/a/chain.pem", base);
    snprintf(key, sizeof key, "%s/a/private", base);
    ck_assert_int_eq(symlink("b", link), 0);
    ck_assert_int_eq(symlink("../now/chain1.pem", chain), 0);
    certificate.chain = chain;
    certificate.key = key;
    free(cfg_folder_write(paths[1], "chain1.pem", "", 0));
    watch_folders_collect(&cfg, NULL, folders);
}

/* Writes to a file, whose folder is watched. */
static void write_to(size_t folder, const char *name)
{
    free(cfg_folder_write(paths[folder], name, "more", 0));
    take_events();
}

static void expect_change(bool is_one)
{
    manual_clock_advance(QUIET_MS);
    ck_assert_uint_eq(changes, is_one);
    changes = 0;
}

/* What is named counts, by whatever links; what else is written there, as a log is, does not. */
START_TEST(names_that_count)
{
    struct watch_folders folders;
    char path[2 * PATH_CAP];
    collect(&folders, NULL);
    ck_assert_uint_eq(folders.count, 2);
    ck_assert(!folders.all_names);
    file_watch_set(watch, &folders);
    watch_folders_free(&folders);
    take_events();
    settle();
    for (size_t i = 0; i < 5; i++) {
        write_to(0, "deepproxy.log");
        expect_change(false);
        write_to(1, "chain2.pem");
        expect_change(false);
    }
    write_to(0, "private");
    expect_change(true);
    write_to(1, "chain1.pem");
    expect_change(true);
    snprintf(path, sizeof path, "%s/chain.pem", paths[0]);
    unlink(path);
    take_events();
    expect_change(true);
    snprintf(path, sizeof path, "%s/deepproxy.log", paths[0]);
    unlink(path);
    snprintf(path, sizeof path, "%s/..data", paths[0]); /* no link on the way to a file is this one */
    ck_assert_int_eq(symlink("nowhere", path), 0);
    take_events();
    expect_change(false);
    unlink(path);
    take_events();
    expect_change(false);
}
END_TEST

/* In a folder of certificates something new counts, and what is written to a file that would be taken. */
START_TEST(names_that_would_be_taken)
{
    struct watch_folders folders;
    char path[2 * PATH_CAP];
    collect(&folders, paths[2]);
    file_watch_set(watch, &folders);
    watch_folders_free(&folders);
    take_events();
    settle();
    write_to(2, "deepproxy.log");
    expect_change(true); /* it might be a folder */
    for (size_t i = 0; i < 5; i++) {
        write_to(2, "deepproxy.log");
        expect_change(false);
    }
    write_to(2, ".fullchain.pem.swp");
    expect_change(false);
    snprintf(path, sizeof path, "%s/.fullchain.pem.swp", paths[2]);
    unlink(path);
    take_events();
    expect_change(false);
    write_to(2, "mail.key");
    expect_change(true);
    write_to(2, "mail.key");
    expect_change(true);
    snprintf(path, sizeof path, "%s/mail.example.com", paths[2]);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    take_events();
    expect_change(true);
}
END_TEST

/* Those in its folders too, though there is nothing in them yet, and no deeper. */
START_TEST(folders_in_a_folder_of_certificates)
{
    struct watch_folders folders;
    char inner[3][2 * PATH_CAP];
    snprintf(inner[0], sizeof inner[0], "%s/acme", paths[2]);
    snprintf(inner[1], sizeof inner[1], "%s/acme/mail.example.com", paths[2]);
    snprintf(inner[2], sizeof inner[2], "%s/acme/mail.example.com/old", paths[2]);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(mkdir(inner[i], 0700), 0);
    collect(&folders, paths[2]);
    ck_assert_uint_eq(folders.count, 6); /* with the one that it is in, and those of two files */
    unsigned found = 0;
    for (size_t i = 0; i < folders.count; i++)
        for (size_t j = 0; j < 3; j++)
            if (strcmp(folders.paths[i], inner[j]) == 0 && folders.takes_new[i])
                found |= 1U << j;
    ck_assert_uint_eq(found, 3);
    watch_folders_free(&folders);
    for (size_t i = 3; i > 0; i--)
        rmdir(inner[i - 1]);
}
END_TEST

/* Its end, as it may come again with other files in it. */
START_TEST(the_end_of_a_folder)
{
    struct watch_folders folders;
    char path[2 * PATH_CAP];
    collect(&folders, NULL);
    file_watch_set(watch, &folders);
    watch_folders_free(&folders);
    take_events();
    settle();
    snprintf(path, sizeof path, "%s/elsewhere", base);
    ck_assert_int_eq(rename(paths[0], path), 0);
    take_events();
    expect_change(true);
    ck_assert_int_eq(rename(path, paths[0]), 0);
}
END_TEST

START_TEST(its_end_while_a_change_is_under_way)
{
    watch_these(ALL);
    settle();
    change(0);
    file_watch_close(&watch);
    uv_run(&loop, UV_RUN_DEFAULT);
    manual_clock_advance(POLL_RARE_MS);
    ck_assert_uint_eq(changes, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_watch");
    TCase *tests = tcase_create("file_watch");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_change_is_reported_once_when_it_is_complete);
    tcase_add_test(tests, what_follows_soon_belongs_to_it);
    tcase_add_test(tests, patience_has_an_end);
    tcase_add_test(tests, if_events_tell_everything_it_looks_rarely);
    tcase_add_loop_test(tests, if_they_do_not_it_looks_often, 0, 2);
    tcase_add_test(tests, a_new_folder_is_a_change);
    tcase_add_test(tests, from_any_set_to_any_other);
    tcase_add_test(tests, as_many_others_as_there_may_be);
    tcase_add_test(tests, names_that_count);
    tcase_add_test(tests, names_that_would_be_taken);
    tcase_add_test(tests, folders_in_a_folder_of_certificates);
    tcase_add_test(tests, the_end_of_a_folder);
    tcase_add_test(tests, its_end_while_a_change_is_under_way);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
