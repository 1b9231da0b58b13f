/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/heartbeat.h"

#include <limits.h>

#define ENDED UINT_MAX

void heartbeat_beat(struct heartbeat *heartbeat)
{
    unsigned next = atomic_load_explicit(&heartbeat->beats, memory_order_relaxed) + 1;
    atomic_store_explicit(&heartbeat->beats, next != ENDED ? next : 0, memory_order_relaxed);
}

void heartbeat_end(struct heartbeat *heartbeat)
{
    atomic_store_explicit(&heartbeat->beats, ENDED, memory_order_relaxed);
}

enum heartbeat_change heartbeat_look(struct heartbeat *heartbeat)
{
    unsigned beats = atomic_load_explicit(&heartbeat->beats, memory_order_relaxed);
    bool was_hung = heartbeat->is_hung;
    bool moves = beats != heartbeat->seen || beats == ENDED;
    heartbeat->seen = beats;
    heartbeat->missed = moves ? 0 : heartbeat->missed + 1;
    heartbeat->is_hung = heartbeat->missed >= HEARTBEATS_MISSED;
    if (heartbeat->is_hung == was_hung)
        return HEARTBEAT_SAME;
    return was_hung ? HEARTBEAT_BACK : HEARTBEAT_HUNG;
}
