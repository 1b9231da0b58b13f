/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg.h"

#include "config/cfg_admin.h"
#include "config/cfg_deep.h"
#include "config/cfg_endpoint.h"
#include "config/cfg_host_list.h"
#include "config/cfg_hosts.h"
#include "config/cfg_keys.h"
#include "config/cfg_limits.h"
#include "config/cfg_pools.h"
#include "config/cfg_process.h"
#include "config/cfg_services.h"
#include "config/cfg_syntax.h"
#include "config/cfg_timeouts.h"
#include "config/cfg_tls.h"

#include <stdlib.h>
#include <unistd.h>

/* The caller of cfg_load has a pointer to the first member; the arena is freed with it. */
struct owner {
    struct cfg cfg;
    struct cfg_arena arena;
};

/* The key, or else the name of the machine. */
static void read_hostname(struct cfg_reader *top, struct cfg *cfg)
{
    char name[256] = "localhost";
    if (cfg_read_string(top, "hostname", "mail.example.com", &cfg->hostname)) {
        if (!cfg_is_hostname(slice_of(cfg->hostname)))
            CFG_FAIL(top->loader, cfg_reader_place(top, "hostname"),
                     "\"%s\" is no host name, expected one like \"mail.example.com\"%s", cfg->hostname,
                     cfg_hostname_hint(cfg->hostname));
        return;
    }
    if (gethostname(name, sizeof name) != 0 || !cfg_is_hostname(slice_of(name)))
        cfg->hostname = cfg_arena_copy(top->loader->arena, slice_of("localhost"));
    else
        cfg->hostname = cfg_arena_copy(top->loader->arena, slice_of(name));
}

static void read_file(struct cfg_loader *loader, config_setting_t *root, struct cfg *cfg)
{
    struct cfg_reader top;
    struct cfg_pool_use *uses;
    cfg_reader_open(&top, loader, root, "the file");
    read_hostname(&top, cfg);
    cfg_process_read(&top, cfg);
    cfg_tls_read(loader, &top, &cfg->tls);
    config_setting_t *deep = cfg_read_group(&top, "deep");
    const struct cfg_deep *status =
        deep != NULL ? cfg_deep_read(loader, deep, &cfg->tls) : cfg_deep_none(loader);
    cfg_pools_read(loader, &top, cfg, &uses);
    cfg_services_read(loader, &top, cfg, status, uses);
    cfg_hosts_read(loader, &top, cfg, uses);
    cfg_pools_check_uses(loader, cfg, uses);
    cfg_timeouts_read(loader, &top, cfg);
    cfg_pools_check_times(loader, cfg);
    cfg_limits_read(loader, &top, cfg);
    cfg_admin_read(loader, &top, cfg);
    cfg_reader_close(&top);
}

/* A file that is being read. */
struct reading {
    struct owner *owner;
    const char *path;
    struct cfg_loader loader;
    struct cfg_tree tree;
};

static void read_all(void *arg)
{
    struct reading *reading = arg;
    struct cfg *cfg = &reading->owner->cfg;
    struct cfg_loader *loader = &reading->loader;
    cfg->path = cfg_arena_copy(loader->arena, slice_of(reading->path));
    if (cfg_tree_load(&reading->tree, loader->arena, loader->problems, reading->path))
        read_file(loader, config_root_setting(&reading->tree.config), cfg);
}

static struct cfg *load(const char *path, const struct cfg_key_visitor *visitor,
                        struct cfg_problems *problems)
{
    struct owner *owner = calloc(1, sizeof *owner);
    struct reading reading = {.owner = owner, .path = path};
    size_t first = problems->count;
    struct cfg *cfg = owner != NULL ? &owner->cfg : NULL;
    bool whole = false;
    if (owner != NULL) {
        reading.loader = (struct cfg_loader){&owner->arena, problems, visitor};
        whole = cfg_arena_try(&owner->arena, read_all, &reading);
        cfg_tree_free(&reading.tree);
    }
    cfg_problems_sort(problems, first, path);
    if (!whole) {
        cfg_problems_add_out_of_memory(problems, path);
        cfg_free(&cfg);
    }
    return cfg;
}

struct cfg *cfg_load_to_check(const char *path, struct cfg_problems *problems)
{
    return load(path, NULL, problems);
}

struct cfg *cfg_load(const char *path, struct cfg_problems *problems)
{
    size_t errors = problems->errors;
    struct cfg *cfg = cfg_load_to_check(path, problems);
    if (problems->errors > errors)
        cfg_free(&cfg);
    return cfg;
}

void cfg_keys_each(const char *path, void (*each)(void *arg, const char *group, const char *key, bool is_set),
                   void *arg)
{
    struct cfg_problems ignored = {0};
    struct cfg_key_visitor visitor = {each, arg};
    struct cfg *cfg = load(path, &visitor, &ignored);
    cfg_free(&cfg);
    cfg_problems_free(&ignored);
}

struct copying {
    struct owner *owner;
    const struct cfg *from;
};

static void copy_start(void *arg)
{
    const struct copying *copying = arg;
    cfg_process_copy_start(&copying->owner->arena, copying->from, &copying->owner->cfg);
}

struct cfg *cfg_copy_start(const struct cfg *cfg)
{
    struct owner *owner = calloc(1, sizeof *owner);
    struct copying copying = {owner, cfg};
    struct cfg *copy = owner != NULL ? &owner->cfg : NULL;
    if (owner != NULL && !cfg_arena_try(&owner->arena, copy_start, &copying))
        cfg_free(&copy);
    return copy;
}

void cfg_share_hosts(struct cfg *cfg, const struct cfg *before)
{
    if (cfg->host_list == NULL || !cfg_host_list_equals(cfg->host_list, before->host_list))
        return;
    cfg_host_list_unref(&cfg->host_list);
    cfg->host_list = cfg_host_list_ref(before->host_list);
    cfg->hosts = cfg->host_list->hosts;
}

void cfg_free(struct cfg **cfg)
{
    struct owner *owner = (struct owner *)*cfg;
    *cfg = NULL;
    if (owner == NULL)
        return;
    cfg_host_list_unref(&owner->cfg.host_list);
    cfg_arena_free(&owner->arena);
    free(owner);
}

#define QUOTED(number)       QUOTED_AS_IS(number)
#define QUOTED_AS_IS(number) #number

const char *cfg_library_name(void)
{
    return "libconfig " QUOTED(LIBCONFIG_VER_MAJOR) "." QUOTED(LIBCONFIG_VER_MINOR) "." QUOTED(
        LIBCONFIG_VER_REVISION);
}
