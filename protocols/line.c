/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/line.h"

static struct line make_line(struct slice whole, bool in_input, struct bytes *owner)
{
    bool bare_lf = whole.len < 2 || whole.data[whole.len - 2] != '\r';
    return (struct line){.whole = whole,
                         .text = slice_first(whole, whole.len - (bare_lf ? 1 : 2)),
                         .owner = owner,
                         .in_input = in_input,
                         .bare_lf = bare_lf};
}

enum line_result line_reader_take(struct line_reader *reader, struct slice *input, size_t limit,
                                  struct line *line)
{
    size_t end = slice_find(*input, '\n');
    bool whole = end < input->len;
    struct slice part = slice_first(*input, whole ? end + 1 : input->len);
    if (part.len > limit || reader->held.len > limit - part.len)
        return LINE_TOO_LONG;
    bool in_input = whole && reader->held.len == 0;
    if (!in_input && !bytes_append(&reader->held, part, limit))
        return LINE_NO_MEMORY;
    *input = slice_from(*input, part.len);
    if (!whole)
        return LINE_CUT;
    *line = make_line(in_input ? part : bytes_view(&reader->held), in_input, in_input ? NULL : &reader->held);
    return LINE_WHOLE;
}

struct line line_of_whole(struct slice whole)
{
    return make_line(whole, false, NULL);
}

void line_reader_done(struct line_reader *reader)
{
    bytes_free(&reader->held);
}

bool line_reader_is_inside(const struct line_reader *reader)
{
    return reader->held.len > 0;
}

void line_send_part(const struct line *line, struct slice part, enum side to, struct engine_out *out)
{
    if (line->in_input)
        engine_out_pass(out, to, part);
    else if (line->owner != NULL && part.len > LINE_COPIED_MAX)
        engine_out_give(out, to, line->owner, part);
    else
        engine_out_make(out, to, part);
}

void line_send(const struct line *line, enum side to, struct engine_out *out)
{
    line_send_part(line, line->bare_lf ? line->text : line->whole, to, out);
    if (line->bare_lf)
        engine_out_make_text(out, to, "\r\n");
}
