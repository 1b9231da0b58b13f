/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMANDS_PROBE_H
#define DEEPPROXY_PROXY_COMMANDS_PROBE_H

#include "config/cfg.h"

/*
 * Checks the health of the proxy that runs with this configuration, as a client would: connects to the first
 * address of each service (loopback for a wildcard), shakes hands, reads the greeting and says goodbye. It
 * offers the versions, suites and groups of the configuration, and asks for a name that a certificate has. It
 * does not ask a service whose networks keep this machine out, and sends LOCAL to one that takes it for a
 * balancer. It is for health checks of containers and supervisors, which have no other program at hand. It
 * never logs in.
 */
enum { PROBE_SECONDS = 5 };

/*
 * Prints a line for each service. True if each that was asked greeted as it should, or has done all that it
 * does for a client without a certificate. Blocks, for PROBE_SECONDS a service at most.
 */
bool probe_services(const struct cfg *cfg);

#endif
