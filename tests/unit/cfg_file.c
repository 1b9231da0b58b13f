/* SPDX-License-Identifier: BSD-2-Clause */
#include "cfg_file.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *join(const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    return path;
}

char *cfg_folder_make(void)
{
    const char *where = getenv("TMPDIR");
    char *folder = join(where != NULL ? where : "/tmp", "deepproxy-cfg-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

void cfg_folder_remove(char *folder)
{
    DIR *all = opendir(folder);
    ck_assert_ptr_nonnull(all);
    for (struct dirent *entry = readdir(all); entry != NULL; entry = readdir(all)) {
        char *path = join(folder, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(path) != 0)
            rmdir(path);
        free(path);
    }
    closedir(all);
    ck_assert_int_eq(rmdir(folder), 0);
    free(folder);
}

char *cfg_folder_write(const char *folder, const char *name, const char *text, size_t len)
{
    char *path = join(folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static void cut_out(char *text, const char *word)
{
    size_t len = strlen(word);
    for (char *hit = strstr(text, word); hit != NULL; hit = strstr(hit, word))
        memmove(hit, hit + len, strlen(hit + len) + 1);
}

char *cfg_folder_load(const char *folder, const char *path, struct cfg **cfg)
{
    struct cfg_problems problems = {0};
    char *printed;
    size_t len;
    *cfg = cfg_load(path, &problems);
    ck_assert_int_eq(*cfg == NULL, problems.errors > 0);
    FILE *to = open_memstream(&printed, &len);
    ck_assert_ptr_nonnull(to);
    cfg_problems_print(&problems, to);
    fclose(to);
    cfg_problems_free(&problems);
    char *prefix = join(folder, "");
    cut_out(printed, prefix);
    free(prefix);
    return printed;
}

/* A seed for the fuzzer, named by its content: the tests know the mistakes that people make. */
static void keep_for_fuzzer(const char *text)
{
    const char *corpus = getenv("DEEPPROXY_CFG_CORPUS");
    if (corpus == NULL)
        return;
    unsigned long hash = 5381;
    for (const char *c = text; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    char name[32];
    snprintf(name, sizeof name, "%016lx", hash);
    free(cfg_folder_write(corpus, name, text, strlen(text)));
}

char *cfg_text_load(const char *text, struct cfg **cfg)
{
    struct cfg *loaded;
    keep_for_fuzzer(text);
    char *folder = cfg_folder_make();
    char *path = cfg_folder_write(folder, "F", text, strlen(text));
    char *printed = cfg_folder_load(folder, path, &loaded);
    free(path);
    cfg_folder_remove(folder);
    if (cfg != NULL)
        *cfg = loaded;
    else
        cfg_free(&loaded);
    return printed;
}

struct cfg *cfg_text_load_clean(const char *text)
{
    struct cfg *cfg;
    char *printed = cfg_text_load(text, &cfg);
    ck_assert_str_eq(printed, "");
    free(printed);
    return cfg;
}

void cfg_case_check(const struct cfg_case *c)
{
    char *printed = cfg_text_load(c->text, NULL);
    if (strcmp(printed, c->printed) != 0)
        ck_abort_msg("%s:\n--- text\n%s\n--- expected\n%s--- printed\n%s", c->name, c->text, c->printed,
                     printed);
    free(printed);
}
