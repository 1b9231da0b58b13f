/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/engine.h"

#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Fuzzes one engine; FUZZ_PROTOCOL says which. The input is a row of chunks: a control octet (the top bit
 * set: from the backend; the rest: length less one) and as many octets. It is run three times: each chunk on
 * its own, the chunks of one side that follow each other as one, and octet by octet. Held against the engine:
 *   - all three let out the same octets and end in the same state;
 *   - the engine comes to rest, and consumes what it says that it wants;
 *   - what it holds stays under HELD_MAX, and is given back when it is freed (counted in the first two runs,
 * and by the address sanitizer alone);
 *   - what POP3 backends receive has no NUL, and no line end but CRLF.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CHUNK_FROM_BACKEND = 0x80,
    /* What an engine may hold for a session: a line or command each way, and the room that growing leaves. */
    HELD_MAX = 256 * 1024,
    /* Feeds without a consumed octet or one let out, one after the other. */
    IDLE_FEEDS_MAX = 4
};

#define NO_LIMIT ((size_t)1 << 30)

/* How the same octets are cut. */
enum cutting { CUT_AS_GIVEN, CUT_NOWHERE, CUT_EVERYWHERE, CUTTINGS };

struct run {
    enum cutting cutting;
    struct engine *engine;
    struct engine_out *out;
    struct bytes kept[2]; /* not consumed yet, by the side that it came from */
    struct bytes got[2];  /* by the side that it goes to */
    size_t held;
};

static const struct engine_service service = {.protocol = FUZZ_PROTOCOL,
                                              .deep_status = "tls12 <https://mail.example.com/>",
                                              .hostname = "proxy.example.com"};
static const struct engine_client client = {.tls_cipher = "TLS_AES_128_GCM_SHA256",
                                            .nonce = "Qw7Zk2Rt9Xc4Vb6N"};

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_engine: broken: %s\n", what);
    abort();
}

__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

/* Octets of the heap in use, where they are counted: to ask is slow. */
static size_t heap_in_use(const struct run *r)
{
    bool counted = r->cutting != CUT_EVERYWHERE && __sanitizer_get_current_allocated_bytes != NULL;
    return counted ? __sanitizer_get_current_allocated_bytes() : 0;
}

static void collect(struct run *r)
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < r->out->lanes[side].count; i++)
            bytes_append(&r->got[side], r->out->lanes[side].slices[i], NO_LIMIT);
    engine_out_reset(r->out);
}

/* Feeds a piece in a block of exactly its size; returns how many octets were consumed. */
static size_t feed_piece(struct run *r, enum side from, struct slice piece)
{
    uint8_t *block = malloc(piece.len);
    check(block != NULL, "memory for the fuzzer itself");
    memcpy(block, piece.data, piece.len);
    size_t before = heap_in_use(r);
    size_t consumed = engine_feed(r->engine, from, (struct slice){block, piece.len}, r->out);
    r->held += heap_in_use(r) - before;
    check(r->held <= HELD_MAX, "what the engine holds stays under its limit");
    check(consumed <= piece.len, "no more is consumed than was fed");
    collect(r);
    free(block);
    return consumed;
}

/* Feeds what is kept of a side until it is consumed or the engine waits for the other one. True where it moved. */
static bool feed_kept(struct run *r, enum side from)
{
    bool moved = false;
    size_t done = 0;
    unsigned idle = 0;
    while (done < r->kept[from].len && engine_wants(r->engine, from)) {
        struct slice rest = slice_sub(bytes_view(&r->kept[from]), done, NO_LIMIT);
        size_t out_before = r->got[0].len + r->got[1].len;
        size_t consumed =
            feed_piece(r, from, slice_sub(rest, 0, r->cutting == CUT_EVERYWHERE ? 1 : rest.len));
        bool progress = consumed > 0 || r->got[0].len + r->got[1].len > out_before;
        idle = progress ? 0 : idle + 1;
        check(idle < IDLE_FEEDS_MAX, "the engine consumes what it wants");
        moved = moved || progress;
        done += consumed;
    }
    bytes_drop(&r->kept[from], done);
    return moved;
}

/*
 * A step of one side goes in whole before the other side is heard again: which of the two is first where both
 * have something to say is the network's choice, and not what the cutting may change.
 */
static void feed_step(struct run *r, enum side from, struct slice step)
{
    bytes_append(&r->kept[from], step, NO_LIMIT);
    feed_kept(r, from);
}

static void settle(struct run *r)
{
    size_t turns = 16 + r->kept[0].len + r->kept[1].len;
    bool moved = true;
    while (moved) {
        check(turns-- > 0, "the engine comes to rest");
        moved = feed_kept(r, SIDE_BACKEND);
        moved = feed_kept(r, SIDE_CLIENT) || moved;
    }
}

static void run_chunks(struct run *r, struct slice input)
{
    struct bytes step = {0};
    for (size_t at = 0; at < input.len;) {
        uint8_t control = input.data[at];
        enum side from = control & CHUNK_FROM_BACKEND ? SIDE_BACKEND : SIDE_CLIENT;
        struct slice chunk = slice_sub(input, at + 1, (control & ~CHUNK_FROM_BACKEND & 0xff) + 1u);
        at += 1 + chunk.len;
        bool last = at >= input.len || ((input.data[at] ^ control) & CHUNK_FROM_BACKEND) != 0;
        if (r->cutting == CUT_AS_GIVEN)
            feed_step(r, from, chunk);
        else
            bytes_append(&step, chunk, NO_LIMIT);
        if (!last)
            continue;
        feed_step(r, from, bytes_view(&step));
        bytes_free(&step);
        settle(r);
    }
}

/* Everything that a session shows of itself, as octets to compare. */
static void describe_end(struct run *r)
{
    const struct engine_status *s = engine_status(r->engine);
    char text[80];
    snprintf(text, sizeof text, "\n[reason %d greeted %d authenticated %d ending %d wants %d %d]",
             (int)s->reason, s->greeted, s->authenticated, s->ending, engine_wants(r->engine, SIDE_CLIENT),
             engine_wants(r->engine, SIDE_BACKEND));
    bytes_append(&r->got[SIDE_CLIENT], slice_of(text), NO_LIMIT);
    for (int i = 0; i < ENGINE_REPORT_FIELDS; i++) {
        const char *report = engine_report(r->engine, (enum engine_report_field)i);
        bytes_append(&r->got[SIDE_CLIENT], slice_of(report != NULL ? report : "-"), NO_LIMIT);
    }
}

static void check_backend_octets(struct slice octets)
{
#if FUZZ_IS_POP3
    check(slice_find(octets, '\0') == octets.len, "no NUL reaches the backend");
    for (size_t i = 0; i < octets.len; i++) {
        if (octets.data[i] == '\n')
            check(i > 0 && octets.data[i - 1] == '\r', "no bare LF reaches the backend");
        if (octets.data[i] == '\r')
            check(i + 1 < octets.len && octets.data[i + 1] == '\n', "no bare CR reaches the backend");
    }
#else
    (void)octets;
#endif
}

static void run_input(struct run *r, enum cutting cutting, struct slice input)
{
    r->cutting = cutting;
    size_t before = heap_in_use(r);
    r->engine = engine_new(&service, &client);
    r->held = heap_in_use(r) - before;
    check(r->engine != NULL, "memory for an engine");
    run_chunks(r, input);
    check_backend_octets(bytes_view(&r->got[SIDE_BACKEND]));
    describe_end(r);
    before = heap_in_use(r);
    engine_free(&r->engine);
    check(r->held == before - heap_in_use(r), "all memory is given back");
    bytes_free(&r->kept[0]);
    bytes_free(&r->kept[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct engine_out *out;
    if (out == NULL)
        out = engine_out_new();
    check(out != NULL, "memory for the fuzzer itself");
    struct run runs[CUTTINGS] = {0};
    for (int i = 0; i < CUTTINGS; i++) {
        runs[i].out = out;
        run_input(&runs[i], (enum cutting)i, (struct slice){data, size});
    }
    for (int side = 0; side < 2; side++) {
        for (int i = 1; i < CUTTINGS; i++)
            check(slice_equals(bytes_view(&runs[0].got[side]), bytes_view(&runs[i].got[side])),
                  side == SIDE_CLIENT ? "the client receives the same, whatever the cuts"
                                      : "the backend receives the same, whatever the cuts");
        for (int i = 0; i < CUTTINGS; i++)
            bytes_free(&runs[i].got[side]);
    }
    return 0;
}
