/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_data.h"

/* What becomes of an octet. All but PASS are rare: a well-formed message has only its end. */
enum action {
    PASS,
    HOLD,           /* sent with the next octet, or not at all */
    DOUBLE,         /* a dot is sent before it */
    AS_CRLF,        /* CRLF is sent for it */
    DOUBLE_AS_CRLF, /* a dot and CRLF go out for it */
    END_MESSAGE,    /* the held CR is sent, and it */
    RELEASE         /* a dot and the held CR go out; the octet is then looked at again */
};

enum octet_class { OCTET_OTHER, OCTET_DOT, OCTET_CR, OCTET_LF, OCTET_NUL, OCTET_CLASSES };

struct step {
    enum action action;
    enum smtp_data_state next;
};

static const struct step steps[SMTP_DATA_END][OCTET_CLASSES] = {
    [SMTP_DATA_LINE] = {[OCTET_OTHER] = {PASS, SMTP_DATA_TEXT},
                        [OCTET_DOT] = {PASS, SMTP_DATA_DOT},
                        [OCTET_CR] = {PASS, SMTP_DATA_CR},
                        [OCTET_LF] = {AS_CRLF, SMTP_DATA_LF},
                        [OCTET_NUL] = {PASS, SMTP_DATA_ODD}},
    [SMTP_DATA_TEXT] = {[OCTET_OTHER] = {PASS, SMTP_DATA_TEXT},
                        [OCTET_DOT] = {PASS, SMTP_DATA_TEXT},
                        [OCTET_CR] = {PASS, SMTP_DATA_CR},
                        [OCTET_LF] = {AS_CRLF, SMTP_DATA_LF},
                        [OCTET_NUL] = {PASS, SMTP_DATA_TEXT}},
    [SMTP_DATA_CR] = {[OCTET_OTHER] = {PASS, SMTP_DATA_TEXT},
                      [OCTET_DOT] = {PASS, SMTP_DATA_ODD_DOT},
                      [OCTET_CR] = {PASS, SMTP_DATA_CR},
                      [OCTET_LF] = {PASS, SMTP_DATA_LINE},
                      [OCTET_NUL] = {PASS, SMTP_DATA_ODD}},
    [SMTP_DATA_LF] = {[OCTET_OTHER] = {PASS, SMTP_DATA_TEXT},
                      [OCTET_DOT] = {DOUBLE, SMTP_DATA_TEXT},
                      [OCTET_CR] = {PASS, SMTP_DATA_CR},
                      [OCTET_LF] = {AS_CRLF, SMTP_DATA_LF},
                      [OCTET_NUL] = {PASS, SMTP_DATA_ODD}},
    [SMTP_DATA_ODD] = {[OCTET_OTHER] = {PASS, SMTP_DATA_TEXT},
                       [OCTET_DOT] = {PASS, SMTP_DATA_ODD_DOT},
                       [OCTET_CR] = {PASS, SMTP_DATA_CR},
                       [OCTET_LF] = {AS_CRLF, SMTP_DATA_LF},
                       [OCTET_NUL] = {PASS, SMTP_DATA_ODD}},
    [SMTP_DATA_DOT] = {[OCTET_OTHER] = {PASS, SMTP_DATA_TEXT},
                       [OCTET_DOT] = {PASS, SMTP_DATA_TEXT},
                       [OCTET_CR] = {HOLD, SMTP_DATA_DOT_CR},
                       [OCTET_LF] = {DOUBLE_AS_CRLF, SMTP_DATA_LF},
                       [OCTET_NUL] = {DOUBLE, SMTP_DATA_TEXT}},
    [SMTP_DATA_DOT_CR] = {[OCTET_OTHER] = {RELEASE, SMTP_DATA_CR},
                          [OCTET_DOT] = {RELEASE, SMTP_DATA_CR},
                          [OCTET_CR] = {RELEASE, SMTP_DATA_CR},
                          [OCTET_LF] = {END_MESSAGE, SMTP_DATA_END},
                          [OCTET_NUL] = {RELEASE, SMTP_DATA_CR}},
    [SMTP_DATA_ODD_DOT] = {[OCTET_OTHER] = {PASS, SMTP_DATA_TEXT},
                           [OCTET_DOT] = {PASS, SMTP_DATA_TEXT},
                           [OCTET_CR] = {DOUBLE, SMTP_DATA_CR},
                           [OCTET_LF] = {DOUBLE_AS_CRLF, SMTP_DATA_LF},
                           [OCTET_NUL] = {DOUBLE, SMTP_DATA_TEXT}},
};

static enum octet_class class_of(uint8_t c)
{
    return c == '.'    ? OCTET_DOT
           : c == '\r' ? OCTET_CR
           : c == '\n' ? OCTET_LF
           : c == '\0' ? OCTET_NUL
                       : OCTET_OTHER;
}

struct scan {
    struct slice s;
    size_t passed; /* up to here all has been sent */
    size_t at;
    /*
     * Where the next CR and LF are. Looked up again only when passed by: else a message of nothing but LF
     * would be searched to its end for a CR at each of them.
     */
    size_t cr;
    size_t lf;
};

static size_t find_from(struct slice s, size_t at, uint8_t octet)
{
    return at + slice_find(slice_from(s, at), octet);
}

/* From text to the next octet that must be looked at: over whole line ends that text follows, too. */
static void skip_text(struct scan *scan)
{
    for (;;) {
        if (scan->cr < scan->at)
            scan->cr = find_from(scan->s, scan->at, '\r');
        if (scan->lf < scan->at)
            scan->lf = find_from(scan->s, scan->at, '\n');
        size_t next = scan->lf + 1;
        if (scan->lf != scan->cr + 1 || next >= scan->s.len || class_of(scan->s.data[next]) != OCTET_OTHER)
            break;
        scan->at = next + 1;
    }
    scan->at = scan->cr < scan->lf ? scan->cr : scan->lf;
}

/* Sends what lies between, and what replaces the octet at `at`; `consumed` octets are done with then. */
static void replace(struct scan *scan, const char *made, size_t consumed, struct engine_out *out)
{
    engine_out_pass(out, SIDE_BACKEND, slice_sub(scan->s, scan->passed, scan->at - scan->passed));
    engine_out_make_text(out, SIDE_BACKEND, made);
    scan->at += consumed;
    scan->passed = scan->at;
}

static void act(struct scan *scan, enum action action, struct engine_out *out)
{
    switch (action) {
    case PASS:
        scan->at++;
        return;
    case HOLD:
        replace(scan, "", 1, out);
        return;
    case DOUBLE:
        replace(scan, ".", 0, out);
        scan->at++;
        return;
    case AS_CRLF:
    case END_MESSAGE:
        replace(scan, "\r\n", 1, out);
        return;
    case DOUBLE_AS_CRLF:
        replace(scan, ".\r\n", 1, out);
        return;
    case RELEASE:
        replace(scan, ".\r", 0, out);
        return;
    }
}

/*
 * A bare LF is sent as these two. The dot of CRLF.LF has been sent by then, and would have been one of an
 * end.
 */
static enum smtp_data_state after_bare_lf(enum smtp_data_state before)
{
    return before == SMTP_DATA_DOT ? SMTP_DATA_REFUSED : SMTP_DATA_SKIP_LINE;
}

static size_t pass(enum smtp_data_state *state, struct slice s, bool refuses_bare_lf, struct engine_out *out)
{
    struct scan scan = {.s = s, .cr = find_from(s, 0, '\r'), .lf = find_from(s, 0, '\n')};
    while (*state < SMTP_DATA_END && engine_out_has_room(out)) {
        if (*state == SMTP_DATA_TEXT)
            skip_text(&scan);
        if (scan.at >= s.len)
            break;
        struct step step = steps[*state][class_of(s.data[scan.at])];
        if (refuses_bare_lf && (step.action == AS_CRLF || step.action == DOUBLE_AS_CRLF)) {
            replace(&scan, "", 1, out);
            *state = after_bare_lf(*state);
        } else {
            act(&scan, step.action, out);
            *state = step.next;
        }
    }
    engine_out_pass(out, SIDE_BACKEND, slice_sub(scan.s, scan.passed, scan.at - scan.passed));
    return scan.at;
}

static enum smtp_data_state skip_octet(enum smtp_data_state state, uint8_t octet)
{
    if (octet == '\n')
        return state == SMTP_DATA_SKIP_DOT || state == SMTP_DATA_SKIP_DOT_CR ? SMTP_DATA_REFUSED
                                                                             : SMTP_DATA_SKIP_LINE;
    if (octet == '.' && state == SMTP_DATA_SKIP_LINE)
        return SMTP_DATA_SKIP_DOT;
    if (octet == '\r' && state == SMTP_DATA_SKIP_DOT)
        return SMTP_DATA_SKIP_DOT_CR;
    return SMTP_DATA_SKIP_TEXT;
}

static size_t skip(enum smtp_data_state *state, struct slice s)
{
    size_t at = 0;
    while (*state > SMTP_DATA_END && *state < SMTP_DATA_REFUSED) {
        if (*state == SMTP_DATA_SKIP_TEXT)
            at = find_from(s, at, '\n');
        if (at >= s.len)
            break;
        *state = skip_octet(*state, s.data[at++]);
    }
    return at;
}

size_t smtp_data_take(enum smtp_data_state *state, struct slice s, bool refuses_bare_lf,
                      struct engine_out *out)
{
    size_t taken = pass(state, s, refuses_bare_lf, out);
    return taken + skip(state, slice_from(s, taken));
}
