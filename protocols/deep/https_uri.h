/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_DEEP_HTTPS_URI_H
#define DEEPPROXY_PROTOCOLS_DEEP_HTTPS_URI_H

#include "base/slice.h"

/*
 * Is it an absolute https URI (RFC 3986, RFC 9110 section 4.2.2): scheme, authority with a host that is not
 * empty, then path, query and fragment, each with its own characters? IPvFuture, which is not
 * defined yet, is refused.
 */
bool https_uri_is_valid(struct slice s);

#endif
