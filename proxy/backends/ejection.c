/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/ejection.h"

/* More times than it takes to reach the longest back-off; the square of it is far from overflow. */
enum { TIMES_MAX = 1000 };

uint64_t ejection_time_ms(unsigned times, uint32_t random)
{
    uint64_t n = times < TIMES_MAX ? times : TIMES_MAX;
    uint64_t time = EJECTION_BASE_MS * n * n;
    if (time > EJECTION_MAX_MS)
        time = EJECTION_MAX_MS;
    /* 80 % to 120 %. */
    uint64_t jittered = time * 4 / 5 + time * 2 / 5 * random / UINT32_MAX;
    return jittered < EJECTION_MAX_MS ? jittered : EJECTION_MAX_MS;
}

size_t ejection_cap(size_t servers)
{
    return servers / 2;
}

/* One review of a pool. */
struct review {
    uint64_t now_ms;
    uint32_t random;
    const struct server_observer *observer;
    size_t ejected;
    size_t cap;
    bool held_back; /* the cap has kept a server from being ejected */
};

static bool can_be_ejected(enum server_health health)
{
    return health != SERVER_EJECTED && server_state_next(health, SERVER_EVENT_EJECT, true) == SERVER_EJECTED;
}

static void back_off(struct server_state *server, const struct review *review)
{
    if (server->ejections < TIMES_MAX)
        server->ejections++;
    atomic_store(&server->retry_at_ms,
                 atomic_load(&server->failed_at_ms) + ejection_time_ms(server->ejections, review->random));
}

static void review_suspected(struct server_state *server, struct review *review)
{
    enum server_health health = server_state_health(server);
    enum server_cause cause = (enum server_cause)atomic_load(&server->last_failure);
    uint32_t failed_trials = atomic_load(&server->failed_trials);
    server->suspected_at_ms = review->now_ms;
    if (health == SERVER_EJECTED && failed_trials != server->seen_trials) {
        back_off(server, review);
    } else if (can_be_ejected(health) && review->ejected < review->cap) {
        back_off(server, review);
        server_state_event(server, SERVER_EVENT_EJECT, cause, review->now_ms, review->observer);
        review->ejected++;
    } else if (can_be_ejected(health) && server_state_admin(server) == SERVER_READY) {
        review->held_back = true; /* what the operator has taken out is nothing to panic about */
    }
    server->seen_trials = failed_trials;
}

static void review_trusted(struct server_state *server, struct review *review)
{
    if (server_state_health(server) == SERVER_EJECTED) {
        server_state_event(server, SERVER_EVENT_SERVED, SERVER_CAUSE_SERVED, review->now_ms,
                           review->observer);
        server->suspected_at_ms = review->now_ms;
        review->ejected--;
    }
    if (review->now_ms - server->suspected_at_ms >= EJECTION_FORGET_MS)
        server->ejections = 0;
}

static size_t count_ejected(const struct membership *members)
{
    size_t count = 0;
    for (size_t i = 0; i < members->count; i++)
        count += server_state_health(members->members[i].server) == SERVER_EJECTED;
    return count;
}

bool ejection_review(const struct membership *members, uint64_t now_ms, uint32_t (*random)(void *arg),
                     void *random_arg, const struct server_observer *observer)
{
    struct review review = {.now_ms = now_ms,
                            .observer = observer,
                            .ejected = count_ejected(members),
                            .cap = ejection_cap(members->count)};
    /* Those that serve again make room for those that do not. */
    for (size_t i = 0; i < members->count; i++)
        if (atomic_load(&members->members[i].server->strikes) == 0)
            review_trusted(members->members[i].server, &review);
    for (size_t i = 0; i < members->count; i++)
        if (atomic_load(&members->members[i].server->strikes) != 0) {
            review.random = random(random_arg);
            review_suspected(members->members[i].server, &review);
        }
    return atomic_exchange(&members->pool->panic, review.held_back) != review.held_back;
}
