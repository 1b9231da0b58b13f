/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration made ready: each service with its settings and pool, as it is for all and for each host. */
#include "proxy/runtime/snapshot.h"

#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Pools are in another order than services, so that an index of one is none of the other. */
#define POOLS                                                                                                \
    "backends = ( { name = \"p0\"; servers = ( { address = \"10.0.0.10:110\"; } ); },\n"                     \
    "  { name = \"p1\"; servers = ( { address = \"10.0.0.11:143\"; } ); identity = \"native\"; },\n"         \
    "  { name = \"p2\"; servers = ( { address = \"10.0.0.12:143\"; } ); },\n"                                \
    "  { name = \"p3\"; servers = ( { address = \"10.0.0.13:587\"; } ); identity = \"proxy-v2\"; } );\n"
#define HOSTS                                                                                                \
    "hosts = ( { names = [ \"one.example\" ]; backends = { imap = \"p2\"; }; },\n"                           \
    "  { names = [ \"two.example\", \"*.two.example\" ];\n"                                                  \
    "    deep = { tags = [ \"own\" ]; backend = \"merge\"; }; } );\n"
#define SERVICES                                                                                             \
    "services = (\n"                                                                                         \
    "  { name = \"mail\"; protocol = \"imap\"; listen = [ \"[::]:143\" ]; tls = \"starttls\";\n"             \
    "    backend = \"p1\"; deep = { tags = [ \"tls12\" ]; }; },\n"                                           \
    "  { name = \"submission\"; protocol = \"submission\"; listen = [ \"[::]:465\" ]; backend = \"p3\";\n"   \
    "    received = \"add\"; },\n"                                                                           \
    "  { name = \"bare\"; protocol = \"submission\"; listen = [ \"[::]:466\" ]; backend = \"p3\";\n"         \
    "    bare_newline = \"reject\"; deep = { backend = \"merge\"; }; } );\n"

enum { MAIL, SUBMISSION, BARE, SERVICE_COUNT };

/* Warnings, as about a pool that no service uses, make no difference. */
static struct snapshot *load(const char *text, const struct snapshot *previous)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg;
    char *printed = cfg_text_load(text, &cfg);
    ck_assert_msg(cfg != NULL, "%s", printed);
    struct snapshot *snapshot = snapshot_new(&cfg, NULL, previous, &problems);
    ck_assert_ptr_nonnull(snapshot);
    ck_assert_ptr_null(cfg);
    ck_assert_uint_eq(problems.count, 0);
    cfg_problems_free(&problems);
    free(printed);
    return snapshot;
}

static struct service *of_host(const struct snapshot *snapshot, size_t service, const char *name)
{
    return snapshot_service(snapshot, &snapshot->services[service], name);
}

static void expect_pool(const struct snapshot *snapshot, const struct service *service, const char *name)
{
    ck_assert_str_eq(service->pool->cfg->name, name);
    ck_assert_ptr_eq(service->pool, &snapshot->pools[service->pool_index]);
    ck_assert_ptr_eq(service->pool->policy, policy_of(service->pool->cfg->balance));
    ck_assert_int_eq(service->engine.sends_identity, service->pool->cfg->identity == CFG_IDENTITY_NATIVE);
}

START_TEST(services_as_they_are_for_all)
{
    struct snapshot *snapshot = load(CFG_TLS SERVICES POOLS, NULL);
    const struct service *mail = &snapshot->services[MAIL];
    const struct service *submission = &snapshot->services[SUBMISSION];
    const struct service *bare = &snapshot->services[BARE];
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        const struct service *service = &snapshot->services[i];
        int64_t now = (int64_t)time(NULL);
        ck_assert_ptr_eq(service->cfg, &snapshot->cfg->services[i]);
        ck_assert_int_eq(service->engine.protocol, i == MAIL ? PROTOCOL_IMAP : PROTOCOL_SUBMISSION);
        ck_assert_str_eq(service->engine.hostname, snapshot->cfg->hostname);
        ck_assert_int_le(now - service->engine.now(), 1);
        ck_assert_ptr_eq(service->tls.protocols, protocol_traits(service->engine.protocol)->alpn.list);
        ck_assert_ptr_null(service->tls.clients);
        ck_assert_int_eq(service->engine.starttls, i == MAIL);
        ck_assert_int_eq(service->engine.deep_merge, i == BARE);
        ck_assert_int_eq(service->engine.adds_received, i == SUBMISSION);
        ck_assert_int_eq(service->engine.refuses_bare_lf, i == BARE);
        ck_assert_ptr_eq(of_host(snapshot, i, "one.example"), service); /* there are no hosts */
    }
    ck_assert_str_eq(mail->engine.deep_status, "tls12");
    ck_assert_str_eq(submission->engine.deep_status, "");
    expect_pool(snapshot, mail, "p1");
    expect_pool(snapshot, submission, "p3");
    expect_pool(snapshot, bare, "p3");
    ck_assert_ptr_ne(submission->counters, bare->counters);
    ck_assert_ptr_ne(submission->reports, bare->reports);
    snapshot_unref(&snapshot);
}
END_TEST

/* A host has a pool for one protocol, or a status for all; the rest is the service's. */
START_TEST(services_as_they_are_for_a_host)
{
    struct snapshot *snapshot = load(CFG_TLS SERVICES POOLS HOSTS, NULL);
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        const struct service *service = &snapshot->services[i];
        const struct service *one = of_host(snapshot, i, "one.example");
        const struct service *two = of_host(snapshot, i, "mail.two.example");
        ck_assert_ptr_eq(of_host(snapshot, i, "two.example"), two);
        ck_assert_ptr_eq(of_host(snapshot, i, "three.example"), service);
        ck_assert_ptr_eq(of_host(snapshot, i, "a.one.example"), service);
        ck_assert_ptr_eq(of_host(snapshot, i, NULL), service);
        ck_assert(one != service && two != service && one != two);
        ck_assert_ptr_eq(one->cfg, service->cfg);
        ck_assert_ptr_eq(two->cfg, service->cfg);
        ck_assert_ptr_eq(one->counters, service->counters);
        ck_assert_ptr_eq(two->reports, service->reports);
        expect_pool(snapshot, one, i == MAIL ? "p2" : "p3");
        expect_pool(snapshot, two, i == MAIL ? "p1" : "p3");
        ck_assert_str_eq(one->engine.deep_status, service->engine.deep_status);
        ck_assert_int_eq(one->engine.deep_merge, service->engine.deep_merge);
        ck_assert_str_eq(two->engine.deep_status, "own");
        ck_assert(two->engine.deep_merge);
    }
    snapshot_unref(&snapshot);
}
END_TEST

static bool counts_tag(const struct service *service, const char *name)
{
    for (size_t i = 0; i < service->reports->tag_count; i++)
        if (strcmp(service->reports->tags[i].name, name) == 0)
            return true;
    return false;
}

/* What a host advertises is counted for the service that its clients use. */
START_TEST(tags_of_hosts_are_counted)
{
    struct snapshot *snapshot = load(CFG_TLS SERVICES POOLS, NULL);
    ck_assert(counts_tag(&snapshot->services[MAIL], "tls12"));
    ck_assert(!counts_tag(&snapshot->services[MAIL], "own"));
    struct snapshot *with_hosts = load(CFG_TLS SERVICES POOLS HOSTS, snapshot);
    ck_assert(counts_tag(&with_hosts->services[MAIL], "own"));
    ck_assert(counts_tag(&with_hosts->services[SUBMISSION], "own"));
    snapshot_unref(&snapshot);
    snapshot_unref(&with_hosts);
}
END_TEST

/* By the service's name, whatever its place in the file: what has been counted goes on. */
START_TEST(counters_go_on)
{
    static const char fewer[] =
        "services = ( { name = \"other\"; protocol = \"imap\"; listen = [ \"[::]:993\" ]; backend = \"p2\"; "
        "},\n"
        "  { name = \"bare\"; protocol = \"submission\"; listen = [ \"[::]:466\" ]; backend = \"p3\";\n"
        "    deep = { tags = [ \"later\" ]; }; } );\n";
    char text[4096];
    snprintf(text, sizeof text, "%s%s%s", CFG_TLS, fewer, POOLS);
    struct snapshot *before = load(CFG_TLS SERVICES POOLS, NULL);
    for (int i = 0; i < 3; i++)
        counters_add(before->services[BARE].counters, 0, COUNTER_SESSIONS);
    counters_add(before->services[MAIL].counters, 0, COUNTER_SESSIONS);
    const struct client_reports *reports = before->services[BARE].reports;
    struct snapshot *after = load(text, before);
    snapshot_unref(&before);
    ck_assert_ptr_null(before);
    ck_assert_uint_eq(counters_sum(after->services[0].counters, COUNTER_SESSIONS), 0);
    ck_assert_uint_eq(counters_sum(after->services[1].counters, COUNTER_SESSIONS), 3);
    ck_assert_ptr_eq(after->services[1].reports, reports);
    ck_assert(counts_tag(&after->services[1], "later"));
    snapshot_unref(&after);
}
END_TEST

START_TEST(pools_by_name)
{
    struct snapshot *snapshot = load(CFG_TLS SERVICES POOLS, NULL);
    for (size_t i = 0; i < 4; i++)
        ck_assert_ptr_eq(snapshot_find_pool(snapshot, snapshot->cfg->pools[i].name), &snapshot->pools[i]);
    ck_assert_ptr_null(snapshot_find_pool(snapshot, "p"));
    ck_assert_ptr_null(snapshot_find_pool(snapshot, "mail"));
    ck_assert_ptr_null(snapshot_find_pool(NULL, "p0"));
    struct snapshot *held = snapshot_ref(snapshot);
    snapshot_unref(&snapshot);
    ck_assert_ptr_null(snapshot);
    snapshot_unref(&snapshot);
    ck_assert_str_eq(held->pools[0].cfg->name, "p0");
    snapshot_unref(&held);
}
END_TEST

/* What is known of servers and pools is known to all snapshots. */
START_TEST(the_registry_is_shared)
{
    struct snapshot *before = load(CFG_TLS CFG_IMAP_SERVICE CFG_POOL, NULL);
    struct snapshot *after = load(CFG_TLS CFG_IMAP_SERVICE CFG_POOL, before);
    ck_assert_ptr_eq(after->registry, before->registry);
    snapshot_unref(&before);
    ck_assert_uint_eq(server_registry_sweep(after->registry), 0); /* it is still there */
    snapshot_unref(&after);
}
END_TEST

/* The configuration stays the caller's, and an error says why. */
START_TEST(ticket_keys_that_are_not_there)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg = cfg_text_load_clean(
        CFG_IMAP_SERVICE CFG_POOL "tls = { certificates = ( { chain = \"a.pem\"; key = \"a.key\"; } );\n"
                                  "  ticket_keys = \"/nonexistent/tickets\"; };\n");
    ck_assert_ptr_null(snapshot_new(&cfg, NULL, NULL, &problems));
    ck_assert_ptr_nonnull(cfg);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "/nonexistent/tickets"));
    cfg_free(&cfg);
    cfg_problems_free(&problems);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tests = tcase_create("snapshot");
    tcase_add_test(tests, services_as_they_are_for_all);
    tcase_add_test(tests, services_as_they_are_for_a_host);
    tcase_add_test(tests, tags_of_hosts_are_counted);
    tcase_add_test(tests, counters_go_on);
    tcase_add_test(tests, pools_by_name);
    tcase_add_test(tests, the_registry_is_shared);
    tcase_add_test(tests, ticket_keys_that_are_not_there);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
