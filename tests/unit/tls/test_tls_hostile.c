/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients of tls_endpoint that break off, lie, or try to make it work or hold more than a client may. */
#include "base/array.h"
#include "certificates.h"
#include "tls_peer.h"
#include "run_suite.h"

#include <openssl/err.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static struct tls_certificate_files ecdsa;

static const struct tls_pair_settings by_version[] = {
    {.certificates = &ecdsa,
     .certificate_count = 1,
     .server_max = TLS_1_2,
     .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {.certificates = &ecdsa, .certificate_count = 1, .server_min = TLS_1_3},
};
enum { VERSIONS = ARRAY_LEN(by_version), TLS_1_2_ONLY = 0, TLS_1_3_ONLY = 1 };

/* What the library takes in a row without anything useful between. */
enum { EMPTY_RECORDS_MAX = 32, WARNINGS_MAX = 4, KEY_UPDATES_MAX = 32 };

static uint8_t forged[1024];
static uint8_t pattern[64 * 1024];

static void expect_failed(const struct tls_peer *peer, const char *words)
{
    ck_assert_int_eq(tls_endpoint_state(peer->server), TLS_FAILED);
    ck_assert_str_eq(tls_endpoint_failure(peer->server), words);
}

static void give(struct tls_peer *peer, const void *data, size_t len)
{
    tls_peer_give(peer, (struct slice){data, len});
}

/* ---- handshakes that break off or are not what was sent ---- */

/* The client's first flight, or the second, up to each of its octets. */
START_TEST(truncated_at_every_octet)
{
    for (int flight = 0; flight < 2; flight++) {
        size_t len = 1;
        for (size_t cut = 0; cut < len; cut++) {
            struct tls_peer peer;
            tls_peer_open(&peer, &by_version[_i]);
            for (int i = 0; i < flight; i++) {
                tls_peer_shake(&peer);
                tls_peer_deliver(&peer, peer.to_server.len);
            }
            tls_peer_shake(&peer);
            len = peer.to_server.len;
            size_t answered = peer.answered;
            tls_peer_deliver(&peer, cut);
            ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_HANDSHAKING);
            ck_assert_ptr_null(tls_endpoint_failure(peer.server));
            ck_assert_uint_eq(peer.plain.len, 0);
            ck_assert_uint_eq(peer.answered, answered);
            tls_peer_close(&peer);
        }
        ck_assert_uint_gt(len, 50);
    }
}
END_TEST

/*
 * Is the octet at `at` the version of a record's header? It is not looked at (RFC 8446 section 5.1) and not
 * authentic.
 */
static bool is_record_version(struct slice flight, size_t at)
{
    size_t start = 0;
    while (start + 5 <= flight.len && start + 5 <= at)
        start += 5 + ((size_t)flight.data[start + 3] << 8 | flight.data[start + 4]);
    return at == start + 1 || at == start + 2;
}

/*
 * One bit of the client's first flight is another, or of its second: both sides never agree on a session. The
 * length of a record may be the one that is changed, so that the server waits for the rest.
 */
START_TEST(changed_at_every_octet)
{
    for (int flight = 0; flight < 2; flight++) {
        size_t len = 1;
        for (size_t at = 0; at < len; at++) {
            struct tls_peer peer;
            tls_peer_open(&peer, &by_version[_i]);
            for (int i = 0; i < 4 && tls_endpoint_state(peer.server) == TLS_HANDSHAKING; i++) {
                tls_peer_shake(&peer);
                bool is_version = false;
                if (i == flight) {
                    len = peer.to_server.len;
                    is_version = is_record_version(bytes_view(&peer.to_server), at);
                    peer.to_server.data[at] ^= (uint8_t)(1u << at % 8);
                }
                tls_peer_deliver(&peer, peer.to_server.len);
                if (is_version)
                    break;
                ck_assert_msg(tls_endpoint_state(peer.server) != TLS_OPEN, "flight %d, octet %zu", flight,
                              at);
            }
            ck_assert_uint_eq(peer.plain.len, 0);
            tls_peer_close(&peer);
        }
    }
}
END_TEST

START_TEST(no_group_in_common)
{
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[_i]);
    ck_assert(SSL_set1_curves_list(peer.client, "P-521"));
    tls_peer_shake(&peer);
    tls_peer_deliver(&peer, peer.to_server.len);
    /* TLS 1.2 finds no suite that it could use without a group. */
    expect_failed(&peer,
                  _i == TLS_1_3_ONLY ? "no key exchange group in common" : "no cipher suite in common");
    tls_peer_close(&peer);
}
END_TEST

START_TEST(no_signature_in_common)
{
    static const uint16_t rsa_only[] = {SSL_SIGN_RSA_PSS_RSAE_SHA256};
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[_i]);
    ck_assert(SSL_set_verify_algorithm_prefs(peer.client, rsa_only, 1));
    tls_peer_shake(&peer);
    tls_peer_deliver(&peer, peer.to_server.len);
    expect_failed(&peer, "no signature algorithm in common");
    tls_peer_close(&peer);
}
END_TEST

/* The begin of a message, with its length. */
START_TEST(client_hello_that_is_too_long)
{
    static const struct {
        uint8_t hello[9];
        bool is_refused;
    } cases[] = {
        {{22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff}, true}, /* 16 MB */
        {{22, 3, 1, 0, 4, 1, 0x00, 0x40, 0x01}, true}, /* 16 KB and an octet */
        {{22, 3, 1, 0, 4, 1, 0x00, 0x40, 0x00}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_peer peer;
        tls_peer_open(&peer, &by_version[_i]);
        give(&peer, cases[i].hello, sizeof cases[i].hello);
        if (cases[i].is_refused)
            expect_failed(&peer, "EXCESSIVE_MESSAGE_SIZE");
        else
            ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_HANDSHAKING);
        tls_peer_close(&peer);
    }
}
END_TEST

/* Message type, length and record header are what counts: what would be in it has not come. */
START_TEST(record_that_is_too_long)
{
    static const uint8_t header[] = {23, 3, 3, 0x48, 0x01}; /* 2^14 + 2048 + 1 (RFC 5246 6.2.3) */
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[_i]);
    tls_peer_connect(&peer);
    give(&peer, header, sizeof header);
    ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_FAILED);
    tls_peer_close(&peer);
}
END_TEST

/* Before its ClientHello, or after it: there is no session yet, and so there is none later. */
START_TEST(close_notify_in_the_handshake)
{
    static const uint8_t close_notify[] = {21, 3, 3, 0, 2, 1, 0};
    for (int flights = 0; flights < 2; flights++) {
        struct tls_peer peer;
        tls_peer_open(&peer, &by_version[_i]);
        for (int i = 0; i < flights; i++) {
            tls_peer_shake(&peer);
            tls_peer_deliver(&peer, peer.to_server.len);
        }
        give(&peer, close_notify, sizeof close_notify);
        /* After a ClientHello of TLS 1.3 the library takes it for something sealed. */
        expect_failed(&peer, "peer closed the connection in the handshake");
        tls_peer_close(&peer);
    }
}
END_TEST

/* ---- floods ---- */

static void give_records(struct tls_peer *peer, const void *record, size_t len, size_t count)
{
    for (size_t i = 0; i < count && tls_endpoint_state(peer->server) != TLS_FAILED; i++)
        give(peer, record, len);
}

START_TEST(empty_records_in_a_handshake)
{
    static const uint8_t empty[] = {22, 3, 1, 0, 0};
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[_i]);
    give_records(&peer, empty, sizeof empty, EMPTY_RECORDS_MAX);
    ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_HANDSHAKING);
    give_records(&peer, empty, sizeof empty, 1);
    expect_failed(&peer, "TOO_MANY_EMPTY_FRAGMENTS");
    tls_peer_close(&peer);
}
END_TEST

static void give_forged(struct tls_peer *peer, uint8_t type, const void *data, size_t len, size_t count)
{
    uint64_t sequence = SSL_get_write_sequence(peer->client);
    for (size_t i = 0; i < count && tls_endpoint_state(peer->server) != TLS_FAILED; i++)
        give(peer, forged, tls_peer_forge(peer, type, (struct slice){data, len}, sequence + i, forged));
}

START_TEST(empty_records_in_a_session)
{
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[TLS_1_2_ONLY]);
    tls_peer_connect(&peer);
    give_forged(&peer, 23, "a1 NOOP\r\n", 9, 1); /* the forger is right */
    ck_assert(slice_equals(bytes_view(&peer.plain), slice_of("a1 NOOP\r\n")));
    tls_peer_close(&peer);
    tls_peer_open(&peer, &by_version[TLS_1_2_ONLY]);
    tls_peer_connect(&peer);
    give_forged(&peer, 23, "", 0, EMPTY_RECORDS_MAX);
    ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_OPEN);
    tls_peer_close(&peer);
    tls_peer_open(&peer, &by_version[TLS_1_2_ONLY]);
    tls_peer_connect(&peer);
    give_forged(&peer, 23, "", 0, EMPTY_RECORDS_MAX + 1);
    expect_failed(&peer, "TOO_MANY_EMPTY_FRAGMENTS");
    tls_peer_close(&peer);
}
END_TEST

START_TEST(warnings)
{
    static const uint8_t warning[] = {1, 90}; /* user_canceled */
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[TLS_1_2_ONLY]);
    tls_peer_connect(&peer);
    give_forged(&peer, 21, warning, sizeof warning, WARNINGS_MAX);
    ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_OPEN);
    tls_peer_close(&peer);
    tls_peer_open(&peer, &by_version[TLS_1_2_ONLY]);
    tls_peer_connect(&peer);
    give_forged(&peer, 21, warning, sizeof warning, WARNINGS_MAX + 1);
    expect_failed(&peer, "TOO_MANY_WARNING_ALERTS");
    tls_peer_close(&peer);
}
END_TEST

START_TEST(key_updates)
{
    static const int kinds[] = {SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_NOT_REQUESTED};
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[TLS_1_3_ONLY]);
    tls_peer_connect(&peer);
    for (int i = 0; i <= KEY_UPDATES_MAX; i++) {
        ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_OPEN);
        ck_assert(SSL_key_update(peer.client, kinds[_i]));
        /* It is sent with the next write; without one the library keeps it. */
        SSL_write(peer.client, "", 0);
        tls_peer_collect(&peer);
        ck_assert_uint_gt(peer.to_server.len, 0);
        tls_peer_deliver(&peer, peer.to_server.len);
    }
    expect_failed(&peer, "TOO_MANY_KEY_UPDATES");
    tls_peer_close(&peer);
}
END_TEST

/* With an octet between, any number is allowed: it must not make the server send as many answers. */
START_TEST(key_updates_with_data_between)
{
    enum { TIMES = 3000 };
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[TLS_1_3_ONLY]);
    tls_peer_connect(&peer);
    size_t answered = peer.answered;
    for (size_t i = 0; i < TIMES; i++) {
        ck_assert(SSL_key_update(peer.client, SSL_KEY_UPDATE_REQUESTED));
        ck_assert_int_eq(SSL_write(peer.client, pattern + i, 1), 1);
    }
    tls_peer_collect(&peer);
    tls_peer_deliver(&peer, peer.to_server.len);
    ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_OPEN);
    ck_assert(slice_equals(bytes_view(&peer.plain), (struct slice){pattern, TIMES}));
    ck_assert_uint_le(peer.answered - answered, 100);
    /* The answer is sent with the server's next data, and both ends still understand each other. */
    struct slice words = slice_of("* OK\r\n");
    char heard[16];
    ck_assert(tls_endpoint_seal(peer.server, &words, 1));
    give(&peer, "", 0);
    ck_assert_int_eq(SSL_read(peer.client, heard, sizeof heard), (int)words.len);
    ck_assert_mem_eq(heard, words.data, words.len);
    tls_peer_close(&peer);
}
END_TEST

/* ---- what is refused inside of a session ---- */

/* A ClientHello in a session of TLS 1.2, properly sealed. */
START_TEST(renegotiation)
{
    struct tls_peer peer;
    uint8_t hello[512];
    tls_peer_open(&peer, &by_version[TLS_1_2_ONLY]);
    tls_peer_shake(&peer);
    size_t len = peer.to_server.len - 5;
    ck_assert_uint_le(len, sizeof hello);
    memcpy(hello, peer.to_server.data + 5, len);
    tls_peer_connect(&peer);
    size_t answered = peer.answered;
    give_forged(&peer, 22, hello, len, 1);
    expect_failed(&peer, "NO_RENEGOTIATION");
    ck_assert_uint_gt(peer.answered, answered); /* an alert */
    tls_peer_close(&peer);
}
END_TEST

static SSL_SESSION *ticket;

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

/*
 * A client that may send early data and wants to: the ticket does not allow it, and nothing comes before its
 * time.
 */
START_TEST(no_early_data)
{
    static const char command[] = "a1 LOGIN joe secret\r\n";
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[TLS_1_3_ONLY]);
    SSL_CTX_set_session_cache_mode(peer.client_context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(peer.client_context, keep_ticket);
    tls_peer_connect(&peer);
    /* The ticket is sent with the first data. */
    struct slice words = slice_of("* OK\r\n");
    char heard[16];
    ck_assert(tls_endpoint_seal(peer.server, &words, 1));
    give(&peer, "", 0);
    ck_assert_int_eq(SSL_read(peer.client, heard, sizeof heard), (int)words.len);
    ck_assert_ptr_nonnull(ticket);
    ck_assert(!SSL_SESSION_early_data_capable(ticket));
    SSL *first = peer.client;
    struct tls_endpoint *first_server = peer.server;
    peer.server = tls_endpoint_new_server(peer.context, peer.io, NULL);
    peer.client = SSL_new(peer.client_context);
    SSL_set_connect_state(peer.client);
    SSL_set_bio(peer.client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(peer.client), -1);
    SSL_set_early_data_enabled(peer.client, 1);
    ck_assert(SSL_set_session(peer.client, ticket));
    ck_assert_int_le(SSL_write(peer.client, command, (int)strlen(command)), 0);
    tls_peer_connect(&peer);
    ck_assert(tls_endpoint_info(peer.server).resumed);
    ck_assert(!SSL_early_data_accepted(peer.client));
    ck_assert_uint_eq(peer.plain.len, 0);
    SSL_free(first);
    tls_endpoint_free(&first_server);
    SSL_SESSION_free(ticket);
    ticket = NULL;
    tls_peer_close(&peer);
}
END_TEST

/* ---- records ---- */

START_TEST(records_of_one_octet)
{
    enum { OCTETS = 20000 };
    static const size_t chunks[] = {1, 7, 4096, SIZE_MAX};
    for (size_t c = 0; c < ARRAY_LEN(chunks); c++) {
        struct tls_peer peer;
        size_t octets = chunks[c] == 1 ? 500 : OCTETS;
        tls_peer_open(&peer, &by_version[_i]);
        tls_peer_connect(&peer);
        for (size_t i = 0; i < octets; i++)
            ck_assert_int_eq(SSL_write(peer.client, pattern + i, 1), 1);
        tls_peer_collect(&peer);
        for (struct slice rest = bytes_view(&peer.to_server); rest.len > 0;
             rest = slice_from(rest, chunks[c]))
            tls_peer_give(&peer, slice_first(rest, chunks[c]));
        ck_assert(slice_equals(bytes_view(&peer.plain), (struct slice){pattern, octets}));
        tls_peer_close(&peer);
    }
}
END_TEST

/*
 * Nothing of a record is given before its last octet is there and has been found authentic; then all of it.
 */
START_TEST(largest_record_octet_by_octet)
{
    enum { LARGEST = 16384 };
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[_i]);
    tls_peer_connect(&peer);
    ck_assert_int_eq(SSL_write(peer.client, pattern, LARGEST), LARGEST);
    tls_peer_collect(&peer);
    ck_assert_uint_eq(tls_count_records(bytes_view(&peer.to_server), TLS_RECORD_DATA), 1);
    struct slice record = bytes_view(&peer.to_server);
    for (size_t i = 0; i + 1 < record.len; i++) {
        tls_peer_give(&peer, slice_sub(record, i, 1));
        ck_assert_uint_eq(peer.plain.len, 0);
    }
    /* A connection that ends here has not been closed in order, and what came is not to be used. */
    ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_OPEN);
    tls_peer_give(&peer, slice_sub(record, record.len - 1, 1));
    ck_assert(slice_equals(bytes_view(&peer.plain), (struct slice){pattern, LARGEST}));
    tls_peer_close(&peer);
}
END_TEST

/*
 * Behind a whole record the connection ends: what is whole counters, but nobody may take it for the client's
 * last word.
 */
START_TEST(end_without_alert)
{
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[_i]);
    tls_peer_connect(&peer);
    ck_assert_int_eq(SSL_write(peer.client, "a1 NOOP\r\n", 9), 9);
    ck_assert_int_eq(SSL_write(peer.client, "a2 NOOP\r\n", 9), 9);
    tls_peer_collect(&peer);
    tls_peer_deliver(&peer, peer.to_server.len - 1);
    ck_assert(slice_equals(bytes_view(&peer.plain), slice_of("a1 NOOP\r\n")));
    ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_OPEN);
    tls_peer_close(&peer);
    tls_peer_open(&peer, &by_version[_i]);
    tls_peer_connect(&peer);
    ck_assert_int_eq(SSL_write(peer.client, "a1 NOOP\r\n", 9), 9);
    SSL_shutdown(peer.client);
    tls_peer_collect(&peer);
    tls_peer_deliver(&peer, peer.to_server.len);
    ck_assert_int_eq(tls_endpoint_state(peer.server), TLS_PEER_CLOSED);
    tls_peer_close(&peer);
}
END_TEST

/* ---- memory ---- */

#if !defined(TEST_IS_SANITIZED)

enum {
    MEASURED = 50,
    /* Measured: 4.5 KB as it begins, 43 KB at the most that a client can make it hold. */
    HELD_BEFORE_HELLO_MAX = 8 * 1024,
    HELD_BEHIND_HELLO_MAX = 16 * 1024,
    HELD_MAX = 48 * 1024
};

static size_t heap(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* What an endpoint holds for a client that has sent these octets and no more. */
static size_t held_behind(const struct tls_pair_settings *settings, const uint8_t *octets, size_t len)
{
    static struct tls_endpoint *kept[MEASURED];
    static uint8_t plain[64 * 1024 + TLS_PLAIN_SLACK];
    struct tls_context *context = tls_pair_server_context(settings);
    struct tls_io *io = tls_io_new(64 * 1024);
    size_t before = 0;
    for (size_t i = 0; i < MEASURED; i++) {
        if (i == 1)
            before = heap();
        kept[i] = tls_endpoint_new_server(context, io, NULL);
        tls_endpoint_receive(kept[i], (struct slice){octets, len}, plain);
        ck_assert_int_eq(tls_endpoint_state(kept[i]), TLS_HANDSHAKING);
    }
    size_t each = (heap() - before) / (MEASURED - 1);
    for (size_t i = 0; i < MEASURED; i++)
        tls_endpoint_free(&kept[i]);
    tls_io_free(&io);
    tls_context_unref(&context);
    return each;
}

START_TEST(memory_of_a_client_that_sends_no_end)
{
    /* A ClientHello of 16,384 octets, all but the last, in records as large as they may be. */
    static uint8_t flood[5 + 16384 + 5 + 16384];
    static const uint8_t header[] = {22, 3, 1, 0x40, 0x00, 1, 0x00, 0x40, 0x00};
    static const uint8_t second[] = {22, 3, 1, 0x40, 0x00};
    memcpy(flood, header, sizeof header);
    memcpy(flood + 5 + 16384, second, sizeof second);
    size_t silent = held_behind(&by_version[_i], flood, 0);
    ck_assert_msg(silent <= HELD_BEFORE_HELLO_MAX, "a silent client: %zu", silent);
    /* One record short of an octet; the whole record and the message short of one; a further record begun. */
    static const size_t sent[] = {5 + 16383, 5 + 16384, 5 + 16384 + 5 + 3};
    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        size_t held = held_behind(&by_version[_i], flood, sent[i]);
        ck_assert_msg(held <= HELD_MAX, "behind %zu octets: %zu", sent[i], held);
    }
}
END_TEST

/* It has its answer, and does not continue. */
START_TEST(memory_of_a_client_that_does_not_finish)
{
    struct tls_peer peer;
    tls_peer_open(&peer, &by_version[_i]);
    tls_peer_shake(&peer);
    size_t held = held_behind(&by_version[_i], peer.to_server.data, peer.to_server.len);
    ck_assert_msg(held <= HELD_BEHIND_HELLO_MAX, "%zu", held);
    tls_peer_close(&peer);
}
END_TEST

#define CAN_MEASURE_HEAP 1
#else
#define CAN_MEASURE_HEAP 0
#endif

/* ---- */

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, truncated_at_every_octet, 0, VERSIONS);
    tcase_add_loop_test(tests, changed_at_every_octet, 0, VERSIONS);
    tcase_add_loop_test(tests, no_group_in_common, 0, VERSIONS);
    tcase_add_loop_test(tests, no_signature_in_common, 0, VERSIONS);
    tcase_add_loop_test(tests, client_hello_that_is_too_long, 0, VERSIONS);
    tcase_add_loop_test(tests, record_that_is_too_long, 0, VERSIONS);
    tcase_add_loop_test(tests, close_notify_in_the_handshake, 0, VERSIONS);
    tcase_add_loop_test(tests, empty_records_in_a_handshake, 0, VERSIONS);
    tcase_add_test(tests, empty_records_in_a_session);
    tcase_add_test(tests, warnings);
    tcase_add_loop_test(tests, key_updates, 0, 2);
    tcase_add_test(tests, key_updates_with_data_between);
    tcase_add_test(tests, renegotiation);
    tcase_add_test(tests, no_early_data);
    tcase_add_loop_test(tests, records_of_one_octet, 0, VERSIONS);
    tcase_add_loop_test(tests, largest_record_octet_by_octet, 0, VERSIONS);
    tcase_add_loop_test(tests, end_without_alert, 0, VERSIONS);
#if CAN_MEASURE_HEAP
    tcase_add_loop_test(tests, memory_of_a_client_that_sends_no_end, 0, VERSIONS);
    tcase_add_loop_test(tests, memory_of_a_client_that_does_not_finish, 0, VERSIONS);
#endif
}

int main(void)
{
    Suite *suite = suite_create("tls_hostile");
    TCase *tests = tcase_create("hostile clients");
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 167 + i / 256);
    certificates_open();
    ecdsa = certificate_make(&(struct certificate_wish){.names = {"mail.example.com"}});
    tcase_set_timeout(tests, 120);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
