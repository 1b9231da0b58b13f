/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/ends.h"

enum {
    WAIT = ENDS_NOTHING,
    FIN = ENDS_SEND_FIN,
    NEXT = ENDS_TRY_NEXT_SERVER,
    SIGN = ENDS_GIVE_UP_SIGNATURE,
    SHUT = ENDS_GOODBYE_CLOSED,
    CUT = ENDS_GOODBYE_CUT,
    GONE = ENDS_FINISH_CLIENT_CLOSED,
    OUT = ENDS_FINISH_LOGOUT
};

/*
 * The rules of the table. A client that has ended before its server greets is not sent on: it has a short
 * time for the greeting (session_has_abandoned). After a failed write nothing is decided before the server's
 * end is read: what it sent before is fed first. A server that ends before the client has had anything of it
 * gives the next one its chance, unless the client's FIN was sent on: the server then did as it was asked.
 * TLS that was cut may hide octets of the server's; only its closing reply shows that there were none.
 */
static const unsigned char actions[SERVER_ENDS][STAGES][CLIENT_ENDS] = {
    /* By the client's end: CLIENT_OPEN, CLIENT_PENDING, CLIENT_DONE, CLIENT_SENT_ON. */
    [SERVER_OPEN] = {[STAGE_SIGNING] = {WAIT, WAIT, WAIT, WAIT},
                     [STAGE_UNGREETED] = {WAIT, WAIT, WAIT, WAIT},
                     [STAGE_UNCOMMITTED] = {WAIT, WAIT, FIN, WAIT},
                     [STAGE_COMMITTED] = {WAIT, WAIT, FIN, WAIT},
                     [STAGE_ENDING] = {WAIT, WAIT, FIN, WAIT},
                     [STAGE_CLOSING] = {WAIT, WAIT, FIN, WAIT}},
    [SERVER_WRITE_FAILED] = {[STAGE_SIGNING] = {WAIT, WAIT, WAIT, WAIT},
                             [STAGE_UNGREETED] = {WAIT, WAIT, WAIT, WAIT},
                             [STAGE_UNCOMMITTED] = {WAIT, WAIT, WAIT, WAIT},
                             [STAGE_COMMITTED] = {WAIT, WAIT, WAIT, WAIT},
                             [STAGE_ENDING] = {WAIT, WAIT, WAIT, WAIT},
                             [STAGE_CLOSING] = {WAIT, WAIT, WAIT, WAIT}},
    [SERVER_CLOSED] = {[STAGE_SIGNING] = {SIGN, SIGN, SIGN, SIGN},
                       [STAGE_UNGREETED] = {NEXT, NEXT, NEXT, GONE},
                       [STAGE_UNCOMMITTED] = {NEXT, NEXT, NEXT, GONE},
                       [STAGE_COMMITTED] = {SHUT, GONE, GONE, GONE},
                       [STAGE_ENDING] = {OUT, OUT, OUT, OUT},
                       [STAGE_CLOSING] = {OUT, OUT, OUT, OUT}},
    [SERVER_CUT] = {[STAGE_SIGNING] = {SIGN, SIGN, SIGN, SIGN},
                    [STAGE_UNGREETED] = {NEXT, NEXT, NEXT, GONE},
                    [STAGE_UNCOMMITTED] = {NEXT, NEXT, NEXT, GONE},
                    [STAGE_COMMITTED] = {CUT, GONE, GONE, GONE},
                    [STAGE_ENDING] = {CUT, GONE, GONE, GONE},
                    [STAGE_CLOSING] = {OUT, OUT, OUT, OUT}},
};

enum ends_action ends_action(enum client_end client, enum server_end server, enum dialogue_stage stage)
{
    return (enum ends_action)actions[server][stage][client];
}
