/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/user_access.h"

#include "base/array.h"
#include "base/slice.h"
#include "config/cfg_endpoint.h"
#include "proxy/common/privileges.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Warnings of one start: thousands of keys may have the same fault. */
#define NAMED_MAX 10

enum { DEEDS = 2, ERROR_MAX = 512 };

/* What the program will do itself as the user that it becomes. */
struct deed {
    const char *task;
    const char *remedy; /* "let that user": if the path itself is in the way, and no folder before it */
};

struct asking {
    struct deed deeds[DEEDS]; /* of the first questions */
    size_t deed_count;
    char state_folder[PATH_MAX];
    struct privileges_access *questions;
    struct cfg_place *places; /* of the settings that name them */
    size_t count;
    size_t question_cap;
    size_t place_cap;
    size_t for_sockets; /* questions from this index on are of servers' Unix sockets */
    size_t for_guard;   /* questions from this index on are of files that a guard could read */
    bool failed;        /* memory is short */
};

static void ask(struct asking *asking, const char *path, int mode, struct cfg_place place)
{
    if (path == NULL || asking->failed)
        return;
    struct privileges_access *questions =
        array_make_room(asking->questions, asking->count, &asking->question_cap, sizeof *questions);
    asking->questions = questions != NULL ? questions : asking->questions;
    struct cfg_place *places =
        array_make_room(asking->places, asking->count, &asking->place_cap, sizeof *places);
    asking->places = places != NULL ? places : asking->places;
    asking->failed = questions == NULL || places == NULL;
    if (asking->failed)
        return;
    asking->questions[asking->count] = (struct privileges_access){.path = path, .mode = mode};
    asking->places[asking->count++] = place;
}

static void ask_file(struct asking *asking, const char *path, struct cfg_place place)
{
    ask(asking, path, R_OK, place);
}

/* ---- what is done ---- */

/* The folder of the path, which is absolute or relative. */
static void copy_folder(char folder[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    int len = slash != NULL ? (int)(slash - path) : 0;
    if (slash == NULL)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", len > 0 ? len : 1, path);
}

static void ask_for_deed(struct asking *asking, const char *path, int mode, struct cfg_place place,
                         struct deed deed)
{
    ask(asking, path, mode, place);
    asking->deeds[asking->deed_count++] = deed;
}

/* The first questions of all. */
static void ask_for_deeds(struct asking *asking, const struct cfg *cfg)
{
    static const struct deed read = {"read the ticket keys", "read the file (chown it)"};
    static const struct deed write = {"write the state file, which remembers what is promised",
                                      "write into that folder (chown it)"};
    if (cfg->tls.ticket_keys != NULL && cfg->tls.session_tickets)
        ask_for_deed(asking, cfg->tls.ticket_keys, R_OK, cfg->tls.ticket_keys_place, read);
    if (cfg->state_file == NULL)
        return;
    /* It is replaced by a new file beside it, and read at the next start, by root. */
    copy_folder(asking->state_folder, cfg->state_file);
    ask_for_deed(asking, asking->state_folder, W_OK | X_OK, cfg->state_file_place, write);
}

static void add_error(const struct asking *asking, size_t at, const char *user, struct cfg_problems *problems)
{
    const struct privileges_access *question = &asking->questions[at];
    const struct deed *deed = &asking->deeds[at];
    bool bars_itself = question->path[question->barred_len] == '\0';
    cfg_problems_add(problems, CFG_ERROR, asking->places[at],
                     "the user \"%s\", who the program becomes, can't %s: %s at %.*s; let that user %s, or "
                     "choose another place",
                     user, deed->task,
                     question->error == EROFS ? "a file system that is only read" : "no permission",
                     (int)question->barred_len, question->path,
                     bars_itself ? deed->remedy : "pass through that folder (chmod o+x)");
}

static void add_errors(const struct asking *asking, const char *user, struct cfg_problems *problems)
{
    for (size_t i = 0; i < asking->deed_count; i++)
        if (asking->questions[i].error == EACCES || asking->questions[i].error == EROFS)
            add_error(asking, i, user, problems);
}

/* ---- what is read again ---- */

/* Of the setting that names the certificate at this path, or the folder that it is in. */
static struct cfg_place place_of(const struct cfg_tls *tls, const char *path)
{
    for (size_t i = 0; i < tls->certificate_count; i++)
        if (strcmp(tls->certificates[i].chain, path) == 0)
            return tls->certificates[i].place;
    for (size_t i = 0; i < tls->directory_count; i++)
        if (slice_has_prefix(slice_of(path), tls->directories[i].path))
            return tls->directories[i].place;
    return tls->place;
}

/* What the guard reads, if there is one. */
static void ask_for_certificates(struct asking *asking, const struct runtime *runtime)
{
    const struct cfg *cfg = runtime->snapshot->cfg;
    const struct cfg_tls *tls = &cfg->tls;
    for (size_t i = 0; i < tls->directory_count; i++)
        ask(asking, tls->directories[i].path, R_OK | X_OK, tls->directories[i].place);
    for (size_t i = 0; i < tls->certificate_count; i++) {
        ask_file(asking, tls->certificates[i].passphrase, tls->certificates[i].place);
        ask_file(asking, tls->certificates[i].ocsp, tls->certificates[i].place);
    }
    ask_file(asking, tls->passphrase, tls->passphrase_place);
    for (size_t i = 0; i < tls_context_certificate_count(runtime->tls); i++) {
        struct tls_certificate_info info = tls_context_certificate(runtime->tls, i);
        struct cfg_place place = place_of(tls, info.path);
        ask_file(asking, info.path, place);
        ask_file(asking, info.key_path, place);
    }
    for (size_t i = 0; i < cfg->pool_count; i++) {
        const struct cfg_pool_tls *pool = &cfg->pools[i].tls;
        ask_file(asking, pool->certificate, pool->certificate_place);
        ask_file(asking, pool->key, pool->certificate_place);
        ask_file(asking, pool->passphrase, pool->certificate_place);
    }
}

static void ask_for_service(struct asking *asking, const struct cfg_service *service)
{
    const struct cfg_client_certificates *clients = service->client_certificates;
    ask_file(asking, service->deep->ca, service->deep->ca_place);
    if (clients == NULL)
        return;
    ask_file(asking, clients->ca, clients->ca_place);
    ask_file(asking, clients->crl, clients->crl_place);
}

/* To connect is to write. */
static void ask_for_sockets(struct asking *asking, const struct cfg *cfg)
{
    for (size_t i = 0; i < cfg->pool_count; i++)
        for (size_t k = 0; k < cfg->pools[i].server_count; k++) {
            const struct cfg_endpoint *server = &cfg->pools[i].servers[k].address;
            if (cfg_endpoint_is_unix(server))
                ask(asking, server->host, W_OK, server->place);
        }
}

static void ask_for_all(struct asking *asking, const struct runtime *runtime, bool has_guard)
{
    const struct cfg *cfg = runtime->snapshot->cfg;
    ask_file(asking, cfg->path, (struct cfg_place){cfg->path, 0});
    for (size_t i = 0; i < cfg->service_count; i++)
        ask_for_service(asking, &cfg->services[i]);
    for (size_t i = 0; i < cfg->host_count; i++)
        if (cfg->hosts[i].deep != NULL)
            ask_file(asking, cfg->hosts[i].deep->ca, cfg->hosts[i].deep->ca_place);
    for (size_t i = 0; i < cfg->pool_count; i++)
        ask_file(asking, cfg->pools[i].tls.ca, cfg->pools[i].tls.ca_place);
    asking->for_sockets = asking->count;
    ask_for_sockets(asking, cfg);
    asking->for_guard = asking->count;
    if (!has_guard)
        ask_for_certificates(asking, runtime);
}

/* ---- what bars it ---- */

static bool is_same_bar(const struct privileges_access *a, const struct privileges_access *b)
{
    return a->barred_len == b->barred_len && strncmp(a->path, b->path, a->barred_len) == 0;
}

/* One for a folder that can't be entered, and not one for each file in it. */
static bool is_known(const struct asking *asking, const size_t *named, size_t count, size_t at)
{
    for (size_t i = 0; i < count; i++)
        if (is_same_bar(&asking->questions[named[i]], &asking->questions[at]))
            return true;
    return false;
}

static void warn_of_socket(const struct asking *asking, size_t at, const char *user,
                           struct cfg_problems *problems)
{
    const struct privileges_access *question = &asking->questions[at];
    int len = (int)question->barred_len;
    bool is_folder = question->path[question->barred_len] != '\0';
    cfg_problems_add(problems, CFG_WARNING, asking->places[at],
                     "user \"%s\" can't connect to the server's socket %s: no permission at %.*s; let that "
                     "user %s (setfacl -m u:%s:%s %.*s), or have the server make it so",
                     user, question->path, len, question->path,
                     is_folder ? "pass through that folder" : "write to it", user, is_folder ? "x" : "rw",
                     len, question->path);
}

static void warn(const struct asking *asking, size_t at, const char *user, struct cfg_problems *problems)
{
    static const char guard[] = ", or have root's guard read it (key_isolation = true)";
    const struct privileges_access *question = &asking->questions[at];
    int len = (int)question->barred_len;
    bool bars_others = question->path[question->barred_len] != '\0'; /* it is a folder on the path */
    bool is_folder = bars_others || (question->mode & X_OK) != 0;
    cfg_problems_add(problems, CFG_WARNING, asking->places[at],
                     "user \"%s\" can't %s %.*s%s%s: after the start, reloads and renewals that need it are "
                     "refused; let that user read it (setfacl -m u:%s:%s %.*s)%s",
                     user, is_folder ? "enter" : "read", len, question->path, bars_others ? " to read " : "",
                     bars_others ? question->path : "", user, is_folder ? "rx" : "r", len, question->path,
                     at < asking->for_guard ? "" : guard);
}

static void warn_of_all(const struct asking *asking, const char *user, struct cfg_problems *problems)
{
    size_t named[NAMED_MAX];
    size_t count = 0;
    size_t more = 0;
    for (size_t i = asking->deed_count; i < asking->count; i++) {
        if (asking->questions[i].error != EACCES || is_known(asking, named, count, i))
            continue;
        if (count == NAMED_MAX) {
            more++;
            continue;
        }
        named[count++] = i;
        if (i >= asking->for_sockets && i < asking->for_guard)
            warn_of_socket(asking, i, user, problems);
        else
            warn(asking, i, user, problems);
    }
    if (more > 0)
        cfg_problems_add(problems, CFG_WARNING, asking->places[asking->deed_count],
                         "user \"%s\" can't read %zu more files", user, more);
}

/* ---- all of it ---- */

static void ask_all(struct asking *asking, const struct user_access *access, const struct cfg *cfg,
                    struct cfg_problems *problems)
{
    char error[ERROR_MAX] = "out of memory";
    const char *user = privileges_user(cfg->user);
    if (!asking->failed && asking->count == 0)
        return;
    if (!asking->failed &&
        privileges_ask_as(cfg->user, cfg->group, asking->questions, asking->count, error, sizeof error)) {
        add_errors(asking, user, problems);
        warn_of_all(asking, user, problems);
    } else if (access->runtime != NULL) /* or else an error tells it */
        cfg_problems_add(problems, CFG_WARNING, (struct cfg_place){cfg->path, 0},
                         "it is unknown what the program can read after its start: %s", error);
}

void user_access_check(const struct user_access *access, struct cfg_problems *problems)
{
    const struct cfg *cfg = access->runtime != NULL ? access->runtime->snapshot->cfg : access->cfg;
    struct asking asking = {0};
    if (geteuid() != 0 || cfg == NULL)
        return;
    if (access->is_check)
        ask_for_deeds(&asking, cfg);
    if (access->runtime != NULL)
        ask_for_all(&asking, access->runtime, access->has_guard);
    ask_all(&asking, access, cfg, problems);
    free(asking.questions);
    free(asking.places);
}
