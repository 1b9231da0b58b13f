/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/admin/admin.h"
#include "proxy/control/control.h"
#include "proxy/control/pool_names.h"
#include "proxy/keyclient/key_manager.h"
#include "proxy/keyclient/key_spawn.h"
#include "proxy/common/privileges.h"
#include "proxy/parent/parent.h"
#include "proxy/parent/parent_link.h"
#include "proxy/commands/check_report.h"
#include "proxy/commands/ctl.h"
#include "proxy/commands/probe.h"
#include "proxy/runtime/runtime.h"
#include "proxy/runtime/user_access.h"
#include "proxy/commands/ticket_keys_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

/* So long `deepproxy check` waits for the name service. */
#define CHECK_NAMES_MS 15000
#define DEFAULT_FILE   "/etc/deepproxy/deepproxy.conf"

/*
 * The command line: each command is a row of one table, and a function. It decides nothing that a command
 * does not. A visitor of this room begins at the table.
 */

static const char usage[] =
    "usage: deepproxy run [-c FILE]      serve, in the foreground; the log is on standard error\n"
    "       deepproxy check [-c FILE]    report everything that is wrong with a configuration, or what it "
    "has\n"
    "       deepproxy probe [-c FILE]    ask the running proxy for its greeting; exit status 0 when it is "
    "well\n"
    "       deepproxy ctl [-s SOCKET | -c FILE] [--json] VERB ...\n"
    "                                    look into the running proxy and control it; deepproxy ctl help has "
    "the "
    "verbs\n"
    "       deepproxy ticket-keys PATH   make a file of keys for session tickets, or rotate the keys in it\n"
    "       deepproxy version            the version of deepproxy and of its libraries\n"
    "       deepproxy help               this text\n"
    "FILE is " DEFAULT_FILE " if none is given.\n";

/* The private keys, if they are in a process of their own. */
struct isolated_keys {
    struct key_manager *manager; /* NULL: they are in this process */
    pid_t guard;                 /* 0: there is none, or the parent waits for it */
};

static struct key_manager *start_guard(const struct cfg *cfg, unsigned channels, pid_t *guard,
                                       struct cfg_problems *problems)
{
    char error[KEY_SPAWN_ERROR_MAX];
    struct keys_user user;
    int control = key_spawn_find_user(cfg, &user, error) ? key_spawn(&user, guard, error) : -1;
    if (control >= 0)
        return key_manager_new(cfg, channels, control, problems);
    cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){cfg->path, 0}, "no key process: %s", error);
    return NULL;
}

/* With the guard that the parent has started; `parent` is its first word. */
static struct key_manager *take_guard(const struct cfg *cfg, unsigned channels,
                                      const struct parent_word *parent, struct cfg_problems *problems)
{
    if (parent->control >= 0)
        return key_manager_new(cfg, channels, parent->control, problems);
    cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){cfg->path, 0}, "no key process: %s",
                     parent->text[0] != '\0' ? parent->text : "the file has just been changed");
    return NULL;
}

/*
 * False after problems. `channel_count` NULL: there is nothing to sign. `parent` NULL: nobody has started it.
 */
static bool start_keys_for(const struct cfg *cfg, unsigned (*channel_count)(const struct cfg *cfg),
                           const struct parent_word *parent, struct isolated_keys *keys,
                           struct cfg_problems *problems)
{
    unsigned channels = channel_count != NULL ? channel_count(cfg) : 0;
    if (cfg->key_isolation)
        keys->manager = parent != NULL ? take_guard(cfg, channels, parent, problems)
                                       : start_guard(cfg, channels, &keys->guard, problems);
    else if (parent != NULL && parent->control >= 0)
        close(parent->control);
    return !cfg->key_isolation || keys->manager != NULL;
}

/*
 * The process for private keys comes before all else, as it keeps the privileges that this one is to give up.
 * The problems of the configuration are reported when it is loaded, unless it is not loaded for want of the
 * process. `*text`, which is the caller's, is what was read; NULL if memory was short.
 */
static bool start_keys(const char *path, unsigned (*channel_count)(const struct cfg *cfg),
                       const struct parent_word *parent, struct isolated_keys *keys, struct cfg **text,
                       struct cfg_problems *problems)
{
    struct cfg_problems of_text = {0};
    struct cfg *cfg = cfg_load_to_check(path, &of_text);
    *text = cfg;
    *keys = (struct isolated_keys){0};
    /* Of a file that could not be read all is told by then. */
    bool ok = cfg != NULL && cfg->user_place.file != NULL && privileges_check(cfg, &of_text) &&
              start_keys_for(cfg, channel_count, parent, keys, &of_text);
    if (!ok) {
        cfg_problems_free(problems);
        *problems = of_text;
        of_text = (struct cfg_problems){0};
    }
    cfg_problems_free(&of_text);
    return ok;
}

static void end_keys(struct isolated_keys *keys)
{
    key_manager_free(&keys->manager);
    if (keys->guard > 0)
        key_spawn_wait(keys->guard);
}

/* With a warning for each that has no address. If memory is short, they stay unknown. */
static void look_up_names(struct runtime *runtime, struct cfg_problems *problems)
{
    struct snapshot *snapshot = runtime->snapshot;
    struct pool_names *names = pool_names_new(NULL, NULL, 0);
    struct member_lists *lists = NULL;
    if (names != NULL && pool_names_prepare(names, snapshot->cfg)) {
        pool_names_wait(names, CHECK_NAMES_MS);
        pool_names_warn(names, snapshot->cfg, problems);
        lists = pool_names_make_lists(names, snapshot->cfg, snapshot->registry, NULL);
    }
    if (lists != NULL) {
        member_lists_unref(&runtime->members);
        runtime->members = lists;
    }
    pool_names_free(&names);
}

/* False after all problems were printed. */
static bool load_runtime(const char *path, unsigned (*channel_count)(const struct cfg *cfg),
                         const struct parent_word *parent, struct runtime *runtime,
                         struct isolated_keys *keys)
{
    static const struct runtime nothing = {0};
    struct cfg_problems problems = {0};
    struct cfg *text;
    bool ok = start_keys(path, channel_count, parent, keys, &text, &problems);
    const struct tls_key_source *source = keys->manager != NULL ? key_manager_source(keys->manager) : NULL;
    ok = ok && runtime_load(path, source, &nothing, runtime, &problems);
    /* The program that serves looks them up when it is confined. */
    if (ok && parent == NULL)
        look_up_names(runtime, &problems);
    struct user_access access = {text, ok ? runtime : NULL, source != NULL, parent == NULL};
    user_access_check(&access, &problems);
    cfg_free(&text);
    if (ok && problems.errors > 0)
        runtime_unref(runtime);
    ok = ok && problems.errors == 0;
    cfg_problems_print(&problems, stderr);
    if (!ok)
        fprintf(stderr, "deepproxy: %s: %zu error%s\n", path, problems.errors,
                problems.errors == 1 ? "" : "s");
    cfg_problems_free(&problems);
    return ok;
}

static int run_command(const char *path)
{
    parent_hold_signals();
    privileges_forbid_core_dumps();
    return parent_run(path);
}

static int misused(const char *what, const char *word)
{
    fprintf(stderr, "deepproxy: %s%s\n%s", what, word, usage);
    return 2;
}

/* What the parent starts; nobody else can. */
static int serve_command(const char *path)
{
    struct runtime runtime;
    struct isolated_keys keys;
    struct parent_word first;
    if (!parent_link_open(&first))
        return misused("no such command: ", "serve");
    /* As it was started by /proc/self/exe it would be "exe" for ps and top. */
    prctl(PR_SET_NAME, "deepproxy");
    int status = load_runtime(path, control_channel_count, &first, &runtime, &keys)
                     ? control_run(&runtime, keys.manager, PARENT_LINK_FD)
                     : EXIT_FAILURE;
    end_keys(&keys);
    return status;
}

static int check_command(const char *path)
{
    struct runtime runtime;
    struct isolated_keys keys;
    bool ok = load_runtime(path, NULL, NULL, &runtime, &keys);
    if (ok) {
        printf("%s: no errors\n", path);
        check_report_print(&runtime, stdout);
        runtime_unref(&runtime);
    }
    end_keys(&keys);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int probe_command(const char *path)
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

static int version_command(const char *path)
{
    (void)path;
    const char *keys = key_manager_library();
    printf("deepproxy %s\nlibuv %s\n%s\n%s\n%s\nkeys: %s\n", DEEPPROXY_VERSION, uv_version_string(),
           tls_library_name(), cfg_library_name(), admin_library_name(),
           keys != NULL ? keys : "deepproxy-keys is not there");
    return EXIT_SUCCESS;
}

static int help_command(const char *path)
{
    (void)path;
    fputs(usage, stdout);
    return EXIT_SUCCESS;
}

static const struct command {
    const char *name;
    int (*run)(const char *path);
    enum { NOTHING, CONFIGURATION, KEY_FILE, VERB } takes;
} commands[] = {
    {"run", run_command, CONFIGURATION},
    {"serve", serve_command, CONFIGURATION},
    {"check", check_command, CONFIGURATION},
    {"probe", probe_command, CONFIGURATION},
    {"ctl", NULL, VERB},
    {"ticket-keys", ticket_keys_command, KEY_FILE},
    {"version", version_command, NOTHING},
    {"help", help_command, NOTHING},
    {"--version", version_command, NOTHING},
    {"--help", help_command, NOTHING},
    {"-h", help_command, NOTHING},
};

static const struct command *find_command(const char *name)
{
    size_t index = array_find_name(commands, ARRAY_LEN(commands), sizeof commands[0], name);
    return index < ARRAY_LEN(commands) ? &commands[index] : NULL;
}

/* The arguments after `ticket-keys`: the path, and nothing else. */
static int run_on_key_file(const struct command *command, int argc, char **argv)
{
    if (argc < 3)
        return misused(command->name, " needs a file");
    if (argv[2][0] == '-' || argc > 3)
        return misused("not understood: ", argv[argc > 3 ? 3 : 2]);
    return command->run(argv[2]);
}

int main(int argc, char **argv)
{
    const char *path = DEFAULT_FILE;
    if (argc < 2)
        return misused("which command?", "");
    const struct command *command = find_command(argv[1]);
    if (command == NULL)
        return misused("no such command: ", argv[1]);
    if (command->takes == KEY_FILE)
        return run_on_key_file(command, argc, argv);
    if (command->takes == VERB)
        return ctl_command(DEFAULT_FILE, argc - 2, argv + 2);
    for (int i = 2; i < argc; i++) {
        bool is_file = command->takes == CONFIGURATION && strcmp(argv[i], "-c") == 0;
        if (!is_file)
            return misused("not understood: ", argv[i]);
        if (++i == argc)
            return misused("-c needs a file", "");
        path = argv[i];
    }
    return command->run(path);
}
