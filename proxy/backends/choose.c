/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/choose.h"

#include "base/ensure.h"

#include <stdlib.h>

/* ---- tries ---- */

struct choose_tries {
    struct membership *members;
    size_t count;
    bool tried[]; /* by index */
};

bool choose_add_try(struct choose_tries **tries, struct membership *members,
                    const struct server_state *server)
{
    if (*tries == NULL) {
        *tries = calloc(1, sizeof **tries + members->count * sizeof(*tries)->tried[0]);
        if (*tries == NULL)
            return false;
        (*tries)->members = membership_ref(members);
    }
    (*tries)->count++;
    for (size_t i = 0; i < (*tries)->members->count; i++)
        if ((*tries)->members->members[i].server == server)
            (*tries)->tried[i] = true;
    return true;
}

size_t choose_tries_count(const struct choose_tries *tries)
{
    return tries != NULL ? tries->count : 0;
}

void choose_tries_free(struct choose_tries **tries)
{
    if (*tries != NULL)
        membership_unref(&(*tries)->members);
    free(*tries);
    *tries = NULL;
}

/* ---- one choice ---- */

struct choice {
    const struct choose_request *request;
    const struct choose_tries *tries;
    struct reservation *reservation;
    struct policy_choice policy;
    uint8_t *candidates;
    bool saw_full;  /* a server that serves has no place left */
    bool saw_trial; /* a suspected server may be tried in a moment */
};

static void begin(struct choice *choice, const struct choose_request *request,
                  const struct choose_tries *tries, struct reservation *reservation)
{
    const struct membership *members = tries != NULL ? tries->members : request->members;
    size_t part = request->worker * members->stride;
    ENSURE(request->worker < members->workers);
    *choice = (struct choice){.request = request,
                              .tries = tries,
                              .reservation = reservation,
                              .candidates = members->candidates + part,
                              .policy = {.members = members,
                                         .candidates = members->candidates + part,
                                         .credits = members->credits + part,
                                         .first = request->worker * members->count / members->workers,
                                         .key = request->key,
                                         .random = request->random}};
}

static bool is_tried(const struct choice *choice, size_t index)
{
    return choice->tries != NULL && choice->tries->tried[index];
}

static bool is_full(const struct server_state *server)
{
    uint32_t max = atomic_load_explicit(&server->max_connections, memory_order_relaxed);
    return max != 0 && server_state_sessions(server) >= max;
}

/* ---- servers that nobody suspects ---- */

/* How many serve, the full ones with them; those that are not full become candidates. */
static size_t find_candidates(struct choice *choice, bool backups)
{
    const struct membership *members = choice->policy.members;
    size_t serving = 0;
    for (size_t i = 0; i < members->count; i++) {
        const struct server_state *server = members->members[i].server;
        bool serves = members->members[i].is_backup == backups && !is_tried(choice, i) &&
                      server_state_use(server, choice->request->now_ms) == SERVER_USE_NORMAL;
        bool full = serves && is_full(server);
        choice->candidates[i] = serves && !full;
        choice->saw_full = choice->saw_full || full;
        serving += serves;
    }
    return serving;
}

/* A place that the policy has selected may be taken by others meanwhile: another one is then selected. */
static bool take_serving(struct choice *choice, bool backups, size_t *serving)
{
    *serving = find_candidates(choice, backups);
    for (size_t index;
         (index = choice->request->policy->choose(&choice->policy)) < choice->policy.members->count;) {
        struct server_state *server = choice->policy.members->members[index].server;
        if (reservation_take(choice->reservation, server, SERVER_USE_NORMAL))
            return true;
        choice->candidates[index] = 0;
        choice->saw_full = true;
    }
    return false;
}

/* ---- servers that are suspected ---- */

/* One for which `use` is the present one, and no other session tries it. */
static bool take_suspected(struct choice *choice, bool backups, enum server_use least)
{
    const struct membership *members = choice->policy.members;
    for (size_t i = 0; i < members->count; i++) {
        size_t index = (choice->policy.first + i) % members->count;
        struct server_state *server = members->members[index].server;
        enum server_use use = server_state_use(server, choice->request->now_ms);
        if (members->members[index].is_backup != backups || is_tried(choice, index) ||
            use == SERVER_USE_NORMAL || use == SERVER_USE_NONE)
            continue;
        if (use <= least && reservation_take(choice->reservation, server, use))
            return true;
        choice->saw_trial = true;
    }
    return false;
}

/* ---- the order ---- */

static enum choose_verdict choose_last_resort(struct choice *choice)
{
    if (choice->saw_full)
        return CHOOSE_WAIT;
    if (choice->request->is_late)
        return CHOOSE_NONE;
    if (take_suspected(choice, false, SERVER_USE_LAST_RESORT) ||
        take_suspected(choice, true, SERVER_USE_LAST_RESORT))
        return CHOOSE_CHOSEN;
    return choice->saw_trial ? CHOOSE_WAIT_TRIAL : CHOOSE_NONE;
}

enum choose_verdict choose_server(const struct choose_request *request, const struct choose_tries *tries,
                                  struct reservation *reservation)
{
    struct choice choice;
    size_t serving;
    begin(&choice, request, tries, reservation);
    /* A session that has failed over once takes no second risk while others serve. */
    if (tries == NULL && take_suspected(&choice, false, SERVER_USE_TRIAL))
        return CHOOSE_CHOSEN;
    if (tries == NULL && !request->has_turn && wait_queue_count(choice.policy.members->pool->queue) > 0)
        return CHOOSE_WAIT;
    if (take_serving(&choice, false, &serving))
        return CHOOSE_CHOSEN;
    /* Full servers are no reason to use a backup: their clients wait. */
    if (serving == 0 && take_serving(&choice, true, &serving))
        return CHOOSE_CHOSEN;
    return choose_last_resort(&choice);
}

bool choose_has_other(const struct choose_request *request, const struct choose_tries *tries,
                      const struct server_state *in_use)
{
    struct choice choice;
    begin(&choice, request, tries, NULL);
    for (size_t i = 0; i < choice.policy.members->count; i++) {
        const struct server_state *server = choice.policy.members->members[i].server;
        if (server != in_use && !is_tried(&choice, i) && !is_full(server) &&
            server_state_use(server, request->now_ms) == SERVER_USE_NORMAL)
            return true;
    }
    return false;
}
