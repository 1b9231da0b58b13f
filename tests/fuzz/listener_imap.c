/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "heard_id.h"
#include "heard_line.h"
#include "listener.h"

#include "protocols/imap/imap_response.h"

#include <string.h>

/* What comes next from the proxy. */
enum mode {
    MODE_LINE,    /* the first line of a command, or what stands behind a literal */
    MODE_AWAITS,  /* nothing before the backend has said "+", or answered */
    MODE_LITERAL, /* octets that "+" has asked for */
    MODE_DATA     /* a line of a SASL exchange, or DONE, which "+" has asked for */
};

struct listener {
    struct engine_client client;
    enum mode mode;
    struct bytes line;
    struct bytes tag; /* of the command that began last */
    struct bytes id;  /* the list of an ID with literals, as far as it has come */
    bool rest;        /* the line stands behind a literal */
    bool answered;    /* and the command has had its answer before that */
    bool may_go_on;   /* MODE_AWAITS: "+" is one of the two */
    bool is_sasl, is_idle, needs_answer;
    bool sends_identity;
    bool asked;  /* the proxy has asked for capabilities ... */
    bool told;   /* ... or sent an ID ... */
    bool listed; /* ... or they have been said unasked: a login comes after one of the three */
    uint64_t literal;

    struct bytes response; /* its current line */
    bool response_begun, greeted;
    struct imap_response kind;
    struct bytes response_tag;
    uint64_t response_literal;
};

struct listener *listener_new(const struct engine_client *client, bool sends_identity)
{
    struct listener *l = calloc(1, sizeof *l);
    check(l != NULL, "memory for the fuzzer itself");
    l->client = *client;
    l->sends_identity = sends_identity;
    return l;
}

void listener_free(struct listener **listener)
{
    bytes_free(&(*listener)->line);
    bytes_free(&(*listener)->tag);
    bytes_free(&(*listener)->id);
    bytes_free(&(*listener)->response);
    bytes_free(&(*listener)->response_tag);
    free(*listener);
    *listener = NULL;
}

/* ---- what is heard ---- */

/* {n} at the end of a line; {n+} must not be there. */
static bool ends_in_literal(struct slice text, uint64_t *octets)
{
    size_t at = text.len;
    if (at == 0 || text.data[--at] != '}')
        return false;
    bool plus = at > 0 && text.data[at - 1] == '+';
    size_t end = plus ? at - 1 : at;
    size_t start = end;
    while (start > 0 && ascii_is_digit(text.data[start - 1]))
        start--;
    if (start == end || start == 0 || text.data[start - 1] != '{')
        return false;
    check(!plus, "no literal goes to the backend that it does not have to ask for");
    *octets = strtoull((const char *)text.data + start, NULL, 10);
    return true;
}

/* A line of an ID: the list is judged when it is whole. */
static void heard_id(struct listener *l, struct slice text)
{
    uint64_t octets;
    bytes_append(&l->id, text, NO_LIMIT);
    if (ends_in_literal(text, &octets)) {
        bytes_append(&l->id, slice_of("\r\n"), NO_LIMIT);
        return;
    }
    heard_id_check(bytes_view(&l->id), l->client.tls_cipher, l->sends_identity ? &l->client : NULL);
    l->told = true;
    bytes_free(&l->id);
}

/* The one command of the proxy's own beside its ID. */
static void heard_question(struct listener *l, struct slice rest)
{
    check(rest.len == 0, "the proxy's CAPABILITY has no argument");
    check(!l->asked, "the proxy asks for capabilities once");
    check(!l->told, "the proxy asks for no capabilities when an ID has been sent");
    l->asked = true;
}

static void begin_command(struct listener *l, struct slice text)
{
    struct slice rest = text;
    struct slice tag = take_word(&rest);
    struct slice name = take_word(&rest);
    bool own = slice_equals(tag, slice_of(l->client.nonce));
    bytes_free(&l->tag);
    bytes_append(&l->tag, tag, NO_LIMIT);
    check(tag.len > 0 && name.len > 0, "a command has a tag and a name");
    check(!slice_is_word(name, "STARTTLS") && !slice_is_word(name, "COMPRESS"),
          "a refused command does not pass");
    bool question = own && slice_is_word(name, "CAPABILITY");
    check(!own || question || slice_is_word(name, "ID"),
          "the proxy's own tag is its ID's, or its CAPABILITY's");
    if (question)
        heard_question(l, rest);
    bytes_free(&l->id);
    if (slice_is_word(name, "ID"))
        heard_id(l, rest);
    l->answered = false;
    l->is_sasl = slice_is_word(name, "AUTHENTICATE");
    l->is_idle = slice_is_word(name, "IDLE");
    l->needs_answer = question || slice_is_word(name, "LOGIN") || slice_is_word(name, "UNAUTHENTICATE") ||
                      (slice_is_word(name, "ID") && !own);
    check(l->asked || l->told || l->listed || !(l->is_sasl || slice_is_word(name, "LOGIN")),
          "no login comes before it is known whether there is ID");
    check(!l->is_sasl || mechanism_may_pass(rest, l->client.external), "no mechanism passes that can't work");
}

static void heard_line(struct listener *l)
{
    struct slice text = line_text(&l->line);
    if (!l->rest)
        begin_command(l, text);
    else if (l->id.len > 0)
        heard_id(l, text);
    bool literal = ends_in_literal(text, &l->literal);
    bool ended = l->rest && l->answered;
    l->rest = false;
    l->may_go_on = literal || l->is_sasl || l->is_idle;
    l->mode = !ended && (l->may_go_on || l->needs_answer) ? MODE_AWAITS : MODE_LINE;
    if (literal)
        l->is_sasl = l->is_idle = false;
    else
        l->literal = 0;
}

static void heard_data(struct listener *l)
{
    struct slice text = line_text(&l->line);
    if (l->is_sasl)
        check(is_sasl_text(text), "a line of a SASL exchange is no command");
    else
        check(slice_is_word(text, "DONE"), "an IDLE ends with DONE");
    l->mode = l->is_sasl ? MODE_AWAITS : MODE_LINE;
    if (l->is_idle)
        bytes_free(&l->tag);
}

static void heard_octet(struct listener *l, uint8_t octet)
{
    check(l->mode != MODE_AWAITS, "nothing comes where the backend has to speak first");
    if (l->mode == MODE_LITERAL) {
        if (l->id.len > 0)
            bytes_append(&l->id, (struct slice){&octet, 1}, NO_LIMIT);
        if (--l->literal == 0) {
            l->mode = MODE_LINE;
            l->rest = true;
        }
        return;
    }
    if (!line_add(&l->line, octet))
        return;
    if (l->mode == MODE_LINE)
        heard_line(l);
    else
        heard_data(l);
    bytes_free(&l->line);
}

void listener_heard(struct listener *l, struct slice octets)
{
    for (size_t i = 0; i < octets.len; i++)
        heard_octet(l, octets.data[i]);
}

void listener_end(struct listener *l)
{
    (void)l;
}

/* ---- what is said ---- */

static void said_go_ahead(struct listener *l)
{
    if (l->mode != MODE_AWAITS || !l->may_go_on)
        return;
    if (l->is_sasl || l->is_idle) {
        l->mode = MODE_DATA;
    } else {
        l->mode = l->literal > 0 ? MODE_LITERAL : MODE_LINE;
        l->rest = l->literal == 0;
    }
}

static void said_answer(struct listener *l)
{
    if (!slice_equals(bytes_view(&l->response_tag), bytes_view(&l->tag)))
        return;
    l->answered = true;
    if (l->mode == MODE_AWAITS || l->mode == MODE_DATA)
        l->mode = MODE_LINE;
}

static void said_response(struct listener *l)
{
    l->response_begun = false;
    l->greeted = true;
    if (l->kind.kind == IMAP_RESPONSE_GO_AHEAD)
        said_go_ahead(l);
    else if (l->kind.kind == IMAP_RESPONSE_TAGGED)
        said_answer(l);
}

static bool response_goes_on(struct listener *l, struct slice text)
{
    bool has_literals =
        l->greeted && (l->kind.kind == IMAP_RESPONSE_DATA || l->kind.kind == IMAP_RESPONSE_ID);
    bool synchronizing = text.len > 1 && text.data[text.len - 1] == '}' && text.data[text.len - 2] != '+';
    return has_literals && synchronizing && ends_in_literal(text, &l->response_literal);
}

static void said_line(struct listener *l)
{
    struct slice line = bytes_view(&l->response);
    if (!l->response_begun) {
        l->response_begun = true;
        l->kind = imap_response_classify(line);
        bytes_free(&l->response_tag);
        bytes_append(&l->response_tag, l->kind.tag, NO_LIMIT);
        l->listed = l->listed || (l->kind.kind != IMAP_RESPONSE_ID && l->kind.list_offset > 0);
    }
    size_t len = line.len - 1;
    if (len > 0 && line.data[len - 1] == '\r')
        len--;
    if (!response_goes_on(l, slice_first(line, len)))
        said_response(l);
    bytes_free(&l->response);
}

void listener_said(struct listener *l, struct slice octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        if (l->response_literal > 0)
            l->response_literal--;
        else if (line_add(&l->response, octets.data[i]))
            said_line(l);
    }
}
