/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers of the configuration become addresses, with a resolver of the test's own. */
#include "proxy/backends/pool_resolve.h"

#include "cfg_file.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
void __wrap_freeaddrinfo(struct addrinfo *result);

/* What the resolver has for "store.example"; NULL: it can't tell. */
static const char *const *answers;
static unsigned times_asked;
static unsigned lists_held;

static struct addrinfo *answer(const char *text, uint16_t port, struct addrinfo *next)
{
    struct {
        struct addrinfo info;
        struct sockaddr_in6 address;
    } *made = calloc(1, sizeof *made);
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&made->address;
    bool is_v4 = inet_pton(AF_INET, text, &v4->sin_addr) == 1;
    if (is_v4) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, text, &made->address.sin6_addr), 1);
        made->address.sin6_family = AF_INET6;
        made->address.sin6_port = htons(port);
    }
    made->info.ai_addr = (struct sockaddr *)&made->address;
    made->info.ai_addrlen = is_v4 ? sizeof *v4 : sizeof made->address;
    made->info.ai_next = next;
    return &made->info;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
    times_asked++;
    ck_assert_str_eq(node, "store.example");
    ck_assert_int_eq(hints->ai_socktype, SOCK_STREAM);
    ck_assert_int_eq(hints->ai_family, AF_UNSPEC);
    if (answers == NULL)
        return EAI_AGAIN;
    size_t count = 0;
    while (answers[count] != NULL)
        count++;
    *result = NULL;
    while (count-- > 0)
        *result = answer(answers[count], (uint16_t)atoi(service), *result);
    lists_held++;
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *result)
{
    lists_held--;
    while (result != NULL) {
        struct addrinfo *next = result->ai_next;
        free(result);
        result = next;
    }
}

/* ---- pools ---- */

static struct cfg *cfg;
static struct membership *list;
static struct server_registry *registry;
static struct cfg_problems problems;

static void set_up(void)
{
    answers = NULL;
    times_asked = lists_held = 0;
    list = NULL;
    registry = server_registry_new(2);
    ck_assert_ptr_nonnull(registry);
}

static void tear_down(void)
{
    membership_unref(&list);
    ck_assert_uint_eq(server_registry_sweep(registry), 0);
    server_registry_unref(&registry);
    ck_assert_uint_eq(lists_held, 0);
    cfg_problems_free(&problems);
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

static bool resolve(const struct membership *previous)
{
    list = pool_resolve(&cfg->pools[0], registry, previous, &problems);
    return list != NULL;
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

START_TEST(addresses_are_not_asked_for)
{
    read_pool(BY_ADDRESS, "");
    ck_assert(resolve(NULL));
    ck_assert_uint_eq(times_asked, 0);
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
    ck_assert(resolve(NULL));
    ck_assert_uint_eq(times_asked, 1);
    ck_assert_uint_eq(problems.count, 0);
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
    ck_assert(resolve(NULL));
    ck_assert_uint_eq(list->count, 4);
    ck_assert_str_eq(server_of(0)->identity.tls_name, "10.0.0.11");
    ck_assert_str_eq(server_of(1)->identity.tls_name, "store.example");
    ck_assert_str_eq(server_of(2)->identity.tls_name, "store.example");
    ck_assert_str_eq(server_of(3)->identity.tls_name, "2001:db8::1");
}
END_TEST

static void expect_problem(enum cfg_severity severity, const char *words)
{
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_uint_eq(problems.errors, severity == CFG_ERROR);
    ck_assert_int_eq(problems.items[0].severity, severity);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "\"store.example\" can't be resolved: "));
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, gai_strerror(EAI_AGAIN)));
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, words));
    ck_assert_uint_eq(problems.items[0].line, 3);
}

/* Wherever it stands: what follows it does not make it right. */
START_TEST(a_name_that_cannot_be_resolved)
{
    read_pool(_i == 0 ? BY_NAME ", " BY_ADDRESS : BY_ADDRESS ", " BY_NAME, "");
    ck_assert(!resolve(NULL));
    expect_problem(CFG_ERROR, "; give its address, or mend the name service");
}
END_TEST

START_TEST(a_name_that_cannot_be_resolved_any_more)
{
    answers = two_addresses;
    read_pool("{ address = \"store.example:1430\"; }, " BY_ADDRESS ", " BY_NAME, "");
    ck_assert(resolve(NULL));
    for (size_t i = 0; i < 6; i++)
        set_health(i, 100 + i, 200 + i);
    struct membership *before = take_list();
    answers = NULL;
    read_pool(BY_NAME, "");
    ck_assert(resolve(before));
    expect_problem(CFG_WARNING, "; the addresses that it had before are used");
    /* Those of the same name and port, and no others: with what was known about their health. */
    ck_assert_uint_eq(list->count, 2);
    expect(0, "store.example:143@192.0.2.1:143", "192.0.2.1", 143);
    expect(1, "store.example:143@[2001:db8::7]:143", "2001:db8::7", 143);
    expect_health(0, 104, 204);
    expect_health(1, 105, 205);
    membership_unref(&before);
}
END_TEST

START_TEST(a_name_that_was_another_before)
{
    read_pool(BY_ADDRESS, "");
    ck_assert(resolve(NULL));
    struct membership *before = take_list();
    read_pool(BY_NAME, "");
    ck_assert(!resolve(before));
    expect_problem(CFG_ERROR, "; give its address");
    membership_unref(&before);
}
END_TEST

/* By address and name, and not by place. */
START_TEST(health_is_inherited)
{
    answers = two_addresses;
    read_pool(BY_ADDRESS ", " BY_NAME, "");
    ck_assert(resolve(NULL));
    for (size_t i = 0; i < 4; i++)
        set_health(i, 100 + i, 200 + i);
    struct membership *before = take_list();
    answers = other_address;
    read_pool("{ address = \"10.0.0.11:144\"; }, " BY_NAME
              ", { address = \"192.0.2.1:143\"; }, { address = \"10.0.0.11:143\"; }",
              "");
    ck_assert(resolve(before));
    ck_assert_uint_eq(problems.count, 0);
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
    ck_assert(resolve(NULL));
    set_health(0, 100, 200);
    struct membership *before = take_list();
    answers = six;
    read_pool(BY_NAME, "");
    ck_assert(resolve(before));
    ck_assert_uint_eq(list->count, 1);
    expect_health(0, 0, 0);
    membership_unref(&before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_resolve");
    TCase *tests = tcase_create("servers");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, addresses_are_not_asked_for);
    tcase_add_test(tests, a_name_is_each_of_its_addresses);
    tcase_add_test(tests, names_for_certificates);
    tcase_add_loop_test(tests, a_name_that_cannot_be_resolved, 0, 2);
    tcase_add_test(tests, a_name_that_cannot_be_resolved_any_more);
    tcase_add_test(tests, a_name_that_was_another_before);
    tcase_add_test(tests, health_is_inherited);
    tcase_add_test(tests, a_name_with_another_address_is_another_server);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
