/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_SERVICES_H
#define DEEPPROXY_TESTS_FUZZ_SERVICES_H

#include "base/array.h"
#include "protocols/engine.h"

/*
 * The services that the engines are fuzzed with: the first octet of an input picks a row. A new option of
 * struct engine_service is a new row; the corpus has each recorded dialogue once for each row.
 */
struct fuzz_service {
    struct engine_service service; /* its protocol is set by the target */
    struct engine_client client;
    bool cleartext; /* the dialogue before STARTTLS */
    /* On purpose, or the client is not greeted as content_play expects: its content is not played. */
    bool changes_messages;
};

/* Wed, 25 Nov 2026 09:00:05 +0000 */
static inline int64_t fuzz_now(void)
{
    return 1795597205;
}

static const struct fuzz_service fuzz_services[] = {
    {.service = {.deep_status = "tls12 <https://mail.example.com/>", .hostname = "proxy.example.com"},
     .client = {.tls_cipher = "TLS_AES_128_GCM_SHA256", .nonce = "Qw7Zk2Rt9Xc4Vb6N"}},
    {.service = {.deep_status = "", .hostname = "proxy.example.com"},
     .client = {.tls_cipher = "0x1301", .nonce = "Qw7Zk2Rt9Xc4Vb6N"}},
    {.service =
         {.deep_status = "tls12", .hostname = "proxy.example.com", .starttls = true, .deep_merge = true},
     .client = {.tls_cipher = "TLS_AES_128_GCM_SHA256", .nonce = "Qw7Zk2Rt9Xc4Vb6N"},
     .changes_messages = true},
    {.service =
         {.deep_status = "tls12", .hostname = "proxy.example.com", .adds_received = true, .now = fuzz_now},
     .client = {.tls_cipher = "TLS_AES_128_GCM_SHA256",
                .address = "2001:db8::1",
                .session_id = "session-1",
                .nonce = "Qw7Zk2Rt9Xc4Vb6N"},
     .changes_messages = true},
    {.service = {.deep_status = "tls12", .hostname = "proxy.example.com", .refuses_bare_lf = true},
     .client = {.tls_cipher = "TLS_AES_128_GCM_SHA256", .nonce = "Qw7Zk2Rt9Xc4Vb6N"},
     .changes_messages = true},
    {.service = {.deep_status = "tls12", .hostname = "proxy.example.com", .starttls = true},
     .cleartext = true},
    {.service = {.deep_status = "tls12", .hostname = "proxy.example.com", .sends_identity = true},
     .client = {.tls_cipher = "TLS_AES_128_GCM_SHA256",
                .address = "2001:db8::1",
                .session_id = "session-1",
                .connected_address = "192.0.2.1",
                .port = 4711,
                .connected_port = 993,
                .nonce = "Qw7Zk2Rt9Xc4Vb6N"},
     .changes_messages = true},
    {.service = {.deep_status = "tls12", .hostname = "proxy.example.com"},
     .client = {.tls_cipher = "TLS_AES_128_GCM_SHA256", .external = true, .nonce = "Qw7Zk2Rt9Xc4Vb6N"}},
    {.service = {.deep_status = "tls12", .hostname = "proxy.example.com", .sends_identity = true},
     .client = {.tls_cipher = "TLS_AES_128_GCM_SHA256",
                .address = "203.0.113.5",
                .session_id = "session-1",
                .connected_address = "192.0.2.1",
                .login = "joe@example.com",
                .port = 4711,
                .connected_port = 465,
                .nonce = "Qw7Zk2Rt9Xc4Vb6N"},
     .changes_messages = true},
};

enum { FUZZ_SERVICES = ARRAY_LEN(fuzz_services) };

#endif
