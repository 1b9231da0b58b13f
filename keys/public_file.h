/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_PUBLIC_FILE_H
#define DEEPPROXY_KEYS_PUBLIC_FILE_H

#include "base/must_check.h"
#include "base/slice.h"

/*
 * What the proxy may have of a file that perhaps only root can read: certificates and OCSP responses, decoded
 * and encoded again. No other octet of a file passes. It opens no file, checks no signature and no date, and
 * keeps nothing.
 */

/*
 * Encodes the certificates in a PEM file (RFC 7468) as PEM into `into`, and leaves out all else in it;
 * `*used` becomes their length, which is 0 if there are none. False if one is damaged or no certificate, or
 * if they don't fit into `cap` octets.
 */
MUST_CHECK bool public_file_certificates(struct slice pem, uint8_t *into, size_t cap, size_t *used);

/*
 * Encodes an OCSP response (RFC 6960 section 4.2.1) that has a basic response as DER into `into`; `*used`
 * becomes its length. False if the file is anything else, or if it does not fit into `cap` octets.
 */
MUST_CHECK bool public_file_ocsp(struct slice der, uint8_t *into, size_t cap, size_t *used);

#endif
