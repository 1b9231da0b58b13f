/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_goodbye.h"

void pop3_goodbye_send(enum engine_goodbye_reason why, struct engine_out *out)
{
    static const char *const texts[] = {
        [ENGINE_GOODBYE_UNAVAILABLE] = "-ERR [SYS/TEMP] Mail server not available, try again later\r\n",
        [ENGINE_GOODBYE_SHUTDOWN] = "-ERR [SYS/TEMP] Server is shutting down, try again later\r\n",
        [ENGINE_GOODBYE_KICKED] = "-ERR [SYS/TEMP] Disconnected by the operator, try again later\r\n",
        [ENGINE_GOODBYE_MOVED] =
            "-ERR [SYS/TEMP] Mail server is being taken out of service, connect again\r\n",
        [ENGINE_GOODBYE_TIMEOUT] = "-ERR [SYS/TEMP] Timeout, try again later\r\n",
    };
    engine_out_make_text(out, SIDE_CLIENT, texts[why]);
}
