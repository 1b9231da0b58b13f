/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_REFUSAL_H
#define DEEPPROXY_PROXY_COMMON_REFUSAL_H

/*
 * Why a connection is refused before its session begins: the words of `reason` in the log and in the metric.
 * They never change.
 */
enum refusal {
    REFUSAL_DENIED,           /* the client's address: deny, or not in allow */
    REFUSAL_CONNECTION_RATE,  /* limits.connection_rate_per_address; the log has it as an overload */
    REFUSAL_PROXY_UNTRUSTED,  /* a PROXY header, or a connection that must have one, from outside "from" */
    REFUSAL_PROXY_MISSING,    /* no PROXY header, and the service requires one */
    REFUSAL_PROXY_MALFORMED,  /* a PROXY header that is wrong */
    REFUSAL_PROXY_INCOMPLETE, /* half a PROXY header, and then the end, or nothing for too long */
    REFUSALS
};

/* The word, static. */
const char *refusal_name(enum refusal refusal);

/* What has probably happened, and what to do about it, in a sentence for the log; static, or NULL. */
const char *refusal_cause(enum refusal refusal);

#endif
