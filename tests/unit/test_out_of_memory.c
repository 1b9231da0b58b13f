/* SPDX-License-Identifier: BSD-2-Clause */
#include "transcript.h"

#include "base/bytes.h"
#include "failing_heap.h"
#include "protocols/engine.h"
#include "protocols/starttls_client.h"
#include "run_suite.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The recorded dialogues with a heap that gives out: each is run again and again, and the first, the second
 * and so on of the engine's allocations fails. What must hold: what each side has received until then is how
 * the dialogue goes, and the session ends with ENGINE_NO_MEMORY - or, where what was lost is only a report
 * for the log, goes on as if nothing had been. (All memory comes back: the address sanitizer looks at that.)
 */
#define NO_LIMIT ((size_t)1 << 30)

struct run {
    struct engine *engine;
    struct engine_out *out;
    size_t chunk;
    struct bytes kept[2];
    struct bytes got[2];
};

static bool feed(struct run *r, enum side from)
{
    struct bytes *kept = &r->kept[from];
    if (r->engine == NULL || kept->len == 0 || !engine_wants(r->engine, from))
        return false;
    failing_heap_begin();
    size_t consumed = engine_feed(r->engine, from, bytes_view(kept), r->out);
    failing_heap_end();
    bool moved = consumed > 0 || !engine_out_is_empty(r->out);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < r->out->lanes[side].count; i++)
            bytes_append(&r->got[side], r->out->lanes[side].slices[i], NO_LIMIT);
    engine_out_reset(r->out);
    bytes_drop(kept, consumed);
    return moved;
}

static void take_step(void *context, enum side from, struct slice octets)
{
    struct run *r = context;
    /* Long steps in no more than some hundred pieces. */
    size_t chunk = r->chunk < octets.len / 200 ? octets.len / 200 : r->chunk;
    for (size_t at = 0; at < octets.len; at += chunk) {
        bytes_append(&r->kept[from], slice_sub(octets, at, chunk), NO_LIMIT);
        while (feed(r, SIDE_BACKEND) || feed(r, SIDE_CLIENT))
            continue;
    }
}

/* What came of a run; ENGINE_NO_MEMORY where there was none for an engine. */
struct outcome {
    struct bytes got[2];
    enum engine_reason reason;
};

static struct outcome run(const struct transcript *t, size_t index, size_t chunk, size_t fails_at)
{
    struct transcript_setting setting = transcript_setting(t, index);
    struct run r = {.out = engine_out_new(), .chunk = chunk};
    failing_heap_set(fails_at);
    failing_heap_begin();
    r.engine = setting.cleartext ? engine_new_pretls(&setting.service)
                                 : engine_new(&setting.service, &setting.client);
    failing_heap_end();
    if (r.engine != NULL && setting.cleartext)
        engine_greet(r.engine, r.out);
    transcript_steps(t, index, take_step, &r);
    struct outcome outcome = {{r.got[0], r.got[1]},
                              r.engine != NULL ? engine_status(r.engine)->reason : ENGINE_NO_MEMORY};
    engine_free(&r.engine);
    engine_out_free(&r.out);
    bytes_free(&r.kept[0]);
    bytes_free(&r.kept[1]);
    return outcome;
}

static void free_outcome(struct outcome *o)
{
    bytes_free(&o->got[0]);
    bytes_free(&o->got[1]);
}

static void compare(const struct outcome *usual, const struct outcome *short_of_it, const char *name,
                    size_t fails_at)
{
    bool ended = short_of_it->reason == ENGINE_NO_MEMORY;
    if (!ended && short_of_it->reason != usual->reason)
        ck_abort_msg("\"%s\", allocation %zu: another end: %d", name, fails_at, (int)short_of_it->reason);
    for (int side = 0; side < 2; side++) {
        struct slice all = bytes_view(&usual->got[side]), got = bytes_view(&short_of_it->got[side]);
        bool goes_so = slice_equals(got, slice_first(all, got.len)) && (ended || got.len == all.len);
        if (!goes_so)
            ck_abort_msg("\"%s\", allocation %zu: to the %s: %.*s", name, fails_at,
                         side == SIDE_CLIENT ? "client" : "backend", (int)got.len, (const char *)got.data);
    }
}

static void run_short_of_memory(const struct transcript *t, size_t index, size_t chunk)
{
    struct outcome usual = run(t, index, chunk, FAILING_HEAP_NEVER);
    bool failed = true;
    for (size_t fails_at = 0; failed; fails_at++) {
        struct outcome outcome = run(t, index, chunk, fails_at);
        failed = failing_heap_has_failed();
        compare(&usual, &outcome, transcript_name(t, index), fails_at);
        free_outcome(&outcome);
    }
    free_outcome(&usual);
}

static glob_t found;

START_TEST(dialogues)
{
    struct transcript *t = transcript_load(found.gl_pathv[_i]);
    ck_assert_ptr_nonnull(t);
    ck_assert_uint_gt(transcript_count(t), 0);
    for (size_t i = 0; i < transcript_count(t); i++) {
        run_short_of_memory(t, i, NO_LIMIT);
        run_short_of_memory(t, i, 7);
    }
    transcript_free(t);
}
END_TEST

/* Asking a backend for TLS, octet by octet; true where it came to its end. */
static bool ask_for_tls(const struct engine_service *service, const char *const parts[], size_t fails_at)
{
    struct engine_out *out = engine_out_new();
    enum starttls_progress progress = STARTTLS_UNDER_WAY;
    failing_heap_set(fails_at);
    failing_heap_begin();
    struct starttls_client *request = starttls_client_new(service);
    for (; request != NULL && *parts != NULL && progress != STARTTLS_FAILED; parts++) {
        for (const char *at = *parts; *at != '\0' && progress == STARTTLS_UNDER_WAY; at++) {
            struct slice octet = {(const uint8_t *)at, 1};
            progress = starttls_client_feed(request, &octet, out);
        }
        if (progress != STARTTLS_AGREED)
            continue;
        starttls_client_secured(request, out);
        progress = STARTTLS_UNDER_WAY;
    }
    failing_heap_end();
    if (progress == STARTTLS_FAILED)
        ck_assert(strstr(starttls_client_failure(request), "no memory") != NULL);
    bool ready = progress == STARTTLS_READY;
    if (ready)
        ck_assert(slice_has_suffix(starttls_client_greeting(request), " ready\r\n"));
    starttls_client_free(&request);
    engine_out_free(&out);
    return ready;
}

START_TEST(requests_for_tls)
{
    static const char *const parts[][4] = {
        [PROTOCOL_IMAP] = {"* OK\r\n", "s1 OK\r\n", "* CAPABILITY IMAP4rev1\r\ns2 OK\r\n", NULL},
        [PROTOCOL_POP3] = {"+OK\r\n", "+OK\r\n", "+OK\r\nUSER\r\n.\r\n", NULL},
        [PROTOCOL_SUBMISSION] = {"220 a\r\n", "250-a\r\n250 STARTTLS\r\n220 go\r\n", "250 ok\r\n", NULL},
    };
    const struct engine_service service = {.protocol = (enum protocol)_i, .hostname = "proxy.example.com"};
    ck_assert(ask_for_tls(&service, parts[_i], FAILING_HEAP_NEVER));
    size_t fails_at = 0;
    do {
        bool ready = ask_for_tls(&service, parts[_i], fails_at++);
        ck_assert(ready != failing_heap_has_failed());
    } while (failing_heap_has_failed());
    ck_assert_uint_gt(fails_at, 5);
}
END_TEST

int main(void)
{
    if (glob(TEST_SOURCE_DIR "/transcripts/*/*.txt", 0, NULL, &found) != 0)
        return 1;
    TCase *tcase = tcase_create("dialogues");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, dialogues, 0, (int)found.gl_pathc);
    tcase_add_loop_test(tcase, requests_for_tls, 0, PROTOCOLS);
    Suite *suite = suite_create("out of memory");
    suite_add_tcase(suite, tcase);
    int status = run_suite(suite);
    globfree(&found);
    return status;
}
