/* SPDX-License-Identifier: BSD-2-Clause */
#include "load_session.h"

#include "pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAINTEXT = 64 * 1024 /* four records; read for one session at a time */
};

static uint8_t plaintext[PLAINTEXT];

__attribute__((format(printf, 2, 3))) static enum load_result fail(struct load_session *session,
                                                                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(session->trouble, sizeof(session->trouble), format, arguments);
    va_end(arguments);
    for (char *c = session->trouble; *c != '\0'; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = '?';
    return LOAD_FAILED;
}

static void next_step(struct load_session *session, size_t step)
{
    session->step = step;
    session->sent = 0;
    session->fetched = 0;
}

void session_start(struct load_session *session, const struct script *script)
{
    session->script = script;
    session->line_len = 0;
    session->literal_left = 0;
    next_step(session, 0);
}

static bool is_through(const struct load_session *session)
{
    return session->step == session->script->count;
}

static enum load_result shake_hands(struct load_session *session)
{
    enum load_result result = load_client_handshake(&session->client);
    if (result == LOAD_FAILED || result == LOAD_END)
        return fail(session, "handshake failed");
    if (result == LOAD_WAIT)
        return LOAD_WAIT;
    session->shaken = true;
    if (SSL_session_reused(session->client.ssl) != session->must_resume)
        return fail(session, session->must_resume ? "not resumed" : "resumed unasked");
    return LOAD_DONE;
}

/* ---- sending ---- */

/* What of the step is to be sent next: its text, octets of the message, or the CRLF behind them. */
static size_t next_part(const struct load_session *session, const uint8_t **part)
{
    size_t text = session->script->steps[session->step].send_len;
    uint64_t message = session->script->steps[session->step].to_append;
    if (session->sent < text) {
        *part = (const uint8_t *)session->script->steps[session->step].send + session->sent;
        return text - (size_t)session->sent;
    }
    uint64_t at = session->sent - text;
    if (at < message) {
        *part = pattern_at(at);
        return message - at < PATTERN_RUN ? (size_t)(message - at) : PATTERN_RUN;
    }
    size_t end = message > 0 ? (size_t)(at - message) : 2;
    *part = (const uint8_t *)"\r\n" + end;
    return 2 - end;
}

/* LOAD_DONE where all of the step has been sent. */
static enum load_result send_step(struct load_session *session)
{
    const uint8_t *part;
    size_t len;
    while (!is_through(session) && (len = next_part(session, &part)) > 0) {
        size_t written;
        enum load_result result = load_client_write(&session->client, part, len, &written);
        if (result == LOAD_WAIT)
            return LOAD_WAIT;
        if (result != LOAD_DONE)
            return fail(session, "the connection ended while \"%.20s\" was being sent",
                        session->script->steps[session->step].send);
        session->sent += written;
    }
    return LOAD_DONE;
}

/* ---- receiving ---- */

/* An untagged line, which may say that a literal follows: "* 1 FETCH (BODY[] {4096}". */
static enum load_result on_untagged(struct load_session *session, const char *line, size_t len)
{
    const char *brace = len > 0 && line[len - 1] == '}' ? strrchr(line, '{') : NULL;
    if (brace == NULL || strstr(line, " FETCH ") == NULL)
        return LOAD_DONE;
    session->literal_left = strtoull(brace + 1, NULL, 10);
    return LOAD_DONE;
}

/* A line without its end, NUL-terminated. */
static enum load_result on_line(struct load_session *session, const char *line, size_t len)
{
    if (is_through(session))
        return fail(session, "unasked for: %s", line);
    const char *expected = session->script->steps[session->step].expect;
    if (strncmp(line, expected, session->script->steps[session->step].expect_len) != 0) {
        if (strncmp(line, "* ", 2) == 0 || strcmp(line, ")") == 0)
            return on_untagged(session, line, len);
        return fail(session, "expected %.24s, got %s", expected, line);
    }
    if (session->fetched != session->script->steps[session->step].to_fetch)
        return fail(session, "%llu octets of a message of %llu", (unsigned long long)session->fetched,
                    (unsigned long long)session->script->steps[session->step].to_fetch);
    next_step(session, session->step + 1);
    return LOAD_DONE;
}

static enum load_result on_literal(struct load_session *session, const uint8_t *data, size_t len)
{
    if (!pattern_matches(session->fetched, data, len))
        return fail(session, "a message with wrong octets behind %llu", (unsigned long long)session->fetched);
    session->fetched += len;
    session->literal_left -= len;
    return LOAD_DONE;
}

/* Takes a line or the beginning of one off the front. Returns what was taken. */
static size_t take_line(struct load_session *session, const uint8_t *data, size_t len,
                        enum load_result *result)
{
    const uint8_t *lf = memchr(data, '\n', len);
    size_t part = lf != NULL ? (size_t)(lf - data) + 1 : len;
    if (part >= sizeof(session->line) - session->line_len) {
        *result = fail(session, "a line without end");
        return part;
    }
    memcpy(session->line + session->line_len, data, part);
    session->line_len += part;
    if (lf == NULL)
        return part;
    size_t text = session->line_len - 1;
    if (text > 0 && session->line[text - 1] == '\r')
        text--;
    session->line[text] = '\0';
    session->line_len = 0;
    *result = on_line(session, session->line, text);
    return part;
}

static enum load_result receive(struct load_session *session, const uint8_t *data, size_t len)
{
    enum load_result result = LOAD_DONE;
    while (len > 0 && result == LOAD_DONE) {
        size_t part;
        if (session->literal_left > 0) {
            part = session->literal_left < len ? (size_t)session->literal_left : len;
            result = on_literal(session, data, part);
        } else {
            part = take_line(session, data, len, &result);
        }
        data += part;
        len -= part;
    }
    return result;
}

enum load_result session_advance(struct load_session *session)
{
    enum load_result result = session->shaken ? LOAD_DONE : shake_hands(session);
    while (result == LOAD_DONE) {
        if (send_step(session) == LOAD_FAILED)
            return LOAD_FAILED;
        size_t got;
        result = load_client_read(&session->client, plaintext, sizeof(plaintext), &got);
        if (result == LOAD_DONE)
            result = receive(session, plaintext, got);
        else if (result == LOAD_FAILED)
            fail(session, "TLS broke");
    }
    if (result == LOAD_END && !is_through(session))
        return fail(session, "the connection ended before \"%.24s\"",
                    session->script->steps[session->step].expect);
    if (result == LOAD_END && !session->until_end)
        return fail(session, "the connection ended while it was idle");
    if (result == LOAD_WAIT && is_through(session) && !session->until_end)
        return LOAD_DONE;
    return result == LOAD_END ? LOAD_DONE : result;
}
