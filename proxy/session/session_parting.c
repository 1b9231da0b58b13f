/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

/*
 * Many clients of one server get their goodbyes, spread over a time. Either the server has begun a round
 * of goodbyes (server_goodbye.h), and each session of it is `parting`; or the server has ended many
 * connections at one moment, and the sessions that have lost it are ORPHANED. When the turn of each comes
 * is fixed at the beginning; its one deadline takes it there in steps of few lengths, so that a worker
 * needs neither a timer for each nor to look for those whose turn has come.
 *
 * A server that shuts down in order says goodbye to all its clients. Its words are its own, and the
 * clients get them, but likewise in their turn (IMAP; the others have no such words for a client that
 * awaits nothing).
 *
 * A session that is parting goes on as before. If a command or a transfer is under way when its turn
 * comes, it is let finish, until the round's time is over.
 */
enum {
    /* A client that has its reply is given so long to send the next command of a row. */
    REST_MS = 800,
    /* Something is under way with a server that is lost: nothing has moved for so long. */
    STALLED_MS = 3200,
    /* Octets of a server's goodbye, and of what it has sent with it, that are kept. */
    LAST_WORDS_MAX = 1024,
    /* A step that is shorter is not worth taking. */
    LEAST_STEP_MS = GENERATION_PARTING_MS / 2
};

static const struct {
    enum engine_goodbye_reason words;
    enum end_reason reason;
} goodbyes[] = {
    [SERVER_GOODBYE_LOST] = {ENGINE_GOODBYE_UNAVAILABLE, END_SERVER_LOST},
    [SERVER_GOODBYE_MAINTENANCE] = {ENGINE_GOODBYE_MOVED, END_SERVER_MAINTENANCE},
    [SERVER_GOODBYE_DRAINED] = {ENGINE_GOODBYE_MOVED, END_SERVER_DRAINED},
};

/* ---- its turn ---- */

static uint64_t count_octets(const struct session *session)
{
    return session->octets[SIDE_CLIENT] + session->octets[SIDE_BACKEND];
}

/* How long until its turn; 0: it has come. */
static uint32_t left_ms(const struct session *session)
{
    int32_t left = (int32_t)(session->part_at - (uint32_t)worker_now(session->worker));
    return left > LEAST_STEP_MS ? (uint32_t)left : 0;
}

static void take_step(struct session *session)
{
    session_set_timeout(session, generation_parting_timeout(left_ms(session)));
}

static void set_turn(struct session *session, uint64_t after_ms)
{
    session->part_at = (uint32_t)(worker_now(session->worker) + after_ms);
    take_step(session);
}

/* ---- rounds ---- */

static struct server_goodbye *goodbye_of(const struct session *session)
{
    return &session->place.server->goodbye;
}

static bool is_queued(const struct session *session)
{
    return session->pending_input[SIDE_CLIENT].len > 0 || session->pending_input[SIDE_BACKEND].len > 0 ||
           session->client.queued > 0 || (session->link != NULL && session->link->conn.queued > 0);
}

static bool has_nothing_under_way(const struct session *session)
{
    return !is_queued(session) && engine_rests(session->engine);
}

/* Has the client had time for another command since its last reply? */
static bool rests(const struct session *session)
{
    return has_nothing_under_way(session) &&
           worker_now(session->worker) - session->link->last_heard >= REST_MS;
}

/* Nothing moves, though something is under way. */
static bool is_stalled(struct session *session)
{
    uint64_t before = session->moved;
    session->moved = count_octets(session);
    return session->moved == before && !has_nothing_under_way(session);
}

static void say_goodbye(struct session *session)
{
    enum server_goodbye_cause cause = server_goodbye_cause(goodbye_of(session));
    session_send_goodbye(session, goodbyes[cause].words, goodbyes[cause].reason, NULL);
}

/* Its turn has come. */
static void try_to_end(struct session *session)
{
    const struct server_goodbye *goodbye = goodbye_of(session);
    uint64_t left = server_goodbye_left_ms(goodbye, worker_now(session->worker));
    bool is_lost = server_goodbye_cause(goodbye) == SERVER_GOODBYE_LOST;
    if (left == 0 || rests(session) || (is_lost && is_stalled(session))) {
        say_goodbye(session);
        return;
    }
    uint64_t wait = is_lost && !has_nothing_under_way(session) ? STALLED_MS : REST_MS;
    set_turn(session, wait < left ? wait : left);
}

static void begin_parting(struct session *session, uint8_t round)
{
    uint64_t left = server_goodbye_left_ms(goodbye_of(session), worker_now(session->worker));
    session->parting = round;
    session->moved = count_octets(session);
    if (left == 0)
        say_goodbye(session);
    else
        set_turn(session, worker_parting_delay_ms(session->worker, left));
}

/* A server that has sent its closing reply has a time of its own to close. */
static bool can_part(const struct session *session)
{
    return session_is_in(session, SESSION_IS_IN_DIALOGUE) &&
           !engine_status(session->engine)->closing_reply_sent;
}

void session_part(struct worker_session *in_worker)
{
    struct session *session = session_of_worker(in_worker);
    if (can_part(session))
        session_part_late(session);
}

void session_part_late(struct session *session)
{
    uint8_t round = server_goodbye_round(goodbye_of(session));
    if (round != 0 && round != session->parting)
        begin_parting(session, round);
}

void session_forget_parting(struct session *session)
{
    session->parting = 0;
}

static void continue_parting(struct session *session)
{
    uint8_t round = server_goodbye_round(goodbye_of(session));
    if (round == session->parting && left_ms(session) > 0) {
        take_step(session);
    } else if (round == session->parting) {
        try_to_end(session);
    } else if (round != 0) {
        begin_parting(session, round);
    } else {
        session->parting = 0;
        session_resume_timeout(session);
    }
}

/* ---- lost connections ---- */

static void orphan(struct session *session, const char *detail)
{
    uint64_t over_ms = session->service->pool->cfg->goodbye_spread_ms;
    session->detail = detail;
    session_drop_backend(session);
    session_move(session, SESSION_ORPHANED);
    set_turn(session, worker_parting_delay_ms(session->worker, over_ms));
}

/* A server that has said goodbye itself has ended the session in order. */
static void say_goodbye_to_orphan(struct session *session)
{
    bool has_words = session->pending_input[SIDE_BACKEND].len > 0;
    session_send_goodbye(session, ENGINE_GOODBYE_UNAVAILABLE, has_words ? END_LOGOUT : END_BACKEND_CLOSED,
                         session->detail);
}

static bool copy_words(struct bytes *into, const struct engine_lane *lane)
{
    bool ok = true;
    for (size_t i = 0; i < lane->count && ok; i++)
        ok = bytes_append(into, lane->slices[i], LAST_WORDS_MAX);
    if (!ok)
        bytes_free(into);
    return ok;
}

bool session_keep_last_words(struct session *session)
{
    struct engine_out *out = session->worker->out;
    bool is_orderly = session->state == SESSION_RELAYING && !session->client_half_closed &&
                      has_nothing_under_way(session) && out->lanes[SIDE_BACKEND].count == 0;
    if (!server_goodbye_is_crowd(goodbye_of(session), worker_now(session->worker)) || !is_orderly ||
        !copy_words(&session->pending_input[SIDE_BACKEND], &out->lanes[SIDE_CLIENT]))
        return false;
    engine_out_reset(out);
    orphan(session, NULL);
    return true;
}

void session_take_last_words(struct session *session)
{
    if (session->state == SESSION_ORPHANED)
        engine_out_make(session->worker->out, SIDE_CLIENT, bytes_view(&session->pending_input[SIDE_BACKEND]));
}

/* A client that awaits something is told at once. */
void session_lose_server(struct session *session, const char *detail)
{
    bool is_crowd = server_goodbye_is_crowd(goodbye_of(session), worker_now(session->worker));
    if (is_crowd && session->state == SESSION_RELAYING && has_nothing_under_way(session))
        orphan(session, detail);
    else
        session_send_goodbye(session, ENGINE_GOODBYE_UNAVAILABLE, END_BACKEND_CLOSED, detail);
}

void session_advance_orphaned(struct session *session)
{
    if (session->pending_input[SIDE_CLIENT].len > 0)
        say_goodbye_to_orphan(session);
    else if (session->client_half_closed)
        session_finish(session, END_CLIENT_CLOSED, NULL);
}

void session_parting_expired(struct session *session)
{
    if (session->state != SESSION_ORPHANED)
        continue_parting(session);
    else if (left_ms(session) > 0)
        take_step(session);
    else
        say_goodbye_to_orphan(session);
}
