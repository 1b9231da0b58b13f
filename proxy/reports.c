/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/reports.h"

#include "protocols/deep_status.h"

#include <stdlib.h>
#include <string.h>

/* The registered ones, those of a status of one-letter tags, and "other". */
enum { TAGS_MAX = DEEP_REGISTERED_TAGS + (DEEP_STATUS_MAX + 1) / 2 + 1 };

static const struct {
    enum engine_report_field field;
    const char *key;
} kinds[REPORTS_KINDS] = {[REPORTS_LATCH] = {ENGINE_REPORT_LATCH, "latch"},
                          [REPORTS_LATCH_FAIL] = {ENGINE_REPORT_LATCH_FAIL, "latch_fail"},
                          [REPORTS_SECURITY_TAGS] = {ENGINE_REPORT_SECURITY_TAGS, "security_tags"}};

/* The index of the tag; that of "other", the last one, where it is none of those before. */
static size_t find(const struct reports *reports, struct slice tag)
{
    size_t i = 0;
    while (i + 1 < reports->tag_count && !slice_is(tag, reports->tags[i].name))
        i++;
    return i;
}

static bool add(struct reports *reports, struct slice name)
{
    struct reports_tag *tag = &reports->tags[reports->tag_count];
    tag->name = strndup((const char *)name.data, name.len);
    reports->tag_count += tag->name != NULL;
    return tag->name != NULL;
}

static bool is_there(const struct reports *reports, struct slice name)
{
    for (size_t i = 0; i < reports->tag_count; i++)
        if (slice_is(name, reports->tags[i].name))
            return true;
    return false;
}

bool reports_init(struct reports *reports, const char *deep_status)
{
    bool ok = true;
    *reports = (struct reports){.tags = calloc(TAGS_MAX, sizeof reports->tags[0])};
    if (reports->tags == NULL)
        return false;
    for (size_t i = 0; i < DEEP_REGISTERED_TAGS && ok; i++)
        ok = add(reports, slice_of(deep_registered_tags[i]));
    struct slice rest = slice_of(deep_status);
    for (struct slice tag; ok && (tag = slice_next_word(&rest, ' ')).len > 0;)
        if (deep_is_security_tag(tag) && !is_there(reports, tag))
            ok = add(reports, tag);
    return ok && add(reports, slice_of("other"));
}

void reports_free(struct reports *reports)
{
    for (size_t i = 0; i < reports->tag_count; i++)
        free(reports->tags[i].name);
    free(reports->tags);
    *reports = (struct reports){0};
}

/* IMAP separates them by spaces, SMTP by commas (draft sections 7.1, 7.3). */
static struct slice next_tag(struct slice *rest)
{
    size_t start = 0;
    while (start < rest->len && (rest->data[start] == ' ' || rest->data[start] == ','))
        start++;
    size_t end = start;
    while (end < rest->len && rest->data[end] != ' ' && rest->data[end] != ',')
        end++;
    struct slice tag = slice_sub(*rest, start, end - start);
    *rest = slice_sub(*rest, end, rest->len);
    return tag;
}

static void count_value(struct reports *reports, enum reports_kind kind, const char *value)
{
    bool seen[TAGS_MAX] = {false};
    struct slice rest = slice_of(value);
    for (struct slice tag; (tag = next_tag(&rest)).len > 0;)
        seen[find(reports, tag)] = true;
    for (size_t i = 0; i < reports->tag_count; i++)
        if (seen[i])
            atomic_fetch_add_explicit(&reports->tags[i].counts[kind], 1, memory_order_relaxed);
}

void reports_count(struct reports *reports, const struct engine *engine)
{
    atomic_fetch_add_explicit(&reports->sessions, 1, memory_order_relaxed);
    for (int kind = 0; kind < REPORTS_KINDS; kind++) {
        const char *value = engine_report(engine, kinds[kind].field);
        if (value != NULL)
            count_value(reports, (enum reports_kind)kind, value);
    }
}

static void begin(struct log_line *line, const struct reports *reports, const char *service, const char *tag)
{
    log_line_begin(line, CFG_LOG_INFO, "reports");
    log_line_add_text(line, "service", service);
    log_line_add_text(line, "tag", tag);
    log_line_add_number(line, "sessions", atomic_load_explicit(&reports->sessions, memory_order_relaxed));
}

static void log_tag(const struct reports *reports, const struct reports_tag *tag, const char *service,
                    struct log *log)
{
    struct log_line line;
    uint64_t sum = 0;
    begin(&line, reports, service, tag->name);
    for (int kind = 0; kind < REPORTS_KINDS; kind++) {
        uint64_t count = atomic_load_explicit(&tag->counts[kind], memory_order_relaxed);
        log_line_add_number(&line, kinds[kind].key, count);
        sum += count;
    }
    if (sum > 0)
        log_write(log, &line);
}

void reports_log(const struct reports *reports, const char *service, struct log *log)
{
    struct log_line line;
    begin(&line, reports, service, NULL);
    log_write(log, &line);
    for (size_t i = 0; i < reports->tag_count; i++)
        log_tag(reports, &reports->tags[i], service, log);
}
