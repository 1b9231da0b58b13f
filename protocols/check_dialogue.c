/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/check_dialogue.h"

#include "base/ensure.h"
#include "protocols/check_dialogue_private.h"
#include "protocols/counted.h"
#include "protocols/sasl_mechanism.h"

#include <stdlib.h>

/* A command with the proxy's name. */
enum { OUTPUT_MAX = 1024 };

static const struct check_dialect *dialect_of(const struct check_dialogue *dialogue)
{
    return protocol_traits(dialogue->settings.protocol)->check;
}

struct check_dialogue *check_dialogue_new(const struct check_settings *settings)
{
    struct check_dialogue *dialogue = calloc(1, sizeof *dialogue);
    if (dialogue != NULL)
        dialogue->settings = *settings;
    return dialogue;
}

static void forget_offer(struct check_dialogue *dialogue)
{
    bytes_free(&dialogue->offer.capabilities);
    bytes_free(&dialogue->offer.mechanisms);
    dialogue->offer = (struct check_offer){0};
}

void check_dialogue_free(struct check_dialogue **dialogue)
{
    if (*dialogue == NULL)
        return;
    line_reader_done(&(*dialogue)->lines);
    bytes_free(&(*dialogue)->output);
    bytes_free(&(*dialogue)->id);
    forget_offer(*dialogue);
    free(*dialogue);
    *dialogue = NULL;
}

/* ---- the result ---- */

static void settle(struct check_dialogue *dialogue, enum check_result result, const char *detail)
{
    if (dialogue->settled)
        return;
    dialogue->settled = true;
    dialogue->result = result;
    dialogue->detail = detail;
}

void check_dialogue_fail(struct check_dialogue *dialogue, enum check_result result, const char *detail)
{
    settle(dialogue, result, detail);
    dialogue->step = CHECK_STEP_DONE;
}

void check_finish(struct check_dialogue *dialogue)
{
    ENSURE(dialogue->settled);
    dialogue->step = CHECK_STEP_DONE;
}

static void end_before_greeting(struct check_dialogue *dialogue, bool timed_out)
{
    if (dialogue->settings.proxy_header && !timed_out)
        check_dialogue_fail(
            dialogue, CHECK_NO_PROXY,
            "closed the connection before its greeting: does it expect a PROXY header on this "
            "port, and from this proxy's address?");
    else if (timed_out && !dialogue->settings.proxy_header)
        check_dialogue_fail(dialogue, CHECK_NO_GREETING,
                            "timeout while waiting for its greeting: does this port expect a PROXY header?");
    else
        check_dialogue_fail(dialogue, CHECK_NO_GREETING,
                            timed_out ? "timeout while waiting for its greeting"
                                      : "closed the connection before its greeting");
}

void check_dialogue_end(struct check_dialogue *dialogue, bool timed_out)
{
    if (dialogue->step == CHECK_STEP_GREETING)
        end_before_greeting(dialogue, timed_out);
    else if (dialogue->step == CHECK_STEP_HANDSHAKE)
        check_dialogue_fail(dialogue, timed_out ? CHECK_TLS_TIMEOUT : CHECK_TLS_REFUSED,
                            timed_out ? "timeout in the TLS handshake"
                                      : "closed the connection in the TLS handshake");
    else
        check_dialogue_fail(dialogue, CHECK_NO_ANSWER,
                            timed_out ? "timeout while waiting for an answer"
                                      : "closed the connection after its greeting");
}

/* ---- what is said ---- */

static void add_output(struct check_dialogue *dialogue, struct slice text)
{
    if (!bytes_append(&dialogue->output, text, OUTPUT_MAX))
        check_dialogue_fail(dialogue, CHECK_NOT_MADE, "no memory for a command");
}

/* Sends a command; its answer belongs to step `next`. */
static void ask(struct check_dialogue *dialogue, enum check_step next, const char *command)
{
    struct slice text = slice_of(command);
    size_t name_at = slice_find(text, '%');
    if (dialogue->step == CHECK_STEP_DONE)
        return;
    dialogue->step = next;
    dialogue->in_reply = false;
    add_output(dialogue, slice_first(text, name_at));
    if (name_at == text.len)
        return;
    add_output(dialogue, slice_of(dialogue->settings.hostname));
    add_output(dialogue, slice_from(text, name_at + 1));
}

struct slice check_dialogue_output(const struct check_dialogue *dialogue)
{
    return bytes_view(&dialogue->output);
}

void check_dialogue_sent(struct check_dialogue *dialogue)
{
    bytes_free(&dialogue->output);
}

/* ---- the steps ---- */

void check_greeted(struct check_dialogue *dialogue)
{
    ask(dialogue, CHECK_STEP_CAPABILITIES, dialect_of(dialogue)->capabilities);
}

void check_dialogue_secured(struct check_dialogue *dialogue)
{
    ENSURE(dialogue->step == CHECK_STEP_HANDSHAKE);
    forget_offer(dialogue); /* RFC 3207 section 4.2, RFC 9051 section 11.1 */
    dialogue->secured = true;
    ask(dialogue, CHECK_STEP_CAPABILITIES, dialect_of(dialogue)->capabilities_over_tls);
}

void check_consented(struct check_dialogue *dialogue)
{
    dialogue->step = CHECK_STEP_HANDSHAKE;
}

static void judge(struct check_dialogue *dialogue)
{
    const struct check_settings *settings = &dialogue->settings;
    bool login_optional = protocol_traits(settings->protocol)->login_optional;
    bool xclient = dialogue->offer.xclient || dialogue->xclient_in_greeting;
    if (settings->needs_xclient && !xclient)
        settle(dialogue, CHECK_NO_XCLIENT, "the server does not accept XCLIENT from this proxy");
    else if (settings->judges_login && !login_optional && !dialogue->offer.login)
        settle(dialogue, CHECK_NO_LOGIN_OFFERED, "the server offers no way to log in");
    else
        settle(dialogue, CHECK_OK, NULL);
}

/* What was found wanting before, or what its list is worth. */
void check_say_goodbye(struct check_dialogue *dialogue)
{
    judge(dialogue);
    ask(dialogue, CHECK_STEP_GOODBYE, dialect_of(dialogue)->goodbye);
}

void check_refuse(struct check_dialogue *dialogue, enum check_result result, const char *detail)
{
    settle(dialogue, result, detail);
    check_say_goodbye(dialogue);
}

static void ask_for_tls(struct check_dialogue *dialogue)
{
    if (dialogue->offer.starttls)
        ask(dialogue, CHECK_STEP_CONSENT, dialect_of(dialogue)->starttls);
    else
        check_refuse(dialogue, CHECK_TLS_REFUSED, "the server offers no STARTTLS");
}

void check_capabilities_end(struct check_dialogue *dialogue, bool listed)
{
    const char *id = dialect_of(dialogue)->id;
    dialogue->offer.listed = listed;
    if (dialogue->settings.starttls && !dialogue->secured) {
        ask_for_tls(dialogue);
        return;
    }
    if (id != NULL && dialogue->offer.id)
        ask(dialogue, CHECK_STEP_ID, id);
    else
        check_say_goodbye(dialogue);
}

/* ---- what is kept ---- */

/* Clients may get to see it: it must not end a line of theirs. */
static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != ' ' && !ascii_is_graph(text.data[i]))
            return false;
    return text.len > 0;
}

void check_keep_capability(struct check_dialogue *dialogue, struct slice text)
{
    struct bytes *list = &dialogue->offer.capabilities;
    bool has_room = list->len + text.len + 1 <= SERVER_FACTS_CAPABILITIES_MAX;
    if (!is_printable(text) || !has_room || !bytes_append(list, text, SERVER_FACTS_CAPABILITIES_MAX))
        dialogue->offer.cut = true;
    else if (!bytes_append(list, slice_of("\n"), SERVER_FACTS_CAPABILITIES_MAX))
        check_dialogue_fail(dialogue, CHECK_NOT_MADE, "no memory for a list of capabilities");
}

static bool has_mechanism(struct slice list, struct slice name)
{
    for (struct slice word; (word = slice_next_word(&list, ' ')).len > 0;)
        if (slice_equals_nocase(word, name))
            return true;
    return false;
}

void check_keep_mechanism(struct check_dialogue *dialogue, struct slice name)
{
    struct bytes *list = &dialogue->offer.mechanisms;
    if (sasl_mechanism_judge(name, true) == SASL_MECHANISM_MALFORMED)
        return;
    dialogue->offer.login = dialogue->offer.login || sasl_mechanism_is_shown(name, false);
    if (has_mechanism(bytes_view(list), name))
        return;
    bool has_room = list->len + name.len + 1 <= SERVER_FACTS_MECHANISMS_MAX;
    if (has_room && list->len > 0)
        has_room = bytes_append(list, slice_of(" "), SERVER_FACTS_MECHANISMS_MAX);
    if (!has_room || !bytes_append(list, name, SERVER_FACTS_MECHANISMS_MAX))
        dialogue->offer.cut = true;
}

struct server_facts *check_dialogue_facts(const struct check_dialogue *dialogue)
{
    const struct check_offer *offer = &dialogue->offer;
    bool answered = offer->listed && (dialogue->secured || !dialogue->settings.starttls);
    if (!answered)
        return NULL;
    struct server_facts *facts = server_facts_new(bytes_view(&offer->capabilities),
                                                  bytes_view(&offer->mechanisms), bytes_view(&dialogue->id));
    if (facts == NULL)
        return NULL;
    facts->over_tls = dialogue->secured || dialogue->settings.over_tls;
    facts->is_local = !dialogue->settings.judges_login;
    facts->complete = !offer->cut;
    return facts;
}

/* ---- what the server says ---- */

static void fail_line(struct check_dialogue *dialogue, const char *detail)
{
    bool greeting = dialogue->step == CHECK_STEP_GREETING;
    check_dialogue_fail(dialogue, greeting ? CHECK_BAD_GREETING : CHECK_BAD_ANSWER, detail);
}

static void take_line(struct check_dialogue *dialogue, struct slice *data)
{
    struct line line;
    switch (line_reader_take(&dialogue->lines, data, CHECK_LINE_MAX, &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        check_dialogue_fail(dialogue, CHECK_NOT_MADE, "no memory for a line of the server");
        return;
    case LINE_TOO_LONG:
        fail_line(dialogue, "a line of the server is too long");
        return;
    case LINE_WHOLE:
        break;
    }
    if (++dialogue->line_count > CHECK_LINES_MAX)
        fail_line(dialogue, "the server sends too many lines");
    else
        dialect_of(dialogue)->line(dialogue, &line);
    line_reader_done(&dialogue->lines);
}

static bool expects_line(const struct check_dialogue *dialogue)
{
    return dialogue->step != CHECK_STEP_HANDSHAKE && dialogue->step != CHECK_STEP_DONE;
}

enum check_progress check_dialogue_feed(struct check_dialogue *dialogue, struct slice data)
{
    while (data.len > 0 && expects_line(dialogue))
        if (dialogue->literal_left > 0)
            counted_take(&dialogue->literal_left, &data);
        else
            take_line(dialogue, &data);
    if (dialogue->step == CHECK_STEP_HANDSHAKE && data.len > 0)
        check_dialogue_fail(dialogue, CHECK_TLS_REFUSED,
                            "octets in the clear after the server's consent to STARTTLS: somebody on the way "
                            "injects them, or the server is broken");
    return check_dialogue_progress(dialogue);
}

/* ---- how far it is ---- */

enum check_progress check_dialogue_progress(const struct check_dialogue *dialogue)
{
    if (dialogue->step == CHECK_STEP_DONE)
        return CHECK_DONE;
    return dialogue->step == CHECK_STEP_HANDSHAKE ? CHECK_AGREED : CHECK_UNDER_WAY;
}

bool check_dialogue_is_settled(const struct check_dialogue *dialogue)
{
    return dialogue->settled;
}

enum check_result check_dialogue_result(const struct check_dialogue *dialogue)
{
    ENSURE(dialogue->settled);
    return dialogue->result;
}

const char *check_dialogue_detail(const struct check_dialogue *dialogue)
{
    return dialogue->detail;
}
