/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "base/array.h"
#include "run_suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The diagram of session_private.h, by hand: the names of a state, and of those that may follow it. */
struct row {
    enum session_state state;
    const char *name;
    const char *followers;
};

static const struct row rows[] = {
    {SESSION_ACCEPTED, "accepted", "header slowed waiting cleartext handshaking closed"},
    {SESSION_HEADER, "header", "slowed waiting cleartext handshaking closed"},
    {SESSION_SLOWED, "slowed", "header waiting cleartext handshaking closed"},
    {SESSION_WAITING, "waiting", "header cleartext handshaking closed"},
    {SESSION_CLEARTEXT, "cleartext", "handshaking lingering closed"},
    {SESSION_HANDSHAKING, "handshaking", "connecting lingering closed"},
    {SESSION_CONNECTING, "connecting",
     "connecting backend-starttls backend-handshake greeting lingering closed"},
    {SESSION_BACKEND_STARTTLS, "backend-starttls", "backend-handshake connecting lingering closed"},
    {SESSION_BACKEND_HANDSHAKE, "backend-handshake", "greeting connecting lingering closed"},
    {SESSION_GREETING, "greeting", "relaying connecting lingering closed"},
    {SESSION_RELAYING, "relaying", "half-closed orphaned connecting lingering closed"},
    {SESSION_HALF_CLOSED, "half-closed", "connecting lingering closed"},
    {SESSION_ORPHANED, "orphaned", "lingering closed"},
    {SESSION_LINGERING, "lingering", "closed"},
    {SESSION_CLOSED, "closed", ""},
};
_Static_assert(ARRAY_LEN(rows) == SESSION_CLOSED + 1, "a row for each state");

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
            return true;
    return false;
}

START_TEST(moves)
{
    const struct row *from = &rows[_i];
    ck_assert_str_eq(session_machine.names[from->state], from->name);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        ck_assert_msg(state_machine_allows(&session_machine, from->state, rows[i].state) ==
                          has_word(from->followers, rows[i].name),
                      "from %s to %s", from->name, rows[i].name);
}
END_TEST

/* A session of nothing but pointers, which nobody follows. */
static struct session *make_session(enum session_state state)
{
    static struct cfg cfg = {.log_level = CFG_LOG_INFO};
    static struct snapshot snapshot = {.cfg = &cfg};
    static struct generation generation = {.snapshot = &snapshot};
    static struct worker worker = {.generation = &generation};
    static struct session session;
    session = (struct session){.worker = &worker, .state = state};
    return &session;
}

/* True if the move ends the process: after a mistake of our own nothing goes on. */
static bool aborts(struct session *session, enum session_state to)
{
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        fclose(stderr); /* the message is expected */
        session_move(session, to);
        _exit(session->state == to ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == EXIT_SUCCESS);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

START_TEST(a_move_that_is_not_allowed_ends_the_program)
{
    ck_assert(!aborts(make_session(SESSION_RELAYING), SESSION_CLOSED));
    ck_assert(!aborts(make_session(SESSION_RELAYING), SESSION_LINGERING));
    ck_assert(aborts(make_session(SESSION_LINGERING), SESSION_RELAYING));
    ck_assert(aborts(make_session(SESSION_CLOSED), SESSION_CLOSED));
}
END_TEST

/* What a state demands of the session: the parts that it must have, and must not have. */
struct demand {
    enum session_state from;
    enum session_state to;
    bool has_tls;
    bool has_engine;
    bool has_link;
};

static const struct demand demands[] = {
    {SESSION_ACCEPTED, SESSION_HANDSHAKING, true, false, false},
    {SESSION_HANDSHAKING, SESSION_CONNECTING, true, false, false},
    {SESSION_CONNECTING, SESSION_BACKEND_STARTTLS, true, true, true},
    {SESSION_CONNECTING, SESSION_BACKEND_HANDSHAKE, true, true, true},
    {SESSION_CONNECTING, SESSION_GREETING, true, true, true},
    {SESSION_GREETING, SESSION_RELAYING, true, true, true},
    {SESSION_RELAYING, SESSION_HALF_CLOSED, true, true, true},
    {SESSION_RELAYING, SESSION_ORPHANED, true, true, false},
};

static struct session *make_parts(const struct demand *demand, bool has_tls, bool has_engine, bool has_link)
{
    static char part; /* nobody looks into it */
    struct session *session = make_session(demand->from);
    session->tls.endpoint = has_tls ? (struct tls_endpoint *)(void *)&part : NULL;
    session->engine = has_engine ? (struct engine *)(void *)&part : NULL;
    session->link = has_link ? (struct backend_link *)(void *)&part : NULL;
    return session;
}

START_TEST(a_state_demands_its_parts)
{
    const struct demand *demand = &demands[_i];
    bool link_matters = demand->to != SESSION_HANDSHAKING; /* before it there was none */
    ck_assert(!aborts(make_parts(demand, demand->has_tls, demand->has_engine, demand->has_link), demand->to));
    ck_assert(aborts(make_parts(demand, !demand->has_tls, demand->has_engine, demand->has_link), demand->to));
    ck_assert(aborts(make_parts(demand, demand->has_tls, !demand->has_engine, demand->has_link), demand->to));
    if (link_matters)
        ck_assert(
            aborts(make_parts(demand, demand->has_tls, demand->has_engine, !demand->has_link), demand->to));
}
END_TEST

START_TEST(a_session_that_lingers_has_no_server)
{
    static const struct demand demand = {SESSION_RELAYING, SESSION_LINGERING, true, true, false};
    ck_assert(!aborts(make_parts(&demand, true, true, false), SESSION_LINGERING));
    ck_assert(aborts(make_parts(&demand, true, true, true), SESSION_LINGERING));
}
END_TEST

START_TEST(each_end_has_a_word_of_its_own)
{
    ck_assert_ptr_null(end_reason_name(END_NONE));
    for (int i = END_NONE + 1; i < END_REASONS; i++) {
        ck_assert_ptr_nonnull(end_reason_name((enum end_reason)i));
        for (int j = END_NONE + 1; j < i; j++)
            ck_assert_str_ne(end_reason_name((enum end_reason)i), end_reason_name((enum end_reason)j));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_states");
    TCase *tests = tcase_create("states");
    tcase_add_loop_test(tests, moves, 0, ARRAY_LEN(rows));
    tcase_add_test(tests, a_move_that_is_not_allowed_ends_the_program);
    tcase_add_loop_test(tests, a_state_demands_its_parts, 0, ARRAY_LEN(demands));
    tcase_add_test(tests, a_session_that_lingers_has_no_server);
    tcase_add_test(tests, each_end_has_a_word_of_its_own);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
