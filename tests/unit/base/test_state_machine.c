/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/state_machine.h"
#include "base/array.h"
#include "run_suite.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>

enum door_state { DOOR_OPEN, DOOR_SHUT, DOOR_LOCKED };

struct door {
    enum door_state state;
    bool has_key;
};

static const char *const names[] = {[DOOR_OPEN] = "open", [DOOR_SHUT] = "shut", [DOOR_LOCKED] = "locked"};
static const unsigned moves[] = {
    [DOOR_OPEN] = STATE(DOOR_SHUT),
    [DOOR_SHUT] = STATE(DOOR_OPEN) | STATE(DOOR_LOCKED),
    [DOOR_LOCKED] = STATE(DOOR_SHUT),
};
STATE_MACHINE_ASSERT(names, moves, DOOR_LOCKED);

static bool has_key_to_lock(const void *object, unsigned state)
{
    const struct door *door = object;
    return state != DOOR_LOCKED || door->has_key;
}

static const struct state_machine machine = {"door", names, moves, ARRAY_LEN(names), has_key_to_lock};

static void move(struct door *door, const struct state_trace *trace, enum door_state to)
{
    door->state = (enum door_state)state_machine_move(&machine, trace, door, door->state, to);
}

START_TEST(allowed_moves)
{
    struct door door = {DOOR_OPEN, true};
    move(&door, NULL, DOOR_SHUT);
    move(&door, NULL, DOOR_LOCKED);
    ck_assert_int_eq(door.state, DOOR_LOCKED);
    ck_assert(!state_machine_allows(&machine, DOOR_OPEN, DOOR_LOCKED));
    ck_assert(!state_machine_allows(&machine, DOOR_OPEN, DOOR_OPEN));
    ck_assert(!state_machine_allows(&machine, DOOR_OPEN, DOOR_LOCKED + 1));
    ck_assert(!state_machine_allows(&machine, DOOR_LOCKED + 1, DOOR_OPEN));
}
END_TEST

START_TEST(a_move_that_is_not_in_the_table)
{
    struct door door = {DOOR_OPEN, true};
    move(&door, NULL, DOOR_LOCKED);
}
END_TEST

START_TEST(a_move_against_the_invariant)
{
    struct door door = {DOOR_SHUT, false};
    move(&door, NULL, DOOR_LOCKED);
}
END_TEST

static void note(void *arg, const struct state_machine *of, unsigned from, unsigned to)
{
    snprintf(arg, 64, "%s: %s to %s", of->name, of->names[from], of->names[to]);
}

START_TEST(a_move_is_traced)
{
    char text[64] = "";
    struct state_trace trace = {note, text};
    struct door door = {DOOR_OPEN, false};
    move(&door, &trace, DOOR_SHUT);
    ck_assert_str_eq(text, "door: open to shut");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state_machine");
    TCase *tests = tcase_create("moves");
    tcase_add_test(tests, allowed_moves);
    tcase_add_test_raise_signal(tests, a_move_that_is_not_in_the_table, SIGABRT);
    tcase_add_test_raise_signal(tests, a_move_against_the_invariant, SIGABRT);
    tcase_add_test(tests, a_move_is_traced);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
