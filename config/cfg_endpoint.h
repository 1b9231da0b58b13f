/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_ENDPOINT_H
#define DEEPPROXY_CONFIG_CFG_ENDPOINT_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Addresses with a port, as the file spells them. Names are checked for their form, and never resolved.
 */
enum cfg_endpoint_use {
    CFG_ENDPOINT_LISTEN, /* numeric, or "*" for [::]; port 0: the system picks one */
    CFG_ENDPOINT_SERVER, /* numeric or a name, and the port is not 0; or "unix:/path" */
    CFG_ENDPOINT_SOURCE  /* numeric, without a port */
};

/* Reads one into `endpoint`. False after a problem with an example of what is right. */
bool cfg_endpoint_read(struct cfg_loader *loader, enum cfg_endpoint_use use, struct cfg_item item,
                       struct cfg_endpoint *endpoint);

/*
 * Have both the same host and port, or the same path? Listeners with port 0 are never equal: they get
 * different ports.
 */
bool cfg_endpoint_equals(const struct cfg_endpoint *a, const struct cfg_endpoint *b);

/*
 * Does a socket that listens on the wildcard `a` get the connections to `b`, an address with the same port,
 * unless there is a socket for it? [::] covers IPv4 too. No address covers an equal one.
 */
bool cfg_endpoint_covers(const struct cfg_endpoint *a, const struct cfg_endpoint *b);

/*
 * Must a socket on `endpoint` leave IPv4 alone, as one of these listens on 0.0.0.0 and the same port? Any
 * other IPv4 address may have a socket beside one for both families, which then gets the rest.
 */
bool cfg_endpoint_leaves_ipv4(const struct cfg_endpoint *endpoint, const struct cfg_endpoint *others,
                              size_t count);

/* What a message about a name that will not do has at its end; "" if its letters are all right. Static. */
const char *cfg_hostname_hint(const char *name);

/* Is it a Unix socket? */
bool cfg_endpoint_is_unix(const struct cfg_endpoint *endpoint);

/* Can this machine alone reach it? */
bool cfg_endpoint_is_loopback(const struct cfg_endpoint *endpoint);

/* Is it a numeric address of either family, without brackets? */
bool cfg_is_address(const char *text);

/*
 * Is it a name of labels with letters, digits, "-" and "_" (RFC 1123 section 2.1, and what container networks
 * add)?
 */
bool cfg_is_hostname(struct slice name);

#endif
