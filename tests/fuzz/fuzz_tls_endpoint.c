/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "base/bytes.h"
#include "certificates.h"
#include "fuzz_check.h"
#include "tls/endpoint/tls_endpoint.h"
#include "tls_client.h"

#include <string.h>

/*
 * Fuzzes a server's endpoint with the TLS library underneath. The input begins with two octets that say what
 * both sides can, and goes on with steps: the client (a real one, tls_client.h) goes on, writes, closes; some
 * octets of what it has sent arrive, or are changed, lost, doubled, or have others put before them; the
 * server seals and closes. The library's random makes other octets of it each time, so that no check asks
 * what they are:
 *
 *   - states move as tls_endpoint.h has it, and a failure has words and stays;
 *   - plaintext comes only once the handshake is done, and whatever was done to the ciphertext it is what the
 *     client wrote, from the first octet on, in order, with nothing left out;
 *   - what was not touched arrives whole, and so does what the server seals, and its close_notify;
 *   - a call's output is bounded.
 */
enum {
    WRITTEN_MAX = 256 * 1024,
    FLIGHT_MAX = 8 * 1024,
    SEALED_MAX = 64 * 1024,
    SLICES_MAX = 4,
    STEPS_MAX = 400
};

/* Alike for both directions; no part of it is like another. */
static uint8_t pattern[WRITTEN_MAX];

struct run {
    struct slice input;
    struct tls_context *context;
    struct tls_service_settings service;
    struct tls_endpoint *server;
    struct tls_client *client;
    struct bytes to_server; /* has been sent, has not arrived */
    enum tls_state state;   /* as it was last seen */
    size_t received;        /* plaintext, by the server */
    size_t sealed;
    bool is_touched; /* what arrives is not what was sent */
    bool said_goodbye;
};

static struct tls_io *io;

static uint8_t take_octet(struct run *run)
{
    if (run->input.len == 0)
        return 0;
    uint8_t octet = run->input.data[0];
    run->input = slice_from(run->input, 1);
    return octet;
}

/* Small numbers mostly, and some around a record's size. */
static size_t take_size(struct run *run)
{
    uint8_t octet = take_octet(run);
    return octet < 200 ? octet : (size_t)(octet - 200) * 1024 + take_octet(run);
}

/* ---- what holds after each call ---- */

static void expect_state(struct run *run)
{
    static const unsigned may_become[] = {
        [TLS_HANDSHAKING] = 1u << TLS_HANDSHAKING | 1u << TLS_OPEN | 1u << TLS_PEER_CLOSED | 1u << TLS_FAILED,
        [TLS_OPEN] = 1u << TLS_OPEN | 1u << TLS_PEER_CLOSED | 1u << TLS_FAILED,
        [TLS_PEER_CLOSED] = 1u << TLS_PEER_CLOSED,
        [TLS_FAILED] = 1u << TLS_FAILED,
    };
    enum tls_state state = tls_endpoint_state(run->server);
    check((may_become[run->state] >> state & 1) != 0, "a state that may follow");
    run->state = state;
    const char *words = tls_endpoint_failure(run->server);
    check((words != NULL) == (state == TLS_FAILED), "words for a failure, and for nothing else");
    check(words == NULL || words[0] != '\0', "... that say something");
    bool is_known = tls_endpoint_info(run->server).cipher != NULL;
    check(is_known || state == TLS_HANDSHAKING || state == TLS_FAILED, "a session has a suite");
}

/* The first ones of those on their way. */
static struct slice first_octets(const struct run *run, size_t count)
{
    struct slice all = bytes_view(&run->to_server);
    return all.len > 0 ? slice_first(all, count) : slice_of("");
}

/* What the server has put out goes to the client. */
static void hand_over(struct run *run, size_t most)
{
    struct slice output = tls_io_output(io);
    check(output.len <= most, "an output that is bounded");
    tls_client_give(run->client, output);
    tls_io_reset(io);
}

static void deliver(struct run *run, size_t count)
{
    struct slice part = first_octets(run, count);
    enum tls_state before = run->state;
    /* A block of its own: what is written beyond it is seen. */
    uint8_t *plain = malloc(part.len + TLS_PLAIN_SLACK);
    check(plain != NULL, "memory for the fuzzer itself");
    size_t got = tls_endpoint_receive(run->server, part, plain);
    expect_state(run);
    check(got == 0 || before == TLS_OPEN || before == TLS_HANDSHAKING, "nothing behind the end");
    check(got == 0 || run->state != TLS_HANDSHAKING, "nothing before the handshake is done");
    check(got <= tls_client_written(run->client) - run->received, "no more than the client wrote");
    check(memcmp(plain, pattern + run->received, got) == 0, "what the client wrote, in order");
    run->received += got;
    free(plain);
    bytes_drop(&run->to_server, part.len);
    hand_over(run, before == TLS_FAILED || before == TLS_PEER_CLOSED ? 0 : FLIGHT_MAX);
}

/* ---- steps ---- */

static void let_client_go_on(struct run *run)
{
    struct slice plain = tls_client_go_on(run->client, &run->to_server);
    size_t heard = tls_client_heard(run->client) - plain.len;
    check(heard + plain.len <= run->sealed, "no more than was sealed");
    check(memcmp(plain.data, pattern + heard, plain.len) == 0, "what was sealed, in order");
}

static void let_client_write(struct run *run, size_t size)
{
    size_t written = tls_client_written(run->client);
    size = size < WRITTEN_MAX - written ? size : WRITTEN_MAX - written;
    tls_client_write(run->client, (struct slice){pattern + written, size}, &run->to_server);
}

static void seal(struct run *run)
{
    struct slice slices[SLICES_MAX];
    size_t count = take_octet(run) % SLICES_MAX + 1u;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = take_size(run);
        size_t room = SEALED_MAX - total < WRITTEN_MAX - run->sealed - total
                          ? SEALED_MAX - total
                          : WRITTEN_MAX - run->sealed - total;
        size = size < room ? size : room;
        slices[i] = (struct slice){pattern + run->sealed + total, size};
        total += size;
    }
    if (run->said_goodbye || (run->state != TLS_OPEN && run->state != TLS_PEER_CLOSED))
        return;
    check(tls_endpoint_seal(run->server, slices, count), "an open endpoint seals");
    run->sealed += total;
    expect_state(run);
    /* A ticket, or an answer to KeyUpdate, may go before it. */
    hand_over(run, tls_sealed_bound(total, count) + FLIGHT_MAX);
}

static void say_goodbye(struct run *run)
{
    tls_endpoint_close(run->server);
    run->said_goodbye = run->said_goodbye || run->state == TLS_OPEN || run->state == TLS_PEER_CLOSED;
    expect_state(run);
    hand_over(run, run->said_goodbye ? FLIGHT_MAX : 0);
}

static void change(struct run *run, size_t at, uint8_t with)
{
    if (at >= run->to_server.len)
        return;
    run->to_server.data[at] ^= with;
    run->is_touched = run->is_touched || with != 0;
}

static void lose(struct run *run, size_t count)
{
    run->is_touched = run->is_touched || (count > 0 && run->to_server.len > 0);
    bytes_drop(&run->to_server, count < run->to_server.len ? count : run->to_server.len);
}

/* Octets before those that are on their way. */
static void put_before(struct run *run, struct slice octets)
{
    struct bytes rest = run->to_server;
    run->to_server = (struct bytes){0};
    check(bytes_append(&run->to_server, octets, NO_LIMIT), "memory for the fuzzer itself");
    check(bytes_append(&run->to_server, bytes_view(&rest), NO_LIMIT), "memory for the fuzzer itself");
    bytes_free(&rest);
    run->is_touched = run->is_touched || octets.len > 0;
}

static void put_before_from_input(struct run *run)
{
    size_t len = take_octet(run);
    if (run->input.len == 0)
        return;
    struct slice octets = slice_first(run->input, len);
    run->input = slice_from(run->input, octets.len);
    put_before(run, octets);
}

/* Octets come twice, as from an attacker who has kept them. */
static void put_twice(struct run *run, size_t count)
{
    struct bytes copy = {0};
    check(bytes_append(&copy, first_octets(run, count), NO_LIMIT), "memory for the fuzzer itself");
    put_before(run, bytes_view(&copy));
    bytes_free(&copy);
}

static void begin(struct run *run)
{
    run->server = tls_endpoint_new_server(run->context, io, &run->service);
    check(run->server != NULL, "an endpoint");
    tls_endpoint_start(run->server);
    check(tls_io_output(io).len == 0, "a server that waits to be spoken to");
    run->state = TLS_HANDSHAKING;
}

/* ---- the end of a connection ---- */

/* What is on its way arrives, and both sides have answered all they were asked. */
static void let_all_arrive(struct run *run)
{
    for (int quiet = 0; quiet < 2;) {
        let_client_go_on(run);
        quiet = run->to_server.len > 0 ? 0 : quiet + 1;
        deliver(run, run->to_server.len);
    }
}

static void judge(struct run *run)
{
    if (run->is_touched || tls_client_is_immoderate(run->client))
        return;
    struct tls_info info = tls_endpoint_info(run->server);
    if (!tls_client_fits(run->client)) {
        check(run->state == TLS_FAILED && run->received == 0, "no session where nothing is in common");
        return;
    }
    check(run->state == (tls_client_has_closed(run->client) ? TLS_PEER_CLOSED : TLS_OPEN), "a session");
    check(run->received == tls_client_written(run->client), "all that the client wrote");
    check(tls_client_heard(run->client) == run->sealed, "all that was sealed");
    check(tls_client_agrees(run->client, info.version, info.resumed, info.protocol), "what both agreed on");
    check(!run->said_goodbye || tls_client_heard_goodbye(run->client), "close_notify arrives");
}

/* ---- */

/* Another connection of the same client, with the ticket that it has got, if it has. */
static void connect_again(struct run *run)
{
    let_all_arrive(run);
    judge(run);
    tls_endpoint_free(&run->server);
    bytes_free(&run->to_server);
    tls_client_restart(run->client);
    run->received = run->sealed = 0;
    run->is_touched = run->said_goodbye = false;
    begin(run);
}

static void take_step(struct run *run)
{
    switch (take_octet(run) % 14) {
    case 0:
    case 1:
        let_client_go_on(run);
        break;
    case 2:
        deliver(run, run->to_server.len);
        break;
    case 3:
    case 4:
        deliver(run, take_size(run));
        break;
    case 5:
        let_client_write(run, take_size(run));
        break;
    case 6:
        seal(run);
        break;
    case 7:
        change(run, take_size(run), take_octet(run));
        break;
    case 8:
        lose(run, take_size(run));
        break;
    case 9:
        put_before_from_input(run);
        break;
    case 10:
        put_twice(run, take_size(run));
        break;
    case 11:
        tls_client_close(run->client, &run->to_server);
        break;
    case 12:
        tls_client_update_key(run->client);
        break;
    case 13:
        if (take_octet(run) % 2 == 0)
            say_goodbye(run);
        else
            connect_again(run);
        break;
    }
}

/* ---- once ---- */

static const struct {
    uint16_t min;
    uint16_t max;
} versions[] = {{TLS_1_2, TLS_1_3}, {TLS_1_3, TLS_1_3}, {TLS_1_2, TLS_1_2}, {TLS_1_0, TLS_1_3}};
enum { VERSIONS = ARRAY_LEN(versions), KEYS = 2 };

static struct tls_context *contexts[VERSIONS][KEYS];

static void complain(void *arg, int certificate, bool is_error, const char *text)
{
    (void)arg;
    (void)certificate;
    (void)is_error;
    check(false, text);
}

static void make_context(size_t version, size_t key)
{
    struct tls_certificate_files files = certificate_make(&(struct certificate_wish){
        .key = key == 0 ? CERTIFICATE_P256 : CERTIFICATE_RSA, .names = {"mail.example.com"}});
    struct tls_settings settings = {.certificates = &files,
                                    .certificate_count = 1,
                                    .min_version = versions[version].min,
                                    .max_version = versions[version].max,
                                    .session_tickets = true};
    struct tls_report report = {.add = complain};
    contexts[version][key] = tls_context_new_server(&settings, &report);
}

/* The files are gone before the first input: a fuzzer does not end as other programs do. */
static void make_all(void)
{
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < sizeof pattern; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        pattern[i] = (uint8_t)x;
    }
    certificates_open();
    for (size_t version = 0; version < VERSIONS; version++)
        for (size_t key = 0; key < KEYS; key++)
            make_context(version, key);
    certificates_close();
    io = tls_io_new(tls_sealed_bound(SEALED_MAX, SLICES_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const protocols[] = {NULL, "\x04imap"};
    struct run run = {.input = {data, size}};
    if (io == NULL)
        make_all();
    uint8_t server = take_octet(&run);
    size_t version = server % VERSIONS;
    run.context = contexts[version][server / 4 % KEYS];
    run.service.protocols = protocols[server / 8 % 2];
    run.client = tls_client_new(take_octet(&run), versions[version].min, versions[version].max,
                                run.service.protocols != NULL);
    begin(&run);
    for (int steps = 0; run.input.len > 0 && steps < STEPS_MAX; steps++)
        take_step(&run);
    let_all_arrive(&run);
    judge(&run);
    tls_endpoint_free(&run.server);
    tls_client_free(&run.client);
    bytes_free(&run.to_server);
    return 0;
}
