/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/log_line.h"

#include "base/civil_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {[CFG_LOG_ERROR] = "error",
                                          [CFG_LOG_WARNING] = "warning",
                                          [CFG_LOG_INFO] = "info",
                                          [CFG_LOG_DEBUG] = "debug"};

static void append(struct log_line *line, const char *text, size_t len)
{
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

/* Whether there is room for `len` octets and the line's end. */
static bool has_room(const struct log_line *line, size_t len)
{
    return line->len + len < LOG_LINE_MAX;
}

void log_line_begin(struct log_line *line, enum cfg_log_level level, const char *event)
{
    struct timespec now;
    char stamp[64];
    clock_gettime(CLOCK_REALTIME, &now);
    struct civil_time time = civil_time_of(now.tv_sec > 0 ? now.tv_sec : 0);
    snprintf(stamp, sizeof stamp, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)time.year, time.month, time.day,
             time.hour, time.minute, time.second, (int)(now.tv_nsec / 1000000));
    line->len = 0;
    line->level = level;
    log_line_add_text(line, "time", stamp);
    log_line_add_text(line, "level", level_names[level]);
    log_line_add_text(line, "event", event);
}

static bool needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is_graph(value.data[i]) || value.data[i] == '"' || value.data[i] == '=' ||
            value.data[i] == '\\')
            return true;
    return value.len == 0;
}

static void append_encoded(struct log_line *line, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        char code[5] = {(char)c, '\0'};
        if (c == '"' || c == '\\')
            snprintf(code, sizeof code, "\\%c", c);
        else if (c != ' ' && !ascii_is_graph(c))
            snprintf(code, sizeof code, "\\x%02X", c);
        append(line, code, strlen(code));
    }
}

void log_line_add(struct log_line *line, const char *key, struct slice value)
{
    size_t key_len = strlen(key);
    /* At worst a space, the equals sign, two quotes, and four octets for each of the value's. */
    if (!has_room(line, key_len + 4 + 4 * value.len))
        return;
    if (line->len > 0)
        append(line, " ", 1);
    append(line, key, key_len);
    append(line, "=", 1);
    bool quoted = needs_quotes(value);
    if (quoted)
        append(line, "\"", 1);
    append_encoded(line, value);
    if (quoted)
        append(line, "\"", 1);
}

void log_line_add_text(struct log_line *line, const char *key, const char *value)
{
    if (value != NULL)
        log_line_add(line, key, slice_of(value));
}

void log_line_add_number(struct log_line *line, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    log_line_add_text(line, key, text);
}

void log_line_add_seconds(struct log_line *line, const char *key, uint64_t milliseconds)
{
    char text[32];
    snprintf(text, sizeof text, "%llu.%03u", (unsigned long long)(milliseconds / 1000),
             (unsigned)(milliseconds % 1000));
    log_line_add_text(line, key, text);
}

void log_line_end(struct log_line *line)
{
    append(line, "\n", 1);
}
