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

/* Each session ends with a line, and printf takes longer over its numbers than all else takes. */
static void put_digits(char *into, unsigned count, uint64_t value)
{
    for (unsigned i = count; i > 0; i--, value /= 10)
        into[i - 1] = (char)('0' + value % 10);
}

/* As put_digits, as many as the number has, up to 20. Returns how many. */
static unsigned put_number(char *into, uint64_t value)
{
    unsigned count = 1;
    for (uint64_t rest = value / 10; rest > 0; rest /= 10)
        count++;
    put_digits(into, count, value);
    return count;
}

static void put_time(char stamp[], const struct timespec *now)
{
    struct civil_time time = civil_time_of(now->tv_sec > 0 ? now->tv_sec : 0);
    put_digits(stamp, 4, (uint64_t)time.year);
    put_digits(stamp + 5, 2, (uint64_t)time.month);
    put_digits(stamp + 8, 2, (uint64_t)time.day);
    put_digits(stamp + 11, 2, (uint64_t)time.hour);
    put_digits(stamp + 14, 2, (uint64_t)time.minute);
    put_digits(stamp + 17, 2, (uint64_t)time.second);
    put_digits(stamp + 20, 3, (uint64_t)(now->tv_nsec / 1000000));
}

void log_line_begin(struct log_line *line, enum cfg_log_level level, const char *event)
{
    struct timespec now;
    char stamp[] = "YYYY-MM-DDThh:mm:ss.mmmZ";
    clock_gettime(CLOCK_REALTIME, &now);
    put_time(stamp, &now);
    line->len = 0;
    line->level = level;
    log_line_add_text(line, "time", stamp);
    log_line_add_text(line, "level", level_names[level]);
    log_line_add_text(line, "event", event);
}

static bool is_plain(uint8_t c)
{
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
}

static bool needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!is_plain(value.data[i]))
            return true;
    return value.len == 0;
}

static void append_quoted(struct log_line *line, struct slice value)
{
    append(line, "\"", 1);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        char code[5] = {(char)c, '\0'};
        if (c == '"' || c == '\\')
            snprintf(code, sizeof code, "\\%c", c);
        else if (c != ' ' && !ascii_is_graph(c))
            snprintf(code, sizeof code, "\\x%02X", c);
        append(line, code, strlen(code));
    }
    append(line, "\"", 1);
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
    if (needs_quotes(value))
        append_quoted(line, value);
    else
        append(line, (const char *)value.data, value.len);
}

void log_line_add_text(struct log_line *line, const char *key, const char *value)
{
    if (value != NULL)
        log_line_add(line, key, slice_of(value));
}

void log_line_add_number(struct log_line *line, const char *key, uint64_t value)
{
    char text[24];
    unsigned len = put_number(text, value);
    log_line_add(line, key, (struct slice){(const uint8_t *)text, len});
}

void log_line_add_seconds(struct log_line *line, const char *key, uint64_t milliseconds)
{
    char text[32];
    unsigned len = put_number(text, milliseconds / 1000);
    text[len] = '.';
    put_digits(text + len + 1, 3, milliseconds % 1000);
    log_line_add(line, key, (struct slice){(const uint8_t *)text, len + 4});
}

void log_line_end(struct log_line *line)
{
    append(line, "\n", 1);
}
