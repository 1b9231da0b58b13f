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
    ENSURE(!reservation->is_taken);
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
    struct server_state *last = reservation->server;
    *reservation = (struct reservation){.server = server_state_ref(server),
                                        .is_taken = true,
                                        .is_trial = is_trial,
                                        .began_as_trial = is_trial,
                                        .is_connecting = true};
    server_state_unref(&last);
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
    ENSURE(reservation->is_taken);
    server_state_served(reservation->server);
    end_connecting(reservation);
    end_trial(reservation);
}

void reservation_failed(struct reservation *reservation, enum server_cause kind, uint64_t now_ms)
{
    ENSURE(reservation->is_taken);
    /* The failure is known before another one may try. */
    server_state_failed(reservation->server, kind, reservation->is_trial, now_ms);
    end_trial(reservation);
}

bool reservation_pass_on(struct reservation *into, struct reservation *from)
{
    ENSURE(from->is_taken && !from->is_trial && !into->is_taken);
    if (atomic_exchange(&from->server->trial, true))
        return false;
    *into = *from;
    into->is_trial = true;
    server_state_ref(from->server);
    from->is_taken = from->is_connecting = false;
    return true;
}

void reservation_end(struct reservation *reservation)
{
    if (!reservation->is_taken)
        return;
    end_connecting(reservation);
    end_trial(reservation);
    reservation->is_taken = false;
    ENSURE(atomic_fetch_sub(&reservation->server->sessions, 1) > 0);
}

void reservation_forget(struct reservation *reservation)
{
    reservation_end(reservation);
    server_state_unref(&reservation->server);
}
