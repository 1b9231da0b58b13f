/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_explain.h"

#include "tls/endpoint/tls_peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string.h>

/* ---- octets ---- */

/* The octets that came before those of this call, as far as they are kept. */
static struct slice earlier_input(const struct tls_seen *seen)
{
    return (struct slice){seen->last, seen->len < sizeof seen->last ? seen->len : sizeof seen->last};
}

/* The last octets that the library has read, those of earlier calls included. Returns how many. */
static size_t last_octets(const struct tls_seen *seen, struct slice read, uint8_t into[TLS_CLEAR_ALERT_LEN])
{
    struct slice earlier = earlier_input(seen);
    struct slice now = slice_from(read, read.len > TLS_CLEAR_ALERT_LEN ? read.len - TLS_CLEAR_ALERT_LEN : 0);
    size_t room = TLS_CLEAR_ALERT_LEN - now.len;
    struct slice before = slice_from(earlier, earlier.len > room ? earlier.len - room : 0);
    if (before.len > 0)
        memmove(into, before.data, before.len);
    if (now.len > 0)
        memcpy(into + before.len, now.data, now.len);
    return before.len + now.len;
}

void tls_seen_note(struct tls_seen *seen, struct slice read)
{
    uint8_t last[TLS_CLEAR_ALERT_LEN];
    size_t len = last_octets(seen, read, last);
    memcpy(seen->last, last, len);
    seen->len = read.len + seen->len > UINT8_MAX ? UINT8_MAX : (uint8_t)(read.len + seen->len);
}

/* What the client speaks, if its first octets are no record of TLS; NULL if they are, or can't be named. */
static const struct tls_failure_words *find_cleartext(const struct tls_failed_call *call)
{
    uint8_t first[TLS_BEGINNING_LEN];
    if (call->seen == NULL || call->seen->len >= sizeof first || !call->by_client)
        return NULL;
    struct slice before = earlier_input(call->seen);
    struct slice now = slice_first(call->given, sizeof first - before.len);
    if (before.len > 0)
        memcpy(first, before.data, before.len);
    if (now.len > 0)
        memcpy(first + before.len, now.data, now.len);
    return tls_failure_of_cleartext((struct slice){first, before.len + now.len});
}

/* ---- errors of the library ---- */

/*
 * The first error in the queue that is from the library's TLS part: those of its cipher part tell an operator
 * less.
 */
static uint32_t first_error(void)
{
    uint32_t first = ERR_get_error();
    uint32_t code = first;
    while (code != 0 && ERR_GET_LIB(code) != ERR_LIB_SSL)
        code = ERR_get_error();
    return code != 0 ? code : first;
}

/*
 * The error; or, if the library has taken an alert in the clear for an encrypted record, the error that it
 * has for that alert.
 */
static uint32_t true_error(const struct tls_failed_call *call, uint32_t code)
{
    uint8_t last[TLS_CLEAR_ALERT_LEN];
    if (call->seen == NULL || ERR_GET_LIB(code) != ERR_LIB_SSL ||
        ERR_GET_REASON(code) != SSL_R_BAD_PACKET_LENGTH)
        return code;
    int alert = tls_failure_clear_alert((struct slice){last, last_octets(call->seen, call->read, last)});
    return alert != TLS_NO_ALERT ? ERR_PACK(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + alert) : code;
}

static const struct tls_failure_words *find_words(const struct tls_failed_call *call, uint32_t code)
{
    const struct tls_failure_words *cleartext = find_cleartext(call);
    if (cleartext != NULL || ERR_GET_LIB(code) != ERR_LIB_SSL)
        return cleartext;
    if (call->by_server)
        return NULL;
    const struct tls_failure_words *words = tls_failure_find(ERR_GET_REASON(code));
    bool is_old = words != NULL && words->kind == TLS_FAILURE_VERSION;
    const struct tls_failure_words *probe = is_old ? tls_failure_of_probe(call->given) : NULL;
    return probe != NULL ? probe : words;
}

/* Our own reason for a backend's failure; the library's text for any other. */
static const char *reason_for(const struct tls_failed_call *call, uint32_t code)
{
    bool has_own = call->by_server && ERR_GET_LIB(code) == ERR_LIB_SSL;
    const char *reason = has_own ? tls_peer_failure(ERR_GET_REASON(code)) : NULL;
    if (reason == NULL)
        reason = code != 0 ? ERR_reason_error_string(code) : "TLS library gave no reason";
    return reason != NULL ? reason : "TLS library has no text for this failure";
}

struct tls_failure_words tls_explain(const struct tls_failed_call *call)
{
    uint32_t code = true_error(call, first_error());
    const struct tls_failure_words *words = find_words(call, code);
    ERR_clear_error();
    if (words != NULL)
        return *words;
    return (struct tls_failure_words){.kind = TLS_FAILURE_OTHER, .text = reason_for(call, code)};
}
