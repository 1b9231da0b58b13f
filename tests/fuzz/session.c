/* SPDX-License-Identifier: BSD-2-Clause */
#include "session.h"

#include "fuzz_check.h"

#include <string.h>

enum {
    /* What an engine may hold for a session: a line or command each way, and the room that growing leaves. */
    HELD_MAX_IMAP = 256 * 1024,
    HELD_MAX = 64 * 1024,
    /* Feeds without a consumed octet or one let out, one after the other. */
    IDLE_FEEDS_MAX = 4
};

__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

/* Octets of the heap in use, where they are counted: to ask is slow. */
static size_t heap_in_use(const struct session *s)
{
    return s->counted ? __sanitizer_get_current_allocated_bytes() : 0;
}

static size_t held_max(const struct session *s)
{
    return s->as->service.protocol == PROTOCOL_IMAP ? HELD_MAX_IMAP : HELD_MAX;
}

void session_end(struct session *s)
{
    if (s->listener != NULL) {
        listener_end(s->listener);
        listener_free(&s->listener);
    }
    size_t before = heap_in_use(s);
    engine_free(&s->engine);
    check(s->held == before - heap_in_use(s), "all memory is given back");
    for (int side = 0; side < 2; side++) {
        bytes_free(&s->kept[side]);
        bytes_free(&s->got[side]);
    }
}

/* The slice lies in the piece that was fed from a side: it passes. */
static void check_passing(struct session *s, enum side from, enum side to, struct slice slice,
                          struct slice piece, size_t consumed)
{
    if (slice.data < piece.data || slice.data >= piece.data + piece.len)
        return;
    size_t start = (size_t)(slice.data - piece.data);
    check(to != from, "nothing that a side sends comes back to it as it was");
    check(start + slice.len <= consumed, "what passes has been consumed");
    check(s->consumed[from] + start >= s->passed[from], "what passes does so once and in order");
    s->passed[from] = s->consumed[from] + start + slice.len;
}

/* Frees the buffers that the engine has given away: it holds them no longer. */
static void reset_out(struct session *s)
{
    size_t before = heap_in_use(s);
    engine_out_reset(s->out);
    s->held -= before - heap_in_use(s);
}

static void collect(struct session *s, enum side from, struct slice piece, size_t consumed)
{
    for (int to = 0; to < 2; to++) {
        for (size_t i = 0; i < s->out->lanes[to].count; i++) {
            struct slice slice = s->out->lanes[to].slices[i];
            check(!s->as->cleartext || to == SIDE_CLIENT, "nothing goes to a backend before TLS");
            check_passing(s, from, (enum side)to, slice, piece, consumed);
            bytes_append(&s->got[to], slice, NO_LIMIT);
            if (s->listener != NULL && to == SIDE_BACKEND)
                listener_heard(s->listener, slice);
        }
    }
    reset_out(s);
}

void session_begin(struct session *s, const struct fuzz_service *as, size_t piece)
{
    static struct engine_out *out;
    if (out == NULL)
        out = engine_out_new();
    bool counted = piece == PIECE_WHOLE && __sanitizer_get_current_allocated_bytes != NULL;
    *s = (struct session){.as = as, .piece = piece, .out = out, .counted = counted};
    size_t before = heap_in_use(s);
    s->engine = as->cleartext ? engine_new_pretls(&as->service) : engine_new(&as->service, &as->client);
    s->held = heap_in_use(s) - before;
    check(out != NULL && s->engine != NULL, "memory for an engine");
    if (piece == PIECE_OCTET)
        s->listener = listener_new(&as->client, as->service.sends_identity);
    if (as->cleartext) {
        engine_greet(s->engine, s->out);
        collect(s, SIDE_BACKEND, slice_of(""), 0);
    }
}

/* Returns how many octets were consumed. */
static size_t feed_piece(struct session *s, enum side from, struct slice piece)
{
    uint8_t *block = malloc(piece.len);
    check(block != NULL, "memory for the fuzzer itself");
    memcpy(block, piece.data, piece.len);
    struct slice fed = {block, piece.len};
    size_t before = heap_in_use(s);
    size_t consumed = engine_feed(s->engine, from, fed, s->out);
    s->held += heap_in_use(s) - before;
    check(s->held <= held_max(s), "what the engine holds stays under its limit");
    check(consumed <= piece.len, "no more is consumed than was fed");
    if (s->listener != NULL && from == SIDE_BACKEND)
        listener_said(s->listener, slice_first(fed, consumed));
    collect(s, from, fed, consumed);
    s->consumed[from] += consumed;
    free(block);
    return consumed;
}

/* True where something moved. */
static bool feed_kept(struct session *s, enum side from)
{
    bool moved = false;
    size_t done = 0;
    unsigned idle = 0;
    while (done < s->kept[from].len && engine_wants(s->engine, from)) {
        size_t out_before = s->got[0].len + s->got[1].len;
        size_t consumed = feed_piece(s, from, slice_sub(bytes_view(&s->kept[from]), done, s->piece));
        bool progress = consumed > 0 || s->got[0].len + s->got[1].len > out_before;
        idle = progress ? 0 : idle + 1;
        check(idle < IDLE_FEEDS_MAX, "the engine consumes what it wants");
        moved = moved || progress;
        done += consumed;
    }
    bytes_drop(&s->kept[from], done);
    return moved;
}

void session_feed(struct session *s, enum side from, struct slice octets)
{
    bytes_append(&s->kept[from], octets, NO_LIMIT);
    feed_kept(s, from);
}

void session_settle(struct session *s)
{
    size_t turns = 16 + s->kept[0].len + s->kept[1].len;
    bool moved = true;
    while (moved) {
        check(turns-- > 0, "the engine comes to rest");
        moved = feed_kept(s, SIDE_BACKEND);
        moved = feed_kept(s, SIDE_CLIENT) || moved;
    }
}

void session_goodbye(struct session *s, enum engine_goodbye_reason why)
{
    static const struct slice nothing = {(const uint8_t *)"", 0};
    bool over = engine_status(s->engine)->reason != ENGINE_OPEN;
    size_t said = s->got[SIDE_CLIENT].len, heard = s->got[SIDE_BACKEND].len;
    engine_goodbye(s->engine, why, s->out);
    collect(s, SIDE_BACKEND, nothing, 0);
    check(!over || s->got[SIDE_CLIENT].len == said, "who has had the last word has had it");
    said = s->got[SIDE_CLIENT].len;
    session_feed(s, SIDE_BACKEND, slice_of("* OK\r\n+OK\r\n250 OK\r\n"));
    session_feed(s, SIDE_CLIENT, slice_of("a NOOP\r\n"));
    check(s->got[SIDE_CLIENT].len == said, "nothing follows a goodbye");
    check(s->got[SIDE_BACKEND].len == heard, "the backend is told nothing of it");
    check(s->kept[SIDE_CLIENT].len == 0 && s->kept[SIDE_BACKEND].len == 0, "and all that comes is dropped");
}
