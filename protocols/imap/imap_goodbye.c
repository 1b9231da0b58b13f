/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_goodbye.h"

void imap_goodbye_send(const struct engine_service *service, enum engine_goodbye_reason why,
                       struct engine_out *out)
{
    static const struct {
        const char *code;
        const char *words;
    } texts[] = {
        [ENGINE_GOODBYE_UNAVAILABLE] = {"* BYE [UNAVAILABLE] ",
                                        ": the mail server can't be reached, try again later\r\n"},
        [ENGINE_GOODBYE_SHUTDOWN] = {"* BYE [UNAVAILABLE] ", ": shutting down, try again\r\n"},
        [ENGINE_GOODBYE_KICKED] = {"* BYE [UNAVAILABLE] ", ": disconnected by the operator, try again\r\n"},
        [ENGINE_GOODBYE_MOVED] = {"* BYE [UNAVAILABLE] ",
                                  ": the mail server is being taken out of service, connect again\r\n"},
        [ENGINE_GOODBYE_TIMEOUT] = {"* BYE ", ": nothing was heard for too long\r\n"},
    };
    engine_out_make_text(out, SIDE_CLIENT, texts[why].code);
    engine_out_make_text(out, SIDE_CLIENT, service->hostname);
    engine_out_make_text(out, SIDE_CLIENT, texts[why].words);
}
