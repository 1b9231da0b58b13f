/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap_capability.h"

static bool is_hidden(struct slice word)
{
    return slice_is(word, "STARTTLS") || slice_is(word, "DEEP") || slice_is(word, "XCLIENT") ||
           slice_has_prefix(word, "COMPRESS=") || slice_has_prefix(word, "X-MULTIPLEX") ||
           (slice_has_prefix(word, "AUTH=") && slice_has_suffix(word, "-PLUS"));
}

bool imap_capability_edit(struct slice list, struct engine_out *out)
{
    bool has_id = false;
    for (struct slice word; (word = slice_next_word(&list, ' ')).len > 0;) {
        has_id = has_id || slice_is(word, "ID");
        if (is_hidden(word))
            continue;
        engine_out_make_text(out, SIDE_CLIENT, " ");
        engine_out_make(out, SIDE_CLIENT, word);
    }
    engine_out_make_text(out, SIDE_CLIENT, has_id ? " DEEP" : " ID DEEP");
    return has_id;
}

bool imap_capability_has(struct slice list, const char *capability)
{
    for (struct slice word; (word = slice_next_word(&list, ' ')).len > 0;)
        if (slice_is(word, capability))
            return true;
    return false;
}
