/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/histogram.h"

/* Fine where a server's greeting lies that looks nobody up, coarse where sessions give up. */
const uint32_t histogram_bounds_ms[HISTOGRAM_BOUNDS] = {1,   5,    10,   25,   50,    100,  250,
                                                        500, 1000, 2500, 5000, 10000, 30000};

void histogram_add(struct histogram *histogram, uint64_t ms)
{
    size_t i = 0;
    while (i < HISTOGRAM_BOUNDS && ms > histogram_bounds_ms[i])
        i++;
    atomic_fetch_add_explicit(&histogram->classes[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ms, ms, memory_order_relaxed);
}
