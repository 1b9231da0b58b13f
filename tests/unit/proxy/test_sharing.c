/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in memory once: files that several pools or services name, and what a configuration has in common
 * with the one before. What has changed is read anew, and the old one lives as long as somebody has it.
 */
#include "proxy/runtime/runtime.h"

#include "base/array.h"
#include "certificates.h"
#include "client_pki.h"
#include "inner_proxy.h"
#include "proxy/runtime/snapshot_certificates.h"
#include "run_suite.h"
#include "tls/endpoint/tls_context_private.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- stores of authorities, counted ---- */

X509_STORE *__real_X509_STORE_new(void);
X509_STORE *__wrap_X509_STORE_new(void);
void __real_X509_STORE_free(X509_STORE *store);
void __wrap_X509_STORE_free(X509_STORE *store);

static size_t stores;

X509_STORE *__wrap_X509_STORE_new(void)
{
    stores++;
    return __real_X509_STORE_new();
}

void __wrap_X509_STORE_free(X509_STORE *store)
{
    stores -= store != NULL;
    __real_X509_STORE_free(store);
}

/* ---- a configuration ---- */

enum { FIRST, SECOND, OTHER, UNVERIFIED, POOLS };

static const char text[] =
    "key_isolation = false; workers = 2; user = \"nobody\";\n"
    "deep = { tags = [ \"tls12\" ]; };\n"
    "tls = { certificates = ( { chain = \"%1$s\"; key = \"%2$s\"; } ); };\n"
    "services = (\n"
    "  { name = \"imap\"; protocol = \"imap\"; listen = [ \"127.0.0.1:0\" ]; backend = \"first\";\n"
    "    client_certificates = { ca = \"%3$s\"; crl = \"%4$s\"; external = false; }; },\n"
    "  { name = \"pop3\"; protocol = \"pop3\"; listen = [ \"127.0.0.1:0\" ]; backend = \"plain\";\n"
    "    client_certificates = { ca = \"%3$s\"; crl = \"%4$s\"; external = false; }; },\n"
    "  { name = \"strict\"; protocol = \"imap\"; listen = [ \"127.0.0.1:0\" ]; backend = \"first\";\n"
    "    client_certificates = { ca = \"%3$s\"; crl = \"%4$s\"; external = false; mode = \"required\"; }; } "
    ");\n"
    "hosts = (\n"
    "  { names = [ \"a.example\", \"*.a.example\" ]; backends = { imap = \"second\"; }; deep = { tags = [ "
    "\"tls12\" ]; }; },\n"
    "  { names = [ \"b.example\" ]; backends = { imap = \"second\"; }; deep = { tags = [ \"tls12\" ]; }; },\n"
    "  { names = [ \"c.example\" ]; backends = { imap = \"other\"; };\n"
    "    deep = { tags = [ \"tls12\" ]; withdraw = [ \"x\" ]; tlsa = [ \"3 1 1 %9$s\" ]; }; },\n"
    "  { names = [ \"d.example\" ]; deep = { tags = [ \"%8$s\" ]; backend = \"merge\"; ca = \"%3$s\"; }; } "
    ");\n"
    "backends = (\n"
    "  { name = \"first\"; servers = ( { address = \"127.0.0.1:143\"; } ); tls = { mode = \"implicit\";\n"
    "    ca = \"%3$s\"; name = \"mail.example.com\"; certificate = \"%5$s\"; key = \"%6$s\"; }; },\n"
    "  { name = \"second\"; servers = ( { address = \"127.0.0.1:%7$d\"; } ); tls = { mode = \"implicit\";\n"
    "    ca = \"%3$s\"; name = \"mail.example.com\"; certificate = \"%5$s\"; key = \"%6$s\"; min_version = "
    "\"TLSv1.3\"; }; },\n"
    "  { name = \"other\"; servers = ( { address = \"127.0.0.1:145\"; } ); tls = { mode = \"implicit\";\n"
    "    ca = \"%1$s\"; name = \"mail.example.com\"; }; },\n"
    "  { name = \"unverified\"; servers = ( { address = \"127.0.0.1:146\"; } ); tls = { mode = "
    "\"implicit\";\n"
    "    verify = false; }; },\n"
    "  { name = \"plain\"; servers = ( { address = \"127.0.0.1:147\"; } ); } );\n"
    "timeouts = { idle = \"%10$d min\"; };\n";

static const struct runtime nothing;
static const char zeros[] =
    "0000000000000000000000000000000000000000000000000000000000000000"; /* in a TLSA record */
static struct tls_certificate_files shown;
static struct tls_certificate_files own;
static const char *authorities;
static const char *revoked;

struct change {
    int port;        /* of a server of the second pool; 0: 144 */
    const char *tag; /* of the last host; NULL: "tls11" */
    int idle;        /* minutes; 0: 35 */
};

static void make_files(void)
{
    const struct identity *authority =
        pki_make(&(struct identity_wish){.is_authority = true, .names = {"authority"}});
    shown = certificate_make(&(struct certificate_wish){.names = {"mail.example.com"}});
    own = certificate_make(&(struct certificate_wish){.names = {"proxy.internal"}, .for_clients = true});
    authorities = pki_write("authorities.pem", (const struct identity *const[]){authority, NULL});
    revoked = pki_write_revoked("revoked.pem", &(struct revocation_wish){.issuer = authority}, 1);
}

static struct runtime load_changed(const struct runtime *before, struct change change)
{
    struct cfg_problems problems = {0};
    struct runtime loaded;
    char *all;
    ck_assert_int_gt(asprintf(&all, text, shown.chain, shown.key, authorities, revoked, own.chain, own.key,
                              change.port > 0 ? change.port : 144, change.tag != NULL ? change.tag : "tls11",
                              zeros, change.idle > 0 ? change.idle : 35),
                     0);
    const char *path = certificates_write("sharing.conf", all);
    free(all);
    bool ok = runtime_load(path, NULL, before, &loaded, &problems);
    if (!ok)
        cfg_problems_print(&problems, stderr);
    cfg_problems_free(&problems);
    ck_assert(ok);
    return loaded;
}

static struct runtime load(const struct runtime *before)
{
    return load_changed(before, (struct change){0});
}

/* As if the file had been written anew, with the same content. */
static void rewrite(const char *path)
{
    struct stat now;
    ck_assert_int_eq(stat(path, &now), 0);
    struct timespec times[2] = {now.st_atim, now.st_mtim};
    times[1].tv_sec += 5;
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static const void *trust_of(const struct runtime *runtime, size_t pool)
{
    return SSL_CTX_get_app_data(tls_context_ssl_ctx(runtime->pools->pools[pool]->context));
}

static const void *own_of(const struct runtime *runtime, size_t pool)
{
    return tls_context_own(runtime->pools->pools[pool]->context);
}

static const void *clients_of(const struct runtime *runtime, size_t service)
{
    return runtime->snapshot->services[service].tls.clients;
}

/* ---- in one configuration ---- */

START_TEST(a_file_of_several_pools)
{
    struct runtime loaded = load(&nothing);
    ck_assert_ptr_eq(trust_of(&loaded, FIRST), trust_of(&loaded, SECOND));
    ck_assert_ptr_ne(trust_of(&loaded, FIRST), trust_of(&loaded, OTHER));
    ck_assert_ptr_ne(trust_of(&loaded, FIRST), trust_of(&loaded, UNVERIFIED));
    ck_assert_ptr_nonnull(own_of(&loaded, FIRST));
    ck_assert_ptr_eq(own_of(&loaded, FIRST), own_of(&loaded, SECOND));
    ck_assert_ptr_null(own_of(&loaded, OTHER));
    ck_assert_ptr_ne(loaded.pools->pools[FIRST]->context, loaded.pools->pools[SECOND]->context);
    runtime_unref(&loaded);
    ck_assert_uint_eq(stores, 0);
}
END_TEST

START_TEST(a_file_of_several_services)
{
    struct runtime loaded = load(&nothing);
    ck_assert_ptr_nonnull(clients_of(&loaded, 0));
    ck_assert_ptr_eq(clients_of(&loaded, 0), clients_of(&loaded, 1));
    ck_assert_ptr_ne(clients_of(&loaded, 0), clients_of(&loaded, 2)); /* which demands another thing */
    runtime_unref(&loaded);
    ck_assert_uint_eq(stores, 0);
}
END_TEST

START_TEST(hosts_of_a_kind)
{
    struct runtime loaded = load(&nothing);
    const struct snapshot *snapshot = loaded.snapshot;
    struct service *imap = &snapshot->services[0];
    ck_assert_uint_eq(snapshot->cfg->host_count, 4);
    ck_assert_uint_eq(snapshot->hosts->kind_count, 3);
    struct service *a = snapshot_service(snapshot, imap, "a.example");
    ck_assert_ptr_eq(a, snapshot_service(snapshot, imap, "x.a.example"));
    ck_assert_ptr_eq(a, snapshot_service(snapshot, imap, "b.example"));
    ck_assert_ptr_eq(a->pool, &snapshot->pools[SECOND]);
    struct service *c = snapshot_service(snapshot, imap, "c.example");
    ck_assert(c != a && c->pool == &snapshot->pools[OTHER]);
    struct service *d = snapshot_service(snapshot, imap, "d.example");
    ck_assert(d != a && d != c && d != imap && d->pool == &snapshot->pools[FIRST]);
    ck_assert(d->engine.deep_merge && !a->engine.deep_merge);
    ck_assert_str_eq(d->engine.deep_status, "tls11");
    ck_assert_ptr_eq(snapshot_service(snapshot, imap, "e.example"), imap);
    ck_assert_ptr_eq(snapshot_service(snapshot, imap, NULL), imap);
    runtime_unref(&loaded);
}
END_TEST

/* ---- with the configuration before ---- */

static void expect_same_hosts(const struct runtime *a, const struct runtime *b, bool same)
{
    ck_assert_int_eq(a->snapshot->cfg->hosts == b->snapshot->cfg->hosts, same);
    ck_assert_int_eq(a->snapshot->hosts == b->snapshot->hosts, same);
}

START_TEST(an_unchanged_one)
{
    struct runtime first = load(&nothing);
    size_t before = stores;
    struct runtime second = load(&first);
    ck_assert_uint_eq(stores, before);
    ck_assert_ptr_ne(first.snapshot, second.snapshot);
    for (size_t i = 0; i < POOLS; i++)
        ck_assert_ptr_eq(first.pools->pools[i], second.pools->pools[i]);
    for (size_t i = 0; i < 3; i++)
        ck_assert_ptr_eq(clients_of(&first, i), clients_of(&second, i));
    expect_same_hosts(&first, &second, true);
    ck_assert_ptr_eq(first.snapshot->commitments, second.snapshot->commitments);
    ck_assert_uint_gt(second.snapshot->commitments->list.count, 4);
    runtime_unref(&first);
    /* What is left is whole. */
    const struct service *imap = &second.snapshot->services[0];
    ck_assert_str_eq(
        snapshot_service(second.snapshot, &second.snapshot->services[0], "d.example")->engine.deep_status,
        "tls11");
    ck_assert_str_eq(imap->engine.deep_status, "tls12");
    runtime_unref(&second);
    ck_assert_uint_eq(stores, 0);
}
END_TEST

START_TEST(another_setting)
{
    struct runtime first = load(&nothing);
    struct runtime second = load_changed(&first, (struct change){.idle = 40});
    expect_same_hosts(&first, &second, true);
    ck_assert_ptr_eq(first.pools->pools[SECOND], second.pools->pools[SECOND]);
    runtime_unref(&first);
    runtime_unref(&second);
}
END_TEST

/* What can be resumed at one server is not offered to another; the files are the same. */
START_TEST(another_server)
{
    struct runtime first = load(&nothing);
    struct runtime second = load_changed(&first, (struct change){.port = 1144});
    ck_assert_ptr_eq(first.pools->pools[FIRST], second.pools->pools[FIRST]);
    ck_assert_ptr_ne(first.pools->pools[SECOND], second.pools->pools[SECOND]);
    ck_assert_ptr_eq(first.pools->pools[SECOND]->context, second.pools->pools[SECOND]->context);
    ck_assert_ptr_ne(first.pools->pools[SECOND]->resumption, second.pools->pools[SECOND]->resumption);
    runtime_unref(&first);
    runtime_unref(&second);
}
END_TEST

START_TEST(another_host)
{
    struct runtime first = load(&nothing);
    struct runtime second = load_changed(&first, (struct change){.tag = "tls11\", \"tls12"});
    expect_same_hosts(&first, &second, false);
    ck_assert_ptr_ne(first.snapshot->commitments, second.snapshot->commitments);
    ck_assert_str_eq(
        snapshot_service(first.snapshot, &first.snapshot->services[0], "d.example")->engine.deep_status,
        "tls11");
    runtime_unref(&first);
    ck_assert_str_eq(
        snapshot_service(second.snapshot, &second.snapshot->services[0], "d.example")->engine.deep_status,
        "tls11 tls12");
    runtime_unref(&second);
}
END_TEST

/* ---- files that have changed ---- */

START_TEST(changed_authorities)
{
    struct runtime first = load(&nothing);
    size_t before = stores;
    rewrite(authorities);
    struct runtime second = load(&first);
    ck_assert_uint_eq(stores, before + 3); /* of pools, of services, and of the strict one */
    ck_assert_ptr_ne(trust_of(&first, FIRST), trust_of(&second, FIRST));
    ck_assert_ptr_eq(trust_of(&second, FIRST), trust_of(&second, SECOND));
    ck_assert_ptr_eq(trust_of(&first, OTHER), trust_of(&second, OTHER));
    ck_assert_ptr_eq(own_of(&first, FIRST), own_of(&second, SECOND));
    ck_assert_ptr_ne(clients_of(&first, 0), clients_of(&second, 0));
    ck_assert_ptr_eq(clients_of(&second, 0), clients_of(&second, 1));
    struct pool_tls *used = pool_tls_ref(first.pools->pools[FIRST]); /* by a session */
    runtime_unref(&first);
    ck_assert_uint_eq(stores, before + 1);
    pool_tls_unref(&used);
    ck_assert_uint_eq(stores, before);
    runtime_unref(&second);
    ck_assert_uint_eq(stores, 0);
}
END_TEST

START_TEST(changed_lists)
{
    struct runtime first = load(&nothing);
    rewrite(revoked);
    struct runtime second = load(&first);
    ck_assert_ptr_ne(clients_of(&first, 0), clients_of(&second, 0));
    ck_assert_ptr_eq(trust_of(&first, FIRST), trust_of(&second, FIRST));
    runtime_unref(&first);
    runtime_unref(&second);
}
END_TEST

/* As a change of files alone is read: the snapshot stays. */
START_TEST(a_changed_certificate_of_pools)
{
    struct runtime loaded = load(&nothing);
    struct cfg_problems problems = {0};
    rewrite(own.chain);
    struct pool_tls_set *renewed =
        snapshot_certificates_load_pools(loaded.snapshot, loaded.members, &loaded, &problems);
    ck_assert(renewed != NULL && problems.errors == 0);
    struct runtime after = {.pools = renewed};
    ck_assert_ptr_ne(own_of(&loaded, FIRST), own_of(&after, FIRST));
    ck_assert_ptr_eq(own_of(&after, FIRST), own_of(&after, SECOND));
    ck_assert_ptr_eq(trust_of(&loaded, FIRST), trust_of(&after, FIRST));
    ck_assert_ptr_eq(loaded.pools->pools[OTHER], renewed->pools[OTHER]);
    cfg_problems_free(&problems);
    runtime_unref(&after);
    runtime_unref(&loaded);
    ck_assert_uint_eq(stores, 0);
}
END_TEST

/* ---- off the workers ---- */

/* The worker has the last references to what it served before: it frees none of it itself. */
START_TEST(a_worker_leaves_what_is_large)
{
    struct inner_proxy *proxy = inner_proxy_start("tls = { mode = \"implicit\"; verify = false; };");
    ck_assert(!inner_proxy_has_left(proxy));
    inner_proxy_reload(proxy);
    ck_assert(inner_proxy_has_left(proxy));
    inner_proxy_stop(&proxy);
}
END_TEST

int main(void)
{
    certificates_open();
    make_files();
    Suite *suite = suite_create("sharing");
    TCase *tests = tcase_create("sharing");
    tcase_add_test(tests, a_file_of_several_pools);
    tcase_add_test(tests, a_file_of_several_services);
    tcase_add_test(tests, hosts_of_a_kind);
    tcase_add_test(tests, an_unchanged_one);
    tcase_add_test(tests, another_setting);
    tcase_add_test(tests, another_server);
    tcase_add_test(tests, another_host);
    tcase_add_test(tests, changed_authorities);
    tcase_add_test(tests, changed_lists);
    tcase_add_test(tests, a_changed_certificate_of_pools);
    tcase_add_test(tests, a_worker_leaves_what_is_large);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    pki_close();
    certificates_close();
    return status;
}
