/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/*
 * Stands in for libFuzzer where the compiler has none: runs a fuzz target on each file that is named, and on
 * those in each folder that is named. Fails where there is not one.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int files_run;

static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (file == NULL || data == NULL || fread(data, 1, size, file) != size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    fprintf(stderr, "%s\n", path); /* the last one named is the one that broke something */
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    files_run++;
}

static void run_folder(const char *path);

static void run_path(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        exit(1);
    }
    if (S_ISDIR(info.st_mode))
        run_folder(path);
    else
        run_file(path, (size_t)info.st_size);
}

static void run_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char inner[4096];
        if (entries[i]->d_name[0] != '.' &&
            snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name) < (int)sizeof inner)
            run_path(inner);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%d inputs\n", files_run);
    return files_run > 0 ? 0 : 1;
}
