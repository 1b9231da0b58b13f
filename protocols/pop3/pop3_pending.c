/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_pending.h"

#include "base/array.h"
#include "base/ensure.h"

_Static_assert(POP3_PENDING_MAX <= UINT8_MAX, "positions in the ring are octets");

bool pop3_answer_is_own(enum pop3_answer answer)
{
    return answer >= POP3_REFUSE_STLS;
}

bool pop3_answer_is_last(enum pop3_answer answer)
{
    return answer >= POP3_END_LENGTH;
}

const char *pop3_answer_text(enum pop3_answer answer)
{
    static const char *const texts[] = {
        [POP3_REFUSE_STLS] = "-ERR TLS is already in use\r\n",
        [POP3_REFUSE_COMMAND] = "-ERR Unknown command\r\n",
        [POP3_REFUSE_MECHANISM] = "-ERR Channel binding is not available here\r\n",
        [POP3_REFUSE_EXTERNAL] = "-ERR EXTERNAL is not available here without a client certificate\r\n",
        [POP3_REFUSE_SYNTAX] = "-ERR Not a POP3 command\r\n",
        [POP3_REFUSE_LENGTH] = "-ERR Command line too long\r\n",
        [POP3_END_LENGTH] = "-ERR Line too long, closing\r\n",
        [POP3_END_HTTP] = "-ERR This is a POP3 server, closing\r\n",
        [POP3_END_REFUSALS] = "-ERR Too many bad commands, closing\r\n",
    };
    ENSURE(pop3_answer_is_own(answer) && answer < ARRAY_LEN(texts));
    return texts[answer];
}

bool pop3_pending_is_empty(const struct pop3_pending *pending)
{
    return pending->count == 0;
}

bool pop3_pending_is_full(const struct pop3_pending *pending)
{
    return pending->count == POP3_PENDING_MAX;
}

void pop3_pending_add(struct pop3_pending *pending, enum pop3_answer answer)
{
    ENSURE(!pop3_pending_is_full(pending));
    pending->answers[(pending->first + pending->count) % POP3_PENDING_MAX] = (uint8_t)answer;
    pending->count++;
}

enum pop3_answer pop3_pending_first(const struct pop3_pending *pending)
{
    ENSURE(!pop3_pending_is_empty(pending));
    return (enum pop3_answer)pending->answers[pending->first];
}

void pop3_pending_drop(struct pop3_pending *pending)
{
    ENSURE(!pop3_pending_is_empty(pending));
    pending->first = (uint8_t)((pending->first + 1) % POP3_PENDING_MAX);
    pending->count--;
}
