/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_SLICE_H
#define DEEPPROXY_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A slice is a view of octets that another object owns. It is passed by value and never freed: it is valid as
 * long as the octets are where they were. No function here allocates, or changes an octet. The mail protocols
 * compare their words without regard to case, in ASCII only, whatever the locale is.
 */
struct slice {
    const uint8_t *data;
    size_t len;
};

/* A view of a C string, without its NUL. */
struct slice slice_of(const char *text);

/* The part from `start` on; empty if the slice ends before that. */
struct slice slice_from(struct slice s, size_t start);

/* The first `len` octets; all of them if there are fewer. */
struct slice slice_first(struct slice s, size_t len);

/* The part from `start` on, at most `len` octets; empty if the slice ends before that. */
struct slice slice_sub(struct slice s, size_t start, size_t len);

/* The first line, without the LF or CRLF that ends it; all octets if there is none. */
struct slice slice_first_line(struct slice s);

/* Whether the octets are the same. */
bool slice_equals(struct slice a, struct slice b);

/* Whether the octets are the same, without regard to ASCII case. */
bool slice_equals_nocase(struct slice a, struct slice b);

/* Whether the octets are this word, a C string, without regard to ASCII case. */
bool slice_is_word(struct slice s, const char *word);

/* Whether it begins with `prefix`, without regard to ASCII case. */
bool slice_has_prefix(struct slice s, const char *prefix);

/* Whether it ends with `suffix`, without regard to ASCII case. */
bool slice_has_suffix(struct slice s, const char *suffix);

/* Offset of the first `octet`; `s.len` if there is none. */
size_t slice_find(struct slice s, uint8_t octet);

/*
 * Reads a whole slice as a decimal number without zeros in front. False if it is none, or is larger than
 * `max`, which is at most UINT_MAX / 10 - 1: `*number` is undefined then.
 */
bool slice_read_decimal(struct slice s, unsigned max, unsigned *number);

/*
 * Takes one word off the front of `*rest`: skips `separator`s, then reads up to the next one. Empty at the
 * end.
 */
struct slice slice_next_word(struct slice *rest, uint8_t separator);

/* The upper case of an ASCII letter; any other octet as it is. */
uint8_t ascii_upper(uint8_t c);

/* Whether it is an ASCII letter. */
bool ascii_is_alpha(uint8_t c);

/* Whether it is an ASCII digit. */
bool ascii_is_digit(uint8_t c);

/* Whether it is a graphic character: 0x21 to 0x7E. */
bool ascii_is_graph(uint8_t c);

/* Whether two C strings, each of which may be NULL, are the same, or both NULL. */
bool text_is_same(const char *a, const char *b);

/* For qsort and bsearch: the order of strcmp, in an array of pointers to C strings. */
int text_order(const void *a, const void *b);

#endif
