/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls_pair.h"

#include <check.h>
#include <stdlib.h>

enum { PLAIN_MAX = 512 * 1024, SEALED_CAP = 600 * 1024, HELD_MAX = 4 * 1024 * 1024, RECORD_HEADER = 5 };

static uint8_t plain[PLAIN_MAX + TLS_PLAIN_SLACK];

/* What clients would reject is a warning: a test may want just that certificate. */
static void fail_at_once(void *arg, int certificate, bool is_error, const char *text)
{
    (void)arg;
    if (is_error)
        ck_abort_msg("certificate %d: %s", certificate, text);
}

static uint16_t or_default(uint16_t version, uint16_t otherwise)
{
    return version != 0 ? version : otherwise;
}

struct tls_context *tls_pair_server_context(const struct tls_pair_settings *settings)
{
    struct tls_settings server = {.certificates = settings->certificates,
                                  .certificate_count = settings->certificate_count,
                                  .min_version = or_default(settings->server_min, TLS_1_2),
                                  .max_version = or_default(settings->server_max, TLS_1_3),
                                  .ciphers = settings->ciphers,
                                  .session_tickets = true,
                                  .keys = settings->keys};
    struct tls_report report = {.add = fail_at_once};
    struct tls_context *context = tls_context_new_server(&server, &report);
    ck_assert_ptr_nonnull(context);
    return context;
}

static void take_output(struct tls_pair_end *from, struct tls_pair_end *to)
{
    ck_assert(bytes_append(&to->incoming, tls_io_output(from->io), HELD_MAX));
    tls_io_reset(from->io);
}

void tls_pair_open(struct tls_pair *pair, const struct tls_pair_settings *settings)
{
    *pair = (struct tls_pair){0};
    pair->server.context = tls_pair_server_context(settings);
    pair->client.context = tls_context_new_client(or_default(settings->client_min, TLS_1_2),
                                                  or_default(settings->client_max, TLS_1_3));
    ck_assert_ptr_nonnull(pair->client.context);
    pair->server.io = tls_io_new(SEALED_CAP);
    pair->client.io = tls_io_new(SEALED_CAP);
    pair->service = (struct tls_service_settings){settings->server_protocols, settings->clients};
    pair->server.endpoint = tls_endpoint_new_server(pair->server.context, pair->server.io, &pair->service);
    pair->client.endpoint = tls_endpoint_new_client(pair->client.context, pair->client.io,
                                                    settings->server_name, settings->client_protocols);
    ck_assert_ptr_nonnull(pair->server.endpoint);
    ck_assert_ptr_nonnull(pair->client.endpoint);
    tls_endpoint_start(pair->server.endpoint);
    ck_assert_uint_eq(tls_io_output(pair->server.io).len, 0);
    tls_endpoint_start(pair->client.endpoint);
    take_output(&pair->client, &pair->server);
}

static void close_end(struct tls_pair_end *end)
{
    tls_endpoint_free(&end->endpoint);
    ck_assert_ptr_null(end->endpoint);
    tls_io_free(&end->io);
    tls_context_unref(&end->context);
    bytes_free(&end->incoming);
    bytes_free(&end->plain);
}

void tls_pair_close(struct tls_pair *pair)
{
    close_end(&pair->server);
    close_end(&pair->client);
}

static struct tls_pair_end *other_end(struct tls_pair *pair, const struct tls_pair_end *end)
{
    return end == &pair->server ? &pair->client : &pair->server;
}

void tls_pair_deliver(struct tls_pair *pair, struct tls_pair_end *to, size_t count)
{
    struct slice part = slice_first(bytes_view(&to->incoming), count < PLAIN_MAX ? count : PLAIN_MAX);
    size_t got = tls_endpoint_receive(to->endpoint, part, plain);
    ck_assert_uint_le(got, part.len + TLS_PLAIN_SLACK);
    ck_assert(bytes_append(&to->plain, (struct slice){plain, got}, HELD_MAX));
    bytes_drop(&to->incoming, part.len);
    take_output(to, other_end(pair, to));
}

void tls_pair_move(struct tls_pair *pair, size_t chunk)
{
    struct tls_pair_end *ends[] = {&pair->server, &pair->client};
    while (pair->server.incoming.len > 0 || pair->client.incoming.len > 0)
        for (size_t i = 0; i < 2; i++)
            if (ends[i]->incoming.len > 0)
                tls_pair_deliver(pair, ends[i], chunk > 0 ? chunk : ends[i]->incoming.len);
}

void tls_pair_connect(struct tls_pair *pair, const struct tls_pair_settings *settings, size_t chunk)
{
    tls_pair_open(pair, settings);
    tls_pair_move(pair, chunk);
    ck_assert_msg(tls_endpoint_state(pair->server.endpoint) == TLS_OPEN, "server: %s",
                  tls_endpoint_failure(pair->server.endpoint));
    ck_assert_msg(tls_endpoint_state(pair->client.endpoint) == TLS_OPEN, "client: %s",
                  tls_endpoint_failure(pair->client.endpoint));
}

void tls_pair_send(struct tls_pair *pair, struct tls_pair_end *from, const struct slice *slices, size_t count)
{
    size_t octets = 0;
    for (size_t i = 0; i < count; i++)
        octets += slices[i].len;
    ck_assert(tls_endpoint_seal(from->endpoint, slices, count));
    ck_assert_uint_le(tls_io_output(from->io).len, tls_sealed_bound(octets, count));
    take_output(from, other_end(pair, from));
}

void tls_pair_send_close(struct tls_pair *pair, struct tls_pair_end *from)
{
    tls_endpoint_close(from->endpoint);
    take_output(from, other_end(pair, from));
}

size_t tls_count_records(struct slice ciphertext, unsigned type)
{
    size_t count = 0;
    while (ciphertext.len >= RECORD_HEADER) {
        size_t len = (size_t)ciphertext.data[3] << 8 | ciphertext.data[4];
        if (ciphertext.len - RECORD_HEADER < len)
            break;
        count += ciphertext.data[0] == type;
        ciphertext = slice_from(ciphertext, RECORD_HEADER + len);
    }
    return count;
}
