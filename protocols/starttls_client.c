/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/starttls_client.h"

#include "base/ensure.h"
#include "protocols/starttls_client_private.h"

#include <stdlib.h>

/* What IMAP's capabilities become, with the words around them. */
#define GREETING_MAX (STARTTLS_LINE_MAX + 512)

static const struct starttls_client_dialect *dialect_of(const struct starttls_client *request)
{
    return protocol_traits(request->service->protocol)->starttls_client;
}

struct starttls_client *starttls_client_new(const struct engine_service *service)
{
    struct starttls_client *request = calloc(1, sizeof *request);
    if (request != NULL)
        request->service = service;
    return request;
}

void starttls_client_free(struct starttls_client **request)
{
    if (*request == NULL)
        return;
    line_reader_done(&(*request)->lines);
    bytes_free(&(*request)->greeting);
    free(*request);
    *request = NULL;
}

void starttls_ask(struct starttls_client *request, enum starttls_step next, const char *command,
                  struct engine_out *out)
{
    engine_out_make_text(out, SIDE_BACKEND, command);
    request->step = next;
    request->in_reply = false;
}

void starttls_fail(struct starttls_client *request, const char *failure)
{
    if (request->step != STARTTLS_STEP_FAILED)
        request->failure = failure;
    request->step = STARTTLS_STEP_FAILED;
}

void starttls_refuse(struct starttls_client *request, const char *failure)
{
    if (request->step == STARTTLS_STEP_FAILED)
        return;
    request->failure = failure;
    request->step = STARTTLS_STEP_REFUSED;
}

void starttls_add_greeting(struct starttls_client *request, struct slice text)
{
    if (!bytes_append(&request->greeting, text, GREETING_MAX))
        starttls_fail(request, "no memory for a greeting");
}

/* `%` is replaced by the proxy's name. */
static void make_greeting(struct starttls_client *request)
{
    const struct starttls_client_dialect *dialect = dialect_of(request);
    struct slice text = slice_of(dialect->greeting);
    size_t name_at = slice_find(text, '%');
    if (dialect->greeting_before_identity != NULL && request->service->sends_identity)
        starttls_add_greeting(request, slice_of(dialect->greeting_before_identity));
    else if (request->greeting.len == 0)
        starttls_add_greeting(request, slice_first(text, name_at));
    starttls_add_greeting(request, slice_of(request->service->hostname));
    starttls_add_greeting(request, slice_from(text, name_at + 1));
}

void starttls_go_on(struct starttls_client *request)
{
    ENSURE(request->step == STARTTLS_STEP_CONSENT || request->step == STARTTLS_STEP_PROOF);
    if (request->step == STARTTLS_STEP_CONSENT) {
        request->step = STARTTLS_STEP_HANDSHAKE;
        return;
    }
    request->step = STARTTLS_STEP_READY;
    make_greeting(request);
}

void starttls_client_secured(struct starttls_client *request, struct engine_out *out)
{
    ENSURE(request->step == STARTTLS_STEP_HANDSHAKE);
    starttls_ask(request, STARTTLS_STEP_PROOF, dialect_of(request)->proof, out);
}

static bool expects_line(const struct starttls_client *request)
{
    return request->step < STARTTLS_STEP_HANDSHAKE || request->step == STARTTLS_STEP_PROOF;
}

static void take_line(struct starttls_client *request, struct slice *input, struct engine_out *out)
{
    struct line line;
    switch (line_reader_take(&request->lines, input, STARTTLS_LINE_MAX, &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        starttls_fail(request, "no memory for a line of the server");
        return;
    case LINE_TOO_LONG:
        starttls_fail(request, "a line of the server is too long");
        return;
    case LINE_WHOLE:
        break;
    }
    if (++request->line_count > STARTTLS_LINES_MAX)
        starttls_fail(request, "the server sends too many lines around STARTTLS");
    else
        dialect_of(request)->line(request, &line, out);
    line_reader_done(&request->lines);
}

static enum starttls_progress progress_of(const struct starttls_client *request)
{
    switch (request->step) {
    case STARTTLS_STEP_HANDSHAKE:
        return STARTTLS_AGREED;
    case STARTTLS_STEP_READY:
        return STARTTLS_READY;
    case STARTTLS_STEP_FAILED:
        return STARTTLS_FAILED;
    case STARTTLS_STEP_REFUSED:
        return STARTTLS_REFUSED;
    default:
        return STARTTLS_UNDER_WAY;
    }
}

enum starttls_progress starttls_client_feed(struct starttls_client *request, struct slice *data,
                                            struct engine_out *out)
{
    while (data->len > 0 && expects_line(request))
        take_line(request, data, out);
    if (request->step == STARTTLS_STEP_HANDSHAKE && data->len > 0)
        starttls_fail(request, "octets in the clear after the server's consent to STARTTLS: somebody on the "
                               "way injects them, or the server is broken");
    return progress_of(request);
}

const char *starttls_client_failure(const struct starttls_client *request)
{
    return request->failure;
}

struct slice starttls_client_greeting(const struct starttls_client *request)
{
    ENSURE(request->step == STARTTLS_STEP_READY || request->step == STARTTLS_STEP_REFUSED);
    return bytes_view(&request->greeting);
}
