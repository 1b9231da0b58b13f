/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_check.h"
#include "heard_identity.h"
#include "heard_line.h"
#include "listener.h"

#include <string.h>

enum mode { MODE_LINE, MODE_SASL, MODE_CHUNK, MODE_MESSAGE };

/* A command that is not answered yet. */
enum turn { TURN_OTHER, TURN_EHLO, TURN_XCLIENT, TURN_AUTH, TURN_DATA };

struct listener {
    struct engine_client client;
    bool untold;    /* the backend is to be told who the client is, before it is asked for anything */
    bool has_login; /* XCLIENT has said it */
    enum mode mode;
    bool waits; /* for the reply to the last command: EHLO, AUTH, DATA */
    struct bytes line;
    struct bytes message;
    uint64_t chunk;
    struct bytes turns; /* an octet each */
    struct bytes reply;
};

struct listener *listener_new(const struct engine_client *client, bool sends_identity)
{
    struct listener *l = calloc(1, sizeof *l);
    check(l != NULL, "memory for the fuzzer itself");
    l->client = *client;
    l->untold = sends_identity;
    line_add(&l->turns, TURN_OTHER); /* the greeting */
    return l;
}

void listener_free(struct listener **listener)
{
    bytes_free(&(*listener)->line);
    bytes_free(&(*listener)->message);
    bytes_free(&(*listener)->turns);
    bytes_free(&(*listener)->reply);
    free(*listener);
    *listener = NULL;
}

/* ---- messages ---- */

/* What a server takes for a line end besides CRLF, and whether it drops NUL. */
enum habit { HABIT_LF = 1, HABIT_CR = 2, HABIT_NUL = 4, HABITS = 8 };

/* Octets of the line end at `at`; 0 where there is none. */
static size_t line_end(struct slice s, size_t at, unsigned habit)
{
    if (s.data[at] == '\n')
        return habit & HABIT_LF ? 1 : 0;
    if (s.data[at] != '\r')
        return 0;
    if (at + 1 < s.len && s.data[at + 1] == '\n')
        return 2;
    return habit & HABIT_CR ? 1 : 0;
}

/*
 * Where a server with this habit sees the end: behind the first line that is a dot; SIZE_MAX where it sees
 * none.
 */
static size_t message_end(struct slice s, unsigned habit)
{
    size_t in_line = 0;
    bool dot = false;
    for (size_t at = 0; at < s.len;) {
        size_t end = line_end(s, at, habit);
        if (end > 0 && in_line == 1 && dot)
            return at + end;
        if (end > 0)
            in_line = 0;
        else if (s.data[at] != '\0' || !(habit & HABIT_NUL))
            dot = in_line++ == 0 && s.data[at] == '.';
        at += end > 0 ? end : 1;
    }
    return SIZE_MAX;
}

static void drop_nuls(struct slice s, struct bytes *into)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] != '\0')
            line_add(into, s.data[i]);
}

/* No server, of whatever habit, sees the end of the message elsewhere than at `end`. */
static void check_message_end(const struct listener *l, bool ended)
{
    struct slice message = bytes_view(&l->message);
    struct bytes dropped = {0};
    drop_nuls(message, &dropped);
    for (unsigned habit = 0; habit < HABITS; habit++) {
        struct slice seen = habit & HABIT_NUL ? bytes_view(&dropped) : message;
        size_t end = message_end(seen, habit);
        /* Without NUL the offset is another, but it must be the end of all there is. */
        check(ended ? end == seen.len : end == SIZE_MAX, "all servers see the end of a message at one place");
    }
    bytes_free(&dropped);
}

static void heard_of_message(struct listener *l, uint8_t octet)
{
    line_add(&l->message, octet);
    struct slice m = bytes_view(&l->message);
    bool ended = slice_has_suffix(m, "\r\n.\r\n") || slice_equals(m, slice_of(".\r\n"));
    if (!ended)
        return;
    check_message_end(l, true);
    bytes_free(&l->message);
    line_add(&l->turns, TURN_OTHER);
    l->mode = MODE_LINE;
}

/* ---- commands ---- */

static void check_client(const struct listener *l, struct slice line, struct slice rest)
{
    check(line.len + 2 <= 512, "a CLIENT of the proxy's has 512 octets at most");
    struct slice first = take_word(&rest);
    bool ours =
        slice_has_prefix(first, "tls=") && slice_equals(slice_from(first, 4), slice_of(l->client.tls_cipher));
    check(ours, "the cipher suite in CLIENT is the proxy's");
    while (rest.len > 0)
        check(!slice_has_prefix(take_word(&rest), "tls="), "no second cipher suite is in CLIENT");
}

static bool is_for_strangers(struct slice verb)
{
    return slice_is_word(verb, "EHLO") || slice_is_word(verb, "HELO") || slice_is_word(verb, "NOOP") ||
           slice_is_word(verb, "RSET") || slice_is_word(verb, "QUIT");
}

static void heard_xclient(struct listener *l, struct slice rest)
{
    heard_identity_smtp(&l->client, rest);
    while (rest.len > 0)
        l->has_login = slice_has_prefix(take_word(&rest), "LOGIN=") || l->has_login;
    l->untold = false;
}

static enum turn turn_of(struct slice verb)
{
    return slice_is_word(verb, "AUTH")                                  ? TURN_AUTH
           : slice_is_word(verb, "DATA")                                ? TURN_DATA
           : slice_is_word(verb, "EHLO") || slice_is_word(verb, "HELO") ? TURN_EHLO
                                                                        : TURN_OTHER;
}

static enum turn heard_command(struct listener *l, struct slice text)
{
    struct slice rest = text;
    struct slice verb = take_word(&rest);
    check(verb.len > 0, "no command begins with a space");
    if (l->untold && slice_is_word(verb, "XCLIENT")) {
        heard_xclient(l, rest);
        return TURN_XCLIENT;
    }
    check(!l->untold || is_for_strangers(verb),
          "a backend that trusts the proxy hears first who the client is");
    bool forbidden =
        slice_is_word(verb, "XCLIENT") || slice_is_word(verb, "XFORWARD") || slice_is_word(verb, "STARTTLS");
    check(!forbidden, "what backends believe of a proxy, and STARTTLS, do not pass");
    if (slice_is_word(verb, "CLIENT"))
        check_client(l, text, rest);
    if (slice_is_word(verb, "AUTH"))
        check(!l->has_login && mechanism_may_pass(rest, l->client.external),
              "no mechanism passes that can't work");
    if (slice_is_word(verb, "BDAT")) {
        l->chunk = strtoull((const char *)rest.data, NULL, 10);
        l->mode = l->chunk > 0 ? MODE_CHUNK : MODE_LINE;
    }
    return turn_of(verb);
}

static void heard_line(struct listener *l)
{
    struct slice text = line_text(&l->line);
    enum turn turn = TURN_AUTH;
    if (l->mode == MODE_SASL) {
        check(is_sasl_text(text), "a line of a SASL exchange is no command");
        l->mode = MODE_LINE;
    } else {
        turn = heard_command(l, text);
    }
    line_add(&l->turns, (uint8_t)turn);
    l->waits = turn != TURN_OTHER;
}

static void heard_octet(struct listener *l, uint8_t octet)
{
    check(!l->waits, "nothing comes where the backend has to speak first");
    if (l->mode == MODE_CHUNK) {
        l->mode = --l->chunk == 0 ? MODE_LINE : MODE_CHUNK;
    } else if (l->mode == MODE_MESSAGE) {
        heard_of_message(l, octet);
    } else if (line_add(&l->line, octet)) {
        heard_line(l);
        bytes_free(&l->line);
    }
}

void listener_heard(struct listener *l, struct slice octets)
{
    for (size_t i = 0; i < octets.len; i++)
        heard_octet(l, octets.data[i]);
}

void listener_end(struct listener *l)
{
    check_message_end(l, false);
}

/* ---- replies ---- */

static void said_reply(struct listener *l, struct slice reply)
{
    if (l->turns.len == 0)
        return;
    enum turn turn = (enum turn)l->turns.data[0];
    bytes_drop(&l->turns, 1);
    if (l->turns.len == 0)
        l->waits = false;
    /* It takes the client for a stranger again, and 421 is its last word. */
    if (turn == TURN_XCLIENT && !slice_has_prefix(reply, "220") && !slice_has_prefix(reply, "421"))
        l->untold = true;
    if (turn == TURN_AUTH && slice_has_prefix(reply, "334"))
        l->mode = MODE_SASL;
    if (turn == TURN_DATA && slice_has_prefix(reply, "354"))
        l->mode = MODE_MESSAGE;
}

void listener_said(struct listener *l, struct slice octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        if (!line_add(&l->reply, octets.data[i]))
            continue;
        struct slice line = bytes_view(&l->reply);
        if (line.len < 4 || line.data[3] != '-')
            said_reply(l, line);
        bytes_free(&l->reply);
    }
}
