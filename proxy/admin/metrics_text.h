/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_METRICS_TEXT_H
#define DEEPPROXY_PROXY_ADMIN_METRICS_TEXT_H

#include "base/bytes.h"

/*
 * Writes the Prometheus text exposition format, version 0.0.4. It knows no metric, and allocates nothing but
 * the text. A text that is all zero is empty.
 */
enum {
    /* A quarter of a million certificates with long names. */
    METRICS_TEXT_MAX = 64 * 1024 * 1024
};

struct metrics_text {
    struct bytes bytes;
    /* The text would be too long, or memory is short: it must not be used. */
    bool failed;
    const char *family;
};

struct metrics_label {
    const char *name;
    const char *value; /* any octets */
};

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER, METRICS_HISTOGRAM, METRICS_SUMMARY };

/*
 * Begins a family, whose samples follow. `name` must live until the last of them is written. `help` is one
 * line of ASCII.
 */
void metrics_text_family(struct metrics_text *text, const char *name, enum metrics_type type,
                         const char *help);

/*
 * Writes a sample of the family. The format can't carry octets that are not UTF-8, or control characters, in
 * a label's value: they become \xHH, so that one odd name does not fail the whole scrape.
 */
void metrics_text_sample(struct metrics_text *text, const struct metrics_label *labels, size_t count,
                         int64_t value);

/*
 * Writes a sample whose name is the family's with `suffix` after it ("": the family's), and whose value is in
 * thousandths: seconds of milliseconds.
 */
void metrics_text_thousandths(struct metrics_text *text, const char *suffix,
                              const struct metrics_label *labels, size_t count, uint64_t value);

enum {
    METRICS_LABELS_MAX = 3,      /* of a time */
    METRICS_THOUSANDTHS_MAX = 24 /* octets of such a value, with its NUL */
};

/* How such a value is written: "0.005", "2.5", "30". */
void metrics_text_format_thousandths(uint64_t value, char into[METRICS_THOUSANDTHS_MAX]);

/*
 * Writes the sample of a time that has been observed, in a family of METRICS_HISTOGRAM: its classes, its sum
 * and its count. At most METRICS_LABELS_MAX labels.
 */
struct histogram;
void metrics_text_histogram(struct metrics_text *text, const struct metrics_label *labels, size_t count,
                            const struct histogram *histogram);

/* Writes the sample of a family of METRICS_SUMMARY: how long so many took in all. */
void metrics_text_summary(struct metrics_text *text, const struct metrics_label *labels, size_t count,
                          uint64_t sum_ms, uint64_t times);

/* Writes a family of one sample without labels. */
void metrics_text_single(struct metrics_text *text, const char *name, enum metrics_type type,
                         const char *help, int64_t value);

/* Frees the text, and leaves it empty. */
void metrics_text_free(struct metrics_text *text);

#endif
