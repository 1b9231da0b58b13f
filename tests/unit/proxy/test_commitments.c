/* SPDX-License-Identifier: BSD-2-Clause */
/* What clients have been promised: who promised what, what breaks it, and the file that remembers it. */
#include "base/array.h"
#include "cfg_file.h"
#include "proxy/runtime/commitments.h"
#include "run_suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAP(deep)                                                                                           \
    "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"stores\"; " deep " } );\n"
#define DEEP(what) "deep = { " what " };\n"

static struct cfg *load(const char *text)
{
    struct cfg_problems problems = {0};
    char *whole = malloc(strlen(text) + sizeof CFG_TLS CFG_POOL);
    ck_assert_ptr_nonnull(whole);
    sprintf(whole, "%s%s%s", CFG_TLS, CFG_POOL, text);
    char *folder = cfg_folder_make();
    char *path = cfg_folder_write(folder, "F", whole, strlen(whole));
    struct cfg *cfg = cfg_load(path, &problems);
    ck_assert_ptr_nonnull(cfg);
    cfg_problems_free(&problems);
    cfg_folder_remove(folder);
    free(path);
    free(whole);
    return cfg;
}

static void expect_lines(const struct commitments *commitments, const char *expected)
{
    char lines[1024] = "";
    for (size_t i = 0; i < commitments->count; i++)
        sprintf(lines + strlen(lines), "%s %s [%s]\n", commitments->items[i].host,
                protocol_traits(commitments->items[i].protocol)->name, commitments->items[i].tags);
    ck_assert_str_eq(lines, expected);
}

START_TEST(what_is_promised_to_whom)
{
    struct commitments commitments;
    struct cfg *cfg =
        load(DEEP("tags = [ \"tls12\", \"tls-cert\" ]; url = \"https://example.com/\"; extensions = [ \"+x\" "
                  "];") "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"stores\"; },\n"
                        "  { protocol = \"imap\"; listen = [ \"*:2\" ]; backend = \"stores\"; deep = { tags "
                        "= [ \"own\", \"tls12\" ]; }; },\n"
                        "  { protocol = \"pop3\"; listen = [ \"*:3\" ]; backend = \"stores\"; deep = { }; } "
                        ");\n"
                        "hosts = ( { names = [ \"b.example\", \"*.a.example\" ]; deep = { tags = [ \"tls11\" "
                        "]; }; },\n"
                        "  { names = \"nothing.example\"; } );\n");
    ck_assert(commitments_of(cfg, &commitments));
    expect_lines(&commitments, "* imap [tls12 tls-cert own]\n"
                               "* pop3 []\n"
                               "*.a.example imap [tls11]\n"
                               "*.a.example pop3 [tls11]\n"
                               "b.example imap [tls11]\n"
                               "b.example pop3 [tls11]\n"
                               "nothing.example imap [tls12 tls-cert own]\n"
                               "nothing.example pop3 []\n");
    commitments_free(&commitments);
    ck_assert_uint_eq(commitments.count, 0);
    cfg_free(&cfg);
}
END_TEST

#define HOST(name, deep) "hosts = ( { names = \"" name "\"; deep = { " deep " }; } );\n"
#define MISSING(tag, whom)                                                                                   \
    "the tag \"" tag "\" was promised to " whom                                                              \
    " for ever, and is missing: those that latched it will refuse to connect; put it back, or name it in "   \
    "\"withdraw\"\n"

static const struct {
    const char *what;
    const char *before;
    const char *after;
    const char *expected; /* the texts of the errors */
} changes[] = {
    {"the same", DEEP("tags = [ \"a\" ];") IMAP(""), DEEP("tags = [ \"a\" ];") IMAP(""), ""},
    {"more", DEEP("tags = [ \"a\" ];") IMAP(""), DEEP("tags = [ \"b\", \"A\" ];") IMAP(""), ""},
    {"less", DEEP("tags = [ \"a\", \"b\" ];") IMAP(""), DEEP("tags = [ \"b\" ];") IMAP(""),
     MISSING("a", "imap clients")},
    {"nothing at all", DEEP("tags = [ \"a\", \"b\" ];") IMAP(""), IMAP(""),
     MISSING("a", "imap clients") MISSING("b", "imap clients")},
    {"withdrawn", DEEP("tags = [ \"a\", \"b\" ];") IMAP(""),
     DEEP("tags = [ \"b\" ]; withdraw = [ \"A\" ];") IMAP(""), ""},
    {"withdrawn in a service", DEEP("tags = [ \"a\" ];") IMAP(""), IMAP("deep = { withdraw = [ \"a\" ]; };"),
     ""},
    {"another one withdrawn", DEEP("tags = [ \"a\", \"b\" ];") IMAP(""),
     DEEP("withdraw = [ \"b\" ];") IMAP(""), MISSING("a", "imap clients")},
    {"a service that goes, with one of its protocol that stays",
     "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"stores\"; deep = { tags = [ "
     "\"a\" ]; }; },\n"
     "  { protocol = \"imap\"; listen = [ \"*:2\" ]; backend = \"stores\"; } );\n",
     IMAP(""), MISSING("a", "imap clients")},
    {"a protocol that goes",
     DEEP("tags = [ \"a\" ];") "services = ( { protocol = \"pop3\"; listen = [ \"*:1\" ]; backend = "
                               "\"stores\"; } );\n",
     IMAP(""), ""},
    {"a host of its own with less", DEEP("tags = [ \"a\" ];") IMAP(""),
     DEEP("tags = [ \"a\" ];") IMAP("") HOST("h.example", "tags = [ \"b\" ];"),
     MISSING("a", "imap clients of h.example")},
    {"a host of its own that withdraws", DEEP("tags = [ \"a\" ];") IMAP(""),
     DEEP("tags = [ \"a\" ];") IMAP("") HOST("h.example", "withdraw = [ \"a\" ];"), ""},
    {"a host that always had less", DEEP("tags = [ \"a\" ];") IMAP("") HOST("h.example", "tags = [ \"b\" ];"),
     DEEP("tags = [ \"a\", \"c\" ];") IMAP("") HOST("h.example", "tags = [ \"b\" ];"), ""},
    {"a host that goes", IMAP("") HOST("h.example", "tags = [ \"b\" ];"), IMAP(""),
     MISSING("b", "imap clients of h.example")},
    {"a host that goes into a wildcard", IMAP("") HOST("h.x.example", "tags = [ \"b\" ];"),
     IMAP("") HOST("*.x.example", "tags = [ \"b\" ];"), ""},
    {"a host out of a wildcard", IMAP("") HOST("*.x.example", "tags = [ \"b\" ];"),
     IMAP("") "hosts = ( { names = \"*.x.example\"; deep = { tags = [ \"b\" ]; }; },\n"
              "  { names = \"h.x.example\"; deep = { }; } );\n",
     MISSING("b", "imap clients of h.x.example")},
    {"a host out of a wildcard, with what the service has", IMAP("") HOST("*.x.example", "tags = [ \"b\" ];"),
     IMAP("") "hosts = ( { names = \"*.x.example\"; deep = { tags = [ \"b\" ]; }; },\n"
              "  { names = \"h.x.example\"; backends = { imap = \"stores\"; }; } );\n",
     MISSING("b", "imap clients of h.x.example")},
};

START_TEST(change)
{
    struct commitments before;
    struct commitments now;
    struct cfg_problems problems = {0};
    struct cfg *old = load(changes[_i].before);
    struct cfg *new = load(changes[_i].after);
    ck_assert(commitments_of(old, &before));
    ck_assert(commitments_of(new, &now));
    ck_assert(commitments_compare(&before, &now, new, &problems));
    char said[2048] = "";
    for (size_t i = 0; i < problems.count; i++) {
        ck_assert_int_eq(problems.items[i].severity, CFG_ERROR);
        ck_assert_uint_gt(problems.items[i].line, 0);
        sprintf(said + strlen(said), "%s\n", problems.items[i].text);
    }
    ck_assert_msg(strcmp(said, changes[_i].expected) == 0, "%s: %s", changes[_i].what, said);
    cfg_problems_free(&problems);
    commitments_free(&before);
    commitments_free(&now);
    cfg_free(&old);
    cfg_free(&new);
}
END_TEST

START_TEST(what_nobody_serves_stays_remembered)
{
    struct commitments before;
    struct commitments now;
    struct cfg_problems problems = {0};
    struct cfg *old = load(DEEP("tags = [ \"a\" ];") "services = ( { protocol = \"pop3\"; listen = [ \"*:1\" "
                                                     "]; backend = \"stores\"; } );\n");
    struct cfg *new = load(IMAP(""));
    ck_assert(commitments_of(old, &before) && commitments_of(new, &now));
    ck_assert(commitments_compare(&before, &now, new, &problems));
    expect_lines(&now, "* imap []\n* pop3 [a]\n");
    /* And is held against whoever serves it again. */
    struct commitments later;
    struct cfg *again =
        load("services = ( { protocol = \"pop3\"; listen = [ \"*:1\" ]; backend = \"stores\"; } );\n");
    ck_assert(commitments_of(again, &later));
    ck_assert(commitments_compare(&now, &later, again, &problems));
    ck_assert_uint_eq(problems.errors, 1);
    cfg_problems_free(&problems);
    commitments_free(&before);
    commitments_free(&now);
    commitments_free(&later);
    cfg_free(&old);
    cfg_free(&new);
    cfg_free(&again);
}
END_TEST

/* ---- the file ---- */

START_TEST(what_is_written_is_read)
{
    struct commitments commitments;
    struct commitments again;
    struct cfg_problems problems = {0};
    char *folder = cfg_folder_make();
    char path[512];
    snprintf(path, sizeof path, "%s/state", folder);
    struct cfg *cfg = load(DEEP("tags = [ \"a\", \"b\" ];") IMAP("") HOST("h.example", ""));
    cfg->state_file = path;
    ck_assert(commitments_read(cfg, &again, &problems));
    ck_assert_uint_eq(again.count, 0);
    ck_assert(commitments_of(cfg, &commitments));
    for (int i = 0; i < 2; i++) {
        ck_assert(commitments_write(&commitments, path));
        ck_assert(commitments_read(cfg, &again, &problems));
        expect_lines(&again, "* imap [a b]\nh.example imap []\n");
        commitments_free(&again);
    }
    commitments_free(&commitments);
    ck_assert_uint_eq(problems.count, 0);
    cfg_free(&cfg);
    cfg_folder_remove(folder);
}
END_TEST

/* Between the proxy and the C library: what is made durable, in which order. */
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

static char steps[64];
static int folder_error; /* of fsync for a folder */

int __wrap_fsync(int fd)
{
    struct stat about;
    ck_assert_int_eq(fstat(fd, &about), 0);
    strcat(steps, S_ISDIR(about.st_mode) ? "folder " : "file ");
    errno = folder_error;
    return S_ISDIR(about.st_mode) && folder_error != 0 ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    strcat(steps, "rename ");
    return __real_rename(from, to);
}

/* The name as well as the content outlasts a loss of power. Not all file systems can sync a folder. */
static const struct {
    int error;
    bool ok;
} folders[] = {{0, true}, {EINVAL, true}, {EIO, false}};

START_TEST(what_is_written_is_durable)
{
    struct commitments nothing = {0};
    char *folder = cfg_folder_make();
    char here[512];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(chdir(folder), 0);
    folder_error = folders[_i].error;
    for (int named = 0; named < 2; named++) {
        char path[512];
        snprintf(path, sizeof path, "%s%sstate", named ? folder : "", named ? "/" : "");
        steps[0] = '\0';
        ck_assert_int_eq(commitments_write(&nothing, path), folders[_i].ok);
        ck_assert(folders[_i].ok || errno == folders[_i].error);
        ck_assert_str_eq(steps, "file rename folder ");
    }
    folder_error = 0;
    ck_assert_int_eq(chdir(here), 0);
    cfg_folder_remove(folder);
}
END_TEST

static const struct {
    const char *content;
    const char *words; /* NULL: it is read */
    unsigned line;
} files[] = {
    {"", NULL, 0},
    {"# comment\n\n* imap\n* imap a b\nz pop3 c", NULL, 0},
    {"* imap a\nnonsense\n", "not a line of a state file", 2},
    {"* imaps a\n", "not a line of a state file", 1},
    {" imap a\n", "not a line of a state file", 1},
};

START_TEST(file)
{
    struct commitments commitments;
    struct cfg_problems problems = {0};
    char *folder = cfg_folder_make();
    char *path = cfg_folder_write(folder, "state", files[_i].content, strlen(files[_i].content));
    struct cfg *cfg = load(IMAP(""));
    cfg->state_file = path;
    ck_assert_int_eq(commitments_read(cfg, &commitments, &problems), files[_i].words == NULL);
    ck_assert_uint_eq(problems.errors, files[_i].words != NULL);
    if (files[_i].words != NULL) {
        ck_assert_ptr_nonnull(strstr(problems.items[0].text, files[_i].words));
        ck_assert_uint_eq(problems.items[0].line, files[_i].line);
        ck_assert_str_eq(problems.items[0].file, path);
    }
    commitments_free(&commitments);
    cfg_problems_free(&problems);
    cfg_free(&cfg);
    free(path);
    cfg_folder_remove(folder);
}
END_TEST

START_TEST(places_where_no_file_can_be)
{
    struct commitments commitments = {0};
    struct cfg_problems problems = {0};
    char nowhere[] = "/nowhere/state";
    char folder[] = "/";
    struct cfg *cfg = load(IMAP(""));
    ck_assert(!commitments_write(&commitments, nowhere));
    ck_assert_int_eq(errno, ENOENT);
    cfg->state_file = folder;
    ck_assert(!commitments_read(cfg, &commitments, &problems));
    ck_assert_uint_eq(problems.errors, 1);
    cfg_problems_free(&problems);
    cfg_free(&cfg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commitments");
    TCase *tests = tcase_create("commitments");
    tcase_add_test(tests, what_is_promised_to_whom);
    tcase_add_loop_test(tests, change, 0, ARRAY_LEN(changes));
    tcase_add_test(tests, what_nobody_serves_stays_remembered);
    tcase_add_test(tests, what_is_written_is_read);
    tcase_add_loop_test(tests, what_is_written_is_durable, 0, ARRAY_LEN(folders));
    tcase_add_loop_test(tests, file, 0, ARRAY_LEN(files));
    tcase_add_test(tests, places_where_no_file_can_be);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
