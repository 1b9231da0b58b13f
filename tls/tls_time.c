/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_time.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <stdbool.h>

#define DAY (24 * 3600)

int64_t tls_seconds_of(const ASN1_TIME *time)
{
    int days = 0;
    int seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool known = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    ERR_clear_error();
    return known ? (int64_t)days * DAY + seconds : 0;
}
