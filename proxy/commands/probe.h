/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_PROBE_H
#define DEEPPROXY_PROXY_COMMANDS_PROBE_H

#include "config/cfg.h"

/*
 * Asks the proxy that runs with this configuration how it is, as a client would: connects to the first
 * address of each service (a wildcard means loopback), shakes hands, reads the greeting and says goodbye. For
 * health checks of containers and supervisors, which have no other program at hand. Blocks, for PROBE_SECONDS
 * a service at most.
 */
enum { PROBE_SECONDS = 5 };

/* Prints a line for each service. True where each greeted with a welcome. */
bool probe_services(const struct cfg *cfg);

#endif
