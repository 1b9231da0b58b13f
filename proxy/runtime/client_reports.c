/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/client_reports.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    enum engine_report_field field;
    const char *key;
} kinds[CLIENT_REPORTS_KINDS] = {
    [CLIENT_REPORTS_LATCH] = {ENGINE_REPORT_LATCH, "latch"},
    [CLIENT_REPORTS_LATCH_FAIL] = {ENGINE_REPORT_LATCH_FAIL, "latch_fail"},
    [CLIENT_REPORTS_SECURITY_TAGS] = {ENGINE_REPORT_SECURITY_TAGS, "security_tags"}};

const char *client_report_kind_name(enum client_report_kind kind)
{
    return kinds[kind].key;
}

/* The index of the tag among those that are complete; 0, the index of "other", if it is not there. */
static size_t find_tag(const struct client_reports *reports, struct slice tag)
{
    size_t i = atomic_load_explicit(&reports->tag_count, memory_order_acquire);
    while (--i > 0 && !slice_is_word(tag, reports->tags[i].name))
        ;
    return i;
}

static bool add_tag(struct client_reports *reports, struct slice name)
{
    size_t count = atomic_load_explicit(&reports->tag_count, memory_order_relaxed);
    if (count == CLIENT_REPORTS_TAGS_MAX)
        return true;
    reports->tags[count].name = strndup((const char *)name.data, name.len);
    if (reports->tags[count].name == NULL)
        return false;
    atomic_store_explicit(&reports->tag_count, count + 1, memory_order_release);
    return true;
}

bool client_reports_add_status(struct client_reports *reports, const char *deep_status)
{
    bool ok = true;
    struct slice rest = slice_of(deep_status);
    for (struct slice tag; ok && (tag = slice_next_word(&rest, ' ')).len > 0;)
        if (deep_is_security_tag(tag) && find_tag(reports, tag) == 0)
            ok = add_tag(reports, tag);
    return ok;
}

struct client_reports *client_reports_new(const char *deep_status)
{
    struct client_reports *reports = calloc(1, sizeof *reports);
    if (reports == NULL)
        return NULL;
    refcount_init(&reports->references);
    bool ok = add_tag(reports, slice_of("other"));
    for (size_t i = 0; i < DEEP_REGISTERED_TAGS && ok; i++)
        ok = add_tag(reports, slice_of(deep_registered_tags[i]));
    if (!ok || !client_reports_add_status(reports, deep_status))
        client_reports_unref(&reports);
    return reports;
}

struct client_reports *client_reports_ref(struct client_reports *reports)
{
    refcount_take(&reports->references);
    return reports;
}

void client_reports_unref(struct client_reports **reports)
{
    struct client_reports *dropped = *reports;
    *reports = NULL;
    if (dropped == NULL || !refcount_drop(&dropped->references))
        return;
    for (size_t i = 0; i < dropped->tag_count; i++)
        free(dropped->tags[i].name);
    free(dropped);
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
    *rest = slice_from(*rest, end);
    return tag;
}

static void count_value(struct client_reports *reports, enum client_report_kind kind, const char *value)
{
    bool seen[CLIENT_REPORTS_TAGS_MAX] = {false};
    struct slice rest = slice_of(value);
    for (struct slice tag; (tag = next_tag(&rest)).len > 0;)
        seen[find_tag(reports, tag)] = true;
    for (size_t i = 0; i < CLIENT_REPORTS_TAGS_MAX; i++)
        if (seen[i])
            atomic_fetch_add_explicit(&reports->tags[i].counts[kind], 1, memory_order_relaxed);
}

void client_reports_count(struct client_reports *reports, const struct engine *engine)
{
    atomic_fetch_add_explicit(&reports->sessions, 1, memory_order_relaxed);
    for (int kind = 0; kind < CLIENT_REPORTS_KINDS; kind++) {
        const char *value = engine_report(engine, kinds[kind].field);
        if (value != NULL)
            count_value(reports, (enum client_report_kind)kind, value);
    }
}

static void begin_line(struct log_line *line, const struct client_reports *reports, const char *service,
                       const char *tag)
{
    log_line_begin(line, CFG_LOG_INFO, "reports");
    log_line_add_text(line, "service", service);
    log_line_add_text(line, "tag", tag);
    log_line_add_number(line, "sessions", atomic_load_explicit(&reports->sessions, memory_order_relaxed));
}

static void log_tag(const struct client_reports *reports, const struct client_reports_tag *tag,
                    const char *service, struct log *log)
{
    struct log_line line;
    uint64_t sum = 0;
    begin_line(&line, reports, service, tag->name);
    for (int kind = 0; kind < CLIENT_REPORTS_KINDS; kind++) {
        uint64_t count = atomic_load_explicit(&tag->counts[kind], memory_order_relaxed);
        log_line_add_number(&line, kinds[kind].key, count);
        sum += count;
    }
    if (sum > 0)
        log_write(log, &line);
}

void client_reports_log(const struct client_reports *reports, const char *service, struct log *log)
{
    struct log_line line;
    begin_line(&line, reports, service, NULL);
    log_write(log, &line);
    for (size_t i = 1; i < reports->tag_count; i++)
        log_tag(reports, &reports->tags[i], service, log);
    log_tag(reports, &reports->tags[0], service, log);
}
