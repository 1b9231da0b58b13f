/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/reservation.h"

#include "base/ensure.h"

static bool take_place(struct server_state *server)
{
    uint32_t seen = atomic_load(&server->sessions);
    for (;;) {
        uint32_t max = atomic_load_explicit(&server->max_connections, memory_order_relaxed);
        if (max != 0 && seen >= max)
            return false;
        if (atomic_compare_exchange_weak(&server->sessions, &seen, seen + 1))
            return true;
    }
}

static void end_trial(struct reservation *reservation)
{
    if (reservation->is_trial)
        atomic_store(&reservation->server->trial, false);
    reservation->is_trial = false;
}

bool reservation_take(struct reservation *reservation, struct server_state *server, enum server_use use)
{
    ENSURE(reservation->server == NULL);
    bool is_trial = use != SERVER_USE_NORMAL;
    if (is_trial && atomic_exchange(&server->trial, true))
        return false;
    if (!take_place(server)) {
        if (is_trial)
            atomic_store(&server->trial, false);
        return false;
    }
    atomic_fetch_add_explicit(&server->connecting, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->connects, 1, memory_order_relaxed);
    *reservation = (struct reservation){server_state_ref(server), is_trial, true};
    return true;
}

static void end_connecting(struct reservation *reservation)
{
    if (reservation->is_connecting)
        atomic_fetch_sub_explicit(&reservation->server->connecting, 1, memory_order_relaxed);
    reservation->is_connecting = false;
}

void reservation_served(struct reservation *reservation)
{
    ENSURE(reservation->server != NULL);
    server_state_served(reservation->server);
    end_connecting(reservation);
    end_trial(reservation);
}

void reservation_failed(struct reservation *reservation, enum server_cause kind, uint64_t now_ms)
{
    ENSURE(reservation->server != NULL);
    /* The failure is known before another one may try. */
    server_state_failed(reservation->server, kind, reservation->is_trial, now_ms);
    end_trial(reservation);
}

void reservation_end(struct reservation *reservation)
{
    if (reservation->server == NULL)
        return;
    end_connecting(reservation);
    end_trial(reservation);
    ENSURE(atomic_fetch_sub(&reservation->server->sessions, 1) > 0);
    server_state_unref(&reservation->server);
}
