/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/server_state.h"

#include "base/ensure.h"

#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

/* FNV-1a. */
uint64_t server_name_hash(const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return hash;
}

static bool copy_identity(struct server_identity *into, const struct server_identity *from)
{
    *into = *from;
    into->pool = strdup(from->pool);
    into->name = strdup(from->name);
    into->tls_name = from->tls_name != NULL ? strdup(from->tls_name) : NULL;
    return into->pool != NULL && into->name != NULL && (from->tls_name == NULL || into->tls_name != NULL);
}

static void publish(struct server_state *server, uint64_t now_ms);

struct server_state *server_state_new(const struct server_identity *identity)
{
    struct server_state *server = aligned_alloc(SERVER_LINE, sizeof *server);
    if (server == NULL)
        return NULL;
    memset(server, 0, sizeof *server);
    refcount_init(&server->references);
    if (!copy_identity(&server->identity, identity)) {
        server_state_unref(&server);
        return NULL;
    }
    server->name_hash = server_name_hash(identity->name);
    server->rules = (struct server_rules){.weight = 1, .rise = 1, .fall = 1};
    atomic_init(&server->weight, 1);
    publish(server, 0);
    return server;
}

struct server_state *server_state_ref(struct server_state *server)
{
    refcount_take(&server->references);
    return server;
}

void server_state_unref(struct server_state **server)
{
    struct server_state *dropped = *server;
    *server = NULL;
    if (dropped == NULL || !refcount_drop(&dropped->references))
        return;
    free((char *)dropped->identity.pool);
    free((char *)dropped->identity.name);
    free((char *)dropped->identity.tls_name);
    server_facts_unref(&dropped->facts);
    free(dropped);
}

/* ---- the table ---- */

/* What follows an event: while the row of equal checks is too short, and when it is long enough. */
struct transition {
    uint8_t step;
    uint8_t reached;
};

/* Short names for the table alone; STAY is no state. */
enum {
    UNC = SERVER_UNCHECKED,
    UP = SERVER_UP,
    FAIL = SERVER_FAILING,
    DOWN = SERVER_DOWN,
    RISE = SERVER_RISING,
    WARM = SERVER_WARMING,
    EJE = SERVER_EJECTED,
    UNR = SERVER_UNRESOLVED,
    STAY = SERVER_HEALTHS
};
#define TO(state)                                                                                            \
    {                                                                                                        \
        state, state                                                                                         \
    }
#define STAYS TO(STAY)

/* clang-format off */
static const struct transition transitions[SERVER_HEALTHS][SERVER_EVENTS] = {
/*         check passed  check failed  eject    served  warmed   name gone name found checks off */
    [UNC]  = {TO(UP),       {STAY, DOWN}, TO(EJE), STAYS,  STAYS,  TO(UNR), STAYS,   STAYS},
    [UP]   = {STAYS,        {FAIL, DOWN}, TO(EJE), STAYS,  STAYS,  TO(UNR), STAYS,   STAYS},
    [FAIL] = {TO(UP),       {STAY, DOWN}, TO(EJE), STAYS,  STAYS,  TO(UNR), STAYS,   TO(UNC)},
    [DOWN] = {{RISE, WARM}, STAYS,        STAYS,   STAYS,  STAYS,  TO(UNR), STAYS,   TO(UNC)},
    [RISE] = {{STAY, WARM}, TO(DOWN),     STAYS,   STAYS,  STAYS,  TO(UNR), STAYS,   TO(UNC)},
    [WARM] = {STAYS,        {FAIL, DOWN}, TO(EJE), STAYS,  TO(UP), TO(UNR), STAYS,   STAYS},
    /* A check that fails says what sessions have said. */
    [EJE]  = {TO(UP),       TO(DOWN),     STAYS,   TO(UP), STAYS,  TO(UNR), STAYS,   STAYS},
    [UNR]  = {STAYS,        STAYS,        STAYS,   STAYS,  STAYS,  STAYS,   TO(UNC), STAYS},
};
/* clang-format on */

enum server_health server_state_next(enum server_health from, enum server_event event, bool reached)
{
    ENSURE(from < SERVER_HEALTHS && event < SERVER_EVENTS);
    const struct transition *transition = &transitions[from][event];
    unsigned to = reached ? transition->reached : transition->step;
    return to == STAY ? from : (enum server_health)to;
}

/* ---- what workers see of it ---- */

/* A twentieth of its share at first, which is the least that is noticed. */
static uint64_t warming_share(const struct server_state *server, uint64_t full, uint64_t now_ms)
{
    uint64_t whole = server->rules.slow_start_ms;
    uint64_t gone = now_ms - server->warming_since_ms;
    uint64_t share = gone < whole ? full * gone / whole : full;
    uint64_t least = full / 20 > 0 ? full / 20 : 1;
    return share > least ? share : least;
}

static uint32_t get_effective_weight(const struct server_state *server, uint64_t now_ms)
{
    uint64_t full = (uint64_t)server_state_weight(server) * SERVER_WEIGHT_ONE;
    if (full > 0 && server_state_health(server) == SERVER_WARMING)
        full = warming_share(server, full, now_ms);
    return (uint32_t)full;
}

static enum server_access get_access(const struct server_state *server)
{
    static const uint8_t by_health[] = {
        [SERVER_UNCHECKED] = SERVER_ACCESS_OPEN, [SERVER_UP] = SERVER_ACCESS_OPEN,
        [SERVER_FAILING] = SERVER_ACCESS_OPEN,   [SERVER_DOWN] = SERVER_ACCESS_SHUT,
        [SERVER_RISING] = SERVER_ACCESS_SHUT,    [SERVER_WARMING] = SERVER_ACCESS_OPEN,
        [SERVER_EJECTED] = SERVER_ACCESS_OPEN,   [SERVER_UNRESOLVED] = SERVER_ACCESS_SHUT};
    enum server_health health = server_state_health(server);
    if (server_state_admin(server) != SERVER_READY || server_state_weight(server) == 0)
        return SERVER_ACCESS_SHUT;
    return health == SERVER_UNCHECKED && server->awaits_check ? SERVER_ACCESS_RESERVE
                                                              : (enum server_access)by_health[health];
}

static void publish(struct server_state *server, uint64_t now_ms)
{
    atomic_store(&server->effective_weight, get_effective_weight(server, now_ms));
    atomic_store(&server->access, (uint8_t)get_access(server));
}

/* ---- the one place where a state changes ---- */

static void tell(const struct server_state *server, const struct server_change *change,
                 const struct server_observer *observer)
{
    ENSURE(change->server == server && change->from != change->to);
    if (observer != NULL)
        observer->changed(observer->arg, change);
}

static void change_axis(struct server_state *server, enum server_axis axis, unsigned to,
                        enum server_cause cause, uint64_t now_ms, const struct server_observer *observer)
{
    _Atomic uint8_t *value = axis == SERVER_AXIS_STATE ? &server->health : &server->admin;
    struct server_change change = {server, axis, atomic_load(value), to, cause};
    atomic_store(value, (uint8_t)to);
    server->cause[axis] = cause;
    server->changes[axis]++;
    if (axis == SERVER_AXIS_STATE)
        atomic_store(&server->since_ms, now_ms);
    if (axis == SERVER_AXIS_STATE && to == SERVER_WARMING)
        server->warming_since_ms = now_ms;
    publish(server, now_ms);
    tell(server, &change, observer);
}

static bool is_check(enum server_event event)
{
    return event == SERVER_EVENT_CHECK_PASSED || event == SERVER_EVENT_CHECK_FAILED;
}

static bool is_down(enum server_health health)
{
    return health == SERVER_DOWN || health == SERVER_RISING;
}

/* Counts a check that contradicts the state. Are there as many in a row as it takes? */
static bool count_check(struct server_state *server, enum server_event event)
{
    bool passed = event == SERVER_EVENT_CHECK_PASSED;
    bool down = is_down(server_state_health(server));
    if (!is_check(event))
        return true;
    server->streak = passed == down ? server->streak + 1 : 0;
    return passed == down && server->streak >= (down ? server->rules.rise : server->rules.fall);
}

/* What an event means beside the state that follows. */
static void note_event(struct server_state *server, enum server_event event, enum server_health from)
{
    if (event == SERVER_EVENT_CHECK_PASSED)
        server_state_served(server);
    if (event == SERVER_EVENT_CHECK_PASSED || event == SERVER_EVENT_CHECKS_OFF)
        server->awaits_check = false;
    if (event == SERVER_EVENT_NAME_FOUND && from == SERVER_UNRESOLVED)
        server->awaits_check = server->rules.is_checked;
    if (event == SERVER_EVENT_CHECKS_OFF && is_down(from)) {
        atomic_store(&server->retry_at_ms, 0);
        atomic_store(&server->strikes, 1);
    }
}

enum server_health server_state_event(struct server_state *server, enum server_event event,
                                      enum server_cause cause, uint64_t now_ms,
                                      const struct server_observer *observer)
{
    enum server_health from = server_state_health(server);
    if (is_check(event) && (from == SERVER_UNRESOLVED || server_state_admin(server) == SERVER_MAINTENANCE))
        return from;
    enum server_health to = server_state_next(from, event, count_check(server, event));
    if (to == SERVER_WARMING && from != SERVER_WARMING && server->rules.slow_start_ms == 0)
        to = SERVER_UP;
    note_event(server, event, from);
    if (to == from) {
        publish(server, now_ms);
        return to;
    }
    /* Of the states that a check can lead to, these two alone are the middle of a row. */
    if (to != SERVER_FAILING && to != SERVER_RISING)
        server->streak = 0;
    change_axis(server, SERVER_AXIS_STATE, to, cause, now_ms, observer);
    return to;
}

bool server_state_set_admin(struct server_state *server, enum server_admin admin, enum server_cause cause,
                            uint64_t now_ms, const struct server_observer *observer)
{
    ENSURE(admin < SERVER_ADMINS);
    if (server_state_admin(server) == admin)
        return false;
    change_axis(server, SERVER_AXIS_ADMIN, admin, cause, now_ms, observer);
    return true;
}

/* ---- the configuration, the operator and time ---- */

void server_state_set_weight(struct server_state *server, unsigned weight, uint64_t now_ms)
{
    ENSURE(weight <= SERVER_WEIGHT_MAX);
    atomic_store(&server->weight, weight);
    publish(server, now_ms);
}

void server_state_configure(struct server_state *server, const struct server_rules *rules, uint64_t now_ms,
                            const struct server_observer *observer)
{
    struct server_rules before = server->rules;
    bool is_new = !server->is_configured;
    server->rules = *rules;
    server->is_configured = true;
    atomic_store(&server->max_connections, rules->max_connections);
    if (is_new)
        atomic_store(&server->since_ms, now_ms);
    if (is_new || rules->weight != before.weight)
        server_state_set_weight(server, rules->weight, now_ms);
    if (before.is_checked && !rules->is_checked)
        server_state_event(server, SERVER_EVENT_CHECKS_OFF, SERVER_CAUSE_CHECKS_OFF, now_ms, observer);
    publish(server, now_ms);
}

void server_state_await_check(struct server_state *server)
{
    server->awaits_check = server_state_health(server) == SERVER_UNCHECKED;
    publish(server, 0);
}

void server_state_inherit(struct server_state *server, const struct server_state *before, uint64_t now_ms,
                          const struct server_observer *observer)
{
    enum server_health health = server_state_health(server);
    struct server_change change = {server, SERVER_AXIS_STATE, server_state_health(before), health,
                                   SERVER_CAUSE_CONFIGURATION};
    atomic_store(&server->admin, (uint8_t)server_state_admin(before));
    server->cause[SERVER_AXIS_ADMIN] = before->cause[SERVER_AXIS_ADMIN];
    if (server_state_weight(before) != before->rules.weight && server->rules.weight == before->rules.weight)
        atomic_store(&server->weight, server_state_weight(before));
    publish(server, now_ms);
    if (change.from != change.to)
        tell(server, &change, observer);
}

void server_state_tick(struct server_state *server, uint64_t now_ms, const struct server_observer *observer)
{
    if (server_state_health(server) != SERVER_WARMING)
        return;
    if (now_ms - server->warming_since_ms >= server->rules.slow_start_ms)
        server_state_event(server, SERVER_EVENT_WARMED, SERVER_CAUSE_WARMED, now_ms, observer);
    else
        publish(server, now_ms);
}

/* ---- what sessions see ---- */

static enum server_use use_suspected(const struct server_state *server, bool may_be_due, uint64_t now_ms)
{
    if (may_be_due && now_ms >= atomic_load(&server->retry_at_ms))
        return SERVER_USE_TRIAL;
    return now_ms >= atomic_load(&server->failed_at_ms) + SERVER_RETRY_FLOOR_MS ? SERVER_USE_LAST_RESORT
                                                                                : SERVER_USE_SOON;
}

enum server_use server_state_use(const struct server_state *server, uint64_t now_ms)
{
    bool is_trusted = atomic_load_explicit(&server->strikes, memory_order_acquire) == 0;
    switch ((enum server_access)atomic_load_explicit(&server->access, memory_order_relaxed)) {
    case SERVER_ACCESS_OPEN:
        return is_trusted ? SERVER_USE_NORMAL : use_suspected(server, true, now_ms);
    case SERVER_ACCESS_RESERVE:
        return is_trusted ? SERVER_USE_LAST_RESORT : use_suspected(server, false, now_ms);
    case SERVER_ACCESS_SHUT:
        break;
    }
    return SERVER_USE_NONE;
}

void server_state_failed(struct server_state *server, enum server_cause kind, bool was_trial, uint64_t now_ms)
{
    ENSURE(kind < SERVER_FAILURES);
    uint32_t trusted = 0;
    atomic_fetch_add(&server->failures[kind], 1);
    /* What began before the server was suspected, and fails now, says nothing new. */
    if (!was_trial && atomic_load(&server->strikes) > 0)
        return;
    atomic_store(&server->last_failure, (uint8_t)kind);
    atomic_store(&server->failed_at_ms, now_ms);
    atomic_store(&server->retry_at_ms, now_ms + SERVER_FIRST_AVOID_MS);
    if (was_trial)
        atomic_fetch_add(&server->failed_trials, 1);
    if (!atomic_compare_exchange_strong(&server->strikes, &trusted, 1) && was_trial)
        atomic_fetch_add(&server->strikes, 1);
}

void server_state_served(struct server_state *server)
{
    /* Read first: a store on every session would pull the line from core to core. */
    if (atomic_load_explicit(&server->strikes, memory_order_relaxed) != 0)
        atomic_store(&server->strikes, 0);
}
