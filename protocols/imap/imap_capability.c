/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_capability.h"

#include "protocols/sasl_mechanism.h"

#include <string.h>

bool imap_capability_is_mechanism(struct slice word, struct slice *name)
{
    static const char auth[] = "AUTH=";
    *name = slice_from(word, strlen(auth));
    return slice_has_prefix(word, auth);
}

static bool is_hidden(struct slice word, bool external)
{
    struct slice mechanism;
    if (imap_capability_is_mechanism(word, &mechanism))
        return !sasl_mechanism_is_shown(mechanism, external);
    return slice_is_word(word, "STARTTLS") || slice_is_word(word, "DEEP") || slice_is_word(word, "XCLIENT") ||
           slice_has_prefix(word, "COMPRESS=") || slice_has_prefix(word, "X-MULTIPLEX");
}

struct imap_capabilities imap_capability_read(struct slice list)
{
    struct imap_capabilities has = {0};
    for (struct slice word; (word = slice_next_word(&list, ' ')).len > 0;) {
        has.id = has.id || slice_is_word(word, "ID");
        has.login_disabled = has.login_disabled || slice_is_word(word, "LOGINDISABLED");
        has.starttls = has.starttls || slice_is_word(word, "STARTTLS");
    }
    return has;
}

struct imap_capabilities imap_capability_edit(struct slice list, bool external, struct engine_out *out)
{
    struct imap_capabilities has = imap_capability_read(list);
    for (struct slice word; (word = slice_next_word(&list, ' ')).len > 0;) {
        if (is_hidden(word, external))
            continue;
        engine_out_make_text(out, SIDE_CLIENT, " ");
        engine_out_make(out, SIDE_CLIENT, word);
    }
    engine_out_make_text(out, SIDE_CLIENT, has.id ? " DEEP" : " ID DEEP");
    return has;
}
