/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_WORKER_BOUND_H
#define DEEPPROXY_PROXY_COMMON_WORKER_BOUND_H

#include "config/cfg.h"

/* An upper bound of the workers: a reload does not change how many run, whatever `cfg` has. */
unsigned worker_bound(const struct cfg *cfg);

#endif
