/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TIME_H
#define DEEPPROXY_TLS_TIME_H

#include <openssl/base.h>
#include <stdint.h>

/*
 * Times of certificates as numbers. Private to tls/. Returns seconds since 1970 for a time of X.509 (RFC 5280
 * section 4.1.2.5), or 0 if it can't be converted.
 */
int64_t tls_seconds_of(const ASN1_TIME *time);

#endif
