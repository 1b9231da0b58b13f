/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/worker_bound.h"

#include <unistd.h>

unsigned worker_bound(const struct cfg *cfg)
{
    long cores = sysconf(_SC_NPROCESSORS_CONF);
    return cores > 0 && (unsigned long)cores > cfg->workers ? (unsigned)cores : cfg->workers;
}
