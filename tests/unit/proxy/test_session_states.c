/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session.h"
#include "run_suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The diagram of session.h, by hand: a row for each state, a letter for each state that it leads to. */
static const char letters[] = "HSCGRLX";
static const char *const leads_to[] = {
    [SESSION_HANDSHAKING] = "CLX", [SESSION_CLEARTEXT] = "HLX", [SESSION_CONNECTING] = "GLX",
    [SESSION_GREETING] = "CRLX",   [SESSION_RELAYING] = "CLX",  [SESSION_LINGERING] = "X",
    [SESSION_CLOSED] = "",
};
enum { STATES = SESSION_CLOSED + 1 };
_Static_assert(sizeof letters - 1 == STATES, "a letter for each state");

/* True where the move ends the process: a mistake of our own is never carried on with. */
static bool aborts(enum session_state from, enum session_state to)
{
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        static struct session session;
        session.state = from;
        fclose(stderr); /* the message is expected */
        session_move(&session, to);
        _exit(session.state == to ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == EXIT_SUCCESS);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

START_TEST(moves)
{
    for (int to = 0; to < STATES; to++) {
        bool allowed = strchr(leads_to[_i], letters[to]) != NULL;
        ck_assert_msg(aborts((enum session_state)_i, (enum session_state)to) != allowed, "from %c to %c",
                      letters[_i], letters[to]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_states");
    TCase *tests = tcase_create("states");
    tcase_add_loop_test(tests, moves, 0, STATES);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
