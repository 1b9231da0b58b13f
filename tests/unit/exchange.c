/* SPDX-License-Identifier: BSD-2-Clause */
#include "exchange.h"

#include "responses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT ((size_t)1 << 30)

void exchange_add_step(struct exchange *x, enum side from, struct slice octets)
{
    x->steps = realloc(x->steps, (x->count + 1) * sizeof *x->steps);
    if (x->steps == NULL)
        abort();
    struct exchange_step *step = &x->steps[x->count++];
    *step = (struct exchange_step){.from = from, .after = x->to_backend.len};
    bytes_append(&step->octets, octets, NO_LIMIT);
}

void exchange_expect(struct exchange *x, enum side to, enum side from, struct slice came_out)
{
    bytes_append(to == SIDE_CLIENT ? &x->to_client : &x->to_backend, came_out, NO_LIMIT);
    if (to == SIDE_CLIENT)
        bytes_append(&x->by_step[from], came_out, NO_LIMIT);
}

void exchange_free(struct exchange *x)
{
    for (size_t i = 0; i < x->count; i++)
        bytes_free(&x->steps[i].octets);
    free(x->steps);
    bytes_free(&x->to_backend);
    bytes_free(&x->to_client);
    bytes_free(&x->by_step[SIDE_CLIENT]);
    bytes_free(&x->by_step[SIDE_BACKEND]);
    *x = (struct exchange){0};
}

/* ---- schedules ---- */

enum {
    SCHEDULE_IN_TURN,       /* an octet of each */
    SCHEDULE_CLIENT_FIRST,  /* all that the client has, then of the backend's what may come; whole */
    SCHEDULE_BACKEND_FIRST, /* the backend's as soon as may be; else an octet of the client's */
    SCHEDULE_RANDOM         /* from here on: pieces of any length, of the side that chance says */
};

/* Sanitizers look for other things than order does, and make each run many times slower. */
#ifdef TEST_IS_SANITIZED
#define SLOWER 5u
#else
#define SLOWER 1u
#endif

unsigned exchange_schedules(const struct exchange *x)
{
    size_t octets = 0;
    for (size_t i = 0; i < x->count; i++)
        octets += x->steps[i].octets.len;
    return SCHEDULE_RANDOM + (octets < 1000 ? 100u : octets < 10000 ? 30u : 5u) / SLOWER;
}

struct run {
    const struct exchange *exchange;
    unsigned schedule;
    uint32_t chance;
    struct engine *engine;
    struct engine_out *out;
    size_t step[2]; /* the next one of this side, or the number of all; and how much of it has been sent */
    size_t sent[2];
    enum side last;
    struct bytes kept[2];
    struct bytes got[2];
};

static uint32_t next_chance(struct run *r)
{
    r->chance ^= r->chance << 13;
    r->chance ^= r->chance >> 17;
    r->chance ^= r->chance << 5;
    return r->chance;
}

static void find_step(struct run *r, enum side side)
{
    while (r->step[side] < r->exchange->count && r->exchange->steps[r->step[side]].from != side)
        r->step[side]++;
}

static bool is_over(const struct run *r)
{
    return engine_status(r->engine)->reason != ENGINE_OPEN;
}

static bool may_send(const struct run *r, enum side side)
{
    return r->step[side] < r->exchange->count &&
           (side == SIDE_CLIENT || r->exchange->steps[r->step[side]].after <= r->got[SIDE_BACKEND].len);
}

static enum side choose_side(struct run *r)
{
    enum side side = r->schedule == SCHEDULE_IN_TURN         ? side_opposite(r->last)
                     : r->schedule == SCHEDULE_CLIENT_FIRST  ? SIDE_CLIENT
                     : r->schedule == SCHEDULE_BACKEND_FIRST ? SIDE_BACKEND
                     : next_chance(r) % 4 <= r->schedule % 3 ? SIDE_CLIENT
                                                             : SIDE_BACKEND;
    return may_send(r, side) ? side : side_opposite(side);
}

static size_t choose_length(struct run *r, enum side side)
{
    if (r->schedule == SCHEDULE_CLIENT_FIRST ||
        (r->schedule == SCHEDULE_BACKEND_FIRST && side == SIDE_BACKEND))
        return NO_LIMIT;
    return r->schedule < SCHEDULE_RANDOM ? 1 : 1 + next_chance(r) % (1u << next_chance(r) % 10);
}

/* ---- running ---- */

static void collect(struct run *r)
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < r->out->lanes[side].count; i++)
            bytes_append(&r->got[side], r->out->lanes[side].slices[i], NO_LIMIT);
    engine_out_reset(r->out);
}

/* In a memory block of exactly its size, as all runs do it; true where something moved. */
static bool feed(struct run *r, enum side from)
{
    struct bytes *kept = &r->kept[from];
    if (kept->len == 0 || !engine_wants(r->engine, from))
        return false;
    uint8_t *block = malloc(kept->len);
    memcpy(block, kept->data, kept->len);
    size_t consumed = engine_feed(r->engine, from, (struct slice){block, kept->len}, r->out);
    bool moved = consumed > 0 || !engine_out_is_empty(r->out);
    collect(r);
    free(block);
    bytes_drop(kept, consumed);
    return moved;
}

static void send_piece(struct run *r, enum side side)
{
    const struct exchange_step *step = &r->exchange->steps[r->step[side]];
    struct slice piece = slice_sub(bytes_view(&step->octets), r->sent[side], choose_length(r, side));
    bytes_append(&r->kept[side], piece, NO_LIMIT);
    r->sent[side] += piece.len;
    if (r->sent[side] == step->octets.len) {
        r->step[side]++;
        r->sent[side] = 0;
        find_step(r, side);
    }
    r->last = side;
    while (feed(r, side) || feed(r, side_opposite(side)))
        continue;
}

static char *describe(const char *what, struct slice expected, struct slice came)
{
    char want[1500], have[1500], *message;
    exchange_printable(expected, want, sizeof want);
    exchange_printable(came, have, sizeof have);
    if (asprintf(&message, "%s:\n  expected %zu: %s\n  came     %zu: %s", what, expected.len, want, came.len,
                 have) < 0)
        abort();
    return message;
}

static bool client_lane_is_right(const struct run *r)
{
    const struct exchange *x = r->exchange;
    struct slice got = bytes_view(&r->got[SIDE_CLIENT]);
    if (x->protocol != PROTOCOL_IMAP)
        return slice_equals(got, bytes_view(&x->to_client));
    bool cut_short = engine_status(r->engine)->reason == ENGINE_CLIENT_ERROR;
    return responses_are_shuffled(got, bytes_view(&x->by_step[SIDE_CLIENT]),
                                  bytes_view(&x->by_step[SIDE_BACKEND]), cut_short);
}

static char *judge(const struct run *r)
{
    const struct exchange *x = r->exchange;
    if (!slice_equals(bytes_view(&r->got[SIDE_BACKEND]), bytes_view(&x->to_backend)))
        return describe("to the backend", bytes_view(&x->to_backend), bytes_view(&r->got[SIDE_BACKEND]));
    if (!client_lane_is_right(r))
        return describe("to the client", bytes_view(&x->to_client), bytes_view(&r->got[SIDE_CLIENT]));
    bool all_sent = r->step[SIDE_CLIENT] == x->count && r->step[SIDE_BACKEND] == x->count;
    return all_sent || is_over(r) ? NULL : strdup("the backend waits for octets that don't come");
}

char *exchange_run(const struct exchange *x, unsigned schedule, struct engine *engine, struct engine_out *out)
{
    struct run r = {.exchange = x,
                    .schedule = schedule,
                    .chance = 0x9e3779b9u * (schedule + 1),
                    .engine = engine,
                    .out = out,
                    .last = SIDE_BACKEND};
    find_step(&r, SIDE_CLIENT);
    find_step(&r, SIDE_BACKEND);
    while (!is_over(&r) && (may_send(&r, SIDE_CLIENT) || may_send(&r, SIDE_BACKEND)))
        send_piece(&r, choose_side(&r));
    char *failure = judge(&r);
    for (int side = 0; side < 2; side++) {
        bytes_free(&r.kept[side]);
        bytes_free(&r.got[side]);
    }
    return failure;
}

void exchange_printable(struct slice s, char *into, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 5 < cap; i++) {
        uint8_t c = s.data[i];
        if (c == '\r' || c == '\n')
            n += (size_t)snprintf(into + n, cap - n, c == '\r' ? "\\r" : "\\n");
        else if (c < 32 || c > 126)
            n += (size_t)snprintf(into + n, cap - n, "\\x%02x", c);
        else
            into[n++] = (char)c;
    }
    into[n] = '\0';
}
