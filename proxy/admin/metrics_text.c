/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/metrics_text.h"

#include "base/array.h"
#include "base/ensure.h"
#include "proxy/common/histogram.h"

#include <stdio.h>
#include <string.h>

static void add(struct metrics_text *text, struct slice added)
{
    text->failed = text->failed || !bytes_append(&text->bytes, added, METRICS_TEXT_MAX);
}

static void add_word(struct metrics_text *text, const char *word)
{
    add(text, slice_of(word));
}

void metrics_text_family(struct metrics_text *text, const char *name, enum metrics_type type,
                         const char *help)
{
    static const char *const types[] = {[METRICS_GAUGE] = "gauge",
                                        [METRICS_COUNTER] = "counter",
                                        [METRICS_HISTOGRAM] = "histogram",
                                        [METRICS_SUMMARY] = "summary"};
    const char *const words[] = {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", types[type], "\n"};
    text->family = name;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        add_word(text, words[i]);
}

/* ---- values of labels ---- */

static bool is_between(uint8_t octet, uint8_t low, uint8_t high)
{
    return octet >= low && octet <= high;
}

/* RFC 3629 section 4: by its first octet, a character's length, and between what its second octet lies. */
static const struct multibyte {
    uint8_t first_low, first_high;
    uint8_t second_low, second_high;
    uint8_t len;
} multibytes[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static bool begins_with(struct slice s, const struct multibyte *form)
{
    if (s.len < form->len || !is_between(s.data[0], form->first_low, form->first_high) ||
        !is_between(s.data[1], form->second_low, form->second_high))
        return false;
    for (size_t i = 2; i < form->len; i++)
        if (!is_between(s.data[i], 0x80, 0xBF))
            return false;
    return true;
}

/* The octets of the character that `s` begins with, two to four; 0 if that is malformed. */
static size_t multibyte_len(struct slice s)
{
    for (size_t i = 0; i < ARRAY_LEN(multibytes); i++)
        if (begins_with(s, &multibytes[i]))
            return multibytes[i].len;
    return 0;
}

/* How many octets need no escape. */
static size_t plain_len(struct slice s)
{
    size_t len = 0;
    while (len < s.len) {
        uint8_t c = s.data[len];
        bool is_ascii = is_between(c, 0x20, 0x7E) && c != '"' && c != '\\';
        size_t octets = is_ascii ? 1 : c < 0x80 ? 0 : multibyte_len(slice_from(s, len));
        if (octets == 0)
            break;
        len += octets;
    }
    return len;
}

static void add_escaped(struct metrics_text *text, uint8_t octet)
{
    char code[8];
    if (octet == '\n')
        snprintf(code, sizeof code, "\\n");
    else if (octet == '"' || octet == '\\')
        snprintf(code, sizeof code, "\\%c", octet);
    else
        snprintf(code, sizeof code, "\\\\x%02X", octet);
    add_word(text, code);
}

static void add_value(struct metrics_text *text, struct slice value)
{
    while (value.len > 0) {
        size_t plain = plain_len(value);
        add(text, slice_first(value, plain));
        if (plain < value.len)
            add_escaped(text, value.data[plain++]);
        value = slice_from(value, plain);
    }
}

/* ---- samples ---- */

static void add_sample(struct metrics_text *text, const char *suffix, const struct metrics_label *labels,
                       size_t count, const char *value)
{
    add_word(text, text->family);
    add_word(text, suffix);
    for (size_t i = 0; i < count; i++) {
        add_word(text, i == 0 ? "{" : ",");
        add_word(text, labels[i].name);
        add_word(text, "=\"");
        add_value(text, slice_of(labels[i].value));
        add_word(text, "\"");
    }
    add_word(text, count > 0 ? "} " : " ");
    add_word(text, value);
    add_word(text, "\n");
}

static void add_number(struct metrics_text *text, const char *suffix, const struct metrics_label *labels,
                       size_t count, long long value)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", value);
    add_sample(text, suffix, labels, count, number);
}

void metrics_text_sample(struct metrics_text *text, const struct metrics_label *labels, size_t count,
                         int64_t value)
{
    add_number(text, "", labels, count, value);
}

void metrics_text_format_thousandths(uint64_t value, char into[METRICS_THOUSANDTHS_MAX])
{
    int len = snprintf(into, METRICS_THOUSANDTHS_MAX, "%llu.%03u", (unsigned long long)(value / 1000),
                       (unsigned)(value % 1000));
    while (into[len - 1] == '0')
        into[--len] = '\0';
    if (into[len - 1] == '.')
        into[len - 1] = '\0';
}

void metrics_text_thousandths(struct metrics_text *text, const char *suffix,
                              const struct metrics_label *labels, size_t count, uint64_t value)
{
    char number[METRICS_THOUSANDTHS_MAX];
    metrics_text_format_thousandths(value, number);
    add_sample(text, suffix, labels, count, number);
}

/* ---- times ---- */

void metrics_text_histogram(struct metrics_text *text, const struct metrics_label *labels, size_t count,
                            const struct histogram *histogram)
{
    struct metrics_label all[METRICS_LABELS_MAX + 1];
    char bound[METRICS_THOUSANDTHS_MAX];
    uint64_t so_far = 0;
    ENSURE(count <= METRICS_LABELS_MAX);
    memcpy(all, labels, count * sizeof all[0]);
    for (size_t i = 0; i < HISTOGRAM_CLASSES; i++) {
        if (i < HISTOGRAM_BOUNDS)
            metrics_text_format_thousandths(histogram_bounds_ms[i], bound);
        all[count] = (struct metrics_label){"le", i < HISTOGRAM_BOUNDS ? bound : "+Inf"};
        so_far += atomic_load_explicit(&histogram->classes[i], memory_order_relaxed);
        add_number(text, "_bucket", all, count + 1, (long long)so_far);
    }
    metrics_text_thousandths(text, "_sum", labels, count,
                             atomic_load_explicit(&histogram->sum_ms, memory_order_relaxed));
    add_number(text, "_count", labels, count, (long long)so_far);
}

void metrics_text_summary(struct metrics_text *text, const struct metrics_label *labels, size_t count,
                          uint64_t sum_ms, uint64_t times)
{
    metrics_text_thousandths(text, "_sum", labels, count, sum_ms);
    add_number(text, "_count", labels, count, (long long)times);
}

void metrics_text_single(struct metrics_text *text, const char *name, enum metrics_type type,
                         const char *help, int64_t value)
{
    metrics_text_family(text, name, type, help);
    metrics_text_sample(text, NULL, 0, value);
}

void metrics_text_free(struct metrics_text *text)
{
    bytes_free(&text->bytes);
    *text = (struct metrics_text){0};
}
