/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_LINE_H
#define DEEPPROXY_PROTOCOLS_LINE_H

#include "base/bytes.h"
#include "protocols/engine_out.h"

/*
 * Whole lines of a protocol, however they are cut into chunks. A line that lies in one chunk is a view of
 * that chunk. Only one that is cut is held, up to a limit, and freed after it has been used. A bare LF ends a
 * line as CRLF does: every real server takes it so, and a client could bypass a filter that does not. All
 * zero is a reader that holds nothing.
 */
struct line_reader {
    struct bytes held;
};

enum line_result {
    LINE_WHOLE,    /* `line` is the next one */
    LINE_CUT,      /* no end yet: all input has been taken into the reader */
    LINE_TOO_LONG, /* over the limit: nothing of it has been taken from this chunk */
    LINE_NO_MEMORY
};

struct line {
    struct slice whole;  /* with its line end */
    struct slice text;   /* without */
    struct bytes *owner; /* the buffer that it lies in, if line_send may take that over; else NULL */
    bool in_input;       /* lies in the caller's chunk, else in the reader: valid until line_reader_done */
    bool bare_lf;        /* ended by LF alone */
};

/*
 * A line that is longer is not copied when it is sent, but handed over with its buffer, if it has an owner.
 */
enum { LINE_COPIED_MAX = 16 * 1024 };

/*
 * Takes the next line off the front of `*input`. `limit` includes the line end. `*line` is set if it returns
 * LINE_WHOLE; the caller must then call line_reader_done before the next line_reader_take.
 */
enum line_result line_reader_take(struct line_reader *reader, struct slice *input, size_t limit,
                                  struct line *line);

/* Frees what is held, and with it the last line if it was cut. */
void line_reader_done(struct line_reader *reader);

/* Is a part of a line held? */
bool line_reader_is_inside(const struct line_reader *reader);

/* A line of these octets, which include its end; it counts as not in the input. */
struct line line_of_whole(struct slice whole);

/* Sends a line as it is, but a bare LF as CRLF: passed if it lies in the input, else made or given. */
void line_send(const struct line *line, enum side to, struct engine_out *out);

/* The same for a view of the line. */
void line_send_part(const struct line *line, struct slice part, enum side to, struct engine_out *out);

#endif
