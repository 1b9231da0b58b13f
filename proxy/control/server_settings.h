/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_SERVER_SETTINGS_H
#define DEEPPROXY_PROXY_CONTROL_SERVER_SETTINGS_H

#include "base/slice.h"
#include "proxy/backends/membership.h"

#include <stdio.h>

/*
 * What the operator has set of servers at run time, by pool and name: what differs from what the file and a
 * fresh start have. It outlives the servers: one that is taken out of the file and comes back, or whose name
 * gets its address again, is as it was set. It has a text form, one setting a line as `deepproxy ctl` takes
 * it, which settings_file.h keeps. It belongs to the control thread; nothing here touches a file.
 */
enum {
    /*
     * More are not remembered: those are forgotten first that have not been in a pool for the longest time.
     */
    SERVER_SETTINGS_MAX = 10000,
    SERVER_SETTINGS_TEXT_MAX = 8 * 1024 * 1024, /* octets of the text, twice what so many can have */
    SERVER_SETTINGS_PROBLEM_MAX = 160
};

struct server_setting {
    char *pool;   /* its memory has the server's name as well */
    char *server; /* NAME, or NAME@ADDRESS */
    enum server_admin admin;
    bool has_weight;
    unsigned weight;
    unsigned configured_weight; /* the weight holds as long as the file has this one */
    bool is_told;               /* the log of this process has the change */
    uint64_t seen;              /* the turn in which it was last in a pool, or set */
};

/* In the order of pool and server. All zero is empty. */
struct server_settings {
    struct server_setting *items;
    size_t count;
    size_t cap;
    uint64_t turns;
};

/* Remembers what is set of a server now. False if memory is short: what was known before stays. */
MUST_CHECK bool server_settings_note(struct server_settings *settings, const struct server_state *server);

/*
 * A list takes effect, and its rules are applied: sets what is remembered of its members, and forgets weights
 * that the file has changed since. True if something was forgotten.
 */
bool server_settings_apply(struct server_settings *settings, const struct membership *members,
                           uint64_t now_ms, const struct server_observer *observer);

/* Prints the text. False with errno. */
bool server_settings_write(FILE *file, const struct server_settings *settings);

/*
 * Reads a text into `settings`, which is empty. False if there is anything in it that server_settings_write
 * does not print: `problem` says what and in which line, and `settings` stays empty.
 */
MUST_CHECK bool server_settings_read(struct server_settings *settings, struct slice text,
                                     char problem[SERVER_SETTINGS_PROBLEM_MAX]);

/* A copy for another thread. False if memory is short. */
MUST_CHECK bool server_settings_copy(struct server_settings *into, const struct server_settings *from);

/* Frees the settings, and leaves none. */
void server_settings_free(struct server_settings *settings);

#endif
