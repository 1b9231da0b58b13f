/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_protocol.h"

#include "protocols/protocol_private.h"

const struct protocol_traits submission_protocol = {
    .name = "submission",
    .ports = {.implicit = 465, .starttls = 587},
    .alpn = {.list =
                 "\x04smtp"}, /* IANA has no name for it: this is the one that its servers and clients use */
    .autologout = {.min_ms = 5 * 60 * 1000, .rule = "RFC 5321 section 4.5.3.2.7"},
    .login_optional = true,
    .turns_restart_login_timer = true,
    .submits_messages = true,
    .native_identity_has_login = true, /* XCLIENT LOGIN */
    .probe = {.greeting = "220",
              .starttls = "STARTTLS\r\n",
              .consent = "220",
              .question = "NOOP\r\n",
              .answer = "250",
              .goodbye = "QUIT\r\n"},
    .engine = &smtp_engine_ops,
    .pretls = &smtp_pretls,
    .starttls_client = &smtp_starttls_client,
    .check = &smtp_check,
};
