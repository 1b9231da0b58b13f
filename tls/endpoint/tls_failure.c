/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_failure.h"

#include "base/array.h"

#include <openssl/ssl.h>

#include <string.h>

static const char *const names[] = {
    [TLS_FAILURE_NONE] = "none",
    [TLS_FAILURE_OTHER] = "other",
    [TLS_FAILURE_PROXY_HEADER] = "proxy-header",
    [TLS_FAILURE_HTTP] = "http",
    [TLS_FAILURE_SSH] = "ssh",
    [TLS_FAILURE_CLEARTEXT] = "cleartext",
    [TLS_FAILURE_NOT_TLS] = "not-tls",
    [TLS_FAILURE_VERSION] = "no-common-version",
    [TLS_FAILURE_CIPHER] = "no-common-cipher",
    [TLS_FAILURE_GROUP] = "no-common-group",
    [TLS_FAILURE_SIGNATURE] = "no-common-signature",
    [TLS_FAILURE_ALPN] = "alpn",
    [TLS_FAILURE_NAME] = "sni",
    [TLS_FAILURE_CLIENT_CERTIFICATE] = "client-certificate",
    [TLS_FAILURE_NO_SIGNATURE] = "no-signature",
    [TLS_FAILURE_CLOSED] = "closed",
    [TLS_FAILURE_PROBE] = "probe",
    [TLS_FAILURE_UNKNOWN_CA] = "unknown_ca",
    [TLS_FAILURE_BAD_CERTIFICATE] = "bad_certificate",
    [TLS_FAILURE_CERTIFICATE_UNSUPPORTED] = "unsupported_certificate",
    [TLS_FAILURE_CERTIFICATE_REVOKED] = "certificate_revoked",
    [TLS_FAILURE_CERTIFICATE_EXPIRED] = "certificate_expired",
    [TLS_FAILURE_CERTIFICATE_UNKNOWN] = "certificate_unknown",
    [TLS_FAILURE_CERTIFICATE_REQUIRED] = "certificate_required",
    [TLS_FAILURE_HANDSHAKE_REFUSED] = "handshake_failure",
    [TLS_FAILURE_ALERT] = "other-alert",
};
_Static_assert(ARRAY_LEN(names) == TLS_FAILURES, "a name for each failure");

const char *tls_failure_name(enum tls_failure failure)
{
    return names[failure];
}

/* ---- the library's reasons ---- */

/* An alert of RFC 8446 section 6 (the older ones are RFC 5246's), whose name is all that there is to tell. */
#define ALERT(number, name)                                                                                  \
    {                                                                                                        \
        SSL_AD_REASON_OFFSET + (number), TLS_FAILURE_ALERT, "the other side has sent the alert " name        \
    }

/* The failures that mail operators see most, and all alerts. The library's own words are used for others. */
static const struct tls_failure_words of_library[] = {
    {SSL_R_WRONG_VERSION_NUMBER, TLS_FAILURE_NOT_TLS, "client does not speak TLS"},
    {SSL_R_HTTP_REQUEST, TLS_FAILURE_NOT_TLS, "client does not speak TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, TLS_FAILURE_NOT_TLS, "client does not speak TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAILURE_VERSION, "no TLS version in common"},
    {SSL_R_NO_SHARED_CIPHER, TLS_FAILURE_CIPHER, "no cipher suite in common"},
    {SSL_R_NO_APPLICATION_PROTOCOL, TLS_FAILURE_ALPN,
     "client offers other protocols than this service's (ALPN)"},
    {SSL_R_TLSV1_ALERT_UNRECOGNIZED_NAME, TLS_FAILURE_NAME,
     "client asks for a name that no certificate has (SNI)"},
    {SSL_R_NO_SHARED_GROUP, TLS_FAILURE_GROUP, "no key exchange group in common"},
    {SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS, TLS_FAILURE_SIGNATURE, "no signature algorithm in common"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_FAILURE_CLIENT_CERTIFICATE, "client shows no certificate"},
    {SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED, TLS_FAILURE_CERTIFICATE_REQUIRED, TLS_CERTIFICATE_REQUIRED},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, TLS_FAILURE_HANDSHAKE_REFUSED, TLS_HANDSHAKE_REFUSED},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, TLS_FAILURE_OTHER,
     "a record was damaged or forged on its way"},
    {SSL_R_PRIVATE_KEY_OPERATION_FAILED, TLS_FAILURE_NO_SIGNATURE, TLS_NO_SIGNATURE},
    {SSL_R_SSLV3_ALERT_CLOSE_NOTIFY, TLS_FAILURE_CLOSED, "peer closed the connection in the handshake"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, TLS_FAILURE_UNKNOWN_CA,
     "client does not trust the certificate's issuer (alert unknown_ca)"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, TLS_FAILURE_CERTIFICATE_UNKNOWN,
     "client does not trust the certificate (alert certificate_unknown)"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, TLS_FAILURE_BAD_CERTIFICATE,
     "client does not trust the certificate, or it has another name (alert bad_certificate)"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, TLS_FAILURE_CERTIFICATE_UNSUPPORTED,
     "client can't use a certificate of this kind, or for this purpose (alert unsupported_certificate)"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, TLS_FAILURE_CERTIFICATE_REVOKED,
     "client finds the certificate revoked (alert certificate_revoked)"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, TLS_FAILURE_CERTIFICATE_EXPIRED,
     "client finds the certificate expired, or not valid yet (alert certificate_expired)"},
    ALERT(10, "unexpected_message"),
    ALERT(20, "bad_record_mac"),
    ALERT(21, "decryption_failed"),
    ALERT(22, "record_overflow"),
    ALERT(30, "decompression_failure"),
    ALERT(41, "no_certificate"),
    ALERT(47, "illegal_parameter"),
    ALERT(49, "access_denied"),
    ALERT(50, "decode_error"),
    ALERT(51, "decrypt_error"),
    ALERT(60, "export_restriction"),
    ALERT(70, "protocol_version"),
    ALERT(71, "insufficient_security"),
    ALERT(80, "internal_error"),
    ALERT(86, "inappropriate_fallback"),
    ALERT(90, "user_canceled"),
    ALERT(100, "no_renegotiation"),
    ALERT(109, "missing_extension"),
    ALERT(110, "unsupported_extension"),
    ALERT(111, "certificate_unobtainable"),
    ALERT(113, "bad_certificate_status_response"),
    ALERT(114, "bad_certificate_hash_value"),
    ALERT(115, "unknown_psk_identity"),
    ALERT(120, "no_application_protocol"),
    ALERT(121, "ech_required"),
};

const struct tls_failure_words *tls_failure_find(int reason)
{
    static const struct tls_failure_words unknown_alert = {
        0, TLS_FAILURE_ALERT, "the other side has sent an alert that is not known"};
    for (size_t i = 0; i < ARRAY_LEN(of_library); i++)
        if (reason == of_library[i].reason)
            return &of_library[i];
    return reason > SSL_AD_REASON_OFFSET ? &unknown_alert : NULL;
}

/* ---- in the clear ---- */

static const struct tls_failure_words
    proxy_header = {0, TLS_FAILURE_PROXY_HEADER,
                    "client sends a header of the PROXY protocol, which no service here expects: turn it off "
                    "in the balancer before this port (HAProxy: send-proxy; nginx: proxy_protocol)"},
    http = {0, TLS_FAILURE_HTTP,
            "client speaks HTTP, not TLS: this port is for mail; is a health check of HTTP set to it, in "
            "place of one of TCP?"},
    ssh = {0, TLS_FAILURE_SSH, "client speaks SSH, not TLS: this port is for mail"},
    imap = {0, TLS_FAILURE_CLEARTEXT,
            "client speaks IMAP in the clear, not TLS: set it to SSL/TLS for this port, or to a port of a "
            "service with tls = \"starttls\""},
    pop3 = {0, TLS_FAILURE_CLEARTEXT,
            "client speaks POP3 in the clear, not TLS: set it to SSL/TLS for this port, or to a port of a "
            "service with tls = \"starttls\""},
    smtp = {0, TLS_FAILURE_CLEARTEXT,
            "client speaks SMTP in the clear, not TLS: set it to SSL/TLS for this port, or to a port of a "
            "service with tls = \"starttls\""},
    text = {0, TLS_FAILURE_CLEARTEXT,
            "client speaks cleartext, not TLS: set it to SSL/TLS for this port, or to a port of a service "
            "with tls = \"starttls\""};

/* By the TLS_BEGINNING_LEN octets that are there for certain: a client may send them one by one. */
static const struct {
    const char *beginning;
    const struct tls_failure_words *words;
} beginnings[] = {
    {"PROXY", &proxy_header}, {"SSH-", &ssh},   {"GET ", &http},  {"HEAD ", &http}, {"POST ", &http},
    {"PUT ", &http},          {"DELET", &http}, {"CONNE", &http}, {"OPTIO", &http}, {"TRACE", &http},
    {"PATCH", &http},         {"PRI *", &http}, {"EHLO", &smtp},  {"HELO", &smtp},  {"LHLO", &smtp},
    {"MAIL ", &smtp},         {"RCPT ", &smtp}, {"START", &smtp}, {"USER ", &pop3}, {"PASS ", &pop3},
    {"CAPA", &pop3},          {"STLS", &pop3},  {"APOP ", &pop3}, {"AUTH", &text},  {"NOOP", &text},
    {"QUIT", &text},          {"RSET", &text},
};

/* The first octets of the signature of PROXY v2: no text has a NUL. */
static const uint8_t proxy_v2[] = {'\r', '\n', '\r', '\n', '\0'};

/* A tag, and then a blank or a digit: no command of POP3 or SMTP begins so, but those above. */
static bool begins_with_tag(struct slice beginning)
{
    size_t len = 0;
    bool has_digit = false;
    for (;
         len < beginning.len && (ascii_is_alpha(beginning.data[len]) || ascii_is_digit(beginning.data[len]));
         len++)
        has_digit = has_digit || ascii_is_digit(beginning.data[len]);
    bool is_word = len > 0 && len < beginning.len && beginning.data[len] == ' ';
    return is_word || (has_digit && len == beginning.len);
}

static bool is_text(struct slice beginning)
{
    uint8_t first = beginning.len > 0 ? beginning.data[0] : '\0';
    return ascii_is_graph(first) || first == '\r' || first == '\n';
}

const struct tls_failure_words *tls_failure_of_cleartext(struct slice beginning)
{
    struct slice seen = slice_first(beginning, TLS_BEGINNING_LEN);
    if (slice_equals(seen, (struct slice){proxy_v2, sizeof proxy_v2}))
        return &proxy_header;
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++)
        if (slice_has_prefix(seen, beginnings[i].beginning))
            return beginnings[i].words;
    if (!is_text(seen))
        return NULL;
    return begins_with_tag(seen) ? &imap : &text;
}

const struct tls_failure_words *tls_failure_of_probe(struct slice hello)
{
    static const struct tls_failure_words haproxy = {
        0, TLS_FAILURE_PROBE, "a health check by HAProxy (option ssl-hello-chk), which ends with the reply"};
    static const char mark[] = "HAPROXYSSLCHK\n"; /* in place of random octets */
    for (size_t i = 0; i + sizeof mark - 1 <= hello.len; i++)
        if (memcmp(hello.data + i, mark, sizeof mark - 1) == 0)
            return &haproxy;
    return NULL;
}

int tls_failure_clear_alert(struct slice record)
{
    enum { TYPE_AT, VERSION_AT, LENGTH_AT = 3, DESCRIPTION_AT = 6 };
    enum { TYPE_ALERT = 21, MAJOR_VERSION = 3 };
    static const uint8_t length[] = {0, 2};
    bool is_alert = record.len == TLS_CLEAR_ALERT_LEN && record.data[TYPE_AT] == TYPE_ALERT &&
                    record.data[VERSION_AT] == MAJOR_VERSION &&
                    memcmp(record.data + LENGTH_AT, length, sizeof length) == 0;
    return is_alert ? record.data[DESCRIPTION_AT] : TLS_NO_ALERT;
}
