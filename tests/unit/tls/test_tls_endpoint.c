/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "certificates.h"
#include "tls_pair.h"
#include "run_suite.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tls_certificate_files ecdsa;
static struct tls_certificate_files rsa;
static struct tls_certificate_files named[3];

static const struct tls_pair_settings by_version[] = {
    {.certificates = &ecdsa, .certificate_count = 1, .server_max = TLS_1_2},
    {.certificates = &ecdsa, .certificate_count = 1, .server_min = TLS_1_3},
    {.certificates = &rsa, .certificate_count = 1, .client_max = TLS_1_2},
    {.certificates = &rsa, .certificate_count = 1, .client_min = TLS_1_3},
};
enum { VERSIONS = ARRAY_LEN(by_version) };

/* Octets that differ at every place, so that a loss or a swap is seen. */
static uint8_t pattern[300 * 1024];

static void make_pattern(void)
{
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < sizeof pattern; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        pattern[i] = (uint8_t)x;
    }
}

static void expect_plain(const struct tls_pair_end *end, const uint8_t *data, size_t len)
{
    ck_assert_uint_eq(end->plain.len, len);
    ck_assert(slice_equals(bytes_view(&end->plain), (struct slice){data, len}));
}

/* ---- handshake ---- */

START_TEST(handshake_in_any_chunks)
{
    static const size_t chunks[] = {0, 1, 3, 5, 7, 100, 517, 1460};
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        struct tls_pair pair;
        tls_pair_connect(&pair, &by_version[_i], chunks[i]);
        struct slice hello = slice_of("* OK ready\r\n");
        tls_pair_send(&pair, &pair.server, &hello, 1);
        tls_pair_move(&pair, chunks[i]);
        expect_plain(&pair.client, hello.data, hello.len);
        tls_pair_close(&pair);
    }
}
END_TEST

START_TEST(data_glued_to_the_handshake)
{
    struct tls_pair pair;
    tls_pair_open(&pair, &by_version[_i]);
    while (tls_endpoint_state(pair.client.endpoint) == TLS_HANDSHAKING) {
        tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len);
        tls_pair_deliver(&pair, &pair.client, pair.client.incoming.len);
    }
    struct slice early = {pattern, 40000};
    tls_pair_send(&pair, &pair.client, &early, 1);
    tls_pair_send_close(&pair, &pair.client);
    tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len);
    expect_plain(&pair.server, pattern, 40000);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_PEER_CLOSED);
    tls_pair_close(&pair);
}
END_TEST

START_TEST(handshake_that_stalls)
{
    struct tls_pair pair;
    tls_pair_open(&pair, &by_version[_i]);
    tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len - 1);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_HANDSHAKING);
    ck_assert_ptr_null(tls_endpoint_failure(pair.server.endpoint));
    ck_assert_uint_eq(pair.client.incoming.len, 0);
    ck_assert_ptr_null(tls_endpoint_info(pair.server.endpoint).version);
    ck_assert_ptr_null(tls_endpoint_info(pair.server.endpoint).cipher);
    /* There is no session to close. */
    tls_pair_send_close(&pair, &pair.server);
    ck_assert_uint_eq(pair.client.incoming.len, 0);
    tls_pair_close(&pair);
}
END_TEST

/* ---- data ---- */

START_TEST(data_of_every_size_both_ways)
{
    static const size_t sizes[] = {0, 1, 2, 16383, 16384, 16385, 32768, 65536, 65537, 200000};
    static const size_t chunks[] = {0, 1461, 20000};
    struct tls_pair pair;
    tls_pair_connect(&pair, &by_version[_i], 0);
    size_t total = 0;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (size_t j = 0; j < ARRAY_LEN(chunks); j++) {
            struct slice data = {pattern + i, sizes[i]};
            tls_pair_send(&pair, &pair.server, &data, 1);
            tls_pair_send(&pair, &pair.client, &data, 1);
            tls_pair_move(&pair, chunks[j]);
            expect_plain(&pair.client, data.data, data.len);
            expect_plain(&pair.server, data.data, data.len);
            bytes_free(&pair.client.plain);
            bytes_free(&pair.server.plain);
            total += sizes[i];
        }
    ck_assert_uint_gt(total, 0);
    tls_pair_close(&pair);
}
END_TEST

START_TEST(data_byte_by_byte)
{
    struct tls_pair pair;
    struct slice data = {pattern, 20000};
    tls_pair_connect(&pair, &by_version[_i], 1);
    tls_pair_send(&pair, &pair.client, &data, 1);
    tls_pair_move(&pair, 1);
    expect_plain(&pair.server, pattern, 20000);
    tls_pair_close(&pair);
}
END_TEST

static size_t records_of(struct tls_pair *pair, const size_t *sizes, size_t count)
{
    struct slice slices[256];
    size_t at = 0;
    ck_assert_uint_le(count, 256);
    for (size_t i = 0; i < count; at += sizes[i++])
        slices[i] = (struct slice){pattern + at, sizes[i]};
    tls_pair_send(pair, &pair->server, slices, count);
    size_t records = tls_count_records(bytes_view(&pair->client.incoming), TLS_RECORD_DATA);
    tls_pair_move(pair, 0);
    expect_plain(&pair->client, pattern, at);
    bytes_free(&pair->client.plain);
    return records;
}

START_TEST(small_slices_share_records)
{
    static const struct {
        size_t sizes[8];
        size_t count;
        size_t records;
    } cases[] = {
        {{10}, 1, 1},
        {{10, 20, 30}, 3, 1},
        {{0, 0, 0}, 3, 0},
        {{10, 0, 30, 0}, 4, 1},
        {{16383, 1}, 2, 1},
        {{16383, 2}, 2, 2},
        {{16384, 1}, 2, 2},
        {{1, 16384, 1}, 3, 3},
        {{4096, 4096, 4096, 4096}, 4, 1},
        {{4096, 4096, 4096, 4096, 1}, 5, 2},
        {{100, 40000, 100}, 3, 5},
        {{40000}, 1, 3},
    };
    struct tls_pair pair;
    tls_pair_connect(&pair, &by_version[_i], 0);
    /* A ticket of TLS 1.3 is sent with the first data. */
    records_of(&pair, cases[0].sizes, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t records = records_of(&pair, cases[i].sizes, cases[i].count);
        ck_assert_msg(records == cases[i].records, "case %zu: %zu records", i, records);
    }
    tls_pair_close(&pair);
}
END_TEST

START_TEST(any_slices_stay_in_order_and_in_bounds)
{
    struct tls_pair pair;
    uint32_t x = 88675123u;
    tls_pair_connect(&pair, &by_version[_i], 0);
    for (int round = 0; round < 60; round++) {
        size_t sizes[128];
        size_t total = 0;
        size_t count = 0;
        while (count < 128) {
            x = x * 1664525u + 1013904223u;
            /* Small ones mostly, as lines are; a large one now and then. */
            size_t size = (x >> 16) % ((x >> 8) % 16 == 0 ? 40000 : 300);
            if (total + size > sizeof pattern)
                break;
            sizes[count++] = size;
            total += size;
        }
        size_t records = records_of(&pair, sizes, count);
        /* Never more than two records for each record's worth of octets, and one more. */
        ck_assert_uint_le(records, 2 * (total / 16384 + 1) + 1);
    }
    tls_pair_close(&pair);
}
END_TEST

/* ---- errors of others ---- */

/* As a call of the library leaves it, for anybody in the thread, who does not look at its error. */
static void leave_error(void)
{
    ERR_put_error(ERR_LIB_SSL, 0, SSL_R_UNSUPPORTED_PROTOCOL, __FILE__, __LINE__);
}

static void deliver_after_error(struct tls_pair *pair, struct tls_pair_end *to, size_t count)
{
    leave_error();
    tls_pair_deliver(pair, to, count);
}

/* An endpoint is not blamed for an error that was there before a call. */
START_TEST(errors_that_others_have_left)
{
    struct tls_pair pair;
    struct slice words = slice_of("* OK");
    leave_error();
    tls_pair_open(&pair, &by_version[_i]);
    while (pair.client.incoming.len > 0 || pair.server.incoming.len > 0) {
        deliver_after_error(&pair, &pair.server, pair.server.incoming.len);
        deliver_after_error(&pair, &pair.client, pair.client.incoming.len);
    }
    leave_error();
    tls_pair_send(&pair, &pair.server, &words, 1);
    deliver_after_error(&pair, &pair.client, 1);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_OPEN);
    deliver_after_error(&pair, &pair.client, pair.client.incoming.len);
    expect_plain(&pair.client, words.data, words.len);
    leave_error();
    tls_pair_send_close(&pair, &pair.server);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    deliver_after_error(&pair, &pair.client, pair.client.incoming.len);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_PEER_CLOSED);
    tls_pair_close(&pair);
}
END_TEST

/* ---- the end ---- */

START_TEST(close_notify_both_ways)
{
    struct tls_pair pair;
    tls_pair_connect(&pair, &by_version[_i], 0);
    tls_pair_send_close(&pair, &pair.server);
    ck_assert_uint_gt(pair.client.incoming.len, 0);
    /* Once only. */
    size_t before = pair.client.incoming.len;
    tls_pair_send_close(&pair, &pair.server);
    ck_assert_uint_eq(pair.client.incoming.len, before);
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_PEER_CLOSED);
    ck_assert_ptr_null(tls_endpoint_failure(pair.client.endpoint));
    ck_assert_int_eq(tls_endpoint_failure_kind(pair.client.endpoint), TLS_FAILURE_NONE);
    tls_pair_send_close(&pair, &pair.client);
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_PEER_CLOSED);
    ck_assert_ptr_null(tls_endpoint_failure(pair.server.endpoint));
    tls_pair_close(&pair);
}
END_TEST

START_TEST(last_words_after_the_peers_close_notify)
{
    struct tls_pair pair;
    struct slice words = slice_of("* BYE\r\na1 OK\r\n");
    tls_pair_connect(&pair, &by_version[_i], 0);
    tls_pair_send_close(&pair, &pair.client);
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_PEER_CLOSED);
    tls_pair_send(&pair, &pair.server, &words, 1);
    tls_pair_send_close(&pair, &pair.server);
    tls_pair_move(&pair, 0);
    expect_plain(&pair.client, words.data, words.len);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_PEER_CLOSED);
    tls_pair_close(&pair);
}
END_TEST

START_TEST(nothing_comes_after_close_notify)
{
    struct tls_pair pair;
    tls_pair_connect(&pair, &by_version[_i], 0);
    tls_pair_send_close(&pair, &pair.client);
    ck_assert(bytes_append(&pair.server.incoming, (struct slice){pattern, 5000}, SIZE_MAX));
    tls_pair_move(&pair, 0);
    ck_assert(bytes_append(&pair.server.incoming, (struct slice){pattern, 5000}, SIZE_MAX));
    tls_pair_move(&pair, 0);
    expect_plain(&pair.server, pattern, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_PEER_CLOSED);
    tls_pair_close(&pair);
}
END_TEST

/* ---- failures ---- */

#define SET_CLIENT ": set it to SSL/TLS for this port, or to a port of a service with tls = \"starttls\""
#define SAYS_HTTP                                                                                            \
    "client speaks HTTP, not TLS: this port is for mail; is a health check of HTTP set to it, in place of "  \
    "one of TCP?"
#define SAYS_PROXY                                                                                           \
    "client sends a header of the PROXY protocol, which no service here expects: turn it off in the "        \
    "balancer before this port (HAProxy: send-proxy; nginx: proxy_protocol)"

static void expect_failure(const struct tls_endpoint *endpoint, const char *words)
{
    ck_assert_int_eq(tls_endpoint_state(endpoint), TLS_FAILED);
    ck_assert_str_eq(tls_endpoint_failure(endpoint), words);
}

START_TEST(what_is_not_tls)
{
    static const struct {
        const char *input;
        size_t len;
        const char *words;
    } cases[] = {
        {"a1 CAPABILITY\r\na2 LOGOUT\r\n", 0, "client speaks IMAP in the clear, not TLS" SET_CLIENT},
        {"NHKF0 LOGIN joe x\r\n", 0, "client speaks IMAP in the clear, not TLS" SET_CLIENT},
        {"USER joe\r\n", 0, "client speaks POP3 in the clear, not TLS" SET_CLIENT},
        {"CAPA\r\n", 0, "client speaks POP3 in the clear, not TLS" SET_CLIENT},
        {"EHLO client.example\r\n", 0, "client speaks SMTP in the clear, not TLS" SET_CLIENT},
        {"helo client.example\r\n", 0, "client speaks SMTP in the clear, not TLS" SET_CLIENT},
        {"\r\n\r\n\r\n", 0, "client speaks cleartext, not TLS" SET_CLIENT},
        {"QUIT\r\n", 0, "client speaks cleartext, not TLS" SET_CLIENT},
        {"GET / HTTP/1.1\r\nHost: mail.example.com\r\n\r\n", 0, SAYS_HTTP},
        {"POST / HTTP/1.1\r\n\r\n", 0, SAYS_HTTP},
        {"OPTIONS / HTTP/1.0\r\n\r\n", 0, SAYS_HTTP},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, SAYS_HTTP},
        {"CONNECT mail.example.com:443 HTTP/1.1\r\n\r\n", 0, SAYS_HTTP},
        {"SSH-2.0-OpenSSH_9.2\r\n", 0, "client speaks SSH, not TLS: this port is for mail"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 993\r\n", 0, SAYS_PROXY},
        {"PROXY UNKNOWN\r\n", 0, SAYS_PROXY},
        {"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16, SAYS_PROXY},
        {"\x16\x09\x00\x00\x05junk!", 10, "client does not speak TLS"},
        {"\x00\x00\x00\x00\x00\x00\x00\x00", 8, "client does not speak TLS"},
        {"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", 8, "client does not speak TLS"},
        {"\x15\x03\x01\x00\x02\x01\x00", 7, "peer closed the connection in the handshake"},
        {"\x17\x03\x03\x00\x05junk!", 10, NULL},
        {"\x16\x03\x01\x00\x05\x09\x00\x00\x01!", 10, NULL},
        {"\x16\x03\x01\xff\xff\x01\x00\x00\x01!", 10, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t chunk = 0; chunk < 2; chunk++) {
            struct tls_pair pair;
            size_t len = cases[i].len > 0 ? cases[i].len : strlen(cases[i].input);
            tls_pair_open(&pair, &by_version[_i]);
            bytes_free(&pair.server.incoming);
            struct slice input = {(const uint8_t *)cases[i].input, len};
            ck_assert(bytes_append(&pair.server.incoming, input, SIZE_MAX));
            while (pair.server.incoming.len > 0)
                tls_pair_deliver(&pair, &pair.server, chunk > 0 ? 1 : len);
            ck_assert_msg(tls_endpoint_state(pair.server.endpoint) == TLS_FAILED, "case %zu", i);
            const char *words = tls_endpoint_failure(pair.server.endpoint);
            ck_assert_msg(words[0] != '\0' && (cases[i].words == NULL || strcmp(words, cases[i].words) == 0),
                          "case %zu, %s: %s", i, chunk > 0 ? "byte by byte" : "whole", words);
            tls_pair_close(&pair);
        }
}
END_TEST

START_TEST(garbage_instead_of_a_record)
{
    struct tls_pair pair;
    tls_pair_connect(&pair, &by_version[_i], 0);
    ck_assert(bytes_append(&pair.server.incoming, slice_of("a1 LOGIN joe secret\r\n"), SIZE_MAX));
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_FAILED);
    ck_assert_str_ne(tls_endpoint_failure(pair.server.endpoint), "");
    ck_assert_uint_eq(pair.server.plain.len, 0);
    tls_pair_close(&pair);
}
END_TEST

START_TEST(corrupted_record)
{
    struct tls_pair pair;
    struct slice data[] = {slice_of("a1 NOOP\r\n"), slice_of("a2 NOOP\r\n")};
    tls_pair_connect(&pair, &by_version[_i], 0);
    tls_pair_send(&pair, &pair.client, &data[0], 1);
    size_t good = pair.server.incoming.len;
    tls_pair_send(&pair, &pair.client, &data[1], 1);
    pair.server.incoming.data[good + 12] ^= 1;
    tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len);
    /* What was complete before it stays. */
    expect_plain(&pair.server, data[0].data, data[0].len);
    expect_failure(pair.server.endpoint, "a record was damaged or forged on its way");
    ck_assert_uint_gt(pair.client.incoming.len, 0);
    tls_pair_deliver(&pair, &pair.client, pair.client.incoming.len);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_FAILED);
    /* A failure stays. */
    ck_assert_uint_eq(tls_endpoint_receive(pair.server.endpoint, data[0], pattern), 0);
    tls_pair_send_close(&pair, &pair.server);
    ck_assert_uint_eq(pair.client.incoming.len, 0);
    expect_failure(pair.server.endpoint, "a record was damaged or forged on its way");
    tls_pair_close(&pair);
}
END_TEST

START_TEST(record_that_came_twice)
{
    struct tls_pair pair;
    struct slice data = slice_of("a1 NOOP\r\n");
    tls_pair_connect(&pair, &by_version[_i], 0);
    tls_pair_send(&pair, &pair.client, &data, 1);
    uint8_t copy[256];
    struct slice record = {copy, pair.server.incoming.len};
    ck_assert_uint_le(record.len, sizeof copy);
    memcpy(copy, pair.server.incoming.data, record.len);
    ck_assert(bytes_append(&pair.server.incoming, record, SIZE_MAX));
    tls_pair_deliver(&pair, &pair.server, 2 * record.len);
    expect_plain(&pair.server, data.data, data.len);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_FAILED);
    tls_pair_close(&pair);
}
END_TEST

START_TEST(nothing_in_common)
{
    static const struct {
        struct tls_pair_settings settings;
        const char *words;
    } cases[] = {
        {{.certificates = &ecdsa, .certificate_count = 1, .server_min = TLS_1_3, .client_max = TLS_1_2},
         "no TLS version in common"},
        {{.certificates = &ecdsa, .certificate_count = 1, .client_min = TLS_1_0, .client_max = TLS_1_1},
         "no TLS version in common"},
        {{.certificates = &ecdsa,
          .certificate_count = 1,
          .client_max = TLS_1_2,
          .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"},
         "no cipher suite in common"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_pair pair;
        tls_pair_open(&pair, &cases[i].settings);
        tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len);
        expect_failure(pair.server.endpoint, cases[i].words);
        ck_assert_uint_eq(tls_count_records(bytes_view(&pair.client.incoming), TLS_RECORD_ALERT), 1);
        tls_pair_move(&pair, 0);
        ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_FAILED);
        tls_pair_close(&pair);
    }
}
END_TEST

START_TEST(peer_that_goes_away_with_an_alert)
{
    struct tls_pair pair;
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 48}; /* fatal, unknown_ca */
    tls_pair_open(&pair, &by_version[_i]);
    tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len);
    struct slice input = {alert, sizeof alert};
    ck_assert(bytes_append(&pair.server.incoming, input, SIZE_MAX));
    tls_pair_deliver(&pair, &pair.server, sizeof alert);
    expect_failure(pair.server.endpoint, "client does not trust the certificate's issuer (alert unknown_ca)");
    ck_assert_int_eq(tls_endpoint_failure_kind(pair.server.endpoint), TLS_FAILURE_UNKNOWN_CA);
    tls_pair_close(&pair);
}
END_TEST

/* As OpenSSL's clients do it: in TLS 1.3 a record was to be encrypted there. */
static const struct {
    uint8_t alert;
    enum tls_failure kind;
    const char *words;
} clear_alerts[] = {
    {48, TLS_FAILURE_UNKNOWN_CA, "client does not trust the certificate's issuer (alert unknown_ca)"},
    {42, TLS_FAILURE_BAD_CERTIFICATE,
     "client does not trust the certificate, or it has another name (alert bad_certificate)"},
    {43, TLS_FAILURE_CERTIFICATE_UNSUPPORTED,
     "client can't use a certificate of this kind, or for this purpose (alert unsupported_certificate)"},
    {44, TLS_FAILURE_CERTIFICATE_REVOKED, "client finds the certificate revoked (alert certificate_revoked)"},
    {45, TLS_FAILURE_CERTIFICATE_EXPIRED,
     "client finds the certificate expired, or not valid yet (alert certificate_expired)"},
    {46, TLS_FAILURE_CERTIFICATE_UNKNOWN,
     "client does not trust the certificate (alert certificate_unknown)"},
    {80, TLS_FAILURE_ALERT, "the other side has sent the alert internal_error"},
    {120, TLS_FAILURE_ALERT, "the other side has sent the alert no_application_protocol"},
    {255, TLS_FAILURE_ALERT, "the other side has sent an alert that is not known"},
    {0, TLS_FAILURE_CLOSED, "peer closed the connection in the handshake"},
};

/* A ClientHello, and then these records, delivered in chunks (0: whole). */
static void give_after_hello(struct tls_pair *pair, struct slice records, size_t chunk)
{
    size_t hello = chunk < 2 ? pair->server.incoming.len : chunk;
    while (pair->server.incoming.len > 0)
        tls_pair_deliver(pair, &pair->server, hello);
    ck_assert(bytes_append(&pair->server.incoming, records, SIZE_MAX));
    while (pair->server.incoming.len > 0)
        tls_pair_deliver(pair, &pair->server, chunk > 0 ? chunk : records.len);
}

static void expect_clear_alert(const struct tls_pair_settings *settings, size_t which, size_t skipped)
{
    const uint8_t records[] = {20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 2, 2, clear_alerts[which].alert};
    for (size_t chunk = 0; chunk < 4; chunk++) {
        struct tls_pair pair;
        tls_pair_open(&pair, settings);
        give_after_hello(&pair, slice_from((struct slice){records, sizeof records}, skipped), chunk);
        expect_failure(pair.server.endpoint, clear_alerts[which].words);
        ck_assert_int_eq(tls_endpoint_failure_kind(pair.server.endpoint), clear_alerts[which].kind);
        tls_pair_close(&pair);
    }
}

START_TEST(alert_in_the_clear)
{
    enum { ALERT_ALONE = 6, ALERT_AFTER_CCS = 0 };
    for (size_t i = 0; i < ARRAY_LEN(clear_alerts); i++) {
        expect_clear_alert(&by_version[_i], i, ALERT_ALONE);
        if (_i % 2 != 0) /* in TLS 1.2 the client has more to send before it */
            expect_clear_alert(&by_version[_i], i, ALERT_AFTER_CCS);
    }
}
END_TEST

/* What is too short to be encrypted, and no alert, is what the library says that it is. */
START_TEST(no_alert_in_the_clear)
{
    static const uint8_t records[][8] = {
        {23, 3, 3, 0, 2, 2, 48}, {21, 3, 3, 0, 1, 48}, {21, 3, 3, 0, 3, 2, 48, 0}};
    static const size_t lengths[] = {7, 6, 8};
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        struct tls_pair pair;
        tls_pair_open(&pair, &by_version[1]);
        tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len);
        struct slice input = {records[i], lengths[i]};
        ck_assert(bytes_append(&pair.server.incoming, input, SIZE_MAX));
        tls_pair_deliver(&pair, &pair.server, lengths[i]);
        expect_failure(pair.server.endpoint, "BAD_PACKET_LENGTH");
        ck_assert_int_eq(tls_endpoint_failure_kind(pair.server.endpoint), TLS_FAILURE_OTHER);
        tls_pair_close(&pair);
    }
}
END_TEST

/* HAProxy's option ssl-hello-chk, as its sources have it. */
START_TEST(probe_that_never_shakes_hands)
{
    static const char hello[] =
        "\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00????HAPROXYSSLCHK\nHAPROXYSSLCHK\n"
        "\x00\x00\x04\x00\x04\x00\x05\x01\x00";
    struct tls_pair pair;
    tls_pair_open(&pair, &by_version[_i]);
    bytes_free(&pair.server.incoming);
    struct slice input = {(const uint8_t *)hello, sizeof hello - 1};
    ck_assert(bytes_append(&pair.server.incoming, input, SIZE_MAX));
    tls_pair_deliver(&pair, &pair.server, input.len);
    ck_assert_int_eq(tls_endpoint_failure_kind(pair.server.endpoint), TLS_FAILURE_PROBE);
    ck_assert_uint_gt(pair.client.incoming.len, 0); /* an alert, which is all that it wants */
    tls_pair_close(&pair);
}
END_TEST

START_TEST(each_failure_has_a_name)
{
    for (int i = 0; i < TLS_FAILURES; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(tls_failure_name((enum tls_failure)i), tls_failure_name((enum tls_failure)j));
}
END_TEST

/* ---- information ---- */

START_TEST(info_tells_what_was_negotiated)
{
    static const struct {
        struct tls_pair_settings settings;
        const char *version;
        const char *cipher;
        const char *openssl_cipher;
    } cases[] = {
        {{.certificates = &ecdsa,
          .certificate_count = 1,
          .server_max = TLS_1_2,
          .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
          .server_name = "mail.example.com"},
         "TLSv1.2",
         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
         "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {{.certificates = &rsa,
          .certificate_count = 1,
          .server_max = TLS_1_2,
          .ciphers = "ECDHE-RSA-CHACHA20-POLY1305"},
         "TLSv1.2",
         "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
         "ECDHE-RSA-CHACHA20-POLY1305"},
        {{.certificates = &ecdsa,
          .certificate_count = 1,
          .server_min = TLS_1_0,
          .server_max = TLS_1_0,
          .client_min = TLS_1_0,
          .server_name = "a.example"},
         "TLSv1",
         "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
         "ECDHE-ECDSA-AES128-SHA"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_pair pair;
        tls_pair_connect(&pair, &cases[i].settings, 0);
        struct tls_info info = tls_endpoint_info(pair.server.endpoint);
        ck_assert_str_eq(info.version, cases[i].version);
        ck_assert_str_eq(info.cipher, cases[i].cipher);
        ck_assert_str_eq(info.openssl_cipher, cases[i].openssl_cipher);
        ck_assert_pstr_eq(info.server_name, cases[i].settings.server_name);
        ck_assert(!info.resumed);
        tls_pair_close(&pair);
    }
}
END_TEST

START_TEST(info_for_tls_1_3)
{
    struct tls_pair pair;
    tls_pair_connect(&pair, &by_version[1], 0);
    struct tls_info info = tls_endpoint_info(pair.server.endpoint);
    struct tls_info other = tls_endpoint_info(pair.client.endpoint);
    ck_assert_str_eq(info.version, "TLSv1.3");
    /* Which one depends on the machine's AES instructions. */
    ck_assert(strncmp(info.cipher, "TLS_", 4) == 0);
    ck_assert(strncmp(info.openssl_cipher, "TLS_", 4) == 0 || strncmp(info.openssl_cipher, "AEAD-", 5) == 0);
    ck_assert_str_eq(info.cipher, other.cipher);
    ck_assert_ptr_null(info.server_name);
    tls_pair_close(&pair);
}
END_TEST

/* ---- names ---- */

/*
 * In TLS 1.2 the certificate is sent in the clear: its subject is the name that certificate_make was given
 * first.
 */
static bool sees_certificate(const char *server_name, const char *subject)
{
    const struct tls_pair_settings settings = {
        .certificates = named, .certificate_count = 3, .server_max = TLS_1_2, .server_name = server_name};
    struct tls_pair pair;
    tls_pair_open(&pair, &settings);
    tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len);
    bool found =
        memmem(pair.client.incoming.data, pair.client.incoming.len, subject, strlen(subject)) != NULL;
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_OPEN);
    struct tls_info info = tls_endpoint_info(pair.server.endpoint);
    ck_assert_pstr_eq(info.server_name, server_name);
    tls_pair_close(&pair);
    return found;
}

START_TEST(server_name_chooses_the_certificate)
{
    ck_assert(sees_certificate("first.example", "first.example"));
    ck_assert(sees_certificate("second.example", "second.example"));
    ck_assert(sees_certificate("SECOND.Example", "second.example"));
    ck_assert(sees_certificate("also-second.example", "second.example"));
    ck_assert(sees_certificate("anything.third.example", "*.third.example"));
    ck_assert(sees_certificate("a.b.third.example", "first.example"));
    ck_assert(sees_certificate("third.example", "first.example"));
    ck_assert(sees_certificate("nobody.example", "first.example"));
    ck_assert(sees_certificate(NULL, "first.example"));
}
END_TEST

START_TEST(server_name_in_tls_1_3)
{
    const struct tls_pair_settings settings = {.certificates = named,
                                               .certificate_count = 3,
                                               .server_min = TLS_1_3,
                                               .server_name = "imap.third.example"};
    struct tls_pair pair;
    tls_pair_connect(&pair, &settings, 0);
    ck_assert_str_eq(tls_endpoint_info(pair.server.endpoint).server_name, "imap.third.example");
    tls_pair_close(&pair);
}
END_TEST

/* ---- ALPN ---- */

static const struct {
    const char *offered; /* by the client */
    const char *spoken;  /* by the server */
    const char *agreed;  /* NULL: none, and the client is rejected */
} protocols[] = {
    {"\x04imap", "\x04imap", "imap"},
    {"\x02h2\x08http/1.1\x04imap", "\x04imap", "imap"},
    {NULL, "\x04imap", ""},
    {"\x02h2", NULL, ""},
    {"\x02h2\x08http/1.1", "\x04imap", NULL},
    {"\x04pop3", "\x04imap", NULL},
    {"\x04IMAP", "\x04imap", NULL}, /* RFC 7301 section 6: octets, not letters */
    {"\x03ima\x05imap4", "\x04imap", NULL},
};
enum { PROTOCOLS = ARRAY_LEN(protocols) };

static void expect_agreement(const struct tls_pair_settings *settings, const char *agreed)
{
    struct tls_pair pair;
    tls_pair_open(&pair, settings);
    tls_pair_move(&pair, 0);
    if (agreed == NULL) {
        expect_failure(pair.server.endpoint, "client offers other protocols than this service's (ALPN)");
        expect_failure(pair.client.endpoint, "the other side has sent the alert no_application_protocol");
    } else {
        ck_assert_int_eq(tls_endpoint_state(pair.server.endpoint), TLS_OPEN);
        ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_OPEN);
        ck_assert(slice_equals(tls_endpoint_info(pair.server.endpoint).protocol, slice_of(agreed)));
        ck_assert(slice_equals(tls_endpoint_info(pair.client.endpoint).protocol, slice_of(agreed)));
    }
    tls_pair_close(&pair);
}

/* Whichever certificate the name chooses: the library asks the context of that one. */
START_TEST(protocol_is_agreed_on)
{
    static const char *const names[] = {NULL, "first.example", "second.example", "imap.third.example"};
    for (size_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            const struct tls_pair_settings settings = {.certificates = named,
                                                       .certificate_count = 3,
                                                       .server_min = (uint16_t)version,
                                                       .server_max = (uint16_t)version,
                                                       .server_name = names[i],
                                                       .server_protocols = protocols[_i].spoken,
                                                       .client_protocols = protocols[_i].offered};
            expect_agreement(&settings, protocols[_i].agreed);
        }
}
END_TEST

/* ---- many ---- */

struct interleaved {
    struct tls_endpoint *server;
    struct tls_endpoint *client;
    struct bytes to_server;
    struct bytes to_client;
    struct bytes plain;
};

static void hand_over(struct tls_io *io, struct bytes *to)
{
    ck_assert(bytes_append(to, tls_io_output(io), SIZE_MAX));
    tls_io_reset(io);
}

/* Delivers one small piece in each direction. False if there was none. */
static bool step(struct interleaved *one, struct tls_io *io)
{
    static uint8_t plain[1000 + TLS_PLAIN_SLACK];
    bool moved = one->to_server.len > 0 || one->to_client.len > 0;
    struct slice in = slice_first(bytes_view(&one->to_server), 1000);
    size_t got = tls_endpoint_receive(one->server, in, plain);
    bytes_drop(&one->to_server, in.len);
    hand_over(io, &one->to_client);
    ck_assert(bytes_append(&one->plain, (struct slice){plain, got}, SIZE_MAX));
    in = slice_first(bytes_view(&one->to_client), 1000);
    ck_assert_uint_eq(tls_endpoint_receive(one->client, in, plain), 0);
    bytes_drop(&one->to_client, in.len);
    hand_over(io, &one->to_server);
    return moved;
}

enum { MANY = 40 };

static void step_all(struct interleaved many[MANY], struct tls_io *io)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < MANY; i++)
            moved = step(&many[i], io) || moved;
    }
}

/* Server and client ends of many connections, one buffer, each message cut into pieces among all others'. */
START_TEST(many_endpoints_share_one_io)
{
    struct interleaved many[MANY] = {0};
    struct tls_io *io = tls_io_new(tls_sealed_bound(40000, 1));
    struct tls_context *server = tls_pair_server_context(&by_version[_i]);
    struct tls_context *client = tls_context_new_client(by_version[_i].client_min != 0 ? TLS_1_3 : TLS_1_2,
                                                        by_version[_i].client_max != 0 ? TLS_1_2 : TLS_1_3);
    for (size_t i = 0; i < MANY; i++) {
        many[i].server = tls_endpoint_new_server(server, io, NULL);
        many[i].client = tls_endpoint_new_client(client, io, "mail.example.com", NULL);
        tls_endpoint_start(many[i].client);
        hand_over(io, &many[i].to_server);
    }
    /* The endpoints hold the contexts. */
    tls_context_unref(&server);
    tls_context_unref(&client);
    step_all(many, io);
    for (size_t i = 0; i < MANY; i++) {
        struct slice data = {pattern + i, 20000 + i};
        ck_assert_int_eq(tls_endpoint_state(many[i].client), TLS_OPEN);
        ck_assert(tls_endpoint_seal(many[i].client, &data, 1));
        hand_over(io, &many[i].to_server);
    }
    step_all(many, io);
    for (size_t i = 0; i < MANY; i++) {
        struct slice expected = {pattern + i, 20000 + i};
        ck_assert(slice_equals(bytes_view(&many[i].plain), expected));
        tls_endpoint_free(&many[i].server);
        tls_endpoint_free(&many[i].client);
        bytes_free(&many[i].plain);
    }
    tls_io_free(&io);
}
END_TEST

#if !defined(TEST_IS_SANITIZED)
#define CAN_MEASURE_HEAP 1
#else
#define CAN_MEASURE_HEAP 0
#endif

#if CAN_MEASURE_HEAP
enum {
    MEASURED = 200,
    /*
     * Measured: some 3 to 5 KB, most of it the session and its keys. A buffer that is not freed would be 16
     * KB more.
     */
    ENDPOINT_HEAP_MAX = 8 * 1024
};

/*
 * An idle endpoint owns no buffers: server ends alone are kept, the client ends are freed before it is
 * weighed.
 */
START_TEST(idle_endpoint_is_small)
{
    static struct tls_pair pairs[2];
    static struct tls_endpoint *kept[MEASURED];
    struct tls_pair *pair = &pairs[0];
    struct slice data = {pattern, 60000};
    size_t before = 0;
    tls_pair_connect(&pairs[1], &by_version[_i], 0); /* what the library makes once for all */
    tls_pair_connect(pair, &by_version[_i], 0);
    for (size_t i = 0; i < MEASURED; i++) {
        tls_endpoint_free(&pair->client.endpoint);
        pair->client.endpoint = tls_endpoint_new_client(pair->client.context, pair->client.io, NULL, NULL);
        kept[i] = tls_endpoint_new_server(pair->server.context, pair->server.io, NULL);
        struct tls_endpoint *first = pair->server.endpoint;
        pair->server.endpoint = kept[i];
        tls_endpoint_start(pair->client.endpoint);
        ck_assert(bytes_append(&pair->server.incoming, tls_io_output(pair->client.io), SIZE_MAX));
        tls_io_reset(pair->client.io);
        tls_pair_move(pair, 0);
        tls_pair_send(pair, &pair->server, &data, 1);
        tls_pair_send(pair, &pair->client, &data, 1);
        tls_pair_move(pair, 1460);
        ck_assert_uint_eq(pair->server.plain.len, data.len);
        bytes_free(&pair->server.plain);
        bytes_free(&pair->client.plain);
        pair->server.endpoint = first;
        if (i == 0)
            before = mallinfo2().uordblks + mallinfo2().hblkhd;
    }
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    size_t each = (after - before) / (MEASURED - 1);
    ck_assert_msg(after > before && each <= ENDPOINT_HEAP_MAX, "an idle endpoint holds %zu octets", each);
    for (size_t i = 0; i < MEASURED; i++)
        tls_endpoint_free(&kept[i]);
    tls_pair_close(&pairs[0]);
    tls_pair_close(&pairs[1]);
}
END_TEST
#endif

/* ---- */

static void make_certificates(void)
{
    ecdsa =
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_P256, .names = {"mail.example.com"}});
    rsa = certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .names = {"mail.example.com"}});
    named[0] = certificate_make(&(struct certificate_wish){.names = {"first.example"}});
    named[1] = certificate_make(&(struct certificate_wish){
        .key = CERTIFICATE_RSA, .names = {"second.example", "also-second.example"}});
    named[2] = certificate_make(&(struct certificate_wish){.names = {"*.third.example"}});
}

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, handshake_in_any_chunks, 0, VERSIONS);
    tcase_add_loop_test(tests, data_glued_to_the_handshake, 0, VERSIONS);
    tcase_add_loop_test(tests, handshake_that_stalls, 0, VERSIONS);
    tcase_add_loop_test(tests, data_of_every_size_both_ways, 0, VERSIONS);
    tcase_add_loop_test(tests, data_byte_by_byte, 0, VERSIONS);
    tcase_add_loop_test(tests, small_slices_share_records, 0, VERSIONS);
    tcase_add_loop_test(tests, any_slices_stay_in_order_and_in_bounds, 0, VERSIONS);
    tcase_add_loop_test(tests, errors_that_others_have_left, 0, VERSIONS);
    tcase_add_loop_test(tests, close_notify_both_ways, 0, VERSIONS);
    tcase_add_loop_test(tests, last_words_after_the_peers_close_notify, 0, VERSIONS);
    tcase_add_loop_test(tests, nothing_comes_after_close_notify, 0, VERSIONS);
    tcase_add_loop_test(tests, what_is_not_tls, 0, VERSIONS);
    tcase_add_loop_test(tests, garbage_instead_of_a_record, 0, VERSIONS);
    tcase_add_loop_test(tests, corrupted_record, 0, VERSIONS);
    tcase_add_loop_test(tests, record_that_came_twice, 0, VERSIONS);
    tcase_add_test(tests, nothing_in_common);
    tcase_add_loop_test(tests, peer_that_goes_away_with_an_alert, 0, 1);
    tcase_add_loop_test(tests, alert_in_the_clear, 0, VERSIONS);
    tcase_add_test(tests, no_alert_in_the_clear);
    tcase_add_loop_test(tests, probe_that_never_shakes_hands, 0, VERSIONS);
    tcase_add_test(tests, each_failure_has_a_name);
    tcase_add_test(tests, info_tells_what_was_negotiated);
    tcase_add_test(tests, info_for_tls_1_3);
    tcase_add_test(tests, server_name_chooses_the_certificate);
    tcase_add_test(tests, server_name_in_tls_1_3);
    tcase_add_loop_test(tests, protocol_is_agreed_on, 0, PROTOCOLS);
    tcase_add_loop_test(tests, many_endpoints_share_one_io, 0, VERSIONS);
#if CAN_MEASURE_HEAP
    tcase_add_loop_test(tests, idle_endpoint_is_small, 0, VERSIONS);
#endif
}

int main(void)
{
    Suite *suite = suite_create("tls_endpoint");
    TCase *tests = tcase_create("endpoint against itself");
    make_pattern();
    certificates_open();
    make_certificates();
    tcase_set_timeout(tests, 120);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
