/* SPDX-License-Identifier: BSD-2-Clause */
/* From names to lists of members, with a resolver of the test's own. */
#include "proxy/control/pool_names.h"

#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
void __wrap_freeaddrinfo(struct addrinfo *result);

static atomic_int address;   /* the last number of the one that all names have; 0: none */
static atomic_bool is_stuck; /* no answer comes */
static atomic_uint questions;

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
    struct {
        struct addrinfo info;
        struct sockaddr_in address;
    } *made = NULL;
    (void)node;
    (void)service;
    (void)hints;
    atomic_fetch_add(&questions, 1);
    while (atomic_load(&is_stuck))
        uv_sleep(1);
    if (atomic_load(&address) == 0)
        return EAI_NONAME;
    made = calloc(1, sizeof *made);
    made->address.sin_family = AF_INET;
    made->address.sin_addr.s_addr = htonl(0x0a000000 + (unsigned)atomic_load(&address));
    made->info.ai_addr = (struct sockaddr *)&made->address;
    made->info.ai_addrlen = sizeof made->address;
    *result = &made->info;
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *result)
{
    free(result);
}

static struct cfg *cfg;
static struct server_registry *registry;
static struct pool_names *names;
static struct name_change last;
static unsigned changes;

static void note(void *arg, const struct name_change *change)
{
    (void)arg;
    last = *change;
    changes++;
}

static void set_up(void)
{
    static const char servers[] =
        "backends = ( { name = \"stores\"; resolve = \"1 h\"; servers = ( { address = \"10.0.0.9:143\"; },\n"
        "{ address = \"store.example:143\"; } ); }, { name = \"other\"; servers = ( { address = "
        "\"10.0.0.8:143\"; } ); } );\n";
    char text[1024];
    snprintf(text, sizeof text, "%s%s%s", CFG_TLS, CFG_IMAP_SERVICE, servers);
    atomic_store(&address, 1);
    atomic_store(&is_stuck, false);
    atomic_store(&questions, 0);
    changes = 0;
    char *printed = cfg_text_load(text, &cfg);
    free(printed); /* the other pool is not used */
    ck_assert_ptr_nonnull(cfg);
    registry = server_registry_new(1);
    names = pool_names_new(NULL, NULL, 7);
    ck_assert(registry != NULL && names != NULL && pool_names_prepare(names, cfg));
}

static void tear_down(void)
{
    pool_names_free(&names);
    atomic_store(&is_stuck, false);
    server_registry_sweep(registry);
    server_registry_unref(&registry);
    cfg_free(&cfg);
}

static struct member_lists *make(const struct member_lists *before)
{
    struct member_lists *lists = pool_names_make_lists(names, cfg, registry, before);
    ck_assert_ptr_nonnull(lists);
    ck_assert_uint_eq(lists->count, 2);
    return lists;
}

static const char *name_of(const struct member_lists *lists, size_t index)
{
    ck_assert_uint_eq(lists->lists[0]->count, 2);
    return lists->lists[0]->members[index].server->identity.name;
}

START_TEST(names_become_members)
{
    struct cfg_problems problems = {0};
    pool_names_wait(names, 60000);
    ck_assert(pool_names_are_answered(names));
    pool_names_keep(names, cfg);
    pool_names_warn(names, cfg, &problems);
    ck_assert_uint_eq(problems.count, 0);
    struct member_lists *lists = make(NULL);
    ck_assert_str_eq(name_of(lists, 0), "10.0.0.9:143");
    ck_assert_str_eq(name_of(lists, 1), "store.example:143@10.0.0.1:143");
    member_lists_unref(&lists);
    ck_assert_uint_eq(atomic_load(&questions), 1);
}
END_TEST

START_TEST(name_without_an_address)
{
    struct cfg_problems problems = {0};
    atomic_store(&address, 0);
    pool_names_wait(names, 60000);
    ck_assert(pool_names_are_answered(names));
    pool_names_warn(names, cfg, &problems);
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_uint_eq(problems.items[0].line, 4);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "\"store.example\" has no address now: "));
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, gai_strerror(EAI_NONAME)));
    struct member_lists *lists = make(NULL);
    ck_assert_str_eq(name_of(lists, 1), "store.example:143");
    member_lists_unref(&lists);
    cfg_problems_free(&problems);
}
END_TEST

/* The wait has an end, and the warning says why. */
START_TEST(no_answer)
{
    struct cfg_problems problems = {0};
    atomic_store(&is_stuck, true);
    uint64_t begun = uv_hrtime();
    pool_names_wait(names, 50);
    ck_assert_uint_ge(uv_hrtime() - begun, 50 * 1000000);
    ck_assert(!pool_names_are_answered(names));
    pool_names_warn(names, cfg, &problems);
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, NAME_STUCK_WORDS));
    cfg_problems_free(&problems);
}
END_TEST

/* A list in which nothing has changed is the one before. */
START_TEST(other_address)
{
    pool_names_wait(names, 60000);
    pool_names_keep(names, cfg);
    uint64_t now = uv_hrtime() / 1000000;
    struct member_lists *before = make(NULL);
    struct member_lists *same = make(before);
    ck_assert_ptr_eq(same->lists[0], before->lists[0]);
    ck_assert_ptr_eq(same->lists[1], before->lists[1]);
    member_lists_unref(&same);
    atomic_store(&address, 2);
    now += pool_names_due_ms(names, now);
    while (changes == 0) {
        pool_names_look(names, now, note, NULL);
        uv_sleep(1);
    }
    ck_assert_str_eq(last.host, "store.example");
    ck_assert(last.is_other_set && last.from == 1 && last.to == 1);
    struct member_lists *after = make(before);
    ck_assert_ptr_ne(after->lists[0], before->lists[0]);
    ck_assert_ptr_eq(after->lists[1], before->lists[1]);
    ck_assert_ptr_eq(after->lists[0]->members[0].server, before->lists[0]->members[0].server);
    ck_assert_str_eq(name_of(after, 1), "store.example:143@10.0.0.2:143");
    member_lists_unref(&before);
    member_lists_unref(&after);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_names");
    TCase *tests = tcase_create("names");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, names_become_members);
    tcase_add_test(tests, name_without_an_address);
    tcase_add_test(tests, no_answer);
    tcase_add_test(tests, other_address);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
