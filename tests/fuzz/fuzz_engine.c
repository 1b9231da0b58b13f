/* SPDX-License-Identifier: BSD-2-Clause */
#include "content.h"
#include "fuzz_check.h"
#include "session.h"

/*
 * Fuzzes one engine; FUZZ_PROTOCOL says which. The first octet of an input picks a service (services.h). The
 * rest is a row of chunks: a control octet (the top bit set: from the backend; the rest: length less one) and
 * as many octets. It is run three times: each chunk on its own, the chunks of one side that follow each other
 * as one, and octet by octet; behind three inputs of four the proxy says goodbye. Held against the engine,
 * besides what session.h watches:
 *   - all three let out the same octets and end in the same state;
 *   - a backend that reads along sees no forgery and nothing that could be read in two ways (listener.h);
 *   - the same octets as content of a session arrive as they are (content.h).
 */

enum {
    CHUNK_FROM_BACKEND = 0x80,
    /* So much of an input is content besides: more would teach nothing. */
    CONTENT_MAX = 1024
};

/* How the same octets are cut. */
enum cutting { CUT_AS_GIVEN, CUT_NOWHERE, CUT_EVERYWHERE, CUTTINGS };

static void run_chunks(struct session *s, enum cutting cutting, struct slice input)
{
    struct bytes step = {0};
    for (size_t at = 0; at < input.len;) {
        uint8_t control = input.data[at];
        enum side from = control & CHUNK_FROM_BACKEND ? SIDE_BACKEND : SIDE_CLIENT;
        struct slice chunk = slice_sub(input, at + 1, (control & ~CHUNK_FROM_BACKEND & 0xff) + 1u);
        at += 1 + chunk.len;
        bool last = at >= input.len || ((input.data[at] ^ control) & CHUNK_FROM_BACKEND) != 0;
        if (cutting == CUT_AS_GIVEN)
            session_feed(s, from, chunk);
        else
            bytes_append(&step, chunk, NO_LIMIT);
        if (!last)
            continue;
        session_feed(s, from, bytes_view(&step));
        bytes_free(&step);
        session_settle(s);
    }
}

/* Everything that a session shows of itself, as octets to compare. */
static struct bytes describe(const struct session *s)
{
    const struct engine_status *status = engine_status(s->engine);
    struct bytes all = {0};
    char text[80];
    snprintf(text, sizeof text, "\n[reason %d status %d%d%d%d%d wants %d %d discarded %zu]",
             (int)status->reason, status->greeted, status->authenticated, status->serving, status->ending,
             status->closing_reply_sent, engine_wants(s->engine, SIDE_CLIENT),
             engine_wants(s->engine, SIDE_BACKEND), status->discarded);
    bytes_append(&all, bytes_view(&s->got[SIDE_CLIENT]), NO_LIMIT);
    bytes_append(&all, slice_of(text), NO_LIMIT);
    for (int i = 0; i < ENGINE_REPORT_FIELDS; i++) {
        const char *report = engine_report(s->engine, (enum engine_report_field)i);
        bytes_append(&all, slice_of(report != NULL ? report : "-"), NO_LIMIT);
    }
    return all;
}

/* What the two sides have received; to be compared and freed. */
struct result {
    struct bytes client;
    struct bytes backend;
};

static struct result run_input(const struct fuzz_service *as, enum cutting cutting, struct slice input)
{
    struct session s;
    session_begin(&s, as, cutting == CUT_EVERYWHERE ? PIECE_OCTET : PIECE_WHOLE);
    run_chunks(&s, cutting, input);
    unsigned end = input.len > 0 ? input.data[input.len - 1] % 4u : 0;
    if (end <= ENGINE_GOODBYE_TIMEOUT)
        session_goodbye(&s, (enum engine_goodbye_reason)end);
    struct result result = {describe(&s), s.got[SIDE_BACKEND]};
    s.got[SIDE_BACKEND] = (struct bytes){0};
    session_end(&s);
    return result;
}

static void compare_cuttings(const struct fuzz_service *as, struct slice input)
{
    struct result results[CUTTINGS];
    for (int i = 0; i < CUTTINGS; i++)
        results[i] = run_input(as, (enum cutting)i, input);
    for (int i = 1; i < CUTTINGS; i++) {
        check(slice_equals(bytes_view(&results[0].client), bytes_view(&results[i].client)),
              "the client receives the same, whatever the cuts");
        check(slice_equals(bytes_view(&results[0].backend), bytes_view(&results[i].backend)),
              "the backend receives the same, whatever the cuts");
    }
    for (int i = 0; i < CUTTINGS; i++) {
        bytes_free(&results[i].client);
        bytes_free(&results[i].backend);
    }
}

/* In one piece a step, or in pieces of a few octets: which is chance. */
static void play_content(const struct fuzz_service *as, struct slice input)
{
    size_t chance = input.len + (input.len > 0 ? input.data[input.len - 1] : 0);
    struct session s;
    session_begin(&s, as, chance % 2 == 0 ? PIECE_WHOLE : 1 + chance % 31);
    content_play(&s, slice_first(input, CONTENT_MAX));
    session_end(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct fuzz_service as = fuzz_services[data[0] % FUZZ_SERVICES];
    as.service.protocol = FUZZ_PROTOCOL;
    struct slice input = {data + 1, size - 1};
    compare_cuttings(&as, input);
    if (!as.cleartext && !as.changes_messages)
        play_content(&as, input);
    return 0;
}
