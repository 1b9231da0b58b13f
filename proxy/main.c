/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control.h"
#include "proxy/probe.h"
#include "proxy/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define DEFAULT_FILE "/etc/deepproxy/deepproxy.conf"

static const char usage[] =
    "usage: deepproxy run [-c FILE]      serve, in the foreground; the log goes to standard error\n"
    "       deepproxy check [-c FILE]    say everything that is wrong with a configuration\n"
    "       deepproxy probe [-c FILE]    ask the running proxy for its greeting; exit status 0 when it is "
    "well\n"
    "       deepproxy version            the version of deepproxy and of its libraries\n"
    "       deepproxy help               this text\n"
    "FILE is " DEFAULT_FILE " where none is given.\n";

struct loaded {
    struct snapshot *snapshot;
    struct tls_context *tls;
};

static void unload(struct loaded *loaded)
{
    snapshot_unref(&loaded->snapshot);
    tls_context_unref(&loaded->tls);
}

/* False after everything that is wrong has been said. */
static bool load(const char *path, struct loaded *loaded)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg = cfg_load_to_check(path, &problems);
    *loaded = (struct loaded){NULL, NULL};
    if (problems.errors == 0) {
        loaded->tls = snapshot_load_tls(cfg, NULL, &problems);
        loaded->snapshot = snapshot_new(&cfg, NULL, &problems);
    } else {
        snapshot_check_certificates(cfg, &problems);
    }
    cfg_free(&cfg);
    cfg_problems_print(&problems, stderr);
    bool ok = loaded->snapshot != NULL && loaded->tls != NULL;
    if (!ok) {
        fprintf(stderr, "deepproxy: %s: %zu error%s\n", path, problems.errors,
                problems.errors == 1 ? "" : "s");
        unload(loaded);
    }
    cfg_problems_free(&problems);
    return ok;
}

static int run(const char *path)
{
    struct loaded loaded;
    return load(path, &loaded) ? control_run(loaded.snapshot, loaded.tls) : EXIT_FAILURE;
}

static int check(const char *path)
{
    struct loaded loaded;
    if (!load(path, &loaded))
        return EXIT_FAILURE;
    printf("%s: no errors\n", path);
    unload(&loaded);
    return EXIT_SUCCESS;
}

static int probe(const char *path)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg = cfg_load(path, &problems);
    if (cfg == NULL)
        cfg_problems_print(&problems, stderr);
    cfg_problems_free(&problems);
    if (cfg == NULL)
        return EXIT_FAILURE;
    bool well = probe_services(cfg);
    cfg_free(&cfg);
    return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int version(const char *path)
{
    (void)path;
    printf("deepproxy %s\nlibuv %s\n%s\n%s\n", DEEPPROXY_VERSION, uv_version_string(), tls_library_name(),
           cfg_library_name());
    return EXIT_SUCCESS;
}

static int help(const char *path)
{
    (void)path;
    fputs(usage, stdout);
    return EXIT_SUCCESS;
}

static const struct command {
    const char *name;
    int (*run)(const char *path);
    bool takes_file;
} commands[] = {
    {"run", run, true},          {"check", check, true}, {"probe", probe, true},
    {"version", version, false}, {"help", help, false},  {"--version", version, false},
    {"--help", help, false},     {"-h", help, false},
};

static int misused(const char *what, const char *word)
{
    fprintf(stderr, "deepproxy: %s%s\n%s", what, word, usage);
    return 2;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *path = DEFAULT_FILE;
    if (argc < 2)
        return misused("which command?", "");
    const struct command *command = find(argv[1]);
    if (command == NULL)
        return misused("no such command: ", argv[1]);
    for (int i = 2; i < argc; i++) {
        bool is_file = command->takes_file && strcmp(argv[i], "-c") == 0;
        if (!is_file)
            return misused("not understood: ", argv[i]);
        if (++i == argc)
            return misused("-c needs a file", "");
        path = argv[i];
    }
    return command->run(path);
}
