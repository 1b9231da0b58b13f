/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/engine_out.h"

#include "base/ensure.h"

#include <stdlib.h>
#include <string.h>

enum side side_opposite(enum side side)
{
    return side == SIDE_CLIENT ? SIDE_BACKEND : SIDE_CLIENT;
}

struct engine_out *engine_out_new(void)
{
    struct engine_out *out = malloc(sizeof *out);
    if (out == NULL)
        return NULL;
    out->given_count = 0;
    engine_out_reset(out);
    return out;
}

void engine_out_free(struct engine_out **out)
{
    if (*out == NULL)
        return;
    engine_out_reset(*out);
    explicit_bzero((*out)->scratch, sizeof(*out)->scratch);
    free(*out);
    *out = NULL;
}

void engine_out_reset(struct engine_out *out)
{
    out->lanes[SIDE_CLIENT].count = out->lanes[SIDE_BACKEND].count = 0;
    out->lanes[SIDE_CLIENT].octets = out->lanes[SIDE_BACKEND].octets = 0;
    out->scratch_used = 0;
    while (out->given_count > 0)
        bytes_free(&out->given[--out->given_count]);
}

static bool lane_has_room(const struct engine_lane *lane)
{
    return lane->count + ENGINE_STEP_SLICES <= ENGINE_OUT_SLICES;
}

bool engine_out_has_room(const struct engine_out *out)
{
    return lane_has_room(&out->lanes[SIDE_CLIENT]) && lane_has_room(&out->lanes[SIDE_BACKEND]) &&
           out->scratch_used + ENGINE_STEP_SCRATCH <= ENGINE_OUT_SCRATCH &&
           out->given_count < ENGINE_OUT_GIVEN;
}

static void add(struct engine_lane *lane, struct slice s)
{
    if (s.len == 0)
        return;
    lane->octets += s.len;
    struct slice *last = lane->count > 0 ? &lane->slices[lane->count - 1] : NULL;
    if (last != NULL && last->data + last->len == s.data) {
        last->len += s.len;
        return;
    }
    ENSURE(lane->count < ENGINE_OUT_SLICES);
    lane->slices[lane->count++] = s;
}

void engine_out_pass(struct engine_out *out, enum side to, struct slice s)
{
    add(&out->lanes[to], s);
}

void engine_out_make(struct engine_out *out, enum side to, struct slice s)
{
    if (s.len == 0)
        return;
    ENSURE(s.len <= ENGINE_OUT_SCRATCH - out->scratch_used);
    uint8_t *copy = out->scratch + out->scratch_used;
    memcpy(copy, s.data, s.len);
    out->scratch_used += s.len;
    add(&out->lanes[to], (struct slice){copy, s.len});
}

void engine_out_make_text(struct engine_out *out, enum side to, const char *text)
{
    engine_out_make(out, to, slice_of(text));
}

void engine_out_give(struct engine_out *out, enum side to, struct bytes *buffer, struct slice octets)
{
    ENSURE(out->given_count < ENGINE_OUT_GIVEN);
    out->given[out->given_count++] = *buffer;
    *buffer = (struct bytes){0};
    add(&out->lanes[to], octets);
}

bool engine_out_is_empty(const struct engine_out *out)
{
    return out->lanes[SIDE_CLIENT].count == 0 && out->lanes[SIDE_BACKEND].count == 0;
}
