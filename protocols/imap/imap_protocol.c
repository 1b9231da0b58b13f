/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_protocol.h"

#include "protocols/protocol_private.h"

const struct protocol_traits imap_protocol = {
    .name = "imap",
    .ports = {.implicit = 993, .starttls = 143},
    .alpn = {.list = "\x04imap", .is_registered = true},
    .autologout = {.min_ms = 30 * 60 * 1000, .rule = "RFC 3501 section 5.4"},
    .probe = {.greeting = "* OK",
              .greeting_2 = "* PREAUTH",
              .starttls = "probe STARTTLS\r\n",
              .consent = "probe OK",
              .question = "probe NOOP\r\n",
              .answer = "probe OK",
              .goodbye = "probe LOGOUT\r\n"},
    .engine = &imap_engine_ops,
    .pretls = &imap_pretls,
    .starttls_client = &imap_starttls_client,
    .check = &imap_check,
};
