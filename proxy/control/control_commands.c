/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- surveys ---- */

static void begin_survey(struct control *control);

static void free_parts(struct control *control)
{
    struct control_commands *commands = &control->commands;
    for (unsigned i = 0; commands->of_workers != NULL && i < control->worker_count; i++)
        survey_free(&commands->of_workers[i]);
    free(commands->of_workers);
    commands->of_workers = NULL;
}

static void end_survey(struct control *control)
{
    struct control_commands *commands = &control->commands;
    const struct control_survey *first = &commands->surveys[0];
    admin_answer_survey(control->admin, first->visit, &first->query, commands->of_workers,
                        control->worker_count);
    free_parts(control);
    commands->survey_count--;
    memmove(commands->surveys, commands->surveys + 1, commands->survey_count * sizeof commands->surveys[0]);
    begin_survey(control);
}

/* Without memory for the parts there is an answer with nothing in it, which says so. */
static void refuse_survey(struct control *control)
{
    struct control_commands *commands = &control->commands;
    admin_answer_failure(control->admin, commands->surveys[0].visit);
    commands->survey_count--;
    memmove(commands->surveys, commands->surveys + 1, commands->survey_count * sizeof commands->surveys[0]);
}

/* Each worker has a part of its own; one that has ended has done it. */
static void give_parts(struct control *control)
{
    struct control_commands *commands = &control->commands;
    atomic_store(&commands->surveys_due, control->worker_count);
    for (unsigned i = 0; i < control->worker_count; i++) {
        commands->of_workers[i].query = &commands->surveys[0].query;
        if (!worker_give_survey(&control->workers[i], &commands->of_workers[i]))
            atomic_fetch_sub(&commands->surveys_due, 1);
    }
    uv_async_send(&control->worker_event);
}

/* The first of those that wait, if none is under way. */
static void begin_survey(struct control *control)
{
    struct control_commands *commands = &control->commands;
    while (commands->survey_count > 0 && commands->of_workers == NULL) {
        commands->of_workers = calloc(control->worker_count, sizeof commands->of_workers[0]);
        if (commands->of_workers != NULL)
            give_parts(control);
        else
            refuse_survey(control);
    }
}

bool control_survey(void *arg, uint64_t visit, const struct survey_query *query)
{
    struct control *control = arg;
    struct control_commands *commands = &control->commands;
    if (commands->survey_count == ADMIN_CONTROL_CONNECTIONS_MAX)
        return false;
    commands->surveys[commands->survey_count++] = (struct control_survey){visit, *query};
    uv_async_send(&control->worker_event);
    return true;
}

void control_look_at_survey(struct control *control)
{
    struct control_commands *commands = &control->commands;
    if (commands->of_workers == NULL)
        begin_survey(control);
    else if (atomic_load(&commands->surveys_due) == 0)
        end_survey(control);
}

/* ---- reloads ---- */

/* False if as many wait already as can be connected. */
static bool add_visit(uint64_t *visits, size_t *count, uint64_t visit)
{
    if (*count == ADMIN_CONTROL_CONNECTIONS_MAX)
        return false;
    visits[(*count)++] = visit;
    return true;
}

bool control_reload(void *arg, uint64_t visit)
{
    struct control *control = arg;
    struct control_commands *commands = &control->commands;
    if (control->phase != WORKER_RUNNING ||
        !add_visit(commands->next_reloads, &commands->next_reload_count, visit))
        return false;
    control->reload_requested[RELOAD_CONFIGURATION] = true;
    uv_async_send(&control->worker_event);
    return true;
}

void control_reload_begins(struct control *control)
{
    struct control_commands *commands = &control->commands;
    memcpy(commands->reloads, commands->next_reloads, sizeof commands->reloads);
    commands->reload_count = commands->next_reload_count;
    commands->next_reload_count = 0;
}

void control_reload_ends(struct control *control, enum admin_reload how, const struct cfg_problems *problems)
{
    struct control_commands *commands = &control->commands;
    for (size_t i = 0; i < commands->reload_count; i++)
        admin_answer_reload(control->admin, commands->reloads[i], how, problems);
    commands->reload_count = 0;
}

void control_end_commands(struct control *control)
{
    free_parts(control);
    cfg_problems_free(&control->commands.warnings);
}
