/* SPDX-License-Identifier: BSD-2-Clause */
#include "load_script.h"

#include "base/array.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GREETING                                                                                             \
    {                                                                                                        \
        NULL, "* OK ", SCRIPT_NO_LITERAL                                                                     \
    }
#define CAPABILITY                                                                                           \
    {                                                                                                        \
        "a1 CAPABILITY\r\n", "a1 OK", SCRIPT_NO_LITERAL                                                      \
    }
#define LOGIN                                                                                                \
    {                                                                                                        \
        "a2 LOGIN user secret\r\n", "a2 OK", SCRIPT_NO_LITERAL                                               \
    }
#define SELECT                                                                                               \
    {                                                                                                        \
        "a3 SELECT INBOX\r\n", "a3 OK", SCRIPT_NO_LITERAL                                                    \
    }
#define NOOP                                                                                                 \
    {                                                                                                        \
        "a4 NOOP\r\n", "a4 OK", SCRIPT_NO_LITERAL                                                            \
    }
#define FETCH                                                                                                \
    {                                                                                                        \
        "a5 FETCH 1 BODY.PEEK[]<0.#>\r\n", "a5 OK", SCRIPT_FETCHED                                           \
    }
#define APPEND                                                                                               \
    {                                                                                                        \
        "a6 APPEND INBOX {#+}\r\n", "a6 OK stored # octets", SCRIPT_APPENDED                                 \
    }
#define IDLE                                                                                                 \
    {                                                                                                        \
        "a7 IDLE\r\n", "+ ", SCRIPT_NO_LITERAL                                                               \
    }
#define DONE                                                                                                 \
    {                                                                                                        \
        "DONE\r\n", "a7 OK", SCRIPT_NO_LITERAL                                                               \
    }
#define LOGOUT                                                                                               \
    {                                                                                                        \
        "a8 LOGOUT\r\n", "a8 OK", SCRIPT_NO_LITERAL                                                          \
    }
#define BYE                                                                                                  \
    {                                                                                                        \
        NULL, "* BYE ", SCRIPT_NO_LITERAL                                                                    \
    }

static script_template greeting = {GREETING};
static script_template log_in = {GREETING, LOGIN, SELECT};
static script_template noop = {NOOP};
static script_template fetch = {FETCH};
static script_template append = {APPEND};
static script_template whole_session = {GREETING, CAPABILITY, LOGIN, SELECT, FETCH, LOGOUT};
static script_template log_in_and_idle = {GREETING, LOGIN, SELECT, IDLE};
static script_template leave_idle = {DONE, LOGOUT};
static script_template hear_goodbye = {BYE};

static const struct script_mode modes[] = {
    {.name = "full",
     .unit_name = "handshakes",
     .summary = "connect, full handshake, greeting, close_notify, close",
     .unit = &greeting,
     .sessions = 32,
     .connects = true},
    {.name = "resumed",
     .unit_name = "handshakes",
     .summary = "the same, each resuming the one before with its newest ticket",
     .prepare = &greeting,
     .unit = &greeting,
     .sessions = 32,
     .connects = true,
     .resumes = true},
    {.name = "noop",
     .unit_name = "round trips",
     .summary = "NOOP and its answer, over and over on each connection",
     .prepare = &log_in,
     .unit = &noop,
     .sessions = 32},
    {.name = "download",
     .unit_name = "messages",
     .summary = "FETCH of a large message",
     .prepare = &log_in,
     .unit = &fetch,
     .sessions = 4,
     .octets = 16 << 20},
    {.name = "upload",
     .unit_name = "messages",
     .summary = "APPEND of a large message",
     .prepare = &log_in,
     .unit = &append,
     .sessions = 4,
     .octets = 16 << 20},
    {.name = "session",
     .unit_name = "sessions",
     .summary = "greeting, CAPABILITY, LOGIN, SELECT, FETCH, LOGOUT, the server closes",
     .unit = &whole_session,
     .sessions = 32,
     .octets = 4096,
     .connects = true,
     .closes = true},
    {.name = "idle",
     .unit_name = "sessions",
     .summary = "LOGIN, SELECT, IDLE, then nothing; at the end DONE and LOGOUT on each",
     .unit = &log_in_and_idle,
     .finish = &leave_idle,
     .sessions = 2000,
     .connects = true,
     .holds = true},
    {.name = "crowd",
     .unit_name = "sessions",
     .summary = "LOGIN, SELECT, IDLE, then nothing; at the end each waits for a BYE and the server's close",
     .unit = &log_in_and_idle,
     .finish = &hear_goodbye,
     .sessions = 2000,
     .connects = true,
     .holds = true},
};

const struct script_mode *script_mode_at(size_t index)
{
    return index < ARRAY_LEN(modes) ? &modes[index] : NULL;
}

const struct script_mode *script_mode_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    return NULL;
}

/* Copies the text with the number in place of "#". The texts above are known to fit. */
static size_t expand(char *into, const char *text, uint64_t number)
{
    const char *mark = text != NULL ? strchr(text, '#') : NULL;
    if (mark == NULL)
        return (size_t)snprintf(into, SCRIPT_TEXT, "%s", text != NULL ? text : "");
    return (size_t)snprintf(into, SCRIPT_TEXT, "%.*s%" PRIu64 "%s", (int)(mark - text), text, number,
                            mark + 1);
}

void script_make(struct script *script, script_template *from, uint64_t octets)
{
    *script = (struct script){0};
    for (size_t i = 0; from != NULL && i < SCRIPT_STEPS && (*from)[i].expect != NULL; i++) {
        const struct script_step *step = &(*from)[i];
        script->steps[i].send_len = expand(script->steps[i].send, step->send, octets);
        script->steps[i].expect_len = expand(script->steps[i].expect, step->expect, octets);
        script->steps[i].to_append = step->literal == SCRIPT_APPENDED ? octets : 0;
        script->steps[i].to_fetch = step->literal == SCRIPT_FETCHED ? octets : 0;
        script->count++;
    }
}
