/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "base/ensure.h"
#include "proxy/common/address.h"
#include "proxy/common/monotonic.h"

#include <stdlib.h>

enum {
    /*
     * So long a session waits for what others see who try a suspected server, and tries them itself: with the
     * last trial it has its answer within 1.5 s.
     */
    SUSPECTED_MAX_MS = 800
};

/* What few sessions need: most are served by the first server. */
struct session_search {
    struct waiter waiter; /* the first member: what the queue knows of the session */
    struct session *session;
    struct choose_tries *tries; /* servers that have failed for this client */
    /* Since a server was looked for: until when it may wait, and when the wait and a connection began. */
    uint64_t wait_max_ms;
    uint64_t joined_ms;
    uint64_t chosen_ms;
    bool has_waited;
    bool has_met_one; /* a server that nobody suspected was tried */
};

static bool waits(const struct session *session)
{
    return session->search != NULL && session->search->waiter.waits;
}

static bool has_met_one(const struct session *session)
{
    return session->search != NULL && session->search->has_met_one;
}

static const struct choose_tries *tries_of(const struct session *session)
{
    return session->search != NULL ? session->search->tries : NULL;
}

/* Makes it if it is not there. False if memory is short. */
static bool begin_search(struct session *session)
{
    if (session->search == NULL)
        session->search = calloc(1, sizeof *session->search);
    if (session->search != NULL)
        session->search->session = session;
    return session->search != NULL;
}

size_t session_count_tries(const struct session *session)
{
    return choose_tries_count(tries_of(session));
}

void session_end_search(struct session *session)
{
    session_leave_queue(session);
    if (session->search != NULL)
        choose_tries_free(&session->search->tries);
    free(session->search);
    session->search = NULL;
}

/* ---- choosing ---- */

/* The finalizer of SplitMix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* To share load; nobody gains by guessing it. */
static uint64_t draw(const struct session *session)
{
    return mix(uv_hrtime() ^ session->number << 20 ^ (uint64_t)session->worker->index << 56);
}

static uint64_t waited_ms(const struct session *session)
{
    return worker_now(session->worker) - session->started - session->wanted_after_ms;
}

struct membership *session_members(const struct session *session)
{
    return session->in_worker.generation->members->lists[session->service->pool_index];
}

static struct choose_request make_request(const struct session *session, bool has_turn)
{
    return (struct choose_request){.members = session_members(session),
                                   .policy = session->service->pool->policy,
                                   .worker = session->worker->index,
                                   .key = address_key((const struct sockaddr *)&session->address),
                                   .random = draw(session),
                                   .now_ms = monotonic_ms(),
                                   .has_turn = has_turn,
                                   .is_late =
                                       !has_met_one(session) && waited_ms(session) >= SUSPECTED_MAX_MS};
}

static bool is_out_of_time(const struct session *session)
{
    return waited_ms(session) >= session->in_worker.generation->snapshot->cfg->timeouts.failover_ms;
}

static enum choose_verdict choose(struct session *session, bool has_turn)
{
    struct choose_request request = make_request(session, has_turn);
    if (is_out_of_time(session))
        return CHOOSE_NONE;
    enum choose_verdict verdict = choose_server(&request, tries_of(session), &session->place);
    if (verdict != CHOOSE_CHOSEN || session->search == NULL)
        return verdict;
    session->search->chosen_ms = waited_ms(session);
    if (!session->place.is_trial)
        session->search->has_met_one = true;
    return verdict;
}

static struct pool_state *pool_of(const struct session *session)
{
    return session_members(session)->pool;
}

static struct wait_queue *queue_of(const struct session *session)
{
    return pool_of(session)->queue;
}

void session_give_back_place(struct session *session)
{
    if (!session->place.is_taken)
        return;
    reservation_end(&session->place);
    wait_queue_place_free(queue_of(session));
}

bool session_leave_server(struct session *session)
{
    bool is_first = session->search == NULL;
    bool ok = begin_search(session) &&
              choose_add_try(&session->search->tries, session_members(session), session->place.server);
    if (ok && is_first)
        session->search->has_met_one = !session->place.began_as_trial;
    session_give_back_place(session);
    return ok;
}

/* ---- waiting ---- */

void session_leave_queue(struct session *session)
{
    if (!waits(session))
        return;
    histogram_add(&pool_of(session)->waits, waited_ms(session) - session->search->joined_ms);
    wait_queue_leave(queue_of(session), session->worker->index, &session->search->waiter);
}

/*
 * It waits once for what others see who try suspected servers; for a place, as often as the one that it gets
 * turns out to be at a server that fails, but for no longer in all.
 */
static bool may_join(const struct session *session, enum choose_verdict verdict)
{
    const struct session_search *search = session->search;
    return !search->has_waited || (verdict == CHOOSE_WAIT && waited_ms(session) < search->wait_max_ms);
}

static bool join_queue(struct session *session, enum choose_verdict verdict)
{
    uint64_t wait_ms = verdict == CHOOSE_WAIT ? session->service->pool->cfg->queue.wait_ms : SUSPECTED_MAX_MS;
    if (!begin_search(session) || !may_join(session, verdict))
        return false;
    if (!wait_queue_join(queue_of(session), session->worker->index, &session->search->waiter)) {
        atomic_fetch_add(&pool_of(session)->queue_full, 1);
        return false;
    }
    session->search->joined_ms = waited_ms(session);
    if (!session->search->has_waited)
        session->search->wait_max_ms = session->search->joined_ms + wait_ms;
    session->search->has_waited = true;
    /* When its turn comes, time has passed: all of them may be tried again. */
    choose_tries_free(&session->search->tries);
    session_set_timeout(session, WORKER_TIMEOUT_QUICK);
    return true;
}

enum session_choice session_choose(struct session *session, bool may_wait)
{
    enum choose_verdict verdict = choose(session, false);
    if (verdict == CHOOSE_CHOSEN)
        return SESSION_HAS_PLACE;
    if (verdict == CHOOSE_NONE || !may_wait || !join_queue(session, verdict))
        return SESSION_HAS_NONE;
    /* A place may have come free before others could see that it waits. */
    const struct waiter *turn = wait_queue_turn(queue_of(session), session->worker->index);
    if (turn != &session->search->waiter || choose(session, true) != CHOOSE_CHOSEN)
        return SESSION_WAITS;
    session_leave_queue(session);
    return SESSION_HAS_PLACE;
}

static void give_up_waiting(struct session *session)
{
    atomic_fetch_add(&pool_of(session)->queue_unserved, 1);
    session_leave_queue(session);
    session_give_up(session, NULL, NULL);
}

bool session_take_turn(struct waiter *waiter)
{
    struct session *session = ((struct session_search *)(void *)waiter)->session;
    enum choose_verdict verdict = choose(session, true);
    bool is_over = waited_ms(session) >= session->search->wait_max_ms;
    if ((verdict == CHOOSE_WAIT || verdict == CHOOSE_WAIT_TRIAL) && !is_over)
        return false;
    if (verdict == CHOOSE_CHOSEN) {
        session_leave_queue(session);
        session_connect_to_place(session);
    } else {
        give_up_waiting(session);
    }
    return true;
}

void session_wait_expired(struct session *session)
{
    const struct waiter *turn = wait_queue_turn(queue_of(session), session->worker->index);
    ENSURE(waits(session));
    if (turn == &session->search->waiter && session_take_turn(&session->search->waiter))
        return;
    if (waited_ms(session) < session->search->wait_max_ms) {
        session_set_timeout(session, WORKER_TIMEOUT_QUICK);
        return;
    }
    give_up_waiting(session);
}

/* ---- how long for ---- */

/* How long the server in use has; 0: as long as the configuration says. */
static uint64_t limit_of(const struct session *session)
{
    struct choose_request request = make_request(session, false);
    const struct pool_state *pool = request.members->pool;
    if (session->place.is_trial)
        return pool_state_greeting_limit_ms(pool, true);
    if (choose_has_other(&request, tries_of(session), session->place.server))
        return pool_state_greeting_limit_ms(pool, false);
    return 0;
}

void session_set_server_timeout(struct session *session, enum worker_timeout timeout)
{
    const struct deadline_list *lists = session->in_worker.generation->timeouts;
    uint64_t limit = limit_of(session);
    enum worker_timeout quick = limit > 0 ? generation_quick_timeout(limit) : WORKER_TIMEOUTS;
    if (quick < WORKER_TIMEOUTS && lists[quick].span < lists[timeout].span)
        timeout = quick;
    else if (lists[WORKER_TIMEOUT_FAILOVER].span < lists[timeout].span)
        timeout = WORKER_TIMEOUT_FAILOVER;
    session_set_timeout(session, timeout);
}

void session_note_greeting(struct session *session)
{
    struct pool_state *pool = pool_of(session);
    uint64_t began_ms = session->search != NULL ? session->search->chosen_ms : 0;
    reservation_served(&session->place);
    histogram_add(&session->place.server->greetings, waited_ms(session) - began_ms);
    if (session->search == NULL)
        pool_state_greeted(pool, waited_ms(session) * 1000);
    /* Those who wait for this may come. */
    if (session->place.began_as_trial)
        wait_queue_place_free(pool->queue);
}
