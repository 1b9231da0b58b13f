/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "certificates.h"
#include "external_keys.h"
#include "failing_heap.h"
#include "run_suite.h"
#include "tls/endpoint/tls_backend.h"
#include "tls/endpoint/tls_verifier.h"
#include "tls/tls_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * TLS with a heap that gives out: each scenario is run again and again, and the first, the second and so on
 * of our own allocations fails. (The library's do not: it has a heap function of its own.) What must hold:
 * files are loaded whole, or there is a report of what is missing; a handshake is done, or fails with a
 * reason. All memory comes back: the address sanitizer checks that.
 */
/* The key source is the test's own, whose allocations do not fail. */
static bool load_key(void *arg, const char *path, const char *passphrase_path, enum tls_key_role role,
                     struct tls_external_key *into)
{
    failing_heap_pause();
    bool ok = external_keys.load(arg, path, passphrase_path, role, into);
    failing_heap_resume();
    return ok;
}

static bool read_chain(void *arg, const char *path, struct bytes *into, char *error)
{
    failing_heap_pause();
    bool ok = external_keys.read_chain(arg, path, into, error);
    failing_heap_resume();
    return ok;
}

static void release_key(void *arg, uint32_t number)
{
    failing_heap_pause();
    external_keys.release(arg, number);
    failing_heap_resume();
}

static const struct tls_key_source key_source = {
    .load = load_key, .release = release_key, .read_chain = read_chain};

/* Runs the scenario until none of its allocations fails; it had at least `least` of them. */
static void fail_each_in_turn(void (*scenario)(void), size_t least)
{
    size_t count = 0;
    do {
        failing_heap_set(count++);
        scenario();
        failing_heap_end();
    } while (failing_heap_has_failed());
    ck_assert_uint_gt(count, least);
}

/* ---- loading ---- */

static struct {
    unsigned errors;
    unsigned warnings;
    char last[1024];
} reported;

static void note(void *arg, int source, bool is_error, const char *text)
{
    (void)arg;
    (void)source;
    reported.errors += is_error;
    reported.warnings += !is_error;
    snprintf(reported.last, sizeof reported.last, "%s", text);
}

static struct tls_report new_report(void)
{
    memset(&reported, 0, sizeof reported);
    return (struct tls_report){.add = note, .now = (long long)time(NULL)};
}

/* Nothing is lost in silence, and nothing fails without a failed allocation. */
static void check_loaded(bool loaded)
{
    ck_assert_msg(loaded != (reported.errors > 0), "%s, with %u errors: %s", loaded ? "loaded" : "not loaded",
                  reported.errors, reported.last);
    ck_assert_msg(loaded || failing_heap_has_failed(), "%s", reported.last);
    ck_assert_msg(failing_heap_has_failed() || reported.warnings == 0, "%s", reported.last);
}

static struct tls_certificate_files listed[2];
static struct tls_certificate_files own;
static const char *folder;
static const char *authority;
static const struct tls_key_source *keys;
static struct tls_context *previous;
enum { IN_FOLDER = 3 };

/* Each key that was loaded was released. */
static void check_released(void)
{
    ck_assert_uint_eq(external_keys_count(), 0);
    external_keys_reset();
}

static void make_files(void)
{
    listed[0] = certificate_make(&(struct certificate_wish){.names = {"mail.example", "*.mail.example"}});
    certificates_write_ocsp(certificates_path("response.der"), &(struct ocsp_wish){.revoked = false});
    listed[0].ocsp = certificates_path("response.der");
    listed[1] = certificate_make(&(struct certificate_wish){.names = {"imap.example"}});
    own = certificate_make(&(struct certificate_wish){.names = {"proxy.example"}, .for_clients = true});
    folder = certificates_folder("folder");
    certificate_make_at(&(struct certificate_wish){.names = {"a.example"}}, "folder/a.pem", "folder/a.key");
    certificate_make_at(&(struct certificate_wish){.names = {"b.example"}}, "folder/b.pem", "folder/b.key");
    certificates_folder("folder/c.example");
    certificate_make_at(&(struct certificate_wish){.names = {"c.example"}}, "folder/c.example/fullchain.pem",
                        "folder/c.example/privkey.pem");
    authority = certificates_authority(false);
}

static struct tls_context *load(struct tls_ticket_keys *ticket_keys)
{
    struct tls_report report = new_report();
    struct tls_settings settings = {.certificates = listed,
                                    .certificate_count = ARRAY_LEN(listed),
                                    .directories = &folder,
                                    .directory_count = 1,
                                    .previous = previous,
                                    .min_version = TLS_1_2,
                                    .max_version = TLS_1_3,
                                    .session_tickets = true,
                                    .ticket_keys = ticket_keys,
                                    .keys = keys};
    failing_heap_begin();
    struct tls_context *context = tls_context_new_server(&settings, &report);
    failing_heap_end();
    return context;
}

/* A certificate of a folder may be left out, but not without a warning; one of the list may not. */
static void load_server(void)
{
    failing_heap_begin();
    struct tls_ticket_keys *ticket_keys = tls_ticket_keys_new(0);
    failing_heap_end();
    ck_assert(ticket_keys != NULL || failing_heap_has_failed());
    struct tls_context *context = load(ticket_keys);
    check_loaded(context != NULL);
    size_t count = context != NULL ? tls_context_certificate_count(context) : 0;
    size_t all = ARRAY_LEN(listed) + IN_FOLDER;
    ck_assert_msg(context == NULL || count == all || (count == all - 1 && reported.warnings > 0),
                  "%zu certificates, %u warnings", count, reported.warnings);
    ck_assert(failing_heap_has_failed() || count == all);
    tls_context_unref(&context);
    tls_ticket_keys_unref(&ticket_keys);
    check_released();
}

START_TEST(a_server_s_certificates)
{
    keys = _i == 0 ? NULL : &key_source;
    fail_each_in_turn(load_server, 50);
}
END_TEST

/* Whatever fails, a certificate that was there before stays. */
static void load_again(void)
{
    struct tls_context *context = load(NULL);
    check_loaded(context != NULL);
    if (context != NULL)
        ck_assert_uint_eq(tls_context_certificate_count(context), ARRAY_LEN(listed) + IN_FOLDER);
    tls_context_unref(&context);
}

static void write_anew(const char *chain, const char *key, const char *name)
{
    certificate_make_at(&(struct certificate_wish){.names = {name}}, chain, key);
}

START_TEST(certificates_that_are_loaded_again)
{
    failing_heap_set(FAILING_HEAP_NEVER);
    previous = load(NULL);
    ck_assert_ptr_nonnull(previous);
    write_anew("folder/a.pem", "folder/a.key", "a.example");
    write_anew("folder/c.example/fullchain.pem", "folder/c.example/privkey.pem", "c.example");
    fail_each_in_turn(load_again, 25);
    tls_context_unref(&previous);
}
END_TEST

static void load_backend(void)
{
    struct tls_report report = new_report();
    struct tls_backend_settings settings = {
        .ca = authority, .verify = true, .own = own, .keys = keys, .min_version = TLS_1_2};
    failing_heap_begin();
    struct tls_context *context = tls_context_new_backend(&settings, &report);
    failing_heap_end();
    check_loaded(context != NULL);
    struct tls_certificate_info info;
    if (context != NULL) {
        ck_assert(tls_context_own_certificate(context, &info));
        ck_assert_uint_eq(info.name_count, 1);
    }
    tls_context_unref(&context);
    check_released();
}

START_TEST(a_context_for_backends)
{
    keys = _i == 0 ? NULL : &key_source;
    fail_each_in_turn(load_backend, 10);
}
END_TEST

static void load_trust(void)
{
    struct tls_report report = new_report();
    struct tls_client_trust_settings settings = {.authorities = authority, .required = true};
    failing_heap_begin();
    struct tls_client_trust *trust = tls_client_trust_new(&settings, &report);
    failing_heap_end();
    check_loaded(trust != NULL);
    tls_client_trust_unref(&trust);
}

START_TEST(a_trust_in_clients)
{
    fail_each_in_turn(load_trust, 1);
}
END_TEST

static struct tls_context *verified;

static void verify(void)
{
    char reason[TLS_VERIFIER_REASON];
    struct tls_report report = new_report();
    failing_heap_begin();
    struct tls_verifier *verifier = tls_verifier_new(authority, &report);
    failing_heap_end();
    check_loaded(verifier != NULL);
    if (verifier != NULL)
        ck_assert_msg(tls_verifier_accepts(verifier, verified, 0, "mail.example", reason), "%s", reason);
    tls_verifier_free(&verifier);
}

START_TEST(a_verifier)
{
    failing_heap_set(FAILING_HEAP_NEVER);
    verified = load(NULL);
    ck_assert_ptr_nonnull(verified);
    fail_each_in_turn(verify, 2);
    tls_context_unref(&verified);
}
END_TEST

static void index_names(void)
{
    struct tls_names names = {0};
    size_t added = 0;
    failing_heap_begin();
    for (size_t i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.example", i);
        added += tls_names_add(&names, slice_of(name), i);
    }
    failing_heap_end();
    ck_assert_uint_eq(names.count, added);
    ck_assert_uint_eq(added, failing_heap_has_failed() ? 39 : 40);
    tls_names_sort(&names);
    size_t found = 0;
    for (size_t i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.example", i);
        found += tls_names_find(&names, slice_of(name), SIZE_MAX) == i;
    }
    ck_assert_uint_eq(found, added);
    tls_names_free(&names);
}

START_TEST(an_index_of_names)
{
    fail_each_in_turn(index_names, 40);
}
END_TEST

/* ---- handshakes ---- */

enum { SERVER, CLIENT, ENDS, FLIGHT_MAX = 16 * 1024 };

/* Both ends of a connection. The contexts and the resumption are made without failures, once for a test. */
static struct {
    struct tls_context *contexts[ENDS];
    struct tls_client_trust *clients;
    struct tls_resumption *resumption;
    struct tls_io *ios[ENDS];
    struct tls_endpoint *ends[ENDS];
    uint8_t flight[FLIGHT_MAX];
    uint8_t plain[TLS_HELD_MAX + FLIGHT_MAX + TLS_PLAIN_SLACK];
    size_t received[ENDS];
    uint16_t version;
} pair;

static void open_contexts(uint16_t version)
{
    struct tls_report report = new_report();
    failing_heap_set(FAILING_HEAP_NEVER);
    pair.version = version;
    struct tls_settings server = {.certificates = listed,
                                  .certificate_count = ARRAY_LEN(listed),
                                  .min_version = version,
                                  .max_version = version,
                                  .session_tickets = true,
                                  .keys = keys};
    struct tls_backend_settings client = {
        .ca = authority, .verify = true, .own = own, .keys = keys, .min_version = TLS_1_2};
    struct tls_client_trust_settings trust = {.authorities = authority, .required = true};
    pair.contexts[SERVER] = tls_context_new_server(&server, &report);
    pair.contexts[CLIENT] = tls_context_new_backend(&client, &report);
    pair.clients = tls_client_trust_new(&trust, &report);
    pair.resumption = tls_resumption_new(pair.contexts[CLIENT], 1);
    ck_assert_msg(pair.contexts[SERVER] != NULL && pair.contexts[CLIENT] != NULL && pair.clients != NULL &&
                      pair.resumption != NULL,
                  "%s", reported.last);
}

static void close_contexts(void)
{
    tls_resumption_free(&pair.resumption);
    tls_client_trust_unref(&pair.clients);
    tls_context_unref(&pair.contexts[CLIENT]);
    tls_context_unref(&pair.contexts[SERVER]);
}

static bool is_state(int end, enum tls_state state)
{
    return tls_endpoint_state(pair.ends[end]) == state;
}

/*
 * What a client in middlebox compatibility mode may send at any time (RFC 8446 appendix D.4), and is buffered
 * here.
 */
static void receive_while_signing(int end)
{
    static const uint8_t change_cipher_spec[] = {20, 3, 3, 0, 1, 1};
    failing_heap_begin();
    size_t len = tls_endpoint_receive(
        pair.ends[end], (struct slice){change_cipher_spec, sizeof change_cipher_spec}, pair.plain);
    failing_heap_end();
    ck_assert_uint_eq(len, 0);
}

static void sign(int end)
{
    uint8_t signature[1024];
    if (pair.version == TLS_1_3 && end == SERVER)
        receive_while_signing(end);
    if (!is_state(end, TLS_AWAITS_SIGNATURE))
        return;
    struct tls_sign_request request = tls_endpoint_sign_request(pair.ends[end]);
    size_t len = external_keys_sign(&request, signature);
    failing_heap_begin();
    pair.received[end] += tls_endpoint_signed(pair.ends[end], (struct slice){signature, len}, pair.plain);
    failing_heap_end();
}

/* Delivers what one end has sent. False if there is nothing. */
static bool deliver(int from)
{
    int to = from == SERVER ? CLIENT : SERVER;
    struct slice output = tls_io_output(pair.ios[from]);
    ck_assert_uint_le(output.len, sizeof pair.flight);
    if (output.len == 0)
        return false;
    memcpy(pair.flight, output.data, output.len);
    tls_io_reset(pair.ios[from]);
    failing_heap_begin();
    pair.received[to] +=
        tls_endpoint_receive(pair.ends[to], (struct slice){pair.flight, output.len}, pair.plain);
    failing_heap_end();
    if (is_state(to, TLS_AWAITS_SIGNATURE))
        sign(to);
    return true;
}

static bool make_ends(const struct tls_service_settings *service)
{
    struct tls_backend_server server = {.name = "mail.example", .resumption = pair.resumption, .slot = 0};
    failing_heap_begin();
    for (int end = 0; end < ENDS; end++)
        pair.ios[end] = tls_io_new(FLIGHT_MAX);
    bool ok = pair.ios[SERVER] != NULL && pair.ios[CLIENT] != NULL;
    if (ok) {
        pair.ends[SERVER] = tls_endpoint_new_server(pair.contexts[SERVER], pair.ios[SERVER], service);
        pair.ends[CLIENT] = tls_endpoint_new_backend(pair.contexts[CLIENT], pair.ios[CLIENT], &server);
    }
    failing_heap_end();
    return ok && pair.ends[SERVER] != NULL && pair.ends[CLIENT] != NULL;
}

static bool tells_of_memory(int end)
{
    const char *failure = tls_endpoint_failure(pair.ends[end]);
    return failure != NULL && strstr(failure, "no memory") != NULL;
}

/* The handshake, and a greeting from the server, with which a ticket comes. */
static void converse(void)
{
    struct slice greeting = slice_of("* OK ready\r\n");
    tls_endpoint_start(pair.ends[CLIENT]);
    while (deliver(CLIENT) || deliver(SERVER))
        continue;
    if (is_state(SERVER, TLS_OPEN) && is_state(CLIENT, TLS_OPEN)) {
        failing_heap_begin();
        bool sealed = tls_endpoint_seal(pair.ends[SERVER], &greeting, 1);
        failing_heap_end();
        ck_assert(sealed);
        deliver(SERVER);
        ck_assert_uint_eq(pair.received[CLIENT], greeting.len);
        ck_assert_ptr_nonnull(tls_endpoint_info(pair.ends[SERVER]).client_certificate);
        return;
    }
    ck_assert(failing_heap_has_failed());
    ck_assert(tells_of_memory(SERVER) || tells_of_memory(CLIENT));
}

static void connect_once(void)
{
    const struct tls_service_settings service = {.clients = pair.clients};
    memset(pair.received, 0, sizeof pair.received);
    bool ok = make_ends(&service);
    ck_assert(ok || failing_heap_has_failed());
    if (ok)
        converse();
    for (int end = 0; end < ENDS; end++)
        tls_endpoint_free(&pair.ends[end]);
    for (int end = 0; end < ENDS; end++)
        tls_io_free(&pair.ios[end]);
}

static const struct {
    uint16_t version;
    bool is_external; /* both ends have their keys somewhere else */
} connections[] = {{TLS_1_2, false}, {TLS_1_3, false}, {TLS_1_2, true}, {TLS_1_3, true}};

START_TEST(connections_with_certificates_at_both_ends)
{
    keys = connections[_i].is_external ? &key_source : NULL;
    open_contexts(connections[_i].version);
    fail_each_in_turn(connect_once, 5);
    /* After all of that, a connection is as good as ever. */
    failing_heap_set(FAILING_HEAP_NEVER);
    connect_once();
    close_contexts();
    check_released();
}
END_TEST

int main(void)
{
    certificates_open();
    make_files();
    TCase *tests = tcase_create("out of memory");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_server_s_certificates, 0, 2);
    tcase_add_test(tests, certificates_that_are_loaded_again);
    tcase_add_loop_test(tests, a_context_for_backends, 0, 2);
    tcase_add_test(tests, a_trust_in_clients);
    tcase_add_test(tests, a_verifier);
    tcase_add_test(tests, an_index_of_names);
    tcase_add_loop_test(tests, connections_with_certificates_at_both_ends, 0, ARRAY_LEN(connections));
    Suite *suite = suite_create("TLS out of memory");
    suite_add_tcase(suite, tests);
    int result = run_suite(suite);
    certificates_close();
    return result;
}
