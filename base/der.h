/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_DER_H
#define DEEPPROXY_BASE_DER_H

#include "base/must_check.h"
#include "base/slice.h"

/*
 * Steps through DER (X.690), to see what a file is. It decodes no value, and nothing here allocates.
 */
enum {
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0A,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_FIRST = 0xA0 /* [0], constructed */
};

/*
 * Takes the next element off the front of `*rest`, whose content lies in it. False if there is no whole
 * one.
 */
MUST_CHECK bool der_take(struct slice *rest, uint8_t *tag, struct slice *content);

/* As der_take, an element of this tag alone; `*rest` stays as it is if it is another. */
MUST_CHECK bool der_take_tag(struct slice *rest, uint8_t tag, struct slice *content);

/* The number of a short INTEGER, of at most seven octets and not negative; -1 for any other. */
int64_t der_number(struct slice content);

#endif
