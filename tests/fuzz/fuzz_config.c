/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg.h"
#include "fuzz_check.h"
#include "protocols/deep/deep_status.h"

#include <libconfig.h>
#include <string.h>
#include <unistd.h>

/*
 * Fuzzes the configuration: the input is the file. Held against cfg_load:
 *   - there is a value where there is no error, and none where there is one; each problem has its words, on
 *     one line, and stands in order;
 *   - a second load says the same;
 *   - a value keeps what cfg.h promises of it;
 *   - what it takes libconfig itself takes for right as well.
 * The file includes nothing but itself and files that are not there: see includes_elsewhere.
 */
static char folder[64];
static char path[80];
static char library_path[80];

static void remove_folder(void)
{
    unlink(path);
    unlink(library_path);
    rmdir(folder);
}

static void make_folder(void)
{
    if (folder[0] != '\0')
        return;
    snprintf(folder, sizeof folder, "%s/deepproxy-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(folder) != NULL, "a folder for the file");
    snprintf(path, sizeof path, "%s/F", folder);
    snprintf(library_path, sizeof library_path, "%s/L", folder);
    atexit(remove_folder);
}

static void write_file(const char *name, const uint8_t *data, size_t size, const char *behind)
{
    FILE *file = fopen(name, "we");
    check(file != NULL, "a file for the input");
    for (size_t i = 0; i < size; i++)
        putc(data[i], file);
    fputs(behind, file);
    check(fclose(file) == 0, "a file for the input");
}

/* A path with a slash may be that of a device, which never ends, or of a pipe, which never begins. */
static bool includes_elsewhere(const uint8_t *data, size_t size)
{
    static const char word[] = "@include";
    const uint8_t *at = memmem(data, size, word, sizeof word - 1);
    return at != NULL && memchr(at, '/', size - (size_t)(at - data)) != NULL;
}

static void check_problems(const struct cfg_problems *problems)
{
    size_t errors = 0;
    unsigned line = 0;
    for (size_t i = 0; i < problems->count; i++) {
        const struct cfg_problem *p = &problems->items[i];
        errors += p->severity == CFG_ERROR ? 1 : 0;
        check(p->text[0] != '\0' && strchr(p->text, '\n') == NULL, "a problem has words, on one line");
        check(strcmp(p->file, path) == 0 && p->line >= line, "problems are in order");
        line = p->line;
    }
    check(errors == problems->errors, "errors are counted");
}

static void check_service(const struct cfg *cfg, const struct cfg_service *s)
{
    size_t at;
    check(s->listen_count > 0 && s->pool < cfg->pool_count, "a service has addresses and a pool");
    check(deep_status_check(slice_of(s->deep->status), &at) == NULL, "a service's DEEP status is one");
    for (size_t i = 0; i < s->listen_count; i++)
        check(s->listen[i].address_len > 0, "a service listens on an address");
}

static void check_value(const struct cfg *cfg)
{
    check(cfg->hostname != NULL && cfg->service_count > 0 && cfg->pool_count > 0, "a value is whole");
    check(cfg->tls.certificate_count + cfg->tls.directory_count > 0, "there is a certificate");
    check(cfg->tls.min_version <= cfg->tls.max_version, "there is a TLS version");
    for (size_t i = 0; i < cfg->service_count; i++) {
        check_service(cfg, &cfg->services[i]);
        for (size_t j = 0; j < i; j++)
            check(strcmp(cfg->services[i].name, cfg->services[j].name) != 0, "names of services differ");
    }
    for (size_t i = 0; i < cfg->pool_count; i++)
        check(cfg->pools[i].server_count > 0, "a pool has servers");
    check(cfg->timeouts.handshake_ms > 0 && cfg->timeouts.idle_ms > 0, "there are timeouts");
}

static char *printed(const struct cfg_problems *problems)
{
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    check(to != NULL, "memory for the fuzzer itself");
    cfg_problems_print(problems, to);
    fclose(to);
    return text;
}

static char *load(bool *good)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg = cfg_load(path, &problems);
    *good = cfg != NULL;
    check(*good == (problems.errors == 0), "there is a value where there is no error");
    check_problems(&problems);
    if (*good)
        check_value(cfg);
    cfg_free(&cfg);
    char *text = printed(&problems);
    cfg_problems_free(&problems);
    return text;
}

/* With a line end at its end: to libconfig a comment without one is a mistake. */
static bool library_takes(const uint8_t *data, size_t size)
{
    config_t config;
    config_init(&config);
    write_file(library_path, data, size, "\n");
    bool ok = config_read_file(&config, library_path) == CONFIG_TRUE;
    config_destroy(&config);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (includes_elsewhere(data, size))
        return 0;
    bool good, good_again;
    make_folder();
    write_file(path, data, size, "");
    char *first = load(&good);
    char *second = load(&good_again);
    check(good == good_again && strcmp(first, second) == 0, "a second load says the same");
    bool has_mark = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
    check(!good || has_mark || library_takes(data, size), "what is taken is right to libconfig as well");
    free(first);
    free(second);
    return 0;
}
