/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "base/bytes.h"
#include "fuzz_check.h"
#include "protocols/starttls_client.h"

#include <string.h>

/*
 * Fuzzes how a backend is asked for TLS. The first octet picks the protocol, the second how the input is cut;
 * 0xFF in the rest is where the handshake comes, if the server has consented. All cuts must give the same
 * commands and the same end; the commands are those that there are, in their order; nothing goes to the
 * client; and the greeting is one that the engine takes.
 */
enum { PART_END = 0xff, HELD_MAX = 1 << 16 };

struct result {
    enum starttls_progress progress;
    const char *failure;
    struct bytes heard; /* by the server */
    struct bytes greeting;
    size_t left; /* octets for the engine */
};

static const struct engine_service services[] = {
    {.protocol = PROTOCOL_IMAP, .deep_status = "", .hostname = "proxy.example.com"},
    {.protocol = PROTOCOL_POP3, .deep_status = "", .hostname = "proxy.example.com"},
    {.protocol = PROTOCOL_SUBMISSION, .deep_status = "", .hostname = "proxy.example.com"},
    {.protocol = PROTOCOL_POP3, .deep_status = "", .hostname = "proxy.example.com", .sends_identity = true},
};

static const char *const commands[] = {
    [PROTOCOL_IMAP] = "s1 STARTTLS\r\ns2 CAPABILITY\r\n",
    [PROTOCOL_POP3] = "STLS\r\nCAPA\r\n",
    [PROTOCOL_SUBMISSION] = "EHLO proxy.example.com\r\nSTARTTLS\r\nNOOP\r\n",
};

static void hear(struct result *result, struct engine_out *out)
{
    const struct engine_lane *lane = &out->lanes[SIDE_BACKEND];
    check(out->lanes[SIDE_CLIENT].count == 0, "nothing goes to the client");
    for (size_t i = 0; i < lane->count; i++)
        check(bytes_append(&result->heard, lane->slices[i], HELD_MAX), "few commands");
    engine_out_reset(out);
}

static bool has_failed(const struct result *result)
{
    return result->progress == STARTTLS_FAILED || result->progress == STARTTLS_REFUSED;
}

static void feed(struct result *result, struct starttls_client *request, struct slice data,
                 struct engine_out *out)
{
    if (data.len == 0 || has_failed(result))
        return;
    if (result->progress == STARTTLS_READY) {
        result->left += data.len;
        return;
    }
    if (result->progress == STARTTLS_AGREED) { /* as the handshake will: it is no TLS */
        result->progress = STARTTLS_FAILED;
        result->failure = "injected";
        return;
    }
    result->progress = starttls_client_feed(request, &data, out);
    hear(result, out);
    check(data.len == 0 || result->progress == STARTTLS_READY || has_failed(result),
          "all is consumed while it goes on");
    result->failure = starttls_client_failure(request);
    check((result->failure != NULL) == has_failed(result), "a failure has words");
    if (result->progress == STARTTLS_READY)
        result->left = data.len;
    if (result->failure != NULL && strncmp(result->failure, "octets in the clear after", 25) == 0)
        result->failure = "injected";
}

static void feed_in_pieces(struct result *result, struct starttls_client *request, struct slice part,
                           size_t piece, struct engine_out *out)
{
    for (size_t at = 0; at < part.len; at += piece)
        feed(result, request, slice_sub(part, at, piece), out);
}

static struct result run(const struct engine_service *service, struct slice input, size_t piece)
{
    struct result result = {.progress = STARTTLS_UNDER_WAY};
    struct starttls_client *request = starttls_client_new(service);
    struct engine_out *out = engine_out_new();
    check(request != NULL && out != NULL, "memory for the fuzzer itself");
    while (input.len > 0) {
        size_t len = slice_find(input, PART_END);
        feed_in_pieces(&result, request, slice_first(input, len), piece, out);
        input = slice_from(input, len + 1);
        if (result.progress != STARTTLS_AGREED)
            continue;
        starttls_client_secured(request, out);
        hear(&result, out);
        result.progress = STARTTLS_UNDER_WAY;
    }
    if (result.progress == STARTTLS_READY || result.progress == STARTTLS_REFUSED)
        check(bytes_append(&result.greeting, starttls_client_greeting(request), HELD_MAX), "a greeting");
    starttls_client_free(&request);
    engine_out_free(&out);
    return result;
}

static void free_result(struct result *result)
{
    bytes_free(&result->heard);
    bytes_free(&result->greeting);
}

static void check_same(const struct result *a, const struct result *b)
{
    check(a->progress == b->progress && a->left == b->left, "the same end, however it is cut");
    check((a->failure == NULL) == (b->failure == NULL) &&
              (a->failure == NULL || strcmp(a->failure, b->failure) == 0),
          "for the same reason");
    check(slice_equals(bytes_view(&a->heard), bytes_view(&b->heard)), "the same commands");
    check(slice_equals(bytes_view(&a->greeting), bytes_view(&b->greeting)), "the same greeting");
}

static const struct engine_client client = {.tls_cipher = "0x1301",
                                            .address = "192.0.2.1",
                                            .session_id = "a-1",
                                            .connected_address = "192.0.2.2",
                                            .nonce = "abcdefghijklmnop"};

/* The engine shows its client nothing of it. */
static void check_refusal(const struct engine_service *service, struct slice greeting)
{
    struct engine *engine = engine_new(service, &client);
    struct engine_out *out = engine_out_new();
    check(engine != NULL && out != NULL, "memory for the fuzzer itself");
    engine_feed(engine, SIDE_BACKEND, greeting, out);
    check(!engine_status(engine)->greeted && out->lanes[SIDE_CLIENT].count == 0, "a refusal greets nobody");
    engine_free(&engine);
    engine_out_free(&out);
}

/* One line, which the engine takes for the greeting that it is. */
static void check_greeting(const struct engine_service *service, struct slice greeting)
{
    check(slice_has_suffix(greeting, "proxy.example.com ready\r\n") ||
              slice_has_suffix(greeting, "proxy.example.com ESMTP ready\r\n"),
          "a whole greeting");
    check(slice_find(greeting, '\n') == greeting.len - 1 && slice_find(greeting, '\r') == greeting.len - 2,
          "in one line");
    struct engine *engine = engine_new(service, &client);
    struct engine_out *out = engine_out_new();
    check(engine != NULL && out != NULL, "memory for the fuzzer itself");
    check(engine_feed(engine, SIDE_BACKEND, greeting, out) == greeting.len, "the engine takes all of it");
    const struct engine_status *status = engine_status(engine);
    check(status->reason == ENGINE_OPEN && !status->authenticated, "and goes on, with nobody logged in");
    check(status->greeted || out->lanes[SIDE_BACKEND].count > 0, "with its client, or with who that is");
    engine_free(&engine);
    engine_out_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct engine_service *service = &services[data[0] % (ARRAY_LEN(services))];
    struct slice input = {data + 2, size - 2};
    struct result whole = run(service, input, NO_LIMIT);
    struct result singly = run(service, input, 1);
    struct result cut = run(service, input, (size_t)data[1] + 2);
    check_same(&whole, &singly);
    check_same(&whole, &cut);
    struct slice heard = bytes_view(&whole.heard);
    struct slice known = slice_of(commands[service->protocol]);
    check(heard.len <= known.len && slice_equals(heard, slice_first(known, heard.len)),
          "the commands, in their order");
    if (whole.progress == STARTTLS_READY) {
        check(heard.len == known.len, "ready when all was asked");
        check_greeting(service, bytes_view(&whole.greeting));
    }
    if (whole.progress == STARTTLS_REFUSED)
        check_refusal(service, bytes_view(&whole.greeting));
    free_result(&whole);
    free_result(&singly);
    free_result(&cut);
    return 0;
}
