/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_ENDPOINT_H
#define DEEPPROXY_CONFIG_CFG_ENDPOINT_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/* Addresses with a port, as the file spells them. Names are checked for their form and not resolved. */
enum cfg_endpoint_use {
    CFG_ENDPOINT_LISTEN, /* numeric, or "*" for [::]; port 0 is one that the system picks */
    CFG_ENDPOINT_SERVER  /* numeric or a name; a real port */
};

/* False, and a problem with an example of what is right, where it isn't one. */
bool cfg_endpoint_read(struct cfg_loader *loader, enum cfg_endpoint_use use, struct cfg_item item,
                       struct cfg_endpoint *endpoint);

/* The same host and port. Two listeners with port 0 get different ones: never the same. */
bool cfg_endpoint_equals(const struct cfg_endpoint *a, const struct cfg_endpoint *b);

/* Does nobody but this machine reach it? */
bool cfg_endpoint_is_loopback(const struct cfg_endpoint *endpoint);

/* A numeric address of either family, without brackets. */
bool cfg_is_address(const char *text);

/* A name of labels with letters, digits, "-" and "_" (RFC 1123 2.1, and what container networks add). */
bool cfg_is_hostname(struct slice name);

#endif
