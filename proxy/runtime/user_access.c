/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/user_access.h"

#include "base/array.h"
#include "proxy/common/privileges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Warnings of one start: thousands of keys may have the same fault. */
#define NAMED_MAX 10

struct asking {
    struct privileges_access *questions;
    struct cfg_place *places; /* of the settings that name them */
    size_t count;
    size_t question_cap;
    size_t place_cap;
    size_t for_guard; /* questions from this index on are of files that a guard could read */
    bool failed;      /* memory is short */
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

/* ---- what is read again ---- */

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
        ask_file(asking, info.path, tls->place);
        ask_file(asking, info.key_path, tls->place);
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
    for (size_t i = 0; i < asking->count; i++) {
        if (asking->questions[i].error != EACCES || is_known(asking, named, count, i))
            continue;
        if (count == NAMED_MAX) {
            more++;
            continue;
        }
        named[count++] = i;
        warn(asking, i, user, problems);
    }
    if (more > 0)
        cfg_problems_add(problems, CFG_WARNING, asking->places[0], "user \"%s\" can't read %zu more files",
                         user, more);
}

void user_access_check(const struct runtime *runtime, bool has_guard, struct cfg_problems *problems)
{
    const struct cfg *cfg = runtime->snapshot->cfg;
    struct asking asking = {0};
    char error[256] = "out of memory";
    if (geteuid() != 0)
        return;
    ask_for_all(&asking, runtime, has_guard);
    if (!asking.failed &&
        privileges_ask_as(cfg->user, cfg->group, asking.questions, asking.count, error, sizeof error))
        warn_of_all(&asking, privileges_user(cfg->user), problems);
    else
        cfg_problems_add(problems, CFG_WARNING, (struct cfg_place){cfg->path, 0},
                         "it is unknown what the program can read after its start: %s", error);
    free(asking.questions);
    free(asking.places);
}
