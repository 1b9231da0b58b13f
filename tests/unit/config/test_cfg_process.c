/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys that take a restart, and those that a reload changes. */
#include "config/cfg_process.h"

#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two values that a key may have; the second is not the default. */
static const struct {
    const char *key;
    const char *before;
    const char *after;
    bool needs_restart;
} keys[] = {
    {"user", "", "user = \"mail\";", true},
    {"user", "user = \"mail\";", "user = \"proxy\";", true},
    {"group", "", "group = \"mail\";", true},
    {"key_isolation", "", "key_isolation = false;", true},
    {"key_user", "", "key_user = \"keys\";", true},
    {"workers", "", "workers = 3;", true},
    {"max_connections", "", "max_connections = 5;", false},
    {"log_level", "", "log_level = \"debug\";", false},
    {"state_file", "", "state_file = \"/var/lib/state\";", false},
    {"admin.socket", "admin = { socket = \"/run/a\"; };", "admin = { socket = \"/run/b\"; };", true},
    {"admin.socket", "admin = { socket = \"/run/a\"; listen = \"127.0.0.1:9993\"; };",
     "admin = { listen = \"127.0.0.1:9993\"; };", true},
    {"admin.group", "admin = { socket = \"/run/a\"; };", "admin = { socket = \"/run/a\"; group = 4; };",
     true},
    {"hostname", "", "hostname = \"mail.example.com\";", false},
    {"nothing", "workers = 0; key_isolation = true;", "", false},
};

static struct cfg *load_with(const char *setting)
{
    char text[1024];
    snprintf(text, sizeof text, "%s\n%s%s%s", setting, CFG_TLS, CFG_IMAP_SERVICE, CFG_POOL);
    return cfg_text_load_clean(text);
}

START_TEST(change)
{
    char expected[128];
    struct cfg_problems problems = {0};
    struct cfg *before = load_with(keys[_i].before);
    struct cfg *after = load_with(keys[_i].after);
    cfg_warn_of_restart(before, before, &problems);
    ck_assert_uint_eq(problems.count, 0);
    cfg_warn_of_restart(before, after, &problems);
    ck_assert_uint_eq(problems.count, keys[_i].needs_restart);
    snprintf(expected, sizeof expected, "\"%s\" has changed: that takes a restart", keys[_i].key);
    if (problems.count > 0) {
        ck_assert_str_eq(problems.items[0].text, expected);
        ck_assert_int_eq(problems.items[0].severity, CFG_WARNING);
        ck_assert_str_eq(problems.items[0].file, after->path);
    }
    cfg_problems_free(&problems);
    cfg_free(&before);
    cfg_free(&after);
}
END_TEST

/* A key that gets the flag gets a row above. */
START_TEST(every_key_that_takes_a_restart_is_tested)
{
    size_t count = 0;
    for (const char *key; (key = cfg_restart_key(count)) != NULL; count++) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            found = found || (keys[i].needs_restart && strcmp(keys[i].key, key) == 0);
        ck_assert_msg(found, "%s", key);
    }
    ck_assert_uint_ge(count, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_process");
    TCase *tests = tcase_create("restart");
    tcase_add_loop_test(tests, change, 0, ARRAY_LEN(keys));
    tcase_add_test(tests, every_key_that_takes_a_restart_is_tested);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
