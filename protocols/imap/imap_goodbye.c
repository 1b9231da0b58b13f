/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_goodbye.h"

#include "base/ensure.h"

#include <stdio.h>

void imap_goodbye_text(const char *hostname, enum engine_farewell why, char text[IMAP_GOODBYE_MAX])
{
    static const struct {
        const char *code;
        const char *words;
    } texts[] = {
        [ENGINE_FAREWELL_UNAVAILABLE] = {"[UNAVAILABLE] ",
                                         "the mail server can't be reached, try again later"},
        [ENGINE_FAREWELL_SHUTDOWN] = {"[UNAVAILABLE] ", "shutting down, try again"},
        [ENGINE_FAREWELL_TIMEOUT] = {"", "nothing was heard for too long"},
    };
    int len =
        snprintf(text, IMAP_GOODBYE_MAX, "* BYE %s%s: %s\r\n", texts[why].code, hostname, texts[why].words);
    ENSURE(len > 0 && len < IMAP_GOODBYE_MAX);
}
