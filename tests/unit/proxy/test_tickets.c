/* SPDX-License-Identifier: BSD-2-Clause */
/* Ticket keys of a running proxy: by the clock, or from a file that changes, breaks, or is left alone. */
#include "base/array.h"
#include "proxy/runtime/tickets.h"

#include "cfg_file.h"
#include "proxy/runtime/ticket_file.h"
#include "tls/tickets/tls_ticket_file.h"
#include "run_suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY = 86400, SAID_MAX = 4096 };

static char *folder;
static char *path;
static struct cfg cfg;
static struct cfg_problems problems;
static struct tickets tickets;
static struct tickets_time now;

static void set_up(void)
{
    folder = cfg_folder_make();
    ck_assert_int_gt(asprintf(&path, "%s/tickets.key", folder), 0);
    cfg = (struct cfg){.path = "F", .tls = {.session_tickets = true, .ticket_keys_place = {"F", 7}}};
    problems = (struct cfg_problems){0};
    now = tickets_time_now();
}

static void tear_down(void)
{
    tickets_close(&tickets);
    cfg_problems_free(&problems);
    cfg_folder_remove(folder);
    free(path);
}

/* As `deepproxy ticket-keys` does it: another file in its place. */
static void put(const char *text, size_t len, mode_t mode)
{
    char *other = cfg_folder_write(folder, "new", text, len);
    ck_assert_int_eq(chmod(other, mode), 0);
    ck_assert_int_eq(rename(other, path), 0);
    free(other);
}

static void put_keys(const struct tls_ticket_set *set, mode_t mode)
{
    char text[TLS_TICKET_FILE_TEXT];
    tls_ticket_file_format(set, text);
    put(text, sizeof text, mode);
}

static struct tls_ticket_set put_new_keys(mode_t mode)
{
    struct tls_ticket_set set;
    tls_ticket_file_make(&set);
    put_keys(&set, mode);
    return set;
}

static struct tls_ticket_set in_use(void)
{
    struct tls_ticket_set set;
    tls_ticket_keys_get(tickets.keys, &set);
    return set;
}

static bool uses(const struct tls_ticket_set *set)
{
    struct tls_ticket_set used = in_use();
    return tls_ticket_set_equals(&used, set);
}

/* What one look writes to the log, in static memory. */
static const char *look(void)
{
    static char said[SAID_MAX];
    char *file = cfg_folder_write(folder, "log", "", 0);
    int to = open(file, O_RDWR | O_CLOEXEC);
    int before = dup(STDERR_FILENO);
    ck_assert(to >= 0 && before >= 0 && dup2(to, STDERR_FILENO) >= 0);
    struct tickets_file looked_at;
    bool has_file = tickets_have_file(&tickets);
    if (has_file) {
        tickets_file_ask(&looked_at, &tickets);
        tickets_file_read(&looked_at);
    }
    tickets_look(&tickets, has_file ? &looked_at : NULL, now, NULL);
    dup2(before, STDERR_FILENO);
    ssize_t len = pread(to, said, sizeof said - 1, 0);
    ck_assert_int_ge(len, 0);
    said[len] = '\0';
    close(before);
    close(to);
    free(file);
    return said;
}

static void expect_in_log(const char *said, const char *wanted)
{
    ck_assert_msg(strstr(said, wanted) != NULL, "no %s in \"%s\"", wanted, said);
}

static bool open_with_file(void)
{
    cfg.tls.ticket_keys = path;
    return tickets_open(&tickets, &cfg, now, &problems);
}

static const struct cfg_problem *one_problem(enum cfg_severity severity)
{
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_int_eq(problems.items[0].severity, severity);
    return &problems.items[0];
}

START_TEST(own_keys_rotate_by_the_clock)
{
    ck_assert(tickets_open(&tickets, &cfg, now, &problems));
    ck_assert_uint_eq(problems.count, 0);
    struct tls_ticket_set first = in_use();
    char key[32];
    const uint8_t *name = first.keys[0].name;
    snprintf(key, sizeof key, "key=%02x%02x%02x%02x keys=1\n", name[0], name[1], name[2], name[3]);
    const char *said = look();
    expect_in_log(said, "level=info event=ticket-keys step=\"in use\" key=");
    expect_in_log(said, key);
    ck_assert_str_eq(look(), "");
    now.running += TLS_TICKET_KEY_PERIOD - 1;
    ck_assert_str_eq(look(), "");
    now.running += 1;
    expect_in_log(look(), "keys=2\n");
    ck_assert(!uses(&first));
}
END_TEST

START_TEST(no_keys_without_tickets)
{
    cfg.tls.session_tickets = false;
    ck_assert(open_with_file());
    ck_assert_ptr_null(tickets.keys);
    ck_assert_str_eq(look(), "");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(a_file_is_taken_up_when_it_changes)
{
    struct tls_ticket_set set = put_new_keys(0600);
    ck_assert(open_with_file());
    ck_assert_uint_eq(problems.count, 0);
    ck_assert(uses(&set));
    expect_in_log(look(), path);
    ck_assert_str_eq(look(), "");
    now.running += 100 * DAY;
    ck_assert_str_eq(look(), ""); /* the clock turns none of these */
    tls_ticket_file_rotate(&set);
    put_keys(&set, 0600);
    expect_in_log(look(), "level=info event=ticket-keys step=\"in use\" file=");
    ck_assert(uses(&set));
    put_keys(&set, 0640);
    ck_assert_str_eq(look(), ""); /* another file with the same keys */
}
END_TEST

START_TEST(a_broken_file_is_refused_once_and_the_old_keys_stay)
{
    struct tls_ticket_set set = put_new_keys(0600);
    ck_assert(open_with_file());
    look();
    put("what is this?\n", 14, 0600);
    const char *said = look();
    expect_in_log(said, "level=error event=ticket-keys step=refused file=");
    expect_in_log(said, " line=1 reason=\"the line is no base64;");
    expect_in_log(said, "note=\"the keys before it stay in use\"");
    ck_assert_ptr_null(strstr(said, "what is this"));
    ck_assert(uses(&set));
    ck_assert_str_eq(look(), "");
    ck_assert_int_eq(unlink(path), 0);
    expect_in_log(look(), "reason=\"can't read the ticket keys: No such file or directory; make them with: ");
    ck_assert_str_eq(look(), "");
    ck_assert(uses(&set));
    set = put_new_keys(0600);
    expect_in_log(look(), "step=\"in use\"");
    ck_assert(uses(&set));
}
END_TEST

START_TEST(a_bad_file_at_the_start_is_an_error_at_its_line)
{
    put("\nwhat is this?\n", 15, 0600);
    ck_assert(!open_with_file());
    const struct cfg_problem *problem = one_problem(CFG_ERROR);
    ck_assert_str_eq(problem->file, path);
    ck_assert_uint_eq(problem->line, 2);
    expect_in_log(problem->text, "the line is no base64");
}
END_TEST

START_TEST(a_missing_file_is_an_error_where_it_is_named)
{
    ck_assert(!open_with_file());
    const struct cfg_problem *problem = one_problem(CFG_ERROR);
    ck_assert_str_eq(problem->file, "F");
    ck_assert_uint_eq(problem->line, 7);
    expect_in_log(problem->text, path);
    expect_in_log(problem->text, "No such file or directory; make them with: deepproxy ticket-keys FILE");
}
END_TEST

START_TEST(what_is_no_file_holds_nobody_up)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert(!open_with_file());
    expect_in_log(one_problem(CFG_ERROR)->text, "that is no file, but a pipe or a device");
}
END_TEST

START_TEST(a_file_of_zeroes_without_end)
{
    struct tls_ticket_set set;
    struct ticket_file_problem problem;
    struct stat facts;
    char *large = calloc(1, TLS_TICKET_FILE_MAX + 1);
    put(large, TLS_TICKET_FILE_MAX + 1, 0600);
    ck_assert(!ticket_file_read(path, &set, &facts, &problem));
    ck_assert_str_eq(problem.text, "the file is too large for one of ticket keys");
    ck_assert(!ticket_file_read("/dev/zero", &set, &facts, &problem));
    ck_assert_int_ne(problem.error, 0);
    free(large);
}
END_TEST

static const struct exposure {
    mode_t mode;
    const char *warning; /* NULL: none */
} exposures[] = {
    {0600, NULL},
    {0400, NULL},
    {0640, NULL}, /* how root lets the service's group read it, and what Kubernetes makes of fsGroup */
    {0644, "everybody on this machine"},
    {0606, "everybody on this machine"},
    {0602, "everybody on this machine"},
    {0660, "the group can change"},
};

START_TEST(others_who_can_read_or_write_it)
{
    const struct exposure *exposure = &exposures[_i];
    struct tls_ticket_set set = put_new_keys(exposure->mode);
    ck_assert(open_with_file());
    ck_assert(uses(&set));
    if (exposure->warning == NULL)
        ck_assert_uint_eq(problems.count, 0);
    else
        expect_in_log(one_problem(CFG_WARNING)->text, exposure->warning);
    look();
    tls_ticket_file_rotate(&set);
    put_keys(&set, exposure->mode);
    const char *said = look();
    expect_in_log(said, "step=\"in use\"");
    ck_assert_int_eq(strstr(said, "level=warning event=ticket-keys step=exposed") != NULL,
                     exposure->warning != NULL);
}
END_TEST

START_TEST(a_file_that_nobody_rotates)
{
    struct tls_ticket_set set = put_new_keys(0600);
    ck_assert(open_with_file());
    look();
    now.wall += TICKETS_STALE_SECONDS - 60;
    ck_assert_str_eq(look(), "");
    now.wall += 120;
    expect_in_log(look(), "level=warning event=ticket-keys step=stale file=");
    ck_assert_str_eq(look(), "");
    now.wall += DAY;
    expect_in_log(look(), "step=stale");
    /* The new file is as old as the test, not as old as its clock. */
    tls_ticket_file_rotate(&set);
    put_keys(&set, 0600);
    now.wall = tickets_time_now().wall;
    ck_assert_ptr_null(strstr(look(), "stale"));
}
END_TEST

START_TEST(a_reload_keeps_own_keys)
{
    struct tickets before;
    ck_assert(tickets_open(&before, &cfg, now, &problems));
    tickets = before;
    look();
    before = tickets;
    struct tls_ticket_set set = in_use();
    ck_assert(tickets_open(&tickets, &cfg, now, &problems));
    ck_assert(!uses(&set));
    tickets_inherit(&tickets, &before);
    tickets_close(&before);
    ck_assert(uses(&set));
    ck_assert_str_eq(look(), "");
    now.running += TLS_TICKET_KEY_PERIOD;
    expect_in_log(look(), "keys=2");
}
END_TEST

START_TEST(a_reload_from_own_keys_to_a_file_and_back)
{
    struct tickets before;
    struct tls_ticket_set set = put_new_keys(0600);
    ck_assert(tickets_open(&before, &cfg, now, &problems));
    ck_assert(open_with_file());
    tickets_inherit(&tickets, &before);
    tickets_close(&before);
    ck_assert(uses(&set));
    expect_in_log(look(), "step=\"in use\" file=");
    before = tickets;
    cfg.tls.ticket_keys = NULL;
    ck_assert(tickets_open(&tickets, &cfg, now, &problems));
    tickets_inherit(&tickets, &before);
    tickets_close(&before);
    /* Who changes to keys of its own may have given up those of a file that others know. */
    ck_assert(!uses(&set));
    expect_in_log(look(), "keys=1");
    cfg.tls.session_tickets = false;
    before = tickets;
    ck_assert(tickets_open(&tickets, &cfg, now, &problems));
    tickets_inherit(&tickets, &before);
    tickets_close(&before);
    ck_assert_ptr_null(tickets.keys);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tickets");
    TCase *tests = tcase_create("tickets");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, own_keys_rotate_by_the_clock);
    tcase_add_test(tests, no_keys_without_tickets);
    tcase_add_test(tests, a_file_is_taken_up_when_it_changes);
    tcase_add_test(tests, a_broken_file_is_refused_once_and_the_old_keys_stay);
    tcase_add_test(tests, a_bad_file_at_the_start_is_an_error_at_its_line);
    tcase_add_test(tests, a_missing_file_is_an_error_where_it_is_named);
    tcase_add_test(tests, what_is_no_file_holds_nobody_up);
    tcase_add_test(tests, a_file_of_zeroes_without_end);
    tcase_add_loop_test(tests, others_who_can_read_or_write_it, 0, ARRAY_LEN(exposures));
    tcase_add_test(tests, a_file_that_nobody_rotates);
    tcase_add_test(tests, a_reload_keeps_own_keys);
    tcase_add_test(tests, a_reload_from_own_keys_to_a_file_and_back);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
