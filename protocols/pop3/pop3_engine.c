/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_protocol.h"
#include "protocols/pop3/pop3_session.h"

static struct pop3_engine *of(struct engine *engine)
{
    return (struct pop3_engine *)engine;
}

static bool wants(const struct engine *engine, enum side from)
{
    return from == SIDE_BACKEND || pop3_wants_client((const struct pop3_engine *)engine);
}

static size_t feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    struct pop3_engine *pop3 = of(engine);
    struct slice left = data;
    while (left.len > 0 && pop3_is_open(pop3) && wants(engine, from) && engine_out_has_room(out)) {
        if (from == SIDE_CLIENT)
            pop3_client_step(pop3, &left, out);
        else
            pop3_backend_step(pop3, &left, out);
    }
    return data.len - left.len;
}

static bool init(struct engine *engine, const struct engine_client *client)
{
    (void)client;
    of(engine)->client = CLIENT_GREETING;
    of(engine)->backend = BACKEND_GREETING;
    return true;
}

const char *pop3_goodbye_text(enum engine_farewell farewell)
{
    static const char *const words[] = {
        [ENGINE_FAREWELL_UNAVAILABLE] = "-ERR [SYS/TEMP] Mail server not available, try again later\r\n",
        [ENGINE_FAREWELL_SHUTDOWN] = "-ERR [SYS/TEMP] Server is shutting down, try again later\r\n",
        [ENGINE_FAREWELL_TIMEOUT] = "-ERR [SYS/TEMP] Timeout, try again later\r\n",
    };
    return words[farewell];
}

/*
 * The words serve as greeting, as answer to the command under way, or as an idle client's next answer; not
 * inside a multi-line reply, where they would be content, and not after the backend's last word. A client
 * that was just idle for too long is told nothing (RFC 1939 section 3).
 */
static void goodbye(struct engine *engine, enum engine_farewell farewell, struct engine_out *out)
{
    const struct pop3_engine *pop3 = of(engine);
    bool between_replies = pop3->backend == BACKEND_GREETING || pop3->backend == BACKEND_XCLIENT ||
                           pop3->backend == BACKEND_REPLY;
    bool idled = farewell == ENGINE_FAREWELL_TIMEOUT && pop3->backend == BACKEND_REPLY &&
                 pop3_pending_is_empty(&pop3->pending);
    if (between_replies && !idled)
        engine_out_make_text(out, SIDE_CLIENT, pop3_goodbye_text(farewell));
}

static void release(struct engine *engine)
{
    line_reader_done(&of(engine)->from_client);
    line_reader_done(&of(engine)->from_backend);
    bytes_free(&of(engine)->greeting);
}

const struct engine_ops pop3_engine_ops = {
    .size = sizeof(struct pop3_engine),
    .init = init,
    .feed = feed,
    .wants = wants,
    .goodbye = goodbye,
    .release = release,
};
