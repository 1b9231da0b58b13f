/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_LINE_H
#define DEEPPROXY_PROTOCOLS_LINE_H

#include "base/bytes.h"
#include "protocols/engine_out.h"

/*
 * Lines of a protocol, whole, whatever the chunks. A line that lies in one chunk is a view of that chunk;
 * only one that is cut is held, up to a limit, and the memory goes back when it has been decided. A bare LF
 * ends a line as CRLF does: every real server takes it so, and a filter that does not is walked around.
 */
struct line_reader {
    struct bytes held;
};

enum line_result {
    LINE_WHOLE,    /* `line` is the next one */
    LINE_CUT,      /* no end yet: all input has been taken into the reader */
    LINE_TOO_LONG, /* over the limit: nothing of it has been taken */
    LINE_NO_MEMORY
};

struct line {
    struct slice whole; /* with its line end */
    struct slice text;  /* without */
    bool in_input;      /* lies in the caller's chunk, else in the reader: valid until line_reader_done */
    bool bare_lf;       /* ended by LF alone */
};

/*
 * Takes the next line off the front of `*input`. `limit` counts the line end in. After LINE_WHOLE and before
 * the next call the caller says line_reader_done.
 */
enum line_result line_reader_take(struct line_reader *reader, struct slice *input, size_t limit,
                                  struct line *line);
void line_reader_done(struct line_reader *reader);

/* True where part of a line is held. */
bool line_reader_is_inside(const struct line_reader *reader);

/* The line that these octets, a line end with them, are; not in the input. */
struct line line_of_whole(struct slice whole);

/* Lets a line out as it is, but for a bare LF, which goes on as CRLF: passed where it can be, else made. */
void line_send(const struct line *line, enum side to, struct engine_out *out);

#endif
