/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_LOG_LINE_H
#define DEEPPROXY_PROXY_COMMON_LOG_LINE_H

#include "base/slice.h"
#include "config/cfg.h"

/*
 * One line of the log, in logfmt: key=value pairs, read by people and by machines. Values are quoted where
 * they need it and encoded so that no peer can end a line, begin another or reach a terminal: what is not
 * printable ASCII is written \xHH. A line that is full drops the pairs that do not fit.
 */
enum { LOG_LINE_MAX = 4096 };

struct log_line {
    size_t len;
    enum cfg_log_level level;
    char text[LOG_LINE_MAX];
};

/* Begins with time, level and event. */
void log_line_begin(struct log_line *line, enum cfg_log_level level, const char *event);

void log_line_add(struct log_line *line, const char *key, struct slice value);
/* Nothing where `value` is NULL. */
void log_line_add_text(struct log_line *line, const char *key, const char *value);
void log_line_add_number(struct log_line *line, const char *key, uint64_t value);
/* Milliseconds, written as seconds with three decimals. */
void log_line_add_seconds(struct log_line *line, const char *key, uint64_t milliseconds);

/* Ends it with LF. */
void log_line_end(struct log_line *line);

#endif
