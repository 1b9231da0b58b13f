/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_goodbye.h"

void smtp_goodbye_send(const struct engine_service *service, enum engine_goodbye_reason why,
                       struct engine_out *out)
{
    static const struct {
        const char *code;
        const char *words;
    } texts[] = {
        [ENGINE_GOODBYE_UNAVAILABLE] = {"421 4.3.2 ", " Mail server not available, try again later\r\n"},
        [ENGINE_GOODBYE_SHUTDOWN] = {"421 4.3.2 ", " Server is shutting down, try again later\r\n"},
        [ENGINE_GOODBYE_KICKED] = {"421 4.3.2 ", " Disconnected by the operator, try again later\r\n"},
        [ENGINE_GOODBYE_MOVED] = {"421 4.3.2 ",
                                  " Mail server is being taken out of service, connect again\r\n"},
        [ENGINE_GOODBYE_TIMEOUT] = {"421 4.4.2 ", " Timeout, closing the connection\r\n"},
    };
    engine_out_make_text(out, SIDE_CLIENT, texts[why].code);
    engine_out_make_text(out, SIDE_CLIENT, service->hostname);
    engine_out_make_text(out, SIDE_CLIENT, texts[why].words);
}
