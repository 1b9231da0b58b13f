/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "tls/endpoint/tls_backend.h"

#include "certificates.h"
#include "keys/sign_input.h"
#include "external_keys.h"
#include "tls/endpoint/tls_context_private.h"
#include "tls_pair.h"
#include "run_suite.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* Which servers the client accepts, with which reason it rejects others, and which sessions it resumes. */
#define DAY (24L * 3600)

enum { SEALED_CAP = 100 * 1024, HELD_MAX = 1024 * 1024, PROBLEMS_MAX = 8 };

struct problems {
    size_t count;
    struct {
        int certificate;
        bool is_error;
        char text[1024];
    } items[PROBLEMS_MAX];
};

static void note(void *arg, int certificate, bool is_error, const char *text)
{
    struct problems *problems = arg;
    ck_assert_uint_lt(problems->count, PROBLEMS_MAX);
    problems->items[problems->count].certificate = certificate;
    problems->items[problems->count].is_error = is_error;
    snprintf(problems->items[problems->count++].text, sizeof problems->items[0].text, "%s", text);
}

static struct tls_context *load(const struct tls_backend_settings *settings, struct problems *problems)
{
    struct tls_report report = {.add = note, .arg = problems};
    *problems = (struct problems){0};
    return tls_context_new_backend(settings, &report);
}

static struct tls_context *backend_context(const char *ca, uint16_t min_version)
{
    struct problems problems;
    struct tls_backend_settings settings = {.ca = ca, .verify = ca != NULL, .min_version = min_version};
    struct tls_context *context = load(&settings, &problems);
    ck_assert_msg(context != NULL && problems.count == 0, "%s", problems.items[0].text);
    return context;
}

static struct tls_context *server_context(const struct certificate_wish *wish, uint16_t max_version)
{
    struct tls_certificate_files files = certificate_make(wish);
    struct tls_pair_settings settings = {
        .certificates = &files, .certificate_count = 1, .server_max = max_version};
    return tls_pair_server_context(&settings);
}

/* The contexts stay the caller's. */
static void open_pair(struct tls_pair *pair, struct tls_context *server, struct tls_context *client,
                      const struct tls_backend_server *who)
{
    *pair = (struct tls_pair){0};
    pair->server.context = tls_context_ref(server);
    pair->client.context = tls_context_ref(client);
    pair->server.io = tls_io_new(SEALED_CAP);
    pair->client.io = tls_io_new(SEALED_CAP);
    static const struct tls_service_settings service = {.protocols = "\x04imap"};
    pair->server.endpoint = tls_endpoint_new_server(server, pair->server.io, &service);
    pair->client.endpoint = tls_endpoint_new_backend(client, pair->client.io, who);
    ck_assert(pair->server.endpoint != NULL && pair->client.endpoint != NULL);
    tls_endpoint_start(pair->client.endpoint);
    ck_assert(bytes_append(&pair->server.incoming, tls_io_output(pair->client.io), HELD_MAX));
    tls_io_reset(pair->client.io);
}

/* ---- names and chains ---- */

static const struct certificate_case {
    const char *name; /* the name that the client expects */
    struct certificate_wish wish;
    const char *words;   /* in its failure; NULL: it believes */
    bool expired_issuer; /* what it has for an authority is over */
    bool pinned;         /* it has the certificate itself for an authority */
} certificate_cases[] = {
    {.name = "store.internal", .wish = {.names = {"store.internal"}}, .words = NULL},
    {.name = "STORE.internal", .wish = {.names = {"a.example", "Store.Internal"}}, .words = NULL},
    {.name = "store.internal",
     .wish = {.key = CERTIFICATE_RSA, .names = {"store.internal"}, .without_issuer = true},
     .words = NULL},
    {.name = "a.store.internal", .wish = {.names = {"*.store.internal"}}, .words = NULL},
    {.name = "10.0.0.11", .wish = {.addresses = {"10.0.0.11"}}, .words = NULL},
    {.name = "fd00::11",
     .wish = {.names = {"x.example"}, .addresses = {"10.0.0.11", "fd00:0:0::11"}},
     .words = NULL},
    {.name = "store.internal",
     .wish = {.names = {"store.internal"}, .self_signed = true},
     .words = NULL,
     .pinned = true},
    {.name = "store.internal",
     .wish = {.names = {"store.internal"}, .unknown_issuer = true},
     .words = NULL,
     .pinned = true},

    {.name = "store.internal",
     .wish = {.names = {"a.example", "b.example", "c.example", "d.example"}, .addresses = {"10.0.0.11"}},
     .words = "the server's certificate is for a.example, b.example, c.example and 2 more, not for "
              "store.internal"},
    {.name = "store.internal",
     .wish = {.names = {"mail.store.internal"}},
     .words = "is for mail.store.internal, not for store.internal"},
    {.name = "a.b.store.internal",
     .wish = {.names = {"*.store.internal"}},
     .words = "is for *.store.internal, not for a.b.store.internal"},
    {.name = "store.internal",
     .wish = {.names = {"*.store.internal"}},
     .words = "is for *.store.internal, not for store.internal"},
    {.name = "store.internal",
     .wish = {.names = {"st*.internal"}},
     .words = "is for st*.internal, not for store.internal"},
    /* Its common name is that of the client's server, and counts for nothing (RFC 9525 section 2). */
    {.name = "nameless",
     .wish = {.names = {NULL}},
     .words = "has no name (subjectAltName); expected nameless"},
    {.name = "10.0.0.11", .wish = {.names = {"10.0.0.11"}}, .words = "is for 10.0.0.11, not for 10.0.0.11"},
    {.name = "10.0.0.12",
     .wish = {.addresses = {"10.0.0.11"}},
     .words = "is for 10.0.0.11, not for 10.0.0.12"},
    {.name = "fd00::12",
     .wish = {.addresses = {"fd00::11"}},
     .words = "is for fd00:0:0:0:0:0:0:11, not for fd00::12"},
    {.name = "store.internal",
     .wish = {.addresses = {"10.0.0.11"}},
     .words = "is for 10.0.0.11, not for store.internal"},
    {.name = "other.internal",
     .wish = {.names = {"store.internal"}, .self_signed = true},
     "is for store.internal, not for other.internal",
     .pinned = true},

    {.name = "store.internal",
     .wish = {.names = {"store.internal"}, .begins = -30 * DAY, .ends = -DAY},
     .words = "the server's certificate has expired"},
    {.name = "store.internal",
     .wish = {.names = {"store.internal"}, .begins = DAY, .ends = 30 * DAY},
     .words = "the server's certificate is not valid yet"},
    {.name = "store.internal",
     .wish = {.names = {"store.internal"}, .issuer_expired = true},
     "the certificate of the server's issuer /CN=deepproxy test authority has expired",
     .expired_issuer = true},
    {.name = "store.internal",
     .wish = {.names = {"store.internal"}, .self_signed = true},
     .words = "is self-signed, and not in "},
    {.name = "store.internal",
     .wish = {.names = {"store.internal"}, .unknown_issuer = true},
     .words = "is not valid: certificate signature failure"},
    {.name = "store.internal",
     .wish = {.names = {"store.internal"}, .for_clients = true},
     .words = "is not meant for servers (its key usage)"},
};

static const char *authority_for(const struct certificate_case *c, const struct tls_certificate_files *files)
{
    return c->pinned ? files->chain : certificates_authority(c->expired_issuer);
}

static void check_verdict(const struct certificate_case *c, const struct tls_pair *pair)
{
    const char *failure = tls_endpoint_failure(pair->client.endpoint);
    ck_assert_int_eq(tls_endpoint_server_is_untrusted(pair->client.endpoint), c->words != NULL);
    ck_assert(!tls_endpoint_server_is_untrusted(pair->server.endpoint));
    if (c->words == NULL) {
        ck_assert_msg(tls_endpoint_state(pair->client.endpoint) == TLS_OPEN, "%s: %s", c->name, failure);
        ck_assert_int_eq(tls_endpoint_state(pair->server.endpoint), TLS_OPEN);
        return;
    }
    ck_assert_msg(failure != NULL && strstr(failure, c->words) != NULL, "%s: \"%s\" is not in: %s", c->name,
                  c->words, failure);
    ck_assert_int_eq(tls_endpoint_state(pair->server.endpoint), TLS_FAILED); /* by an alert */
}

START_TEST(certificates)
{
    const struct certificate_case *c = &certificate_cases[_i];
    const struct tls_backend_server who = {.name = c->name};
    static const uint16_t versions[] = {TLS_1_2, TLS_1_3};
    struct tls_certificate_files files = certificate_make(&c->wish);
    struct tls_context *client = backend_context(authority_for(c, &files), TLS_1_2);
    for (size_t i = 0; i < 2; i++) {
        struct tls_pair_settings settings = {
            .certificates = &files, .certificate_count = 1, .server_max = versions[i]};
        struct tls_context *server = tls_pair_server_context(&settings);
        for (size_t chunk = 0; chunk < 2; chunk++) {
            struct tls_pair pair;
            open_pair(&pair, server, client, &who);
            tls_pair_move(&pair, chunk);
            check_verdict(c, &pair);
            tls_pair_close(&pair);
        }
        tls_context_unref(&server);
    }
    tls_context_unref(&client);
}
END_TEST

START_TEST(an_unknown_authority_is_named)
{
    const struct tls_backend_server who = {.name = "store.internal"};
    struct tls_certificate_files other =
        certificate_make(&(struct certificate_wish){.names = {"other.internal"}, .self_signed = true});
    struct tls_context *client = backend_context(other.chain, TLS_1_2);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"store.internal"}}, TLS_1_3);
    struct tls_pair pair;
    open_pair(&pair, server, client, &who);
    tls_pair_move(&pair, 0);
    const char *failure = tls_endpoint_failure(pair.client.endpoint);
    ck_assert_ptr_nonnull(failure);
    ck_assert(strstr(failure,
                     "issuer unknown: the server's certificate was issued by /CN=deepproxy test authority") !=
              NULL);
    ck_assert(strstr(failure, other.chain) != NULL);
    tls_pair_close(&pair);
    tls_context_unref(&server);
    tls_context_unref(&client);
}
END_TEST

START_TEST(long_names_are_cut)
{
    char name[250];
    const struct tls_backend_server who = {.name = "store.internal"};
    memset(name, 'x', sizeof name);
    for (size_t i = 50; i < sizeof name; i += 50)
        name[i] = '.';
    name[sizeof name - 1] = '\0';
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_2);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"a.example", name, name, name, name}}, TLS_1_3);
    struct tls_pair pair;
    open_pair(&pair, server, client, &who);
    tls_pair_move(&pair, 0);
    const char *failure = tls_endpoint_failure(pair.client.endpoint);
    ck_assert(failure != NULL && strlen(failure) < 500 &&
              strstr(failure, "and 2 more, not for store.internal") != NULL);
    tls_pair_close(&pair);
    tls_context_unref(&server);
    tls_context_unref(&client);
}
END_TEST

START_TEST(unverified)
{
    const struct tls_backend_server who = {.name = "store.internal"};
    struct tls_context *client = backend_context(NULL, TLS_1_2);
    struct tls_context *server = server_context(
        &(struct certificate_wish){.names = {"x.example"}, .begins = -9 * DAY, .ends = -DAY}, TLS_1_3);
    struct tls_pair pair;
    open_pair(&pair, server, client, &who);
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_OPEN);
    tls_pair_close(&pair);
    tls_context_unref(&server);
    tls_context_unref(&client);
}
END_TEST

START_TEST(what_is_offered)
{
    static const struct {
        const char *name;
        const char *sni;
    } cases[] = {{"store.internal", "store.internal"}, {"10.0.0.11", NULL}, {"fd00::11", NULL}};
    struct tls_context *client = backend_context(NULL, TLS_1_2);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"store.internal"}}, TLS_1_3);
    for (size_t i = 0; i < 3; i++) {
        const struct tls_backend_server who = {.name = cases[i].name, .protocols = "\x04imap"};
        struct tls_pair pair;
        open_pair(&pair, server, client, &who);
        tls_pair_move(&pair, 0);
        struct tls_info info = tls_endpoint_info(pair.server.endpoint);
        ck_assert_pstr_eq(info.server_name, cases[i].sni);
        ck_assert(slice_is_word(info.protocol, "imap"));
        tls_pair_close(&pair);
    }
    tls_context_unref(&server);
    tls_context_unref(&client);
}
END_TEST

/* ---- what is no handshake ---- */

START_TEST(servers_that_speak_otherwise)
{
    static const struct {
        const char *says;
        size_t len;
        const char *words;
    } cases[] = {
        {"* OK IMAP4rev1 ready\r\n", 22,
         "the server does not speak TLS on this port, or expects STARTTLS first"},
        {"220 msa ESMTP\r\n", 15, "the server does not speak TLS on this port, or expects STARTTLS first"},
        {"\x15\x03\x03\x00\x02\x02\x28", 7,
         "the server has no cipher suite in common, or wants a client certificate"},
        {"\x15\x03\x03\x00\x02\x01\x00", 7, "peer closed the connection in the handshake"},
        {"\x15\x03\x03\x00\x02\x02\x46", 7,
         "the server has no TLS version in common; min_version of the pool may be lower, for one that can't "
         "be updated"},
        {"\x15\x03\x03\x00\x02\x02\x70", 7, "the server does not know the name that it is asked for (SNI)"},
        {"\x15\x03\x03\x00\x02\x02\x78", 7, "the server speaks another protocol on this port (ALPN)"},
    };
    const struct tls_backend_server who = {.name = "store.internal"};
    struct tls_context *client = backend_context(NULL, TLS_1_2);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static uint8_t plain[1024 + TLS_PLAIN_SLACK];
        struct tls_io *io = tls_io_new(SEALED_CAP);
        struct tls_endpoint *endpoint = tls_endpoint_new_backend(client, io, &who);
        tls_endpoint_start(endpoint);
        tls_io_reset(io);
        tls_endpoint_receive(endpoint, (struct slice){(const uint8_t *)cases[i].says, cases[i].len}, plain);
        ck_assert_int_eq(tls_endpoint_state(endpoint), TLS_FAILED);
        ck_assert_str_eq(tls_endpoint_failure(endpoint), cases[i].words);
        tls_endpoint_free(&endpoint);
        tls_io_free(&io);
    }
    tls_context_unref(&client);
}
END_TEST

/* ---- the proxy's own certificate ---- */

static enum ssl_verify_result_t accept(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

/* A server that wants a certificate, and a client that has one or has none. */
static void show_certificate(bool has_one, uint16_t version, const char *words)
{
    const struct tls_backend_server who = {.name = "store.internal"};
    struct tls_backend_settings settings = {.min_version = TLS_1_2};
    struct problems problems;
    if (has_one)
        settings.own =
            certificate_make(&(struct certificate_wish){.names = {"proxy.internal"}, .for_clients = true});
    struct tls_context *client = load(&settings, &problems);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"store.internal"}}, version);
    SSL_CTX_set_custom_verify(tls_context_ssl_ctx(server), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                              accept);
    struct tls_pair pair;
    open_pair(&pair, server, client, &who);
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), words == NULL ? TLS_OPEN : TLS_FAILED);
    const char *failure = tls_endpoint_failure(pair.client.endpoint);
    ck_assert_msg(words == NULL ? failure == NULL : failure != NULL && strstr(failure, words) != NULL, "%s",
                  failure);
    tls_pair_close(&pair);
    tls_context_unref(&server);
    tls_context_unref(&client);
}

START_TEST(own_certificate)
{
    show_certificate(true, TLS_1_2, NULL);
    show_certificate(true, TLS_1_3, NULL);
    show_certificate(false, TLS_1_2, "client certificate");
    show_certificate(false, TLS_1_3, "the server wants a client certificate");
}
END_TEST

/* ---- its key somewhere else ---- */

static const struct {
    enum certificate_key key;
    uint16_t version;
    enum sign_input_kind form;
} external[] = {
    {CERTIFICATE_P256, TLS_1_2, SIGN_INPUT_TRANSCRIPT},
    {CERTIFICATE_P256, TLS_1_3, SIGN_INPUT_TLS13_CLIENT},
    {CERTIFICATE_RSA, TLS_1_2, SIGN_INPUT_TRANSCRIPT},
    {CERTIFICATE_RSA, TLS_1_3, SIGN_INPUT_TLS13_CLIENT},
};
enum { OUTSIDE = ARRAY_LEN(external) };

struct external_pair {
    struct tls_pair pair;
    struct tls_context *server;
    struct tls_context *client;
};

static void open_external(struct external_pair *it, int kind, STACK_OF(CRYPTO_BUFFER) * authorities)
{
    static const struct tls_backend_server who = {.name = "store.internal"};
    struct problems problems;
    struct tls_backend_settings settings = {
        .min_version = TLS_1_2,
        .own = certificate_make(&(struct certificate_wish){
            .key = external[kind].key, .names = {"proxy.internal"}, .for_clients = true}),
        .keys = &external_keys};
    it->client = load(&settings, &problems);
    ck_assert_msg(it->client != NULL && problems.count == 0, "%s", problems.items[0].text);
    ck_assert_uint_eq(external_keys_count(), 1);
    it->server =
        server_context(&(struct certificate_wish){.names = {"store.internal"}}, external[kind].version);
    SSL_CTX *ctx = tls_context_ssl_ctx(it->server);
    SSL_CTX_set_custom_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept);
    if (authorities != NULL)
        SSL_CTX_set0_client_CAs(ctx, authorities);
    open_pair(&it->pair, it->server, it->client, &who);
}

static void close_external(struct external_pair *it)
{
    tls_pair_close(&it->pair);
    tls_context_unref(&it->server);
    ck_assert_uint_eq(external_keys_count(), 1);
    tls_context_unref(&it->client);
    ck_assert_uint_eq(external_keys_count(), 0);
}

static void give(struct external_pair *it, struct slice signature)
{
    static uint8_t plain[TLS_HELD_MAX + TLS_PLAIN_SLACK];
    ck_assert_uint_eq(tls_endpoint_signed(it->pair.client.endpoint, signature, plain), 0);
    tls_pair_deliver(&it->pair, &it->pair.client, 0);
}

static void sign(struct external_pair *it)
{
    uint8_t signature[1024];
    struct tls_sign_request request = tls_endpoint_sign_request(it->pair.client.endpoint);
    size_t len = external_keys_sign(&request, signature);
    give(it, (struct slice){signature, len});
}

START_TEST(own_key_somewhere_else)
{
    static const size_t chunks[] = {0, 1, 100};
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        struct external_pair it;
        open_external(&it, _i, NULL);
        tls_pair_move(&it.pair, chunks[i]);
        ck_assert_int_eq(tls_endpoint_state(it.pair.client.endpoint), TLS_AWAITS_SIGNATURE);
        struct tls_sign_request request = tls_endpoint_sign_request(it.pair.client.endpoint);
        ck_assert_int_eq(external_keys_role(request.key), TLS_KEY_OF_CLIENT);
        ck_assert_int_eq(sign_input_kind_of(request.input), external[_i].form);
        sign(&it);
        tls_pair_move(&it.pair, chunks[i]);
        ck_assert_int_eq(tls_endpoint_state(it.pair.server.endpoint), TLS_OPEN);
        ck_assert_int_eq(tls_endpoint_state(it.pair.client.endpoint), TLS_OPEN);
        struct slice words = slice_of("a NOOP\r\n");
        tls_pair_send(&it.pair, &it.pair.client, &words, 1);
        tls_pair_move(&it.pair, chunks[i]);
        ck_assert(slice_equals(bytes_view(&it.pair.server.plain), words));
        close_external(&it);
    }
}
END_TEST

START_TEST(own_key_that_is_not_to_be_had)
{
    struct external_pair it;
    open_external(&it, _i, NULL);
    tls_pair_move(&it.pair, 0);
    give(&it, (struct slice){NULL, 0});
    ck_assert_int_eq(tls_endpoint_state(it.pair.client.endpoint), TLS_FAILED);
    ck_assert_str_eq(tls_endpoint_failure(it.pair.client.endpoint), TLS_NO_SIGNATURE);
    close_external(&it);
}
END_TEST

START_TEST(endpoint_that_goes_while_its_key_is_awaited)
{
    struct external_pair it;
    open_external(&it, _i, NULL);
    tls_pair_move(&it.pair, 0);
    ck_assert_int_eq(tls_endpoint_state(it.pair.client.endpoint), TLS_AWAITS_SIGNATURE);
    close_external(&it);
}
END_TEST

START_TEST(server_that_sends_on_while_a_key_is_awaited)
{
    static const uint8_t flood[TLS_HELD_MAX + 1];
    struct external_pair it;
    open_external(&it, _i, NULL);
    tls_pair_move(&it.pair, 0);
    ck_assert(bytes_append(&it.pair.client.incoming, (struct slice){flood, sizeof flood}, HELD_MAX));
    tls_pair_deliver(&it.pair, &it.pair.client, TLS_HELD_MAX);
    ck_assert_int_eq(tls_endpoint_state(it.pair.client.endpoint), TLS_AWAITS_SIGNATURE);
    tls_pair_deliver(&it.pair, &it.pair.client, 1);
    ck_assert_str_eq(tls_endpoint_failure(it.pair.client.endpoint),
                     "server sent too much before the end of the handshake");
    close_external(&it);
}
END_TEST

/*
 * So many names that the transcript is as long as a signature allows, or just too long; TLS 1.3 signs its
 * hash.
 */
static STACK_OF(CRYPTO_BUFFER) * make_authorities(size_t octets)
{
    static uint8_t name[1000] = {0x30, 0x82, 0x03, 0xE4};
    STACK_OF(CRYPTO_BUFFER) *authorities = sk_CRYPTO_BUFFER_new_null();
    for (size_t i = 0; i < octets / sizeof name; i++)
        ck_assert(sk_CRYPTO_BUFFER_push(authorities, CRYPTO_BUFFER_new(name, sizeof name, NULL)));
    return authorities;
}

START_TEST(server_with_many_authorities)
{
    for (int too_many = 0; too_many < 2; too_many++) {
        struct external_pair it;
        open_external(&it, _i, make_authorities(too_many ? TLS_SIGN_INPUT_MAX : TLS_SIGN_INPUT_MAX - 5000));
        tls_pair_move(&it.pair, 0);
        enum tls_state state = tls_endpoint_state(it.pair.client.endpoint);
        if (too_many && external[_i].version == TLS_1_2) {
            ck_assert_int_eq(state, TLS_FAILED);
            ck_assert_ptr_nonnull(
                strstr(tls_endpoint_failure(it.pair.client.endpoint), "list of authorities are too long"));
        } else {
            ck_assert_int_eq(state, TLS_AWAITS_SIGNATURE);
            sign(&it);
            tls_pair_move(&it.pair, 0);
            ck_assert_int_eq(tls_endpoint_state(it.pair.server.endpoint), TLS_OPEN);
        }
        close_external(&it);
    }
}
END_TEST

/* ---- resumption ---- */

/* With its first data a server sends what resumes the session in TLS 1.3. */
static void greet(struct tls_pair *pair)
{
    struct slice words = slice_of("* OK ready\r\n");
    tls_pair_send(pair, &pair->server, &words, 1);
    tls_pair_move(pair, 0);
    ck_assert(slice_equals(bytes_view(&pair->client.plain), words));
}

static bool connect_once(struct tls_context *server, struct tls_context *client,
                         const struct tls_backend_server *who)
{
    struct tls_pair pair;
    open_pair(&pair, server, client, who);
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_OPEN);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_OPEN);
    greet(&pair);
    bool resumed = tls_endpoint_info(pair.client.endpoint).resumed;
    ck_assert(resumed == tls_endpoint_info(pair.server.endpoint).resumed);
    tls_pair_send_close(&pair, &pair.client);
    tls_pair_close(&pair);
    return resumed;
}

static const uint16_t both_versions[] = {TLS_1_2, TLS_1_3};

START_TEST(sessions_are_resumed)
{
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_2);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"a.internal"}}, both_versions[_i]);
    struct tls_resumption *resumption = tls_resumption_new(client, 2);
    struct tls_backend_server first = {.name = "a.internal", .resumption = resumption, .slot = 0};
    struct tls_backend_server second = {.name = "a.internal", .resumption = resumption, .slot = 1};
    struct tls_backend_server beyond = {.name = "a.internal", .resumption = resumption, .slot = 2};
    struct tls_backend_server none = {.name = "a.internal"};
    ck_assert(!connect_once(server, client, &first));
    for (int i = 0; i < 3; i++)
        ck_assert(connect_once(server, client, &first));
    ck_assert(!connect_once(server, client, &second));
    ck_assert(connect_once(server, client, &second));
    for (int i = 0; i < 2; i++)
        ck_assert(!connect_once(server, client, &beyond) && !connect_once(server, client, &none));
    /* What the slot has is another server's. */
    second.owner = 7;
    ck_assert(!connect_once(server, client, &second));
    ck_assert(connect_once(server, client, &second));
    second.owner = 8;
    ck_assert(!connect_once(server, client, &second));
    tls_resumption_free(&resumption);
    ck_assert_ptr_null(resumption);
    tls_resumption_free(&resumption);
    tls_context_unref(&server);
    tls_context_unref(&client);
}
END_TEST

/* As many connections at once as like: one session each in TLS 1.3, and no more than are kept. */
START_TEST(sessions_of_tls_1_3_are_used_once)
{
    enum { AT_ONCE = 5 };
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_3);
    struct tls_context *server = server_context(&(struct certificate_wish){.names = {"a.internal"}}, TLS_1_3);
    struct tls_resumption *resumption = tls_resumption_new(client, 1);
    struct tls_backend_server who = {.name = "a.internal", .resumption = resumption};
    struct tls_pair pairs[AT_ONCE];
    for (int round = 0; round < 2; round++) {
        size_t resumed = 0;
        for (size_t i = 0; i < AT_ONCE; i++)
            open_pair(&pairs[i], server, client, &who);
        for (size_t i = 0; i < AT_ONCE; i++) {
            tls_pair_move(&pairs[i], 0);
            greet(&pairs[i]);
        }
        for (size_t i = 0; i < AT_ONCE; i++) {
            resumed += tls_endpoint_info(pairs[i].client.endpoint).resumed;
            tls_pair_close(&pairs[i]);
        }
        ck_assert_uint_eq(resumed, round == 0 ? 0 : TLS_RESUMPTION_KEPT);
    }
    tls_resumption_free(&resumption);
    tls_context_unref(&server);
    tls_context_unref(&client);
}
END_TEST

/*
 * A server that is set up anew can't open the old one's tickets, and shows another certificate: it is looked
 * at.
 */
START_TEST(a_refused_session_is_a_whole_handshake)
{
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_2);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"a.internal"}}, both_versions[_i]);
    struct tls_context *other =
        server_context(&(struct certificate_wish){.names = {"b.internal"}}, both_versions[_i]);
    struct tls_resumption *resumption = tls_resumption_new(client, 1);
    struct tls_backend_server who = {.name = "a.internal", .resumption = resumption};
    ck_assert(!connect_once(server, client, &who));
    struct tls_pair pair;
    open_pair(&pair, other, client, &who);
    tls_pair_move(&pair, 0);
    ck_assert_str_eq(tls_endpoint_failure(pair.client.endpoint),
                     "the server's certificate is for b.internal, not for a.internal");
    tls_pair_close(&pair);
    tls_resumption_free(&resumption);
    tls_context_unref(&server);
    tls_context_unref(&other);
    tls_context_unref(&client);
}
END_TEST

static int64_t later; /* seconds from now, for the libraries' clock */

static void tell_time(const SSL *ssl, struct timeval *now)
{
    (void)ssl;
    gettimeofday(now, NULL);
    now->tv_sec += later;
}

/* It is resumed again and again, and yet no longer than the certificate of its first handshake is valid. */
START_TEST(a_session_ends_with_the_certificate)
{
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_2);
    struct tls_context *server = server_context(
        &(struct certificate_wish){.names = {"a.internal"}, .begins = -DAY, .ends = 3600}, both_versions[_i]);
    struct tls_resumption *resumption = tls_resumption_new(client, 1);
    struct tls_backend_server who = {.name = "a.internal", .resumption = resumption};
    SSL_CTX_set_current_time_cb(tls_context_ssl_ctx(client), tell_time);
    SSL_CTX_set_current_time_cb(tls_context_ssl_ctx(server), tell_time);
    later = 0;
    ck_assert(!connect_once(server, client, &who));
    ck_assert(connect_once(server, client, &who));
    later = 1800;
    ck_assert(connect_once(server, client, &who));
    later = 3500;
    ck_assert(connect_once(server, client, &who));
    later = 3700;
    ck_assert(
        !connect_once(server, client, &who)); /* and the certificate is verified, by the system's clock */
    tls_resumption_free(&resumption);
    tls_context_unref(&server);
    tls_context_unref(&client);
}
END_TEST

/* A server that ends the handshake if a session is offered: none is offered for an hour, and then again. */
START_TEST(resumption_is_given_up)
{
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_2);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"a.internal"}}, both_versions[_i]);
    struct tls_resumption *resumption = tls_resumption_new(client, 1);
    struct tls_backend_server who = {.name = "a.internal", .resumption = resumption};
    SSL_CTX_set_current_time_cb(tls_context_ssl_ctx(client), tell_time);
    SSL_CTX_set_current_time_cb(tls_context_ssl_ctx(server), tell_time);
    later = 0;
    ck_assert(!connect_once(server, client, &who));
    struct tls_pair pair;
    open_pair(&pair, server, client, &who);
    ck_assert(tls_endpoint_give_up_resumption(pair.client.endpoint));
    ck_assert(!tls_endpoint_give_up_resumption(pair.client.endpoint));
    tls_pair_close(&pair);
    ck_assert(!connect_once(server, client, &who));
    later = TLS_RESUMPTION_PAUSE - 60;
    ck_assert(!connect_once(server, client, &who));
    later = TLS_RESUMPTION_PAUSE + 60;
    ck_assert(!connect_once(server, client, &who));
    ck_assert(connect_once(server, client, &who));
    tls_resumption_free(&resumption);
    tls_context_unref(&server);
    tls_context_unref(&client);
}
END_TEST

/* Nor if no session was offered, or if the server did not resume it and sent its certificate. */
START_TEST(resumption_is_not_to_blame)
{
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_2);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"a.internal"}}, both_versions[_i]);
    struct tls_context *other =
        server_context(&(struct certificate_wish){.names = {"b.internal"}}, both_versions[_i]);
    struct tls_resumption *resumption = tls_resumption_new(client, 1);
    struct tls_backend_server who = {.name = "a.internal", .resumption = resumption};
    struct tls_pair pair;
    open_pair(&pair, server, client, &who);
    ck_assert(!tls_endpoint_give_up_resumption(pair.client.endpoint));
    tls_pair_close(&pair);
    ck_assert(!connect_once(server, client, &who));
    ck_assert(!connect_once(server, client, &(struct tls_backend_server){.name = "a.internal"}));
    open_pair(&pair, other, client, &who);
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_FAILED);
    ck_assert(!tls_endpoint_give_up_resumption(pair.client.endpoint));
    tls_pair_close(&pair);
    tls_resumption_free(&resumption);
    tls_context_unref(&server);
    tls_context_unref(&other);
    tls_context_unref(&client);
}
END_TEST

/* Sessions hold certificates, and those their context. */
START_TEST(sessions_outlive_what_else_had_the_context)
{
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_2);
    struct tls_context *server = server_context(&(struct certificate_wish){.names = {"a.internal"}}, TLS_1_3);
    struct tls_resumption *resumption = tls_resumption_new(client, 1);
    struct tls_backend_server who = {.name = "a.internal", .resumption = resumption};
    ck_assert(!connect_once(server, client, &who));
    tls_context_unref(&client);
    tls_context_unref(&server);
    tls_resumption_free(&resumption);
}
END_TEST

/* So do endpoints that are open, whose peer's certificates are theirs to the end. */
START_TEST(endpoints_outlive_what_else_had_the_context)
{
    const struct tls_backend_server who = {.name = "a.internal"};
    struct tls_context *client = backend_context(certificates_authority(false), TLS_1_2);
    struct tls_context *server =
        server_context(&(struct certificate_wish){.names = {"a.internal"}}, both_versions[_i]);
    struct tls_pair pair;
    open_pair(&pair, server, client, &who);
    tls_context_unref(&client);
    tls_context_unref(&server);
    tls_context_unref(&pair.client.context);
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_OPEN);
    greet(&pair);
    tls_pair_send_close(&pair, &pair.client);
    tls_pair_close(&pair);
}
END_TEST

/* ---- files ---- */

static void expect_error(const struct tls_backend_settings *settings, int certificate, const char *words)
{
    struct problems problems;
    ck_assert_ptr_null(load(settings, &problems));
    ck_assert_uint_eq(problems.count, 1);
    ck_assert(problems.items[0].is_error);
    ck_assert_int_eq(problems.items[0].certificate, certificate);
    ck_assert_msg(strstr(problems.items[0].text, words) != NULL, "\"%s\" is not in: %s", words,
                  problems.items[0].text);
}

START_TEST(files_that_cannot_be_used)
{
    struct tls_certificate_files good = certificate_make(&(struct certificate_wish){.names = {"a.internal"}});
    struct tls_certificate_files foreign =
        certificate_make(&(struct certificate_wish){.names = {"a.internal"}, .foreign_key = true});
    struct tls_backend_settings settings = {.verify = true, .min_version = TLS_1_2};
    settings.ca = certificates_path("nowhere.pem");
    expect_error(&settings, TLS_NO_SOURCE, "can't open the authorities' certificates in ");
    settings.ca = certificates_write("empty.pem", "");
    expect_error(&settings, TLS_NO_SOURCE, "has no certificate in PEM form");
    settings.ca = good.key;
    expect_error(&settings, TLS_NO_SOURCE, "has no certificate in PEM form");
    settings.ca =
        certificates_write("damaged.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    expect_error(&settings, TLS_NO_SOURCE, "a certificate after number 0 in ");
    settings.ca = certificates_authority(false);
    settings.own = foreign;
    expect_error(&settings, TLS_BACKEND_OWN_CERTIFICATE, "does not belong to the first certificate in");
    settings.own =
        (struct tls_certificate_files){.chain = good.chain, .key = certificates_path("nowhere.key")};
    expect_error(&settings, TLS_BACKEND_OWN_CERTIFICATE, "can't open the private key");
    settings.own = good;
    settings.min_version = 0x0999;
    expect_error(&settings, TLS_NO_SOURCE, "TLS towards servers can't be set up");
}
END_TEST

START_TEST(both_files_are_looked_at)
{
    struct problems problems;
    struct tls_backend_settings settings = {
        .ca = certificates_path("nowhere.pem"),
        .verify = true,
        .own = {.chain = certificates_path("no.pem"), .key = certificates_path("no.key")},
        .min_version = TLS_1_2};
    ck_assert_ptr_null(load(&settings, &problems));
    ck_assert_uint_eq(problems.count, 3);
    ck_assert_int_eq(problems.items[0].certificate, TLS_NO_SOURCE);
    ck_assert_int_eq(problems.items[1].certificate, TLS_BACKEND_OWN_CERTIFICATE);
    ck_assert_int_eq(problems.items[2].certificate, TLS_BACKEND_OWN_CERTIFICATE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_backend");
    TCase *tests = tcase_create("backend");
    certificates_open();
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, certificates, 0, ARRAY_LEN(certificate_cases));
    tcase_add_test(tests, an_unknown_authority_is_named);
    tcase_add_test(tests, long_names_are_cut);
    tcase_add_test(tests, unverified);
    tcase_add_test(tests, what_is_offered);
    tcase_add_test(tests, servers_that_speak_otherwise);
    tcase_add_test(tests, own_certificate);
    tcase_add_loop_test(tests, own_key_somewhere_else, 0, OUTSIDE);
    tcase_add_loop_test(tests, own_key_that_is_not_to_be_had, 0, OUTSIDE);
    tcase_add_loop_test(tests, endpoint_that_goes_while_its_key_is_awaited, 0, OUTSIDE);
    tcase_add_loop_test(tests, server_that_sends_on_while_a_key_is_awaited, 0, OUTSIDE);
    tcase_add_loop_test(tests, server_with_many_authorities, 0, OUTSIDE);
    tcase_add_loop_test(tests, sessions_are_resumed, 0, 2);
    tcase_add_test(tests, sessions_of_tls_1_3_are_used_once);
    tcase_add_loop_test(tests, a_refused_session_is_a_whole_handshake, 0, 2);
    tcase_add_loop_test(tests, a_session_ends_with_the_certificate, 0, 2);
    tcase_add_loop_test(tests, resumption_is_given_up, 0, 2);
    tcase_add_loop_test(tests, resumption_is_not_to_blame, 0, 2);
    tcase_add_test(tests, sessions_outlive_what_else_had_the_context);
    tcase_add_loop_test(tests, endpoints_outlive_what_else_had_the_context, 0, 2);
    tcase_add_test(tests, files_that_cannot_be_used);
    tcase_add_test(tests, both_files_are_looked_at);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    external_keys_reset();
    certificates_close();
    return status;
}
