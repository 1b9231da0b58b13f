/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_METRICS_TEXT_H
#define DEEPPROXY_PROXY_ADMIN_METRICS_TEXT_H

#include "base/bytes.h"

/*
 * Writes the Prometheus text exposition format, version 0.0.4. It knows no metric, and needs no more memory than the text.
 * All zero is an empty text.
 */
enum {
    METRICS_TEXT_MAX = 64 * 1024 * 1024 /* a quarter of a million certificates with long names */
};

struct metrics_text {
    struct bytes bytes;
    bool failed; /* it would be too long, or memory is short: it is not to be used */
    const char *family;
};

struct metrics_label {
    const char *name;
    const char *value; /* any octets */
};

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER };

/* Begins a family: its samples follow. `name` stays the caller's until then. `help` in one line of ASCII. */
void metrics_text_family(struct metrics_text *text, const char *name, enum metrics_type type,
                         const char *help);

/*
 * A sample of the family. What the format has no way to say in a value, octets that are not UTF-8 and control characters,
 * becomes \xHH, so that one odd name does not cost the whole scrape.
 */
void metrics_text_sample(struct metrics_text *text, const struct metrics_label *labels, size_t count,
                         int64_t value);

/* A family of one sample without labels. */
void metrics_text_single(struct metrics_text *text, const char *name, enum metrics_type type,
                         const char *help, int64_t value);

void metrics_text_free(struct metrics_text *text);

#endif
