/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_response.h"
#include "protocols/imap/imap_protocol.h"

#define TAG_STARTTLS "s1"
#define TAG_PROOF    "s2"

static void take_greeting(struct starttls_client *request, const struct imap_response *response,
                          struct engine_out *out)
{
    if (response->kind != IMAP_RESPONSE_STATUS ||
        (response->status != IMAP_STATUS_OK && response->status != IMAP_STATUS_PREAUTH))
        starttls_fail(request, "the server's greeting is not one of IMAP: does it begin with TLS? Then tls = "
                               "{ mode = \"implicit\" } is meant for it");
    else if (response->status == IMAP_STATUS_PREAUTH) /* RFC 9051 section 7.1.4 */
        starttls_fail(request, "the server greets with PREAUTH, after which there is no STARTTLS");
    else
        starttls_ask(request, STARTTLS_STEP_CONSENT, TAG_STARTTLS " STARTTLS\r\n", out);
}

/* With the space before the first. An octet that ends a response code has no place in a capability. */
static void keep_capabilities(struct starttls_client *request, struct slice words)
{
    if (request->greeting.len > 0 || slice_find(words, ']') < words.len ||
        slice_find(words, '\r') < words.len)
        return;
    starttls_add_greeting(request, slice_of("* OK [CAPABILITY"));
    starttls_add_greeting(request, words);
    starttls_add_greeting(request, slice_of("] "));
}

static void take_tagged(struct starttls_client *request, const struct imap_response *response)
{
    bool proof = request->step == STARTTLS_STEP_PROOF;
    if (!slice_equals(response->tag, slice_of(proof ? TAG_PROOF : TAG_STARTTLS)))
        starttls_fail(request, "unsolicited reply of the server");
    else if (response->status == IMAP_STATUS_OK)
        starttls_go_on(request);
    else
        starttls_fail(request,
                      proof ? "the server refuses CAPABILITY over TLS" : "the server refuses STARTTLS");
}

static void take_answer(struct starttls_client *request, const struct imap_response *response,
                        const struct line *line)
{
    switch (response->kind) {
    case IMAP_RESPONSE_TAGGED:
        take_tagged(request, response);
        return;
    case IMAP_RESPONSE_CAPABILITY:
        if (request->step == STARTTLS_STEP_PROOF)
            keep_capabilities(request, slice_from(line->text, response->list_offset));
        return;
    case IMAP_RESPONSE_STATUS:
        return;
    default:
        starttls_fail(request, "the server's answer to STARTTLS is not IMAP");
    }
}

static void take_line(struct starttls_client *request, const struct line *line, struct engine_out *out)
{
    struct imap_response response = imap_response_classify(line->whole);
    bool is_bye = response.kind == IMAP_RESPONSE_STATUS && response.status == IMAP_STATUS_BYE;
    if (is_bye && request->step == STARTTLS_STEP_GREETING) {
        starttls_add_greeting(request, line->whole);
        starttls_refuse(request, "the server's greeting is BYE");
    } else if (is_bye)
        starttls_fail(request, "the server replies BYE");
    else if (request->step == STARTTLS_STEP_GREETING)
        take_greeting(request, &response, out);
    else
        take_answer(request, &response, line);
}

const struct starttls_client_dialect imap_starttls_client = {
    .line = take_line,
    .proof = TAG_PROOF " CAPABILITY\r\n",
    .greeting = "* OK % ready\r\n",
};
