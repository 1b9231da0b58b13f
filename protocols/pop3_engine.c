/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/engine_base.h"

struct pop3_engine {
    struct engine base;
};

static void init(struct engine *engine)
{
    (void)engine;
}

static size_t feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    (void)engine;
    if (!engine_out_has_room(out))
        return 0;
    engine_out_pass(out, side_opposite(from), data);
    return data.len;
}

static bool wants(const struct engine *engine, enum side from)
{
    (void)from;
    return from == SIDE_BACKEND || engine->status.greeted;
}

static void goodbye(struct engine *engine, enum engine_farewell farewell, struct engine_out *out)
{
    (void)engine;
    (void)farewell;
    (void)out;
}

static void release(struct engine *engine)
{
    (void)engine;
}

const struct engine_ops pop3_engine_ops = {
    .size = sizeof(struct pop3_engine),
    .init = init,
    .feed = feed,
    .wants = wants,
    .goodbye = goodbye,
    .release = release,
};
