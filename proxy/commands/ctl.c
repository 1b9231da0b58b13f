/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/commands/ctl.h"

#include "base/array.h"
#include "config/cfg.h"
#include "proxy/commands/ctl_private.h"
#include "proxy/commands/ctl_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RELOAD_WAIT_S = 600 };

int ctl_misuse(const char *what, const char *word)
{
    fprintf(stderr, "deepproxy ctl: %s%s; deepproxy ctl help has the verbs\n", what, word);
    return CTL_MISUSED;
}

/* ---- what is sent: each returns 0, or CTL_MISUSED after a message ---- */

/* --NAME VALUE becomes parameter `name`. */
struct option {
    const char *word;
    const char *parameter;
};

void ctl_add_pool(struct ctl *ctl, const char *word)
{
    const char *slash = strchr(word, '/');
    char pool[256];
    snprintf(pool, sizeof pool, "%.*s", slash != NULL ? (int)(slash - word) : (int)strlen(word), word);
    ctl_add_parameter(&ctl->request, "pool", pool);
    if (slash != NULL)
        ctl_add_parameter(&ctl->request, "server", slash + 1);
}

static int ask_sessions(struct ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {
        {"--address", "client"}, {"--service", "service"}, {"--limit", "limit"}};
    for (int i = 0; i < argc; i++) {
        size_t option = array_find_name(options, ARRAY_LEN(options), sizeof options[0], argv[i]);
        if (option == ARRAY_LEN(options) && (argv[i][0] == '-' || i > 0))
            return ctl_misuse("not understood: ", argv[i]);
        if (option == ARRAY_LEN(options))
            ctl_add_pool(ctl, argv[i]);
        else if (++i == argc)
            return ctl_misuse(options[option].word, " needs a value");
        else
            ctl_add_parameter(&ctl->request, options[option].parameter, argv[i]);
    }
    return 0;
}

static int ask_nothing(struct ctl *ctl, int argc, char **argv)
{
    (void)ctl;
    return argc == 0 ? 0 : ctl_misuse("not understood: ", argv[0]);
}

static int ask_kick(struct ctl *ctl, int argc, char **argv)
{
    if (argc != 2)
        return ctl_misuse("kick takes one of --address ADDRESS, --server POOL/SERVER, --session ID", "");
    if (strcmp(argv[0], "--session") == 0)
        ctl_add_segment(&ctl->request, argv[1]);
    else if (strcmp(argv[0], "--address") == 0)
        ctl_add_parameter(&ctl->request, "client", argv[1]);
    else if (strcmp(argv[0], "--server") == 0 && strchr(argv[1], '/') != NULL)
        ctl_add_pool(ctl, argv[1]);
    else
        return ctl_misuse("not understood: ", argv[0]);
    return 0;
}

static int ask_reload(struct ctl *ctl, int argc, char **argv)
{
    ctl->request.wait_s = RELOAD_WAIT_S;
    return ask_nothing(ctl, argc, argv);
}

/* ---- what comes ---- */

static void tell_sessions(const json_t *value, unsigned long total)
{
    static const struct ctl_column columns[] = {
        {"SESSION", "id"},    {"CLIENT", "client"}, {"SERVICE", "service"}, {"POOL", "pool"},
        {"SERVER", "server"}, {"STATE", "state"},   {"AGE", "age"}};
    ctl_table_print(value, columns, ARRAY_LEN(columns), stdout);
    if (total > json_array_size(value))
        printf("%zu of %lu sessions: --limit shows more\n", json_array_size(value), total);
}

static void tell_certificates(const json_t *value, unsigned long total)
{
    static const struct ctl_column columns[] = {
        {"NOT AFTER", "not_after"}, {"CHAIN", "chain"}, {"NAMES", "names"}};
    ctl_table_print(value, columns, ARRAY_LEN(columns), stdout);
    if (total > json_array_size(value))
        printf("%zu of %lu certificates: GET /v1/certificates?limit=10000 has more\n", json_array_size(value),
               total);
}

static void tell_config(const json_t *value, unsigned long total)
{
    (void)total;
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
}

static void tell_kick(const json_t *value, unsigned long total)
{
    json_int_t count = json_integer_value(json_object_get(value, "kicked"));
    (void)total;
    printf("%" JSON_INTEGER_FORMAT " session%s ended\n", count, count == 1 ? "" : "s");
}

/* As `deepproxy check` prints them. */
static void tell_problems(const json_t *value)
{
    const json_t *problems = json_object_get(value, "problems");
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *problem = json_array_get(problems, i);
        const char *file = json_string_value(json_object_get(problem, "file"));
        const char *severity = json_string_value(json_object_get(problem, "severity"));
        const char *text = json_string_value(json_object_get(problem, "problem"));
        json_int_t line = json_integer_value(json_object_get(problem, "line"));
        ctl_text_print(file != NULL ? file : "", stderr);
        if (line > 0)
            fprintf(stderr, ":%" JSON_INTEGER_FORMAT, line);
        fprintf(stderr, ": %s: ", severity != NULL ? severity : "");
        ctl_text_print(text != NULL ? text : "", stderr);
        putc('\n', stderr);
    }
}

static void tell_reload(const json_t *value, unsigned long total)
{
    (void)total;
    tell_problems(value);
    puts("reloaded");
}

/* ---- verbs ---- */

static const struct verb {
    const char *words;
    const char *arguments; /* for help */
    const char *what;
    const char *method;
    const char *target;
    const char *body; /* NULL: none, or what `ask` makes */
    int (*ask)(struct ctl *ctl, int argc, char **argv);
    void (*tell)(const json_t *value, unsigned long total);
} verbs[] = {
    {"show pools", "", "pools, and how many of their servers take new sessions", "GET", "/v1/pools", NULL,
     ask_nothing, ctl_tell_pools},
    {"show servers", "[POOL[/SERVER]]", "servers: what is wanted of them, and what is seen", "GET",
     "/v1/servers", NULL, ctl_ask_servers, ctl_tell_servers},
    {"show sessions", "[POOL[/SERVER]] [--address ADDRESS] [--service NAME] [--limit N]",
     "clients and their servers, 1000 at most if N does not say otherwise", "GET", "/v1/sessions", NULL,
     ask_sessions, tell_sessions},
    {"show certificates", "", "what clients are shown, and until when it is valid", "GET", "/v1/certificates",
     NULL, ask_nothing, tell_certificates},
    {"show config", "", "the configuration that is in effect, without secrets", "GET", "/v1/config", NULL,
     ask_nothing, tell_config},
    {"drain", "POOL/SERVER [--within TIME] [--wait]",
     "no new sessions; those there may finish, or get the protocol's goodbye within TIME (10min, 90s)",
     "PATCH", "/v1/servers", "{\"admin\":\"drain\"}", ctl_ask_drain, ctl_tell_server},
    {"maintain", "POOL/SERVER", "no new sessions and no checks; those there get the protocol's goodbye",
     "PATCH", "/v1/servers", "{\"admin\":\"maintenance\"}", ctl_ask_server, ctl_tell_server},
    {"ready", "POOL/SERVER", "new sessions again: takes drain and maintain back", "PATCH", "/v1/servers",
     "{\"admin\":\"ready\"}", ctl_ask_server, ctl_tell_server},
    {"weight", "POOL/SERVER N", "its share of new sessions, from 0 to 1000, until the file changes it",
     "PATCH", "/v1/servers", NULL, ctl_ask_weight, ctl_tell_server},
    {"kick", "--address ADDRESS | --server POOL/SERVER | --session ID",
     "end sessions, with the protocol's goodbye", "DELETE", "/v1/sessions", NULL, ask_kick, tell_kick},
    {"reload", "", "read the configuration again; exit status 1, and its problems, if it was refused", "POST",
     "/v1/reload", NULL, ask_reload, tell_reload},
    {"dump", "", "the commands that restore what drain, maintain and weight have set", "GET", "/v1/servers",
     NULL, ask_nothing, ctl_tell_dump},
};

static int help(void)
{
    puts("usage: deepproxy ctl [-s SOCKET | -c FILE] [--json] VERB ...\n"
         "SOCKET is admin.socket of FILE if it is not given.\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        printf("%s%s%s\n        %s\n", verbs[i].words, verbs[i].arguments[0] != '\0' ? " " : "",
               verbs[i].arguments, verbs[i].what);
    return EXIT_SUCCESS;
}

/* How many of the words are the verb's; 0: it is another one. */
static int match(const struct verb *verb, int argc, char **argv)
{
    const char *second = strchr(verb->words, ' ');
    size_t len = second != NULL ? (size_t)(second - verb->words) : strlen(verb->words);
    if (argc < 1 || strlen(argv[0]) != len || strncmp(argv[0], verb->words, len) != 0)
        return 0;
    if (second == NULL)
        return 1;
    return argc > 1 && strcmp(argv[1], second + 1) == 0 ? 2 : 0;
}

/* ---- the exchange ---- */

static int tell_error(const struct ctl *ctl, const json_t *value, unsigned status)
{
    const char *error = json_string_value(json_object_get(value, "error"));
    tell_problems(value);
    fprintf(stderr, "deepproxy ctl: %s: ", ctl->verb->words);
    if (error != NULL)
        ctl_text_print(error, stderr);
    else
        fprintf(stderr, "the program answers with status %u", status);
    putc('\n', stderr);
    return EXIT_FAILURE;
}

static int tell(const struct ctl *ctl, const struct ctl_answer *answer)
{
    bool is_good = answer->status == 200;
    if (ctl->is_json) {
        fwrite(answer->body.data, 1, answer->body.len, stdout);
        return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    json_t *value = json_loadb((const char *)answer->body.data, answer->body.len, 0, NULL);
    int status = EXIT_SUCCESS;
    if (is_good && value != NULL)
        ctl->verb->tell(value, answer->total);
    else
        status = tell_error(ctl, value, answer->status);
    json_decref(value);
    return status;
}

static int run(const struct ctl *ctl)
{
    struct ctl_answer answer;
    bool ok = ctl_exchange(ctl->socket, &ctl->request, &answer) &&
              (!ctl->waits || ctl_wait_for_drain(ctl, &answer));
    int status = ok ? tell(ctl, &answer) : EXIT_FAILURE;
    bytes_free(&answer.body);
    if (fflush(stdout) == 0)
        return status;
    perror("deepproxy ctl: standard output");
    return EXIT_FAILURE;
}

/* A file with mistakes in it names its socket all the same: it may be what is to be reloaded. */
static int run_on_file(struct ctl *ctl, const char *path)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg = cfg_load_to_check(path, &problems);
    int status = EXIT_FAILURE;
    ctl->socket = cfg != NULL ? cfg->admin.socket : NULL;
    if (ctl->socket != NULL) {
        status = run(ctl);
    } else {
        if (problems.errors > 0)
            cfg_problems_print(&problems, stderr);
        fprintf(stderr, "deepproxy ctl: %s names no admin.socket: name one there, or give it by -s\n", path);
    }
    cfg_free(&cfg);
    cfg_problems_free(&problems);
    return status;
}

static int run_verb(struct ctl *ctl, const char *file, int argc, char **argv)
{
    int words = 0;
    for (size_t i = 0; i < ARRAY_LEN(verbs) && words == 0; i++) {
        words = match(&verbs[i], argc, argv);
        ctl->verb = &verbs[i];
    }
    if (words == 0)
        return ctl_misuse("no such verb: ", argv[0]);
    ctl->request = (struct ctl_request){.method = ctl->verb->method, .wait_s = CTL_WAIT_S};
    snprintf(ctl->request.target, sizeof ctl->request.target, "%s", ctl->verb->target);
    if (ctl->verb->body != NULL)
        snprintf(ctl->request.body, sizeof ctl->request.body, "%s", ctl->verb->body);
    int misused = ctl->verb->ask(ctl, argc - words, argv + words);
    if (misused != 0)
        return misused;
    return ctl->socket != NULL ? run(ctl) : run_on_file(ctl, file);
}

/* Reads one option at argv[0], of which there are `argc`. How many words it has; negative after a message. */
static int read_option(struct ctl *ctl, const char **file, int argc, char **argv)
{
    bool is_socket = strcmp(argv[0], "-s") == 0;
    if (strcmp(argv[0], "--json") == 0) {
        ctl->is_json = true;
        return 1;
    }
    if (!is_socket && strcmp(argv[0], "-c") != 0)
        return -ctl_misuse("not understood: ", argv[0]);
    if (argc == 1)
        return -ctl_misuse(argv[0], is_socket ? " needs a socket" : " needs a file");
    *(is_socket ? &ctl->socket : file) = argv[1];
    return 2;
}

int ctl_command(const char *default_file, int argc, char **argv)
{
    const char *file = default_file;
    struct ctl ctl = {0};
    int i = 0;
    while (i < argc && argv[i][0] == '-') {
        int words = read_option(&ctl, &file, argc - i, argv + i);
        if (words < 0)
            return -words;
        i += words;
    }
    if (i == argc)
        return ctl_misuse("which verb?", "");
    if (strcmp(argv[i], "help") == 0 && argc == i + 1)
        return help();
    return run_verb(&ctl, file, argc - i, argv + i);
}
