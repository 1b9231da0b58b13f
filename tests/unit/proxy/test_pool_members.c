/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers of the configuration become members, by addresses that the test knows of names. */
#include "proxy/backends/pool_members.h"

#include "cfg_file.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known of "store.example"; NULL: nothing. */
static const char *const *answers;

static socklen_t get(void *arg, const char *host, size_t index, struct sockaddr_storage *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    ck_assert_ptr_eq(arg, &answers);
    ck_assert_str_eq(host, "store.example");
    if (answers == NULL || answers[index] == NULL)
        return 0;
    if (inet_pton(AF_INET, answers[index], &v4.sin_addr) == 1) {
        memcpy(address, &v4, sizeof v4);
        return sizeof v4;
    }
    ck_assert_int_eq(inet_pton(AF_INET6, answers[index], &v6.sin6_addr), 1);
    memcpy(address, &v6, sizeof v6);
    return sizeof v6;
}

/* ---- pools ---- */

static struct cfg *cfg;
static struct membership *list;
static struct server_registry *registry;

static void set_up(void)
{
    answers = NULL;
    list = NULL;
    registry = server_registry_new(2);
    ck_assert_ptr_nonnull(registry);
}

static void tear_down(void)
{
    membership_unref(&list);
    ck_assert_uint_eq(server_registry_sweep(registry), 0);
    server_registry_unref(&registry);
    cfg_free(&cfg);
}

static void read_pool(const char *servers, const char *more)
{
    char text[1024];
    snprintf(text, sizeof text, "%s%sbackends = ( { name = \"stores\"; servers = ( %s ); %s } );\n", CFG_TLS,
             CFG_IMAP_SERVICE, servers, more);
    cfg_free(&cfg);
    cfg = cfg_text_load_clean(text);
}

static void make(void)
{
    const struct known_addresses known = {get, &answers};
    list = pool_members_make(&cfg->pools[0], registry, &known);
    ck_assert_ptr_nonnull(list);
}

static struct server_state *server_of(size_t index)
{
    ck_assert_uint_lt(index, list->count);
    return list->members[index].server;
}

static void expect(size_t index, const char *name, const char *address, uint16_t port)
{
    char found[INET6_ADDRSTRLEN];
    const struct server_identity *server = &server_of(index)->identity;
    ck_assert_str_eq(server->pool, "stores");
    ck_assert_str_eq(server->name, name);
    if (server->address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&server->address;
        ck_assert_uint_eq(server->address_len, sizeof *v4);
        ck_assert_uint_eq(ntohs(v4->sin_port), port);
        inet_ntop(AF_INET, &v4->sin_addr, found, sizeof found);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&server->address;
        ck_assert_uint_eq(server->address_len, sizeof *v6);
        ck_assert_uint_eq(ntohs(v6->sin6_port), port);
        inet_ntop(AF_INET6, &v6->sin6_addr, found, sizeof found);
    }
    ck_assert_str_eq(found, address);
    ck_assert_uint_eq(server_of(index)->warned_of_us_ms, 0);
}

static void expect_health(size_t index, uint64_t retry_at, uint64_t warned)
{
    ck_assert_uint_eq(server_of(index)->retry_at_ms, retry_at);
    ck_assert_uint_eq(server_of(index)->warned_ms, warned);
}

static void set_health(size_t index, uint64_t retry_at, uint64_t warned)
{
    atomic_store(&server_of(index)->retry_at_ms, retry_at);
    atomic_store(&server_of(index)->warned_ms, warned);
}

/* The list of now becomes the one of before, whose configuration is gone when the next is read. */
static struct membership *take_list(void)
{
    struct membership *taken = list;
    list = NULL;
    return taken;
}

#define BY_ADDRESS "{ address = \"10.0.0.11:143\"; }, { address = \"[2001:db8::1]:1143\"; }"
#define BY_NAME    "{ address = \"store.example:143\"; }"

static const char *const two_addresses[] = {"192.0.2.1", "2001:db8::7", NULL};
static const char *const other_address[] = {"192.0.2.2", "192.0.2.1", NULL};

START_TEST(addresses)
{
    read_pool(BY_ADDRESS, "");
    make();
    ck_assert_uint_eq(list->count, 2);
    expect(0, "10.0.0.11:143", "10.0.0.11", 143);
    expect(1, "[2001:db8::1]:1143", "2001:db8::1", 1143);
    expect_health(0, 0, 0);
    expect_health(1, 0, 0);
    ck_assert_ptr_null(server_of(0)->identity.tls_name);
}
END_TEST

START_TEST(a_name_is_each_of_its_addresses)
{
    answers = two_addresses;
    read_pool(BY_ADDRESS ", " BY_NAME, "");
    make();
    ck_assert_uint_eq(list->count, 4);
    expect(1, "[2001:db8::1]:1143", "2001:db8::1", 1143);
    expect(2, "store.example:143@192.0.2.1:143", "192.0.2.1", 143);
    expect(3, "store.example:143@[2001:db8::7]:143", "2001:db8::7", 143);
}
END_TEST

/* Each server has the name of its own line, and a name's addresses have that of the name. */
START_TEST(names_for_certificates)
{
    answers = two_addresses;
    read_pool("{ address = \"10.0.0.11:993\"; }, { address = \"store.example:993\"; }, "
              "{ address = \"[2001:db8::1]:993\"; }",
              "tls = { mode = \"implicit\"; };");
    make();
    ck_assert_uint_eq(list->count, 4);
    ck_assert_str_eq(server_of(0)->identity.tls_name, "10.0.0.11");
    ck_assert_str_eq(server_of(1)->identity.tls_name, "store.example");
    ck_assert_str_eq(server_of(2)->identity.tls_name, "store.example");
    ck_assert_str_eq(server_of(3)->identity.tls_name, "2001:db8::1");
}
END_TEST

/* It stands for a name that is not known, in its place. */
START_TEST(a_name_without_an_address)
{
    read_pool(_i == 0 ? BY_NAME ", " BY_ADDRESS : BY_ADDRESS ", " BY_NAME, "");
    make();
    ck_assert_uint_eq(list->count, 3);
    const struct server_identity *server = &server_of(_i == 0 ? 0 : 2)->identity;
    ck_assert_str_eq(server->name, "store.example:143");
    ck_assert_uint_eq(server->address_len, 0);
    ck_assert_uint_eq(server->address.ss_family, AF_UNSPEC);
}
END_TEST

/* All that the line says holds for each of its addresses. */
START_TEST(names_and_rules_of_a_line)
{
    answers = two_addresses;
    read_pool(
        "{ address = \"store.example:143\"; name = \"s\"; weight = 7; max_connections = 9; backup = true; }, "
        "{ address = \"unix:/run/imap\"; name = \"u\"; }",
        "");
    make();
    ck_assert_uint_eq(list->count, 3);
    expect(0, "s@192.0.2.1:143", "192.0.2.1", 143);
    expect(1, "s@[2001:db8::7]:143", "2001:db8::7", 143);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(list->members[i].rules.weight, 7);
        ck_assert_uint_eq(list->members[i].rules.max_connections, 9);
        ck_assert(list->members[i].is_backup);
    }
    ck_assert_str_eq(server_of(2)->identity.name, "u");
    ck_assert_uint_eq(server_of(2)->identity.address.ss_family, AF_UNIX);
    ck_assert_uint_eq(list->members[2].rules.weight, 1);
    ck_assert(!list->members[2].is_backup);
}
END_TEST

/* By address and name, and not by place. */
START_TEST(health_is_inherited)
{
    answers = two_addresses;
    read_pool(BY_ADDRESS ", " BY_NAME, "");
    make();
    for (size_t i = 0; i < 4; i++)
        set_health(i, 100 + i, 200 + i);
    struct membership *before = take_list();
    answers = other_address;
    read_pool("{ address = \"10.0.0.11:144\"; }, " BY_NAME
              ", { address = \"192.0.2.1:143\"; }, { address = \"10.0.0.11:143\"; }",
              "");
    make();
    ck_assert_uint_eq(list->count, 5);
    expect_health(0, 0, 0); /* another port */
    expect(1, "store.example:143@192.0.2.2:143", "192.0.2.2", 143);
    expect_health(1, 0, 0); /* an address that the name did not have */
    expect(2, "store.example:143@192.0.2.1:143", "192.0.2.1", 143);
    expect_health(2, 102, 202);
    expect_health(3, 0, 0); /* the same address under another name */
    expect_health(4, 100, 200);
    membership_unref(&before);
}
END_TEST

/* A name may stand for more servers now than then: the same name is not yet the same server. */
START_TEST(a_name_with_another_address_is_another_server)
{
    static const char *const one[] = {"192.0.2.1", NULL};
    static const char *const six[] = {"2001:db8::7", NULL};
    answers = one;
    read_pool(BY_NAME, "");
    make();
    set_health(0, 100, 200);
    struct membership *before = take_list();
    answers = six;
    read_pool(BY_NAME, "");
    make();
    ck_assert_uint_eq(list->count, 1);
    expect_health(0, 0, 0);
    membership_unref(&before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_members");
    TCase *tests = tcase_create("servers");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, addresses);
    tcase_add_test(tests, a_name_is_each_of_its_addresses);
    tcase_add_test(tests, names_for_certificates);
    tcase_add_loop_test(tests, a_name_without_an_address, 0, 2);
    tcase_add_test(tests, names_and_rules_of_a_line);
    tcase_add_test(tests, health_is_inherited);
    tcase_add_test(tests, a_name_with_another_address_is_another_server);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
