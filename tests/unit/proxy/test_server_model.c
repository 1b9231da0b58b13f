/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A second reading of the states of servers: a model, written from the specification and not from the
 * program, goes with a pool through all sequences of events of a length, and both must agree after each.
 */
#include "proxy/backends/ejection.h"

#include "run_suite.h"
#include "server_pool.h"

#include <string.h>

enum {
    SERVERS = 3,
    RISE = 2,
    FALL = 2,
    SLOW_START_MS = 1000,
#ifdef TEST_IS_SANITIZED
    DEPTH = 4
#else
    DEPTH = 5
#endif
};

/* ---- what may happen ---- */

enum act {
    CHECK_PASSES,
    CHECK_FAILS,
    SESSION_FAILS,
    TRIAL_FAILS,
    SESSION_SERVED,
    OTHER_FAILS, /* a session at the second server, and the third */
    THIRD_FAILS,
    OTHER_SERVED,
    THIRD_SERVED,
    NAME_GONE,
    NAME_FOUND,
    TO_READY,
    TO_DRAIN,
    TO_MAINTENANCE,
    TIME_PASSES, /* half of a slow start */
    NO_WEIGHT,
    SOME_WEIGHT,
    CHECKS_OFF,
    CHECKS_ON,
    ACTS
};

static const char *const words[] = {
    "check-passes", "check-fails",  "session-fails", "trial-fails", "served",   "other-fails", "third-fails",
    "other-served", "third-served", "name-gone",     "name-found",  "ready",    "drain",       "maintenance",
    "time",         "weight-0",     "weight-1",      "checks-off",  "checks-on"};

/* ---- the model ---- */

struct model_server {
    enum server_health health;
    enum server_admin admin;
    unsigned row; /* of checks that say another thing than the state */
    unsigned weight;
    unsigned warm_ms;
    bool suspected;
    bool checked;
    bool awaits; /* while nothing else is known of it, a check */
    unsigned changes;
};

struct model {
    struct model_server servers[SERVERS];
    bool panic;
};

static void model_move(struct model_server *server, enum server_health to)
{
    if (server->health != to)
        server->changes++;
    server->health = to;
    server->warm_ms = 0;
}

static void model_check_passes(struct model_server *server)
{
    if (server->admin == SERVER_MAINTENANCE || server->health == SERVER_UNRESOLVED)
        return;
    server->suspected = server->awaits = false;
    switch (server->health) {
    case SERVER_DOWN:
        server->row = 1;
        model_move(server, SERVER_RISING);
        break;
    case SERVER_RISING:
        if (++server->row == RISE) {
            server->row = 0;
            model_move(server, SERVER_WARMING);
        }
        break;
    default:
        server->row = 0;
        if (server->health != SERVER_WARMING)
            model_move(server, SERVER_UP);
    }
}

static void model_check_fails(struct model_server *server)
{
    if (server->admin == SERVER_MAINTENANCE || server->health == SERVER_UNRESOLVED)
        return;
    switch (server->health) {
    case SERVER_DOWN:
        server->row = 0;
        break;
    case SERVER_RISING:
    case SERVER_EJECTED:
        server->row = 0;
        model_move(server, SERVER_DOWN);
        break;
    default:
        if (++server->row == FALL) {
            server->row = 0;
            model_move(server, SERVER_DOWN);
        } else if (server->health != SERVER_UNCHECKED) {
            model_move(server, SERVER_FAILING);
        }
    }
}

static void model_checks_off(struct model_server *server)
{
    bool was_down = server->health == SERVER_DOWN || server->health == SERVER_RISING;
    if (!server->checked)
        return;
    server->checked = server->awaits = false;
    if (was_down)
        server->suspected = true; /* one client tries */
    if (was_down || server->health == SERVER_FAILING) {
        server->row = 0;
        model_move(server, SERVER_UNCHECKED);
    }
}

static bool model_takes(const struct model_server *server)
{
    return server->admin == SERVER_READY && server->weight > 0 && !server->suspected &&
           !(server->awaits && server->health == SERVER_UNCHECKED) &&
           (server->health == SERVER_UNCHECKED || server->health == SERVER_UP ||
            server->health == SERVER_FAILING || server->health == SERVER_WARMING);
}

static bool can_fall_by_sessions(const struct model_server *server)
{
    return server->health == SERVER_UNCHECKED || server->health == SERVER_UP ||
           server->health == SERVER_FAILING || server->health == SERVER_WARMING;
}

/* At most half of them is ejected; who serves again makes room first. */
static void model_review(struct model *model)
{
    unsigned ejected = 0;
    model->panic = false;
    for (unsigned i = 0; i < SERVERS; i++) {
        struct model_server *server = &model->servers[i];
        if (server->health == SERVER_EJECTED && !server->suspected) {
            server->row = 0;
            model_move(server, SERVER_UP);
        }
        ejected += server->health == SERVER_EJECTED;
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        struct model_server *server = &model->servers[i];
        if (!server->suspected || !can_fall_by_sessions(server))
            continue;
        if (ejected < SERVERS / 2) {
            server->row = 0;
            model_move(server, SERVER_EJECTED);
            ejected++;
        } else if (server->admin == SERVER_READY) {
            model->panic = true;
        }
    }
}

static void model_act(struct model *model, enum act act)
{
    struct model_server *server = &model->servers[0];
    switch (act) {
    case CHECK_PASSES:
        model_check_passes(server);
        break;
    case CHECK_FAILS:
        model_check_fails(server);
        break;
    case SESSION_FAILS:
    case TRIAL_FAILS:
        server->suspected = true;
        break;
    case SESSION_SERVED:
        server->suspected = false;
        break;
    case OTHER_FAILS:
    case THIRD_FAILS:
        model->servers[act == OTHER_FAILS ? 1 : 2].suspected = true;
        break;
    case OTHER_SERVED:
    case THIRD_SERVED:
        model->servers[act == OTHER_SERVED ? 1 : 2].suspected = false;
        break;
    case NAME_GONE:
        server->row = 0;
        model_move(server, SERVER_UNRESOLVED);
        break;
    case NAME_FOUND:
        if (server->health != SERVER_UNRESOLVED)
            break;
        server->awaits = server->checked;
        model_move(server, SERVER_UNCHECKED);
        break;
    case TO_READY:
    case TO_DRAIN:
    case TO_MAINTENANCE:
        server->admin = act == TO_READY ? SERVER_READY : act == TO_DRAIN ? SERVER_DRAIN : SERVER_MAINTENANCE;
        break;
    case TIME_PASSES:
        server->warm_ms += SLOW_START_MS / 2;
        if (server->health == SERVER_WARMING && server->warm_ms >= SLOW_START_MS) {
            server->row = 0;
            model_move(server, SERVER_UP);
        }
        break;
    case NO_WEIGHT:
    case SOME_WEIGHT:
        server->weight = act == SOME_WEIGHT;
        break;
    case CHECKS_OFF:
        model_checks_off(server);
        break;
    case CHECKS_ON:
        server->checked = true;
        break;
    case ACTS:
        break;
    }
    model_review(model);
}

/* ---- the program ---- */

static struct membership *members;
static uint64_t now;

/* What an observer has been told: the log's lines. */
struct told {
    unsigned lines[SERVER_AXES];
    unsigned last[SERVER_AXES];
};
static struct told told[SERVERS];

static struct server_state *server_of(unsigned index)
{
    return members->members[index].server;
}

static struct told *told_of(const struct server_state *server)
{
    unsigned index = 0;
    while (server_of(index) != server)
        index++;
    return &told[index];
}

static void note_change(void *arg, const struct server_change *change)
{
    (void)arg;
    struct told *of = told_of(change->server);
    /* An assertion that holds costs a system call. */
    if (of->last[change->axis] != change->from || change->from == change->to ||
        change->cause >= SERVER_CAUSES)
        ck_abort_msg("%s: a line that says no change", change->server->identity.name);
    of->last[change->axis] = change->to;
    of->lines[change->axis]++;
}

static const struct server_observer observer = {note_change, NULL};

static uint32_t middle(void *arg)
{
    (void)arg;
    return UINT32_MAX / 2;
}

static void configure(bool is_checked)
{
    struct server_rules rules = members->members[0].rules;
    rules.is_checked = is_checked;
    server_state_configure(server_of(0), &rules, now, &observer);
}

static void act_on_program(enum act act)
{
    struct server_state *server = server_of(0);
    switch (act) {
    case CHECK_PASSES:
        server_state_event(server, SERVER_EVENT_CHECK_PASSED, SERVER_CAUSE_CHECK_PASSED, now, &observer);
        break;
    case CHECK_FAILS:
        server_state_event(server, SERVER_EVENT_CHECK_FAILED, SERVER_NO_GREETING, now, &observer);
        break;
    case SESSION_FAILS:
    case TRIAL_FAILS:
        server_state_failed(server, SERVER_CONNECT_REFUSED, act == TRIAL_FAILS, now);
        break;
    case SESSION_SERVED:
        server_state_served(server);
        break;
    case OTHER_FAILS:
    case THIRD_FAILS:
        server_state_failed(server_of(act == OTHER_FAILS ? 1 : 2), SERVER_NO_GREETING, false, now);
        break;
    case OTHER_SERVED:
    case THIRD_SERVED:
        server_state_served(server_of(act == OTHER_SERVED ? 1 : 2));
        break;
    case NAME_GONE:
        server_state_event(server, SERVER_EVENT_NAME_GONE, SERVER_CAUSE_NAME_GONE, now, &observer);
        break;
    case NAME_FOUND:
        server_state_event(server, SERVER_EVENT_NAME_FOUND, SERVER_CAUSE_NAME_FOUND, now, &observer);
        break;
    case TO_READY:
    case TO_DRAIN:
    case TO_MAINTENANCE:
        server_state_set_admin(server,
                               act == TO_READY   ? SERVER_READY
                               : act == TO_DRAIN ? SERVER_DRAIN
                                                 : SERVER_MAINTENANCE,
                               SERVER_CAUSE_OPERATOR, now, &observer);
        break;
    case TIME_PASSES:
        now += SLOW_START_MS / 2;
        server_state_tick(server, now, &observer);
        break;
    case NO_WEIGHT:
    case SOME_WEIGHT:
        server_state_set_weight(server, act == SOME_WEIGHT, now);
        break;
    case CHECKS_OFF:
    case CHECKS_ON:
        configure(act == CHECKS_ON);
        break;
    case ACTS:
        break;
    }
    ejection_review(members, now, middle, NULL, &observer);
}

/* ---- both ---- */

static enum act path[DEPTH];
static uint64_t compared;

static const char *tell_path(size_t len)
{
    static char text[DEPTH * 16 + 1];
    text[0] = '\0';
    for (size_t i = 0; i < len; i++) {
        strcat(text, words[path[i]]);
        strcat(text, " ");
    }
    return text;
}

#define AGREE(what, len)                                                                                     \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            ck_abort_msg("%s: not so after %s", #what, tell_path(len));                                      \
    } while (0)

static void compare_server(const struct model *model, unsigned index, size_t len)
{
    const struct model_server *is = &model->servers[index];
    const struct server_state *server = server_of(index);
    enum server_use use = server_state_use(server, now);
    AGREE(server_state_health(server) == is->health, len);
    AGREE(server_state_admin(server) == is->admin, len);
    AGREE((use == SERVER_USE_NORMAL) == model_takes(is), len);
    AGREE((use == SERVER_USE_NONE) == (is->admin != SERVER_READY || is->weight == 0 ||
                                       is->health == SERVER_DOWN || is->health == SERVER_RISING ||
                                       is->health == SERVER_UNRESOLVED),
          len);
    /* One change, one count, one line. */
    AGREE(server->changes[SERVER_AXIS_STATE] == is->changes, len);
    AGREE(told[index].lines[SERVER_AXIS_STATE] == is->changes, len);
    AGREE(told[index].lines[SERVER_AXIS_ADMIN] == server->changes[SERVER_AXIS_ADMIN], len);
    AGREE(told[index].last[SERVER_AXIS_STATE] == is->health, len);
}

static void compare(const struct model *model, size_t len)
{
    unsigned ejected = 0;
    for (unsigned i = 0; i < SERVERS; i++) {
        compare_server(model, i, len);
        ejected += model->servers[i].health == SERVER_EJECTED;
    }
    AGREE(ejected <= SERVERS / 2, len);
    AGREE(members->pool->panic == model->panic, len);
    compared++;
}

/* The program's state at one point, to come back to. */
struct point {
    struct server_state servers[SERVERS];
    struct told told[SERVERS];
    uint64_t now;
    bool panic;
};

static void keep_point(struct point *point)
{
    for (unsigned i = 0; i < SERVERS; i++)
        memcpy((void *)&point->servers[i], (const void *)server_of(i), sizeof point->servers[i]);
    memcpy(point->told, told, sizeof told);
    point->now = now;
    point->panic = members->pool->panic;
}

static void go_back(const struct point *point)
{
    for (unsigned i = 0; i < SERVERS; i++)
        memcpy((void *)server_of(i), (const void *)&point->servers[i], sizeof point->servers[i]);
    memcpy(told, point->told, sizeof told);
    now = point->now;
    atomic_store(&members->pool->panic, point->panic);
}

static void explore(const struct model *model, size_t len)
{
    static struct point points[DEPTH];
    if (len == DEPTH)
        return;
    keep_point(&points[len]);
    for (unsigned act = 0; act < ACTS; act++) {
        struct model next = *model;
        path[len] = (enum act)act;
        act_on_program((enum act)act);
        model_act(&next, (enum act)act);
        compare(&next, len + 1);
        explore(&next, len + 1);
        go_back(&points[len]);
    }
}

/* All sequences that begin with one event. */
START_TEST(all_sequences)
{
    struct server_rules rules[SERVERS];
    struct model model = {.panic = false};
    struct point begin;
    for (unsigned i = 0; i < SERVERS; i++) {
        rules[i] = (struct server_rules){
            .weight = 1, .rise = RISE, .fall = FALL, .slow_start_ms = SLOW_START_MS, .is_checked = true};
        model.servers[i] = (struct model_server){.weight = 1, .checked = true};
    }
    members = server_pool_new_with(rules, SERVERS, 0);
    now = SERVER_POOL_NOW;
    keep_point(&begin);
    path[0] = (enum act)_i;
    act_on_program((enum act)_i);
    model_act(&model, (enum act)_i);
    compare(&model, 1);
    explore(&model, 1);
    go_back(&begin);
    uint64_t expected = 0;
    for (uint64_t depth = 0, nodes = 1; depth < DEPTH; depth++, nodes *= ACTS)
        expected += nodes;
    ck_assert_uint_eq(compared, expected);
    server_pool_free(&members);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server_model");
    TCase *tests = tcase_create("server_model");
    tcase_add_loop_test(tests, all_sequences, 0, ACTS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
