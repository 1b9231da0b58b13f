/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/tickets.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAME_SHOWN = 4 }; /* octets of a key's name in the log */

struct tickets_time tickets_time_now(void)
{
    struct timespec running = {0};
    clock_gettime(CLOCK_BOOTTIME, &running);
    return (struct tickets_time){.running = running.tv_sec, .wall = time(NULL)};
}

/* ---- the log ---- */

static void begin_line(struct log_line *line, enum cfg_log_level level, const struct tickets *tickets,
                       const char *step)
{
    log_line_begin(line, level, "ticket-keys");
    log_line_add_text(line, "step", step);
    log_line_add_text(line, "file", tickets->path);
}

static void log_note(const struct tickets *tickets, enum cfg_log_level level, const char *step,
                     const char *note, struct log *log)
{
    struct log_line line;
    begin_line(&line, level, tickets, step);
    log_line_add_text(&line, "note", note);
    log_write(log, &line);
}

static void log_refused(const struct tickets *tickets, const struct ticket_file_problem *problem,
                        struct log *log)
{
    struct log_line line;
    begin_line(&line, CFG_LOG_ERROR, tickets, "refused");
    if (problem->line > 0)
        log_line_add_number(&line, "line", problem->line);
    log_line_add_text(&line, "reason", problem->text);
    log_line_add_text(&line, "note", "the keys before it stay in use");
    log_write(log, &line);
}

static void log_in_use(const struct tickets *tickets, const struct tls_ticket_set *set, struct log *log)
{
    struct log_line line;
    char key[2 * NAME_SHOWN + 1];
    for (size_t i = 0; i < NAME_SHOWN; i++)
        snprintf(key + 2 * i, 3, "%02x", set->keys[set->sealing].name[i]);
    begin_line(&line, CFG_LOG_INFO, tickets, "in use");
    log_line_add_text(&line, "key", key);
    log_line_add_number(&line, "keys", set->count);
    log_write(log, &line);
}

static void log_new_keys(struct tickets *tickets, struct log *log)
{
    struct tls_ticket_set set;
    uint8_t names[TLS_TICKET_KEYS][TLS_TICKET_NAME] = {{0}};
    tls_ticket_keys_get(tickets->keys, &set);
    for (size_t i = 0; i < set.count; i++)
        memcpy(names[i], set.keys[i].name, TLS_TICKET_NAME);
    if (memcmp(names, tickets->logged, sizeof names) != 0)
        log_in_use(tickets, &set, log);
    memcpy(tickets->logged, names, sizeof names);
    tls_ticket_set_wipe(&set);
}

/* ---- the file ---- */

bool tickets_have_file(const struct tickets *tickets)
{
    return tickets->keys != NULL && tickets->path != NULL;
}

void tickets_file_ask(struct tickets_file *file, const struct tickets *tickets)
{
    *file = (struct tickets_file){.path = tickets->path, .is_first = !tickets->looked, .seen = tickets->seen};
}

/*
 * At the first look: was the file readable as root, and is it no longer? Otherwise the log would have it at
 * the next rotation alone.
 */
static bool is_out_of_reach(const struct tickets_file *file)
{
    return file->is_first && access(file->path, R_OK) != 0;
}

/* The mark is taken first: a change while the file is read is found at the next look. */
void tickets_file_read(struct tickets_file *file)
{
    file->mark = tls_file_mark(file->path);
    file->was_read = is_out_of_reach(file) || !tls_file_mark_equals(&file->mark, &file->seen);
    if (file->was_read)
        file->ok = ticket_file_read(file->path, &file->set, &file->facts, &file->problem);
}

void tickets_file_wipe(struct tickets_file *file)
{
    tls_ticket_set_wipe(&file->set);
}

/* True if there are other keys now. */
static bool take_file(struct tickets *tickets, const struct tickets_file *file)
{
    tickets->seen = file->mark;
    if (file->ok) {
        tls_ticket_keys_replace(tickets->keys, &file->set);
        tickets->stale_since = file->facts.st_mtim.tv_sec;
    }
    return file->ok;
}

static void take_look(struct tickets *tickets, const struct tickets_file *file, struct log *log)
{
    tickets->looked = true;
    if (!file->was_read)
        return;
    if (!take_file(tickets, file))
        log_refused(tickets, &file->problem, log);
    else if (ticket_file_exposure(&file->facts) != NULL)
        log_note(tickets, CFG_LOG_WARNING, "exposed", ticket_file_exposure(&file->facts), log);
}

static void warn_of_age(struct tickets *tickets, int64_t now, struct log *log)
{
    if (now - tickets->stale_since < TICKETS_STALE_SECONDS)
        return;
    log_note(
        tickets, CFG_LOG_WARNING, "stale",
        "not rotated for a week or more: whoever gets hold of the keys can read what was recorded since; "
        "let cron rotate them",
        log);
    tickets->stale_since = now - TICKETS_STALE_SECONDS + TICKETS_STALE_AGAIN_SECONDS;
}

static bool open_file(struct tickets *tickets, const struct cfg *cfg, struct cfg_problems *problems)
{
    struct tickets_file file;
    tickets_file_ask(&file, tickets);
    file.mark = tls_file_mark(file.path);
    file.ok = ticket_file_read(file.path, &file.set, &file.facts, &file.problem);
    bool ok = take_file(tickets, &file);
    struct cfg_place place = {tickets->path, file.problem.line};
    if (!ok && file.problem.error != 0)
        cfg_problems_add(problems, CFG_ERROR, cfg->tls.ticket_keys_place, "%s: %s", tickets->path,
                         file.problem.text);
    else if (!ok)
        cfg_problems_add(problems, CFG_ERROR, place, "%s", file.problem.text);
    else if (ticket_file_exposure(&file.facts) != NULL)
        cfg_problems_add(problems, CFG_WARNING, place, "%s", ticket_file_exposure(&file.facts));
    tickets_file_wipe(&file);
    return ok;
}

/* ---- life ---- */

bool tickets_open(struct tickets *tickets, const struct cfg *cfg, struct tickets_time now,
                  struct cfg_problems *problems)
{
    *tickets = (struct tickets){.path = cfg->tls.ticket_keys};
    if (!cfg->tls.session_tickets)
        return true;
    tickets->keys = tls_ticket_keys_new(now.running);
    return tickets->keys != NULL && (tickets->path == NULL || open_file(tickets, cfg, problems));
}

void tickets_inherit(struct tickets *tickets, const struct tickets *before)
{
    if (tickets->keys == NULL || before->keys == NULL)
        return;
    memcpy(tickets->logged, before->logged, sizeof tickets->logged);
    if (tickets->path == NULL && before->path == NULL)
        tls_ticket_keys_copy(tickets->keys, before->keys);
}

void tickets_look(struct tickets *tickets, const struct tickets_file *file, struct tickets_time now,
                  struct log *log)
{
    if (tickets->keys == NULL)
        return;
    if (file == NULL) {
        tls_ticket_keys_rotate_if_due(tickets->keys, now.running);
    } else {
        take_look(tickets, file, log);
        warn_of_age(tickets, now.wall, log);
    }
    log_new_keys(tickets, log);
}

void tickets_close(struct tickets *tickets)
{
    tls_ticket_keys_unref(&tickets->keys);
}
