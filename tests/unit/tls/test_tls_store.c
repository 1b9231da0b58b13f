/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "certificates.h"
#include "tls/tls_file.h"
#include "tls_pair.h"
#include "run_suite.h"

#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * Certificates from lists and folders: what is read, what is chosen for which client, and what is kept at a
 * renewal.
 */

#define DAY (24 * 3600L)

enum { WORDS_MAX = 64 * 1024 };

/* All that was reported, a line each: "source: error: text". */
static char said[WORDS_MAX];

static void note(void *arg, int source, bool is_error, const char *text)
{
    (void)arg;
    size_t len = strlen(said);
    snprintf(said + len, sizeof said - len, "%d: %s: %s\n", source, is_error ? "error" : "warning", text);
}

static struct tls_settings settings(void)
{
    return (struct tls_settings){.min_version = TLS_1_0,
                                 .max_version = TLS_1_3,
                                 .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                            "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA",
                                 .session_tickets = true};
}

static struct tls_context *load(const struct tls_settings *from)
{
    struct tls_report report = {.add = note, .now = (long long)time(NULL)};
    said[0] = '\0';
    return tls_context_new_server(from, &report);
}

static void expect_said(const char *words)
{
    ck_assert_msg(strstr(said, words) != NULL, "\"%s\" is not in: %s", words, said);
}

static struct tls_context *load_folder(const char *folder, struct tls_context *previous)
{
    struct tls_settings from = settings();
    from.directories = &folder;
    from.directory_count = 1;
    from.previous = previous;
    return load(&from);
}

/* ---- a client with chosen abilities, and what it was sent ---- */

struct asked {
    const char *name;
    uint16_t max_version; /* 0: TLS_1_3 */
    const char *ciphers;
    const char *signatures; /* OpenSSL's syntax; NULL: the library's */
    const char *groups;
};

struct shown {
    bool ok;
    enum certificate_key key;
    char names[256]; /* of the leaf, each after a space */
    size_t chain;
    size_t ocsp;
    const char *failure;
};

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

static SSL *new_client(SSL_CTX *ctx, const struct asked *asked)
{
    SSL_CTX_set_custom_verify(ctx, SSL_VERIFY_PEER, accept_any);
    ck_assert(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION));
    ck_assert(SSL_CTX_set_max_proto_version(ctx, asked->max_version != 0 ? asked->max_version : TLS_1_3));
    ck_assert(asked->ciphers == NULL || SSL_CTX_set_strict_cipher_list(ctx, asked->ciphers));
    ck_assert(asked->signatures == NULL || SSL_CTX_set1_sigalgs_list(ctx, asked->signatures));
    ck_assert(asked->groups == NULL || SSL_CTX_set1_curves_list(ctx, asked->groups));
    SSL_CTX_enable_ocsp_stapling(ctx);
    SSL *ssl = SSL_new(ctx);
    ck_assert_ptr_nonnull(ssl);
    ck_assert(asked->name == NULL || SSL_set_tlsext_host_name(ssl, asked->name));
    SSL_set_connect_state(ssl);
    return ssl;
}

static void note_leaf(const SSL *ssl, struct shown *shown)
{
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(ssl);
    const CRYPTO_BUFFER *leaf = sk_CRYPTO_BUFFER_value(chain, 0);
    struct certificate_facts facts = certificate_facts(
        (struct slice){CRYPTO_BUFFER_data(leaf), CRYPTO_BUFFER_len(leaf)}, shown->names, sizeof shown->names);
    const uint8_t *ocsp;
    shown->key = facts.key;
    shown->chain = sk_CRYPTO_BUFFER_num(chain);
    SSL_get0_ocsp_response(ssl, &ocsp, &shown->ocsp);
}

/* A handshake in memory between a context's endpoint and a client of the library's. */
static struct shown ask(struct tls_context *context, const struct asked *asked)
{
    static uint8_t octets[64 * 1024];
    static uint8_t plain[sizeof octets + TLS_PLAIN_SLACK];
    struct shown shown = {0};
    SSL_CTX *ctx = SSL_CTX_new(TLS_with_buffers_method());
    SSL *ssl = new_client(ctx, asked);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl, in, out);
    struct tls_io *io = tls_io_new(sizeof octets);
    struct tls_endpoint *server = tls_endpoint_new_server(context, io, NULL);
    int len = 1;
    while (len > 0) {
        shown.ok = SSL_do_handshake(ssl) == 1;
        len = BIO_read(out, octets, sizeof octets);
        if (len > 0)
            tls_endpoint_receive(server, (struct slice){octets, (size_t)len}, plain);
        struct slice answer = tls_io_output(io);
        ck_assert_int_eq(BIO_write(in, answer.data, (int)answer.len), (int)answer.len);
        len = len > 0 || answer.len > 0;
        tls_io_reset(io);
    }
    shown.failure = tls_endpoint_failure(server);
    if (shown.ok)
        note_leaf(ssl, &shown);
    tls_endpoint_free(&server);
    tls_io_free(&io);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return shown;
}

static void expect_shown(struct tls_context *context, const char *name, const char *names)
{
    struct shown shown = ask(context, &(struct asked){.name = name});
    ck_assert_msg(shown.ok, "%s: %s", name, shown.failure);
    ck_assert_str_eq(shown.names, names);
}

static void make(const char *chain, const char *key, const char *name, enum certificate_key kind)
{
    certificate_make_at(&(struct certificate_wish){.key = kind, .names = {name}}, chain, key);
}

/* ---- folders ---- */

START_TEST(what_certificate_tools_leave_in_a_folder)
{
    const char *folder = certificates_folder("tools");
    make("tools/a.pem", "tools/a.key", "a.example", CERTIFICATE_P256);
    make("tools/b.crt", "tools/b.key", "b.example", CERTIFICATE_P256);
    make("tools/c.pem", "tools/c-key.pem", "c.example", CERTIFICATE_P256);
    certificates_folder("tools/d.example");
    make("tools/d.example/fullchain.pem", "tools/d.example/privkey.pem", "d.example", CERTIFICATE_P256);
    make("tools/d.example/cert.pem", NULL, "not-this.example", CERTIFICATE_P256);
    make("tools/d.example/chain.pem", NULL, "nor-this.example", CERTIFICATE_P256);
    certificates_folder("tools/e");
    make("tools/e/tls.crt", "tools/e/tls.key", "e.example", CERTIFICATE_P256);
    certificates_folder("tools/f");
    make("tools/f/fullchain.cer", "tools/f/f.example.key", "f.example", CERTIFICATE_P256);
    make("tools/f/ca.cer", NULL, "nor-that.example", CERTIFICATE_P256);
    certificates_write("tools/README", "Not a certificate.\n");
    certificates_folder("tools/..2026_11");
    make("tools/..2026_11/tls.crt", "tools/..2026_11/tls.key", "hidden.example", CERTIFICATE_P256);
    struct tls_context *context = load_folder(folder, NULL);
    ck_assert_ptr_nonnull(context);
    ck_assert_str_eq(said, "");
    ck_assert_uint_eq(tls_context_certificate_count(context), 6);
    expect_shown(context, "a.example", " a.example");
    expect_shown(context, "b.example", " b.example");
    expect_shown(context, "c.example", " c.example");
    expect_shown(context, "d.example", " d.example");
    expect_shown(context, "E.Example.", " e.example");
    expect_shown(context, "f.example", " f.example");
    tls_context_unref(&context);
}
END_TEST

START_TEST(a_chain_and_its_key_in_one_file_of_a_folder)
{
    const char *folder = certificates_folder("combined");
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.names = {"one.example"}});
    certificates_join("combined/one.pem", (const char *const[]){files.key, files.chain, NULL});
    struct tls_context *context = load_folder(folder, NULL);
    ck_assert_ptr_nonnull(context);
    ck_assert_str_eq(said, "");
    expect_shown(context, "one.example", " one.example");
    tls_context_unref(&context);
}
END_TEST

START_TEST(what_is_wrong_in_a_folder_is_left_out_with_a_warning)
{
    const char *folder = certificates_folder("wrong");
    make("wrong/good.pem", "wrong/good.key", "good.example", CERTIFICATE_P256);
    make("wrong/keyless.pem", NULL, "keyless.example", CERTIFICATE_P256);
    certificate_make_at(&(struct certificate_wish){.names = {"foreign.example"}, .foreign_key = true},
                        "wrong/foreign.pem", "wrong/foreign.key");
    make("wrong/garbage.pem", "wrong/garbage.key", "garbage.example", CERTIFICATE_P256);
    certificates_write("wrong/garbage.pem", "garbage");
    struct tls_context *context = load_folder(folder, NULL);
    ck_assert_ptr_nonnull(context);
    ck_assert_uint_eq(tls_context_certificate_count(context), 1);
    expect_said("keyless.pem is left out: it has no key");
    expect_said("foreign.pem (the leaf must come first): name the key that its request was made with; this "
                "certificate is left out");
    expect_said("garbage.pem has no certificate in PEM form");
    ck_assert_ptr_null(strstr(said, "error"));
    tls_context_unref(&context);
}
END_TEST

START_TEST(what_other_servers_have_in_a_folder)
{
    const char *folder = certificates_folder("servers");
    /* Caddy, HAProxy, and endings that some tools write. */
    certificates_folder("servers/acme-v02.api.example-directory");
    certificates_folder("servers/acme-v02.api.example-directory/a.example");
    make("servers/acme-v02.api.example-directory/a.example/a.example.crt",
         "servers/acme-v02.api.example-directory/a.example/a.example.key", "a.example", CERTIFICATE_P256);
    certificates_write("servers/acme-v02.api.example-directory/a.example/a.example.json", "{}");
    make("servers/b.cert", "servers/b.key", "b.example", CERTIFICATE_P256);
    make("servers/c.pem.ecdsa", "servers/c.pem.ecdsa.key", "c.example", CERTIFICATE_P256);
    struct tls_certificate_files rsa =
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .names = {"c.example"}});
    certificates_join("servers/c.pem.rsa", (const char *const[]){rsa.chain, rsa.key, NULL});
    make("servers/d.pem", "servers/d.pem.key", "d.example", CERTIFICATE_P256);
    /* What is deeper is none of ours. */
    certificates_folder("servers/acme-v02.api.example-directory/a.example/old");
    make("servers/acme-v02.api.example-directory/a.example/old/x.crt",
         "servers/acme-v02.api.example-directory/a.example/old/x.key", "x.example", CERTIFICATE_P256);
    struct tls_context *context = load_folder(folder, NULL);
    ck_assert_ptr_nonnull(context);
    ck_assert_str_eq(said, "");
    ck_assert_uint_eq(tls_context_certificate_count(context), 5);
    expect_shown(context, "a.example", " a.example");
    expect_shown(context, "b.example", " b.example");
    expect_shown(context, "d.example", " d.example");
    ck_assert_int_eq(ask(context, &(struct asked){.name = "c.example"}).key, CERTIFICATE_P256);
    ck_assert_int_eq(ask(context, &(struct asked){.name = "c.example", .signatures = "RSA-PSS+SHA256"}).key,
                     CERTIFICATE_RSA);
    tls_context_unref(&context);
}
END_TEST

START_TEST(what_is_not_taken_is_named_once)
{
    const char *folder = certificates_folder("left");
    make("left/good.pem", "left/good.key", "good.example", CERTIFICATE_P256);
    make("left/keyless.pem", NULL, "keyless.example", CERTIFICATE_P256);
    make("left/good.issuer.crt", NULL, "issuer.example", CERTIFICATE_P256);
    make("left/ca.crt", NULL, "ca.example", CERTIFICATE_P256);
    certificates_write("left/lonely.key", "a key");
    certificates_write("left/store.p12", "a keystore");
    certificates_write("left/README", "Not a certificate.\n");
    certificates_write("left/dhparam.pem", "parameters");
    struct tls_context *context = load_folder(folder, NULL);
    ck_assert_ptr_nonnull(context);
    expect_said("keyless.pem is left out: it has no key");
    expect_said("lonely.key is left out: it is a key without a certificate");
    expect_said("store.p12 is left out: it is in a form that is not read");
    size_t lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_msg(lines == 3, "%s", said);
    struct tls_context *again = load_folder(folder, context);
    ck_assert_ptr_nonnull(again);
    ck_assert_str_eq(said, "");
    certificates_write("left/newer.key", "a key");
    struct tls_context *third = load_folder(folder, again);
    ck_assert_ptr_nonnull(third);
    expect_said("newer.key is left out");
    ck_assert_ptr_null(strstr(said, "lonely.key"));
    tls_context_unref(&context);
    tls_context_unref(&again);
    tls_context_unref(&third);
}
END_TEST

/* ---- the default ---- */

static const char *default_path(const char *folder, const char *hostname)
{
    static char path[256];
    struct tls_settings from = settings();
    from.directories = &folder;
    from.directory_count = 1;
    from.hostname = hostname;
    struct tls_context *context = load(&from);
    ck_assert_ptr_nonnull(context);
    snprintf(path, sizeof path, "%s",
             strrchr(tls_context_certificate(context, tls_context_default(context)).path, '/') + 1);
    struct shown shown = ask(context, &(struct asked){.name = NULL});
    ck_assert_msg(shown.ok, "%s", shown.failure);
    size_t index = SIZE_MAX;
    ck_assert_uint_ge(tls_context_find(context, NULL, &index, 1), 1);
    ck_assert_uint_eq(index, tls_context_default(context));
    tls_context_unref(&context);
    return path;
}

START_TEST(the_default_of_a_folder_is_the_one_for_this_host)
{
    const char *folder = certificates_folder("default");
    certificate_make_at(&(struct certificate_wish){.names = {"customer.example"}, .begins = -60, .ends = DAY},
                        "default/a-customer.pem", "default/a-customer.key");
    certificate_make_at(&(struct certificate_wish){.names = {"www.own.example", "mail.own.example"},
                                                   .begins = -DAY,
                                                   .ends = DAY},
                        "default/own.pem", "default/own.key");
    certificate_make_at(&(struct certificate_wish){.names = {"*.wild.example"}, .begins = -DAY, .ends = DAY},
                        "default/wild.pem", "default/wild.key");
    certificate_make_at(&(struct certificate_wish){.names = {"self.example"}, .self_signed = true},
                        "default/a-a-self.pem", "default/a-a-self.key");
    ck_assert_str_eq(default_path(folder, "mail.own.example"), "own.pem");
    ck_assert_str_eq(default_path(folder, "MAIL.own.example"), "own.pem");
    ck_assert_str_eq(default_path(folder, "mx.wild.example"), "wild.pem");
    /* Else the first by its path: a renewal of another does not change that. */
    ck_assert_str_eq(default_path(folder, "nobody.example"), "a-customer.pem");
    ck_assert_str_eq(default_path(folder, NULL), "a-customer.pem");
    certificate_make_at(&(struct certificate_wish){.names = {"*.wild.example"}, .begins = -1, .ends = DAY},
                        "default/wild.pem", "default/wild.key");
    ck_assert_str_eq(default_path(folder, NULL), "a-customer.pem");
}
END_TEST

START_TEST(the_default_of_a_list_is_its_first)
{
    const struct tls_certificate_files files[] = {
        certificate_make(&(struct certificate_wish){.names = {"first.example"}}),
        certificate_make(&(struct certificate_wish){.names = {"mail.own.example"}}),
    };
    struct tls_settings from = settings();
    from.certificates = files;
    from.certificate_count = ARRAY_LEN(files);
    from.hostname = "mail.own.example";
    struct tls_context *context = load(&from);
    ck_assert_ptr_nonnull(context);
    ck_assert_uint_eq(tls_context_default(context), 0);
    expect_shown(context, "other.example", " first.example");
    tls_context_unref(&context);
}
END_TEST

START_TEST(a_folder_without_a_certificate_is_an_error)
{
    const char *empty = certificates_folder("empty");
    const char *nowhere = certificates_path("nowhere");
    ck_assert_ptr_null(load_folder(empty, NULL));
    expect_said("0: error: no certificate can be used");
    ck_assert_ptr_null(load_folder(nowhere, NULL));
    expect_said("0: error: can't read the folder of certificates");
    expect_said("No such file or directory");
}
END_TEST

START_TEST(pipes_and_devices_hold_nobody_up)
{
    const char *folder = certificates_folder("pipes");
    const char *pipe = certificates_path("pipes/pipe.pem");
    const char *key = certificates_path("pipes/pipe.key");
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    ck_assert_int_eq(symlink("/dev/zero", key), 0);
    make("pipes/good.pem", "pipes/good.key", "good.example", CERTIFICATE_P256);
    struct tls_context *context = load_folder(folder, NULL);
    ck_assert_ptr_nonnull(context);
    expect_said("can't open the certificate chain");
    expect_said("can't open the private key");
    tls_context_unref(&context);
    struct tls_settings from = settings();
    struct tls_certificate_files files = {.chain = folder, .key = key};
    from.certificates = &files;
    from.certificate_count = 1;
    ck_assert_ptr_null(load(&from));
    expect_said("Is a directory");
}
END_TEST

START_TEST(the_one_that_holds_longest_is_shown)
{
    const char *folder = certificates_folder("renewed");
    const struct certificate_wish old = {
        .names = {"twice.example", "old.example"}, .begins = -DAY, .ends = DAY};
    const struct certificate_wish fresh = {
        .names = {"twice.example", "new.example"}, .begins = -3600, .ends = DAY / 2};
    certificate_make_at(&old, "renewed/a.pem", "renewed/a.key");
    certificate_make_at(&fresh, "renewed/b.pem", "renewed/b.key");
    struct tls_context *context = load_folder(folder, NULL);
    ck_assert_ptr_nonnull(context);
    expect_shown(context, "twice.example", " twice.example new.example");
    expect_shown(context, "old.example", " twice.example old.example");
    tls_context_unref(&context);
}
END_TEST

/* ---- which client is sent which certificate ---- */

/*
 * RSA and ECDSA for mail.example, RSA alone for *.old.example, ECDSA for exact.old.example, and the default.
 */
static struct tls_context *load_kinds(bool strict)
{
    const struct tls_certificate_files files[] = {
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .names = {"default.example"}}),
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .names = {"mail.example"}}),
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_P256, .names = {"mail.example"}}),
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .names = {"*.old.example"}}),
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_P256, .names = {"exact.old.example"}}),
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_P256, .names = {"default.example"}}),
    };
    struct tls_settings from = settings();
    from.certificates = files;
    from.certificate_count = ARRAY_LEN(files);
    from.strict_sni = strict;
    struct tls_context *context = load(&from);
    ck_assert_ptr_nonnull(context);
    ck_assert_str_eq(said, "");
    return context;
}

#define RSA_ONLY_13 "RSA-PSS+SHA256:RSA+SHA256"
#define BOTH_12     "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"

static const struct {
    const char *what;
    struct asked asked;
    enum certificate_key key;
    const char *names;
} choices[] = {
    {"TLS 1.3, all algorithms", {.name = "mail.example"}, CERTIFICATE_P256, " mail.example"},
    {"TLS 1.3, RSA alone",
     {.name = "mail.example", .signatures = RSA_ONLY_13},
     CERTIFICATE_RSA,
     " mail.example"},
    {"TLS 1.2, both",
     {.name = "mail.example", .max_version = TLS_1_2, .ciphers = BOTH_12},
     CERTIFICATE_P256,
     " mail.example"},
    {"TLS 1.2, RSA suites alone",
     {.name = "mail.example", .max_version = TLS_1_2, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"},
     CERTIFICATE_RSA,
     " mail.example"},
    {"TLS 1.2, both suites and RSA signatures",
     {.name = "mail.example", .max_version = TLS_1_2, .ciphers = BOTH_12, .signatures = RSA_ONLY_13},
     CERTIFICATE_RSA,
     " mail.example"},
    {"TLS 1.2, not the key's curve",
     {.name = "mail.example", .max_version = TLS_1_2, .ciphers = BOTH_12, .groups = "P-384:X25519"},
     CERTIFICATE_RSA,
     " mail.example"},
    {"TLS 1.3 does not ask for the key's curve",
     {.name = "mail.example", .groups = "P-384:X25519"},
     CERTIFICATE_P256,
     " mail.example"},
    {"TLS 1.0, both",
     {.name = "mail.example",
      .max_version = TLS_1_0,
      .ciphers = "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"},
     CERTIFICATE_P256,
     " mail.example"},
    {"TLS 1.0, RSA",
     {.name = "mail.example", .max_version = TLS_1_0, .ciphers = "ECDHE-RSA-AES128-SHA"},
     CERTIFICATE_RSA,
     " mail.example"},
    {"a wildcard", {.name = "pop.old.example"}, CERTIFICATE_RSA, " *.old.example"},
    {"an exact name before a wildcard",
     {.name = "exact.old.example"},
     CERTIFICATE_P256,
     " exact.old.example"},
    {"a wildcard where the exact one is of no use",
     {.name = "exact.old.example", .signatures = RSA_ONLY_13},
     CERTIFICATE_RSA,
     " *.old.example"},
    {"a wildcard covers one label", {.name = "a.b.old.example"}, CERTIFICATE_P256, " default.example"},
    {"a name that none has", {.name = "other.example"}, CERTIFICATE_P256, " default.example"},
    {"... RSA", {.name = "other.example", .signatures = RSA_ONLY_13}, CERTIFICATE_RSA, " default.example"},
    {"no name", {.name = NULL}, CERTIFICATE_P256, " default.example"},
};

START_TEST(the_certificate_that_the_client_can_use)
{
    struct tls_context *context = load_kinds(false);
    struct shown shown = ask(context, &choices[_i].asked);
    ck_assert_msg(shown.ok, "%s: %s", choices[_i].what, shown.failure);
    ck_assert_msg(shown.key == choices[_i].key, "%s", choices[_i].what);
    ck_assert_str_eq(shown.names, choices[_i].names);
    ck_assert_uint_eq(shown.chain, 2);
    tls_context_unref(&context);
}
END_TEST

START_TEST(a_client_that_can_use_none_is_told_so)
{
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_P256, .names = {"mail.example"}});
    struct tls_settings from = settings();
    from.certificates = &files;
    from.certificate_count = 1;
    struct tls_context *context = load(&from);
    struct shown shown = ask(context, &(struct asked){.name = "mail.example", .signatures = RSA_ONLY_13});
    ck_assert(!shown.ok);
    ck_assert_str_eq(shown.failure, "no signature algorithm in common");
    shown = ask(context, &(struct asked){.max_version = TLS_1_2, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
    ck_assert(!shown.ok);
    ck_assert_str_eq(shown.failure, "no cipher suite in common");
    tls_context_unref(&context);
}
END_TEST

START_TEST(strictness_turns_unknown_names_away)
{
    struct tls_context *context = load_kinds(true);
    expect_shown(context, "mail.example", " mail.example");
    expect_shown(context, "pop.old.example", " *.old.example");
    const char *const unknown[] = {"other.example", NULL};
    for (size_t i = 0; i < 2; i++)
        for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
            struct shown shown = ask(context, &(struct asked){.name = unknown[i], .max_version = version});
            ck_assert(!shown.ok);
            ck_assert_str_eq(shown.failure, "client asks for a name that no certificate has (SNI)");
        }
    tls_context_unref(&context);
}
END_TEST

/* ---- renewal ---- */

START_TEST(what_has_not_changed_is_the_same)
{
    const char *folder = certificates_folder("same");
    make("same/a.pem", "same/a.key", "a.example", CERTIFICATE_P256);
    make("same/b.pem", "same/b.key", "b.example", CERTIFICATE_P256);
    struct tls_context *first = load_folder(folder, NULL);
    struct tls_context *second = load_folder(folder, first);
    ck_assert(tls_context_same_certificates(first, second));
    tls_context_unref(&first);
    expect_shown(second, "b.example", " b.example");
    make("same/c.pem", "same/c.key", "c.example", CERTIFICATE_P256);
    struct tls_context *third = load_folder(folder, second);
    ck_assert(!tls_context_same_certificates(second, third));
    expect_shown(third, "c.example", " c.example");
    expect_shown(third, "b.example", " b.example");
    expect_shown(second, "b.example", " b.example");
    tls_context_unref(&second);
    tls_context_unref(&third);
}
END_TEST

START_TEST(a_renewed_one_is_taken_and_a_broken_one_is_not)
{
    const char *folder = certificates_folder("broken");
    make("broken/a.pem", "broken/a.key", "a.example", CERTIFICATE_P256);
    make("broken/b.pem", "broken/b.key", "b.example", CERTIFICATE_P256);
    struct tls_context *first = load_folder(folder, NULL);
    certificate_make_at(&(struct certificate_wish){.names = {"a.example", "also.example"}}, "broken/a.pem",
                        "broken/a.key");
    certificates_write("broken/b.pem", "half a certificate");
    struct tls_context *second = load_folder(folder, first);
    ck_assert_ptr_nonnull(second);
    expect_said("0: warning: ");
    expect_said("broken/b.pem has no certificate in PEM form");
    expect_said("; the one that was loaded before stays in use");
    expect_shown(second, "a.example", " a.example also.example");
    expect_shown(second, "b.example", " b.example");
    /* It stays broken, and it stays in use, over any number of renewals. */
    struct tls_context *third = load_folder(folder, second);
    expect_shown(third, "b.example", " b.example");
    tls_context_unref(&first);
    tls_context_unref(&second);
    tls_context_unref(&third);
}
END_TEST

START_TEST(a_listed_one_that_breaks_stays_too)
{
    struct tls_certificate_files files = certificate_make(&(struct certificate_wish){.names = {"a.example"}});
    struct tls_settings from = settings();
    from.certificates = &files;
    from.certificate_count = 1;
    struct tls_context *first = load(&from);
    ck_assert_int_eq(unlink(files.key), 0);
    from.previous = first;
    struct tls_context *second = load(&from);
    ck_assert_ptr_nonnull(second);
    ck_assert(tls_context_same_certificates(first, second));
    expect_said("0: warning: can't open the private key");
    tls_context_unref(&first);
    tls_context_unref(&second);
    from.previous = NULL;
    ck_assert_ptr_null(load(&from));
    expect_said("0: error: can't open the private key");
}
END_TEST

START_TEST(one_whose_key_is_gone_for_an_instant_stays)
{
    const char *folder = certificates_folder("instant");
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.names = {"both.example"}});
    make("instant/a.pem", "instant/a.key", "a.example", CERTIFICATE_P256);
    certificates_join("instant/both.pem", (const char *const[]){files.key, files.chain, NULL});
    struct tls_context *first = load_folder(folder, NULL);
    ck_assert_uint_eq(tls_context_certificate_count(first), 2);
    ck_assert_int_eq(unlink(certificates_path("instant/a.key")), 0);
    certificates_write("instant/both.pem", "");
    struct tls_context *second = load_folder(folder, first);
    ck_assert_ptr_nonnull(second);
    expect_said(
        "instant/a.pem can't be read with its key any more; the one that was loaded before stays in use");
    expect_shown(second, "a.example", " a.example");
    expect_shown(second, "both.example", " both.example");
    ck_assert_int_eq(unlink(certificates_path("instant/both.pem")), 0);
    struct tls_context *third = load_folder(folder, second);
    ck_assert_uint_eq(tls_context_certificate_count(third), 1);
    expect_shown(third, "a.example", " a.example");
    tls_context_unref(&first);
    tls_context_unref(&second);
    tls_context_unref(&third);
}
END_TEST

START_TEST(one_that_is_gone_from_a_folder_is_gone)
{
    const char *folder = certificates_folder("gone");
    make("gone/a.pem", "gone/a.key", "a.example", CERTIFICATE_P256);
    make("gone/b.pem", "gone/b.key", "b.example", CERTIFICATE_P256);
    struct tls_context *first = load_folder(folder, NULL);
    ck_assert_int_eq(unlink(certificates_path("gone/b.pem")), 0);
    struct tls_context *second = load_folder(folder, first);
    ck_assert_uint_eq(tls_context_certificate_count(second), 1);
    tls_context_unref(&first);
    tls_context_unref(&second);
}
END_TEST

/* ---- encrypted keys ---- */

START_TEST(a_passphrase_opens_a_key)
{
    const char *right = certificates_write("right.pass", "open sesame\nnot this\n");
    const char *crlf = certificates_write("crlf.pass", "open sesame\r\n");
    const char *wrong = certificates_write("wrong.pass", "shut\n");
    const char *none = certificates_path("none.pass");
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .passphrase = "open sesame"});
    struct tls_settings from = settings();
    from.certificates = &files;
    from.certificate_count = 1;
    const char *const good[] = {right, crlf};
    for (size_t i = 0; i < 2; i++) {
        files.passphrase = good[i];
        struct tls_context *context = load(&from);
        ck_assert_str_eq(said, "");
        expect_shown(context, "a.example", " a.example");
        tls_context_unref(&context);
    }
    files.passphrase = wrong;
    ck_assert_ptr_null(load(&from));
    expect_said("0: error: the passphrase does not decrypt the private key");
    ck_assert_ptr_null(strstr(said, "shut"));
    files.passphrase = none;
    ck_assert_ptr_null(load(&from));
    expect_said("0: error: can't open the passphrase");
}
END_TEST

START_TEST(a_passphrase_for_a_whole_folder)
{
    const char *folder = certificates_folder("secret");
    certificate_make_at(&(struct certificate_wish){.names = {"a.example"}, .passphrase = "open sesame"},
                        "secret/a.pem", "secret/a.key");
    make("secret/b.pem", "secret/b.key", "b.example", CERTIFICATE_P256);
    struct tls_settings from = settings();
    from.directories = &folder;
    from.directory_count = 1;
    from.passphrase = certificates_write("folder.pass", "open sesame");
    struct tls_context *context = load(&from);
    ck_assert_str_eq(said, "");
    expect_shown(context, "a.example", " a.example");
    expect_shown(context, "b.example", " b.example");
    tls_context_unref(&context);
}
END_TEST

/* ---- OCSP ---- */

static const struct {
    struct ocsp_wish wish;
    bool without_issuer;
    const char *words; /* NULL: it is stapled */
} responses[] = {
    {{.revoked = false}, false, NULL},
    {{.delegated = true}, false, NULL},
    {{.begins = 120, .ends = DAY}, false, NULL},
    {{.revoked = true}, false, "reports that the certificate is revoked"},
    {{.other_certificate = true}, false, "is about another certificate"},
    {{.other_signer = true}, false, "is not signed by the certificate's issuer"},
    {{.delegated = true, .not_for_ocsp = true}, false, "is not signed by the certificate's issuer"},
    {{.endless = true}, false, "has no end of its validity (nextUpdate)"},
    {{.refused = true}, false, "is a responder's error, not an answer"},
    {{.begins = -2 * DAY, .ends = -DAY}, false, "has expired"},
    {{.begins = DAY, .ends = 2 * DAY}, false, "is not valid yet"},
    {{.revoked = false}, true, "can't be checked, as the chain has no issuer's certificate"},
};

static struct tls_context *load_ocsp(const struct tls_certificate_files *files, struct tls_context *previous)
{
    struct tls_settings from = settings();
    from.certificates = files;
    from.certificate_count = 1;
    from.previous = previous;
    return load(&from);
}

START_TEST(a_response_beside_the_chain_is_stapled_where_it_is_good)
{
    struct tls_certificate_files files = certificate_make_at(
        &(struct certificate_wish){.names = {"a.example"}, .without_issuer = responses[_i].without_issuer},
        "stapled.pem", "stapled.key");
    certificates_write_ocsp(certificates_path("stapled.pem.ocsp"), &responses[_i].wish);
    struct tls_context *context = load_ocsp(&files, NULL);
    ck_assert_ptr_nonnull(context);
    struct shown shown = ask(context, &(struct asked){.name = "a.example"});
    ck_assert(shown.ok);
    ck_assert_int_eq(shown.ocsp > 0, responses[_i].words == NULL);
    if (responses[_i].words != NULL)
        expect_said(responses[_i].words);
    else
        ck_assert_str_eq(said, "");
    tls_context_unref(&context);
}
END_TEST

START_TEST(damaged_responses_are_not_stapled)
{
    struct tls_certificate_files files =
        certificate_make_at(&(struct certificate_wish){.names = {"a.example"}}, "damaged.pem", "damaged.key");
    files.ocsp = certificates_path("damaged.ocsp");
    certificates_write_ocsp(files.ocsp, &(struct ocsp_wish){.delegated = true});
    struct bytes good;
    ck_assert(tls_file_read(files.ocsp, &good));
    for (size_t i = 0; i < good.len; i++) {
        struct bytes bad = {0};
        ck_assert(bytes_append(&bad, bytes_view(&good), TLS_FILE_MAX));
        if (i % 2 == 0)
            bad.len = i;
        else
            bad.data[i] ^= 0x11;
        FILE *file = fopen(files.ocsp, "w");
        ck_assert_uint_eq(fwrite(bad.data, 1, bad.len, file), bad.len);
        fclose(file);
        bytes_free(&bad);
        struct tls_context *context = load_ocsp(&files, NULL);
        ck_assert_ptr_nonnull(context);
        struct shown shown = ask(context, &(struct asked){.name = "a.example"});
        ck_assert(shown.ok);
        /*
         * Octets that are not signed: the status around it, the delegate's certificate if another octet will
         * do.
         */
        if (shown.ocsp == 0)
            expect_said("is not used: it ");
        else
            ck_assert_uint_eq(i % 2, 1);
        tls_context_unref(&context);
    }
    bytes_free(&good);
}
END_TEST

START_TEST(a_response_that_is_named_has_to_be_there)
{
    struct tls_certificate_files files = certificate_make(&(struct certificate_wish){.names = {"a.example"}});
    files.ocsp = certificates_path("nowhere.ocsp");
    struct tls_context *context = load_ocsp(&files, NULL);
    ck_assert_ptr_nonnull(context);
    expect_said("0: warning: can't open the OCSP response");
    tls_context_unref(&context);
}
END_TEST

START_TEST(a_new_response_is_taken_at_a_renewal)
{
    struct tls_certificate_files files =
        certificate_make_at(&(struct certificate_wish){.names = {"a.example"}}, "later.pem", "later.key");
    struct tls_context *first = load_ocsp(&files, NULL);
    ck_assert_uint_eq(ask(first, &(struct asked){.name = "a.example"}).ocsp, 0);
    certificates_write_ocsp(certificates_path("later.pem.ocsp"), &(struct ocsp_wish){.revoked = false});
    struct tls_context *second = load_ocsp(&files, first);
    ck_assert(!tls_context_same_certificates(first, second));
    ck_assert_uint_gt(ask(second, &(struct asked){.name = "a.example"}).ocsp, 0);
    tls_context_unref(&first);
    tls_context_unref(&second);
}
END_TEST

/* ---- many ---- */

#ifdef TEST_IS_SANITIZED
enum { MANY = 500 };
#else
enum { MANY = 10000 };
#endif

START_TEST(ten_thousand_certificates)
{
    const char *folder = certificates_folder("many");
    char chain[64];
    char key[64];
    char name[64];
    for (int i = 0; i < MANY; i++) {
        snprintf(chain, sizeof chain, "many/%05d.pem", i);
        snprintf(key, sizeof key, "many/%05d.key", i);
        snprintf(name, sizeof name, "mail%d.example", i);
        make(chain, key, name, CERTIFICATE_P256);
    }
    clock_t begin = clock();
    struct tls_context *context = load_folder(folder, NULL);
    double first = (double)(clock() - begin) / CLOCKS_PER_SEC;
    ck_assert_ptr_nonnull(context);
    ck_assert_uint_eq(tls_context_certificate_count(context), MANY);
    begin = clock();
    struct tls_context *again = load_folder(folder, context);
    double second = (double)(clock() - begin) / CLOCKS_PER_SEC;
    ck_assert(tls_context_same_certificates(context, again));
    printf("%d certificates: %.2f s of CPU to load, %.2f s to look at again\n", (int)MANY, first, second);
    /* "In seconds": a machine of any speed gets thirty times what it takes on a slow one. */
    ck_assert_double_lt(first, 60);
    for (int i = 0; i < MANY; i += MANY / 20) {
        char names[72];
        snprintf(name, sizeof name, "mail%d.example", i);
        snprintf(names, sizeof names, " %s", name);
        expect_shown(again, name, names);
    }
    tls_context_unref(&context);
    tls_context_unref(&again);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_store");
    TCase *tests = tcase_create("store");
    certificates_open();
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, what_certificate_tools_leave_in_a_folder);
    tcase_add_test(tests, a_chain_and_its_key_in_one_file_of_a_folder);
    tcase_add_test(tests, what_is_wrong_in_a_folder_is_left_out_with_a_warning);
    tcase_add_test(tests, what_other_servers_have_in_a_folder);
    tcase_add_test(tests, what_is_not_taken_is_named_once);
    tcase_add_test(tests, the_default_of_a_folder_is_the_one_for_this_host);
    tcase_add_test(tests, the_default_of_a_list_is_its_first);
    tcase_add_test(tests, a_folder_without_a_certificate_is_an_error);
    tcase_add_test(tests, pipes_and_devices_hold_nobody_up);
    tcase_add_test(tests, the_one_that_holds_longest_is_shown);
    tcase_add_loop_test(tests, the_certificate_that_the_client_can_use, 0, ARRAY_LEN(choices));
    tcase_add_test(tests, a_client_that_can_use_none_is_told_so);
    tcase_add_test(tests, strictness_turns_unknown_names_away);
    tcase_add_test(tests, what_has_not_changed_is_the_same);
    tcase_add_test(tests, a_renewed_one_is_taken_and_a_broken_one_is_not);
    tcase_add_test(tests, a_listed_one_that_breaks_stays_too);
    tcase_add_test(tests, one_whose_key_is_gone_for_an_instant_stays);
    tcase_add_test(tests, one_that_is_gone_from_a_folder_is_gone);
    tcase_add_test(tests, a_passphrase_opens_a_key);
    tcase_add_test(tests, a_passphrase_for_a_whole_folder);
    tcase_add_loop_test(tests, a_response_beside_the_chain_is_stapled_where_it_is_good, 0,
                        ARRAY_LEN(responses));
    tcase_add_test(tests, damaged_responses_are_not_stapled);
    tcase_add_test(tests, a_response_that_is_named_has_to_be_there);
    tcase_add_test(tests, a_new_response_is_taken_at_a_renewal);
    tcase_add_test(tests, ten_thousand_certificates);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
