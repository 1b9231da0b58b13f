/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "heard_identity.h"
#include "heard_line.h"
#include "listener.h"

struct listener {
    struct bytes line;
    struct engine_client client;
    bool untold;      /* the backend is to be told who the client is, before all else */
    bool in_exchange; /* nothing has come since AUTH but what may be lines of its exchange */
};

struct listener *listener_new(const struct engine_client *client, bool sends_identity)
{
    struct listener *l = calloc(1, sizeof *l);
    check(l != NULL, "memory for the fuzzer itself");
    l->client = *client;
    l->untold = sends_identity;
    return l;
}

void listener_free(struct listener **listener)
{
    bytes_free(&(*listener)->line);
    free(*listener);
    *listener = NULL;
}

static void heard_line(struct listener *l)
{
    struct slice text = line_text(&l->line);
    struct slice rest = text;
    struct slice keyword = take_word(&rest);
    l->in_exchange = l->in_exchange && is_sasl_text(text);
    if (l->untold) {
        check(slice_is_word(keyword, "XCLIENT"),
              "a backend that trusts the proxy hears first who the client is");
        heard_identity_pop3(&l->client, rest);
        l->untold = false;
        return;
    }
    bool forbidden =
        slice_is_word(keyword, "XCLIENT") || slice_is_word(keyword, "XOIP") || slice_is_word(keyword, "STLS");
    check(!forbidden || l->in_exchange, "what backends believe of a proxy, and STLS, do not pass");
    check(l->in_exchange || keyword.len > 0, "no command begins with a space");
    if (slice_is_word(keyword, "AUTH") && rest.len > 0) {
        check(mechanism_may_pass(rest, l->client.external), "no mechanism passes that can't work");
        l->in_exchange = true;
    }
}

void listener_heard(struct listener *l, struct slice octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        if (!line_add(&l->line, octets.data[i]))
            continue;
        heard_line(l);
        bytes_free(&l->line);
    }
}

void listener_said(struct listener *l, struct slice octets)
{
    (void)l;
    (void)octets;
}

void listener_end(struct listener *l)
{
    check(l->line.len == 0, "commands go to the backend whole");
}
