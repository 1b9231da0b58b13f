/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two lanes: what is passed is not copied, what is made is, neighbours become one, and room is asked for.
 */
#include "protocols/engine_out.h"
#include "run_suite.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct engine_out *out;

static void make_out(void)
{
    out = engine_out_new();
    ck_assert_ptr_nonnull(out);
}

static void free_out(void)
{
    engine_out_free(&out);
    ck_assert_ptr_null(out);
    engine_out_free(&out);
}

START_TEST(empty)
{
    ck_assert(engine_out_is_empty(out));
    ck_assert(engine_out_has_room(out));
    ck_assert_uint_eq(out->scratch_used, 0);
    ck_assert_int_eq(side_opposite(SIDE_CLIENT), SIDE_BACKEND);
    ck_assert_int_eq(side_opposite(SIDE_BACKEND), SIDE_CLIENT);
}
END_TEST

START_TEST(passed)
{
    static const uint8_t input[] = "abcdef";
    engine_out_pass(out, SIDE_BACKEND, (struct slice){input, 2});
    engine_out_pass(out, SIDE_BACKEND, (struct slice){input + 2, 1}); /* a neighbour */
    engine_out_pass(out, SIDE_BACKEND, (struct slice){input + 4, 2}); /* not one */
    engine_out_pass(out, SIDE_CLIENT, (struct slice){input + 3, 1});
    engine_out_pass(out, SIDE_CLIENT, (struct slice){input, 0});
    const struct engine_lane *backend = &out->lanes[SIDE_BACKEND];
    ck_assert_uint_eq(backend->count, 2);
    ck_assert_uint_eq(backend->octets, 5);
    ck_assert_ptr_eq(backend->slices[0].data, input);
    ck_assert_uint_eq(backend->slices[0].len, 3);
    ck_assert_ptr_eq(backend->slices[1].data, input + 4);
    ck_assert_uint_eq(out->lanes[SIDE_CLIENT].count, 1);
    ck_assert_uint_eq(out->lanes[SIDE_CLIENT].octets, 1);
    ck_assert_uint_eq(out->scratch_used, 0);
    ck_assert(!engine_out_is_empty(out));
}
END_TEST

START_TEST(made)
{
    char text[] = "one";
    engine_out_make_text(out, SIDE_CLIENT, text);
    memset(text, 'x', 3);
    engine_out_make_text(out, SIDE_CLIENT, " two");
    engine_out_make_text(out, SIDE_CLIENT, "");
    const struct engine_lane *client = &out->lanes[SIDE_CLIENT];
    ck_assert_uint_eq(client->count, 1);
    ck_assert(slice_equals(client->slices[0], slice_of("one two")));
    ck_assert_uint_eq(out->scratch_used, 7);
}
END_TEST

/* What is made for both sides in turn lies next to each other in the scratch, and is not mixed. */
START_TEST(made_in_turn)
{
    engine_out_make_text(out, SIDE_CLIENT, "a");
    engine_out_make_text(out, SIDE_BACKEND, "b");
    engine_out_make_text(out, SIDE_CLIENT, "c");
    ck_assert_uint_eq(out->lanes[SIDE_CLIENT].count, 2);
    ck_assert(slice_equals(out->lanes[SIDE_CLIENT].slices[0], slice_of("a")));
    ck_assert(slice_equals(out->lanes[SIDE_CLIENT].slices[1], slice_of("c")));
    ck_assert(slice_equals(out->lanes[SIDE_BACKEND].slices[0], slice_of("b")));
}
END_TEST

START_TEST(reset)
{
    engine_out_make_text(out, SIDE_CLIENT, "a");
    engine_out_pass(out, SIDE_BACKEND, slice_of("b"));
    engine_out_reset(out);
    ck_assert(engine_out_is_empty(out));
    ck_assert_uint_eq(out->lanes[SIDE_CLIENT].octets, 0);
    ck_assert_uint_eq(out->lanes[SIDE_BACKEND].octets, 0);
    ck_assert_uint_eq(out->scratch_used, 0);
}
END_TEST

/* There is room as long as a whole step fits, and a step that asked first never fails. */
START_TEST(room_for_slices)
{
    static const uint8_t input[2 * ENGINE_OUT_SLICES];
    size_t taken = 0;
    while (engine_out_has_room(out)) {
        for (size_t i = 0; i < ENGINE_STEP_SLICES; i++)
            engine_out_pass(out, (enum side)_i, (struct slice){&input[2 * taken++], 1});
        ck_assert_uint_eq(out->lanes[_i].count, taken);
    }
    ck_assert_uint_gt(taken, ENGINE_OUT_SLICES - ENGINE_STEP_SLICES);
    ck_assert_uint_le(taken, ENGINE_OUT_SLICES);
}
END_TEST

START_TEST(room_in_the_scratch)
{
    char *step = calloc(1, ENGINE_STEP_SCRATCH);
    size_t steps = 0;
    for (; engine_out_has_room(out); steps++)
        engine_out_make(out, SIDE_BACKEND, (struct slice){(uint8_t *)step, ENGINE_STEP_SCRATCH});
    ck_assert_uint_eq(steps, ENGINE_OUT_SCRATCH / ENGINE_STEP_SCRATCH);
    free(step);
}
END_TEST

/* A step that did not ask ends the program, and writes beyond nothing. */
START_TEST(more_slices_than_there_is_room)
{
    static const uint8_t input[2 * ENGINE_OUT_SLICES + 2];
    for (size_t i = 0; i <= ENGINE_OUT_SLICES; i++)
        engine_out_pass(out, SIDE_CLIENT, (struct slice){&input[2 * i], 1});
}
END_TEST

START_TEST(more_octets_than_there_is_room)
{
    static const uint8_t input[ENGINE_OUT_SCRATCH];
    engine_out_make_text(out, SIDE_CLIENT, "a");
    engine_out_make(out, SIDE_CLIENT, (struct slice){input, sizeof input});
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine_out");
    TCase *tcase = tcase_create("engine_out");
    tcase_add_checked_fixture(tcase, make_out, free_out);
    tcase_add_test(tcase, empty);
    tcase_add_test(tcase, passed);
    tcase_add_test(tcase, made);
    tcase_add_test(tcase, made_in_turn);
    tcase_add_test(tcase, reset);
    tcase_add_loop_test(tcase, room_for_slices, 0, 2);
    tcase_add_test(tcase, room_in_the_scratch);
    tcase_add_test_raise_signal(tcase, more_slices_than_there_is_room, SIGABRT);
    tcase_add_test_raise_signal(tcase, more_octets_than_there_is_room, SIGABRT);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
