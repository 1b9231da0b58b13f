/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_CHECK_RESULT_H
#define DEEPPROXY_PROTOCOLS_CHECK_RESULT_H

#include <stdbool.h>

/*
 * What an active check of a server has found, by layer, from the connection up. The words are those of the
 * log, the metrics and the runtime control; the program acts on the values alone.
 */
enum check_result {
    CHECK_OK,
    /* Nothing is known of the server: this machine lacked a descriptor, a port, memory or a signature. */
    CHECK_NOT_MADE,
    CHECK_CONNECT_REFUSED,
    CHECK_CONNECT_TIMEOUT,
    CHECK_CONNECT_FAILED, /* another error: no route, no such socket */
    CHECK_NO_PROXY,       /* the server does not read the PROXY header, or does not believe it */
    CHECK_TLS_REFUSED,    /* it has no TLS, no STARTTLS, or ends the handshake */
    CHECK_TLS_UNTRUSTED,  /* its certificate is rejected */
    CHECK_TLS_TIMEOUT,
    CHECK_NO_GREETING,  /* closed or silent before it */
    CHECK_BAD_GREETING, /* it refuses service, or speaks another protocol */
    CHECK_NO_ANSWER,    /* closed or silent after it */
    CHECK_BAD_ANSWER,   /* an answer that is not one of the protocol, or refuses what every server knows */
    CHECK_NO_XCLIENT,   /* it does not learn who the client is, as identity = "native" demands */
    CHECK_NO_LOGIN_OFFERED, /* nobody could log in */
    CHECK_RESULTS           /* how many */
};

/* "connect-refused"; static. */
const char *check_result_name(enum check_result result);

/* Does it say something of the server? Only CHECK_NOT_MADE does not. */
static inline bool check_result_is_of_server(enum check_result result)
{
    return result != CHECK_NOT_MADE;
}

#endif
