/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_protocol.h"

#include "protocols/protocol_private.h"

const struct protocol_traits pop3_protocol = {
    .name = "pop3",
    .ports = {.implicit = 995, .starttls = 110},
    .alpn = {.list = "\x04pop3", .is_registered = true},
    .autologout = {.min_ms = 10 * 60 * 1000, .rule = "RFC 1939 section 3"},
    .probe = {.greeting = "+OK",
              .starttls = "STLS\r\n",
              .consent = "+OK",
              .question = "CAPA\r\n",
              .answer = "+OK",
              .goodbye = "QUIT\r\n"},
    .engine = &pop3_engine_ops,
    .pretls = &pop3_pretls,
    .starttls_client = &pop3_starttls_client,
    .check = &pop3_check,
};
