/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TIME_H
#define DEEPPROXY_TLS_TIME_H

#include <openssl/base.h>
#include <stdint.h>

/* A time of X.509 as seconds since 1970; 0 where it can't be told. Inner to tls/. */
int64_t tls_seconds_of(const ASN1_TIME *time);

#endif
