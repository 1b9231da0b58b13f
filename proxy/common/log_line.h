/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_LOG_LINE_H
#define DEEPPROXY_PROXY_COMMON_LOG_LINE_H

#include "base/slice.h"
#include "config/cfg.h"

/*
 * One line of the log, in logfmt: key=value pairs, for people and for programs. A value is quoted if
 * necessary, and octets that are not printable ASCII are written as \xHH, so that no peer can end a line,
 * begin another, or control a terminal. A pair that does not fit into the line is left out. Nothing here
 * writes to the log: see log.h.
 */
enum { LOG_LINE_MAX = 4096 /* octets */ };

struct log_line {
    size_t len;
    enum cfg_log_level level;
    char text[LOG_LINE_MAX]; /* without a NUL */
};

/* Begins a line with the time, the level and the event's name. */
void log_line_begin(struct log_line *line, enum cfg_log_level level, const char *event);

/* Adds a pair. The key is a plain word of ours; the value may have any octets. */
void log_line_add(struct log_line *line, const char *key, struct slice value);

/* Adds a pair; nothing if `value` is NULL. */
void log_line_add_text(struct log_line *line, const char *key, const char *value);

/* Adds a pair with a decimal number. */
void log_line_add_number(struct log_line *line, const char *key, uint64_t value);

/* Adds a pair with a time in seconds, with three decimals. */
void log_line_add_seconds(struct log_line *line, const char *key, uint64_t milliseconds);

/* Ends the line with LF, for which there is always room. log.h calls it. */
void log_line_end(struct log_line *line);

#endif
