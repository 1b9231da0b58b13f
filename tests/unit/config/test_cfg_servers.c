/* SPDX-License-Identifier: BSD-2-Clause */
/* The servers of a pool, and how its sessions are shared among them. */
#include "base/array.h"
#include "cfg_file.h"
#include "config/cfg_endpoint.h"
#include "run_suite.h"

#include <stdlib.h>
#include <sys/un.h>

/* Line 4 is the pool's other keys, line 5 the first server, line 6 the second. */
#define POOL(keys, first, second)                                                                            \
    CFG_TLS CFG_IMAP_SERVICE "backends = ( { name = \"stores\";\n" keys "servers = (\n{ " first              \
                             " },\n{ " second " }\n); } );\n"
#define SERVERS(first, second) POOL("", first, second)
#define KEYS(keys)             POOL(keys, "address = \"10.0.0.11:143\";", "address = \"10.0.0.12:143\";")
#define FIRST                  "address = \"10.0.0.11:143\"; "
#define PATH_OF_50             "/23456789012345678901234567890123456789012345678901"

static const struct cfg_case cases[] = {
    {"all of a server",
     SERVERS("name = \"s1\"; weight = 2; max_connections = 2000; backup = false; " FIRST,
             "address = \"unix:/run/imap\"; backup = true;"),
     ""},
    {"all of a pool",
     KEYS("queue = { length = 0; wait = \"20 s\"; }; slow_start = 0; resolve = 1; hold = 0; goodbye_spread = "
          "0; "
          "source = [ \"10.0.0.5\", \"fd00::5\" ]; "),
     ""},
    {"one name", SERVERS("name = \"s1\"; " FIRST, "name = \"s1\"; address = \"10.0.0.12:143\";"),
     "F:6: error: another server of this pool is called \"s1\" already, in F:5: give this one a \"name\" of "
     "its "
     "own\n"},
    {"one address and no name", SERVERS(FIRST, FIRST),
     "F:6: error: another server of this pool is called \"10.0.0.11:143\" already, in F:5: give this one a "
     "\"name\" of its own, or the other one a \"weight\" in place of two lines\n"},
    {"one address", SERVERS(FIRST, "name = \"s2\"; " FIRST),
     "F:6: warning: \"10.0.0.11:143\" is there twice in this pool, first in F:5\n"},
    {"no weight", SERVERS("weight = 0; " FIRST, "weight = 0; address = \"a:1\";"),
     "F:4: error: weight = 0 for each server of the pool \"stores\": none would ever get a session; expected "
     "a "
     "weight from 1 to 1000 for one of them at least\n"},
    {"one without weight", SERVERS("weight = 0; " FIRST, "address = \"a:1\";"), ""},
    {"backups alone", SERVERS("backup = true; " FIRST, "backup = true; address = \"a:1\";"),
     "F:4: error: backup = true for each server of the pool \"stores\": a backup stands in for others, "
     "expected "
     "one of them without it\n"},
    {"too heavy", SERVERS("weight = 1001; " FIRST, "address = \"a:1\";"),
     "F:5: error: \"weight\" is out of range, expected a number from 0 to 1000\n"},
    {"a name with a slash", SERVERS("name = \"a/b\"; " FIRST, "address = \"a:1\";"),
     "F:5: error: \"a/b\" is no name, expected at most 64 letters, digits, \".\", \"_\" or \"-\"\n"},
    {"a relative path", SERVERS(FIRST, "address = \"unix:run/imap\";"),
     "F:6: error: \"unix:run/imap\": the path of a Unix socket begins with \"/\": "
     "\"unix:/run/dovecot/imap\", "
     "expected for example \"10.0.0.11:143\", \"[fd00::11]:143\" or \"store1.internal:143\"\n"},
    {"the longest path", SERVERS(FIRST, "address = \"unix:" PATH_OF_50 PATH_OF_50 "/2345\";"), ""},
    {"a path that is too long", SERVERS(FIRST, "address = \"unix:" PATH_OF_50 PATH_OF_50 "/23456\";"),
     "F:6: error: \"unix:" PATH_OF_50 PATH_OF_50
     "/23456\": the path of a Unix socket has at most 107 octets, expected for example \"10.0.0.11:143\", "
     "\"[fd00::11]:143\" or \"store1.internal:143\"\n"},
    {"one path", SERVERS("name = \"a\"; address = \"unix:/a\";", "name = \"b\"; address = \"unix:/a\";"),
     "F:6: warning: \"unix:/a\" is there twice in this pool, first in F:5\n"},
    {"TLS to a path",
     POOL("tls = { mode = \"implicit\"; }; ", "address = \"10.0.0.11:993\";", "address = \"unix:/a\";"),
     "F:6: error: \"unix:/a\" has no name that a certificate could have, expected \"name\" in the pool's "
     "\"tls\": "
     "name = \"store.internal\"\n"},
    {"TLS to a path with a name",
     POOL("tls = { mode = \"implicit\"; name = \"s.internal\"; }; ", "address = \"10.0.0.11:993\";",
          "address = \"unix:/a\";"),
     ""},
    {"a source with a port", KEYS("source = \"10.0.0.5:25\"; "),
     "F:4: error: \"10.0.0.5:25\": it is no numeric address without a port, expected for example "
     "\"10.0.0.5\" or "
     "\"fd00::5\"\n"},
    {"a source by name", KEYS("source = [ \"localhost\" ]; "),
     "F:4: error: \"localhost\": it is no numeric address without a port, expected for example \"10.0.0.5\" "
     "or "
     "\"fd00::5\"\n"},
    {"a queue that is no group", KEYS("queue = 5; "),
     "F:4: error: \"queue\" is a number, expected a group: { key = value; }\n"},
    {"a wait for nothing", KEYS("queue = { wait = 0; }; "),
     "F:4: error: \"wait\" is out of range, expected a time from 100 ms to 5 min\n"},
    {"a wait that is too long", KEYS("queue = { wait = 21; }; "),
     "F:4: warning: \"wait\" of the queue is 21 s, and no client waits for longer than timeouts.failover, "
     "which "
     "is 20 s: make that longer as well, or \"wait\" shorter\n"},
    {"too often", KEYS("resolve = \"999 ms\"; "),
     "F:4: error: \"resolve\" is out of range, expected a time from 1 s to 1 h\n"},
};

START_TEST(texts)
{
    cfg_case_check(&cases[_i]);
}
END_TEST

static struct cfg *load(const char *text)
{
    struct cfg *cfg;
    char *printed = cfg_text_load(text, &cfg);
    ck_assert_str_eq(printed, "");
    free(printed);
    return cfg;
}

START_TEST(defaults)
{
    struct cfg *cfg = load(SERVERS(FIRST, "address = \"a:1\";"));
    const struct cfg_pool *pool = &cfg->pools[0];
    ck_assert_str_eq(pool->servers[0].name, "10.0.0.11:143");
    ck_assert_str_eq(pool->servers[1].name, "a:1");
    ck_assert_uint_eq(pool->servers[0].weight, 1);
    ck_assert_uint_eq(pool->servers[0].max_connections, 0);
    ck_assert(!pool->servers[0].is_backup);
    ck_assert_uint_eq(pool->queue.length, 500);
    ck_assert_uint_eq(pool->queue.wait_ms, 10000);
    ck_assert_uint_eq(pool->slow_start_ms, 60000);
    ck_assert_uint_eq(pool->resolve_ms, 10000);
    ck_assert_uint_eq(pool->hold_ms, 3600000);
    ck_assert_uint_eq(pool->goodbye_spread_ms, 30000);
    ck_assert_uint_eq(pool->source_count, 0);
    cfg_free(&cfg);
}
END_TEST

START_TEST(values_of_servers)
{
    struct cfg *cfg = load(cases[0].text);
    const struct cfg_server *servers = cfg->pools[0].servers;
    struct sockaddr_un address;
    memcpy(&address, &servers[1].address.address, sizeof address);
    ck_assert_str_eq(servers[0].name, "s1");
    ck_assert_uint_eq(servers[0].weight, 2);
    ck_assert_uint_eq(servers[0].max_connections, 2000);
    ck_assert(servers[1].is_backup);
    ck_assert_str_eq(servers[1].name, "unix:/run/imap");
    ck_assert(cfg_endpoint_is_unix(&servers[1].address));
    ck_assert(!cfg_endpoint_is_unix(&servers[0].address));
    ck_assert_str_eq(address.sun_path, "/run/imap");
    ck_assert_uint_eq(servers[1].address.address_len, 2 + sizeof "/run/imap");
    cfg_free(&cfg);
}
END_TEST

START_TEST(values_of_pools)
{
    struct cfg *cfg = load(cases[1].text);
    const struct cfg_pool *pool = &cfg->pools[0];
    ck_assert_uint_eq(pool->queue.length, 0);
    ck_assert_uint_eq(pool->queue.wait_ms, 20000);
    ck_assert_uint_eq(pool->slow_start_ms, 0);
    ck_assert_uint_eq(pool->resolve_ms, 1000);
    ck_assert_uint_eq(pool->hold_ms, 0);
    ck_assert_uint_eq(pool->goodbye_spread_ms, 0);
    ck_assert_uint_eq(pool->source_count, 2);
    ck_assert_int_eq(pool->sources[0].address.ss_family, AF_INET);
    ck_assert_int_eq(pool->sources[1].address.ss_family, AF_INET6);
    cfg_free(&cfg);
}
END_TEST

#define NEEDS(needs) KEYS("") "admin = { listen = \"127.0.0.1:9993\"; ready_needs = " needs "; };\n"

START_TEST(needs_of_readiness)
{
    struct cfg *cfg = load(NEEDS("[ \"stores\" ]"));
    ck_assert_uint_eq(cfg->admin.ready_need_count, 1);
    ck_assert_uint_eq(cfg->admin.ready_needs[0], 0);
    cfg_free(&cfg);
    char *printed = cfg_text_load(NEEDS("[ \"store\" ]"), NULL);
    ck_assert_str_eq(printed,
                     "F:8: error: no pool in \"backends\" is called \"store\"; did you mean \"stores\"?\n");
    free(printed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_servers");
    TCase *tc = tcase_create("cfg_servers");
    tcase_add_loop_test(tc, texts, 0, (int)(ARRAY_LEN(cases)));
    tcase_add_test(tc, defaults);
    tcase_add_test(tc, values_of_servers);
    tcase_add_test(tc, values_of_pools);
    tcase_add_test(tc, needs_of_readiness);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
