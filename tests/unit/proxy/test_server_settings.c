/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator has set of servers: as a text, every kind of damage to it, and what servers get of it. */
#include "proxy/control/server_settings.h"

#include "base/array.h"
#include "run_suite.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct server_settings settings;
static unsigned told;

static struct slice slice_with_nul(const char *text, size_t len)
{
    return (struct slice){(const uint8_t *)text, len};
}

static bool read_text(const char *text, char problem[SERVER_SETTINGS_PROBLEM_MAX])
{
    server_settings_free(&settings);
    return server_settings_read(&settings, slice_of(text), problem);
}

/* For the caller to free. */
static char *write_text(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    ck_assert(file != NULL && server_settings_write(file, &settings) && fclose(file) == 0);
    return text;
}

static void clean_up(void)
{
    server_settings_free(&settings);
}

/* ---- servers ---- */

static struct server_state *make_server(const char *name, unsigned weight)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct server_identity identity = {.pool = "p", .name = name, .address_len = sizeof address};
    struct server_rules rules = {.weight = weight, .rise = 1, .fall = 1};
    memcpy(&identity.address, &address, sizeof address);
    struct server_state *server = server_state_new(&identity);
    ck_assert_ptr_nonnull(server);
    server_state_configure(server, &rules, 0, NULL);
    return server;
}

static void on_change(void *arg, const struct server_change *change)
{
    (void)arg;
    ck_assert_int_eq(change->axis, SERVER_AXIS_ADMIN);
    ck_assert_int_eq(change->cause, SERVER_CAUSE_RESTORED);
    told++;
}

/* A list of this server alone takes effect. Takes over the reference. */
static bool apply(struct server_state *server, unsigned weight)
{
    const struct server_observer observer = {on_change, NULL};
    struct pool_state *pool = pool_state_new("p", 1, NULL);
    struct membership *members = membership_new(pool, 1, 1);
    struct server_rules rules = {.weight = weight, .rise = 1, .fall = 1};
    membership_add(members, server_state_ref(server), &rules, false);
    server_state_configure(server, &rules, 1, NULL);
    bool changed = server_settings_apply(&settings, members, 1, &observer);
    membership_unref(&members);
    pool_state_unref(&pool);
    return changed;
}

/* ---- the text ---- */

#define HEAD "deepproxy-admin 1\n"

static const char whole[] =
    HEAD "# What the operator has set at run time. Written by the program: use deepproxy ctl to change it.\n"
         "drain a/s1\n"
         "weight a/s1 0 # 1 in the configuration\n"
         "maintain b/'unix:/run/it'\\''s my $imap'\n"
         "weight b/[2001:db8::1%eth0]:143 1000 # 7 in the configuration\n"
         "drain b/n.example:143@192.0.2.1:143\n";

START_TEST(round_trip)
{
    char problem[SERVER_SETTINGS_PROBLEM_MAX] = "";
    ck_assert_msg(read_text(whole, problem), "%s", problem);
    ck_assert_uint_eq(settings.count, 4);
    struct server_settings copy;
    ck_assert(server_settings_copy(&copy, &settings));
    server_settings_free(&settings);
    settings = copy;
    char *text = write_text();
    /* In the order of pool and server. */
    ck_assert_ptr_nonnull(strstr(text, "drain a/s1\nweight a/s1 0 # 1 in the configuration\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nmaintain b/'unix:/run/it'\\''s my $imap'\n"));
    ck_assert_uint_eq(strlen(text), strlen(whole));
    char *again = strdup(text);
    ck_assert(read_text(text, problem));
    free(text);
    text = write_text();
    ck_assert_str_eq(text, again);
    free(text);
    free(again);
}
END_TEST

START_TEST(nothing)
{
    char problem[SERVER_SETTINGS_PROBLEM_MAX];
    ck_assert(read_text(HEAD, problem));
    ck_assert_uint_eq(settings.count, 0);
    ck_assert(read_text(HEAD "\n# drain a/b\n\n", problem));
    ck_assert_uint_eq(settings.count, 0);
}
END_TEST

static const struct {
    const char *text;
    const char *problem;
} damages[] = {
    {"", "line 1: "},
    {"\n", "line 1: expected \"deepproxy-admin 1\""},
    {"deepproxy-admin 1", "line 1: the line has no end"},
    {"deepproxy-admin 2\n", "line 1: expected"},
    {"deepproxy-admin 11\n", "line 1: expected"},
    {"deepproxy-admin 1\r\n", "line 1: expected"},
    {"Deepproxy-admin 1\n", "line 1: expected"},
    {"drain a/b\n", "line 1: expected"},
    {"\0", "line 1: "},
    {HEAD "drain a/b", "line 2: the line has no end"},
    {HEAD "# x", "line 2: the line has no end"},
    {HEAD "drain a/b\nready a/b\n", "line 3: expected \"drain\", \"maintain\" or \"weight\""},
    {HEAD "Drain a/b\n", "line 2: expected \"drain\""},
    {HEAD " drain a/b\n", "line 2: expected \"drain\""},
    {HEAD "drain\n", "line 2: expected \"drain\""},
    {HEAD "drain \n", "line 2: expected POOL/SERVER"},
    {HEAD "drain a\n", "line 2: expected POOL/SERVER"},
    {HEAD "drain a/\n", "line 2: expected POOL/SERVER"},
    {HEAD "drain /b\n", "line 2: expected POOL/SERVER"},
    {HEAD "drain  a/b\n", "line 2: expected POOL/SERVER"},
    {HEAD "drain a/'b\n", "line 2: expected POOL/SERVER"},
    {HEAD "drain a/b\tc\n", "line 2: expected POOL/SERVER"},
    {HEAD "drain a/b \n", "line 2: expected the end of the line"},
    {HEAD "drain a/b\r\n", "line 2: expected POOL/SERVER"},
    {HEAD "drain a/b c\n", "line 2: expected the end of the line"},
    {HEAD "drain a/b --within 5s\n", "line 2: expected the end of the line"},
    {HEAD "drain a/b\ndrain a/b\n", "line 3: the server has a line of this kind already"},
    {HEAD "drain a/b\nmaintain a/b\n", "line 3: the server has a line of this kind already"},
    {HEAD "weight a/b\n", "line 2: expected \"weight POOL/SERVER N # M in the configuration\""},
    {HEAD "weight a/b 5\n", "line 2: expected \"weight"},
    {HEAD "weight a/b 5 # in the configuration\n", "line 2: expected \"weight"},
    {HEAD "weight a/b 5 # 1\n", "line 2: expected \"weight"},
    {HEAD "weight a/b 5 # 1 in the configuration \n", "line 2: expected the end of the line"},
    {HEAD "weight a/b -5 # 1 in the configuration\n", "line 2: expected \"weight"},
    {HEAD "weight a/b 05 # 1 in the configuration\n", "line 2: expected \"weight"},
    {HEAD "weight a/b 1001 # 1 in the configuration\n", "line 2: expected \"weight"},
    {HEAD "weight a/b 5 # 1001 in the configuration\n", "line 2: expected \"weight"},
    {HEAD "weight a/b 99999999999999999999 # 1 in the configuration\n", "line 2: expected \"weight"},
    {HEAD "weight a/b 5 # 1 in the configuration\nweight a/b 6 # 1 in the configuration\n",
     "line 3: the server has a line of this kind already"},
    {HEAD "weight a/b 5 # 1 in the configuration\n\xFF\xFE\n", "line 3: expected \"drain\""},
};

START_TEST(damaged)
{
    char problem[SERVER_SETTINGS_PROBLEM_MAX] = "";
    ck_assert_msg(!read_text(damages[_i].text, problem), "%s", damages[_i].text);
    ck_assert_msg(strncmp(problem, damages[_i].problem, strlen(damages[_i].problem)) == 0, "%s: %s",
                  damages[_i].text, problem);
    /* Nothing of it is taken. */
    ck_assert_uint_eq(settings.count, 0);
}
END_TEST

/* Cut off within a line: it is found. With another octet anywhere: it is found, or read as it is. */
START_TEST(cut_and_changed)
{
    char problem[SERVER_SETTINGS_PROBLEM_MAX];
    char text[sizeof whole];
    for (size_t len = 0; len < strlen(whole); len++) {
        bool is_line = len > 0 && whole[len - 1] == '\n';
        server_settings_free(&settings);
        ck_assert_msg(server_settings_read(&settings, slice_with_nul(whole, len), problem) == is_line,
                      "at %zu", len);
    }
    for (size_t at = 0; at < strlen(whole); at++)
        for (int octet = 0; octet < 256; octet++) {
            memcpy(text, whole, sizeof whole);
            text[at] = (char)octet;
            server_settings_free(&settings);
            if (server_settings_read(&settings, slice_with_nul(text, strlen(whole)), problem))
                ck_assert_uint_le(settings.count, 5);
            else
                ck_assert_uint_eq(settings.count, 0);
        }
}
END_TEST

START_TEST(long_names)
{
    char problem[SERVER_SETTINGS_PROBLEM_MAX];
    static char text[4096];
    for (size_t len = 900; len < 1200; len += 50) {
        snprintf(text, sizeof text, HEAD "drain p/%0*d\n", (int)len, 1);
        ck_assert(read_text(text, problem) == (len < 1022));
    }
}
END_TEST

/* Those that were seen last stay. */
START_TEST(bounded)
{
    struct server_state *first = make_server("first", 1);
    server_state_set_admin(first, SERVER_DRAIN, SERVER_CAUSE_OPERATOR, 0, NULL);
    ck_assert(server_settings_note(&settings, first));
    for (unsigned i = 0; i < SERVER_SETTINGS_MAX + 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        struct server_state *server = make_server(name, 1);
        server_state_set_admin(server, SERVER_DRAIN, SERVER_CAUSE_OPERATOR, 0, NULL);
        ck_assert(server_settings_note(&settings, server));
        server_state_unref(&server);
        if (i == 5)
            apply(first, 1); /* it is still in its pool */
    }
    ck_assert_uint_eq(settings.count, SERVER_SETTINGS_MAX);
    char *text = write_text();
    ck_assert_ptr_null(strstr(text, "p/s0\n"));
    ck_assert_ptr_null(strstr(text, "p/s5\n"));
    ck_assert_ptr_nonnull(strstr(text, "p/s10009\n"));
    free(text);
    server_state_unref(&first);
}
END_TEST

/* ---- what servers get of it ---- */

START_TEST(restored)
{
    char problem[SERVER_SETTINGS_PROBLEM_MAX];
    ck_assert(read_text(HEAD "maintain p/s\nweight p/s 5 # 2 in the configuration\n", problem));
    struct server_state *server = make_server("s", 2);
    ck_assert(!apply(server, 2));
    ck_assert_int_eq(server_state_admin(server), SERVER_MAINTENANCE);
    ck_assert_uint_eq(server_state_weight(server), 5);
    ck_assert_uint_eq(told, 1);
    /* The next list changes nothing. */
    ck_assert(!apply(server, 2));
    ck_assert_uint_eq(told, 1);
    server_state_unref(&server);
    /* It comes back, and nothing is known of it: for the log it never was ready. */
    server = make_server("s", 2);
    ck_assert(!apply(server, 2));
    ck_assert_int_eq(server_state_admin(server), SERVER_MAINTENANCE);
    ck_assert_uint_eq(server_state_weight(server), 5);
    ck_assert_uint_eq(told, 1);
    server_state_unref(&server);
}
END_TEST

START_TEST(weight_of_the_file)
{
    char problem[SERVER_SETTINGS_PROBLEM_MAX];
    ck_assert(read_text(HEAD "drain p/s\nweight p/s 5 # 2 in the configuration\n", problem));
    struct server_state *server = make_server("s", 3);
    ck_assert(apply(server, 3));
    ck_assert_uint_eq(server_state_weight(server), 3);
    ck_assert_int_eq(server_state_admin(server), SERVER_DRAIN);
    /* It does not come back. */
    ck_assert(!apply(server, 2));
    ck_assert_uint_eq(server_state_weight(server), 2);
    server_state_unref(&server);
}
END_TEST

START_TEST(others_are_left_alone)
{
    char problem[SERVER_SETTINGS_PROBLEM_MAX];
    ck_assert(read_text(HEAD "drain p/s\ndrain q/t\nweight p/u 4 # 1 in the configuration\n", problem));
    struct server_state *server = make_server("t", 1);
    ck_assert(!apply(server, 1));
    ck_assert_int_eq(server_state_admin(server), SERVER_READY);
    ck_assert_uint_eq(server_state_weight(server), 1);
    ck_assert_uint_eq(settings.count, 3);
    server_state_unref(&server);
}
END_TEST

/* What is as the file has it is not remembered. */
START_TEST(taken_back)
{
    struct server_state *server = make_server("s", 2);
    ck_assert(server_settings_note(&settings, server));
    ck_assert_uint_eq(settings.count, 0);
    server_state_set_weight(server, 0, 1);
    ck_assert(server_settings_note(&settings, server));
    ck_assert_uint_eq(settings.count, 1);
    char *text = write_text();
    ck_assert_ptr_nonnull(strstr(text, "\nweight p/s 0 # 2 in the configuration\n"));
    free(text);
    server_state_set_weight(server, 2, 1);
    ck_assert(server_settings_note(&settings, server));
    ck_assert_uint_eq(settings.count, 0);
    server_state_unref(&server);
}
END_TEST

/* It would end its line in the file. */
START_TEST(name_with_a_line)
{
    struct server_state *server = make_server("unix:/a\ndrain q/t", 1);
    server_state_set_admin(server, SERVER_DRAIN, SERVER_CAUSE_OPERATOR, 0, NULL);
    ck_assert(server_settings_note(&settings, server));
    char *text = write_text();
    ck_assert_ptr_null(strstr(text, "q/t"));
    free(text);
    server_state_unref(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server_settings");
    TCase *tests = tcase_create("server_settings");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, NULL, clean_up);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, nothing);
    tcase_add_loop_test(tests, damaged, 0, ARRAY_LEN(damages));
    tcase_add_test(tests, cut_and_changed);
    tcase_add_test(tests, long_names);
    tcase_add_test(tests, bounded);
    tcase_add_test(tests, restored);
    tcase_add_test(tests, weight_of_the_file);
    tcase_add_test(tests, others_are_left_alone);
    tcase_add_test(tests, taken_back);
    tcase_add_test(tests, name_with_a_line);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
