/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_MONOTONIC_H
#define DEEPPROXY_PROXY_COMMON_MONOTONIC_H

#include <stdint.h>
#include <uv.h>

/* Milliseconds of the one clock that all threads share: what server_state.h calls `now_ms`. Any thread. */
static inline uint64_t monotonic_ms(void)
{
    return uv_hrtime() / 1000000;
}

#endif
