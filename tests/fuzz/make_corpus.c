/* SPDX-License-Identifier: BSD-2-Clause */
#include "transcript.h"

#include "base/bytes.h"
#include "services.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/*
 * Turns recorded dialogues into seeds for the fuzzers, each a file named by its content:
 *   make_corpus dialogues FOLDER TRANSCRIPT...     whole ones as fuzz_engine.c reads them, for each service
 *   make_corpus lines WORD FOLDER TRANSCRIPT...    the lines that begin with a word; "any": all
 *   make_corpus steps WORD FOLDER TRANSCRIPT...    what a side sends at once and begins with a word
 *   make_corpus behind WORD FOLDER TRANSCRIPT...   what follows a word, in its line and to the step's end
 */
enum {
    CHUNK_FROM_BACKEND = 0x80,
    CHUNK_MAX = 128,
    /* A seed that is longer slows the fuzzer down more than it teaches it; the transcripts run it anyway. */
    SEED_MAX = 64 * 1024,
    PART_MAX = 8 * 1024
};

struct job {
    const char *folder;
    const char *word;
    struct bytes dialogue;
    bool failed;
};

static void write_seed(struct job *job, struct slice before, struct slice seed)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < before.len + seed.len; i++)
        hash =
            (hash ^ (i < before.len ? before.data[i] : seed.data[i - before.len])) * UINT64_C(0x100000001b3);
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/%016" PRIx64, job->folder, hash);
    FILE *file = len < (int)sizeof path ? fopen(path, "wb") : NULL;
    if (file == NULL) {
        perror(job->folder);
        job->failed = true;
        return;
    }
    for (size_t i = 0; i < before.len; i++)
        putc(before.data[i], file);
    for (size_t i = 0; i < seed.len; i++)
        putc(seed.data[i], file);
    job->failed = ferror(file) != 0 || job->failed;
    job->failed = fclose(file) != 0 || job->failed;
}

static void write_part(struct job *job, struct slice seed)
{
    write_seed(job, (struct slice){0}, slice_first(seed, PART_MAX));
}

static void add_step(void *context, enum side from, struct slice octets)
{
    struct bytes *seed = &((struct job *)context)->dialogue;
    while (octets.len > 0) {
        struct slice chunk = slice_first(octets, CHUNK_MAX);
        uint8_t control = (uint8_t)((from == SIDE_BACKEND ? CHUNK_FROM_BACKEND : 0) | (chunk.len - 1));
        if (!bytes_append(seed, (struct slice){&control, 1}, SEED_MAX) ||
            !bytes_append(seed, chunk, SEED_MAX))
            return;
        octets = slice_from(octets, chunk.len);
    }
}

static struct slice without_line_end(struct slice s)
{
    while (s.len > 0 && (s.data[s.len - 1] == '\r' || s.data[s.len - 1] == '\n'))
        s.len--;
    return s;
}

static void write_step(void *context, enum side from, struct slice octets)
{
    struct job *job = context;
    (void)from;
    if (slice_has_prefix(octets, job->word))
        write_part(job, octets);
}

static void write_lines(void *context, enum side from, struct slice octets)
{
    (void)from;
    for (size_t at = 0; at < octets.len;) {
        struct slice rest = slice_from(octets, at);
        struct slice line = slice_first(rest, slice_find(rest, '\n') + 1);
        write_step(context, from, without_line_end(line));
        at += line.len;
    }
}

static void write_behind(void *context, enum side from, struct slice octets)
{
    struct job *job = context;
    (void)from;
    for (size_t at = 0; at < octets.len; at++) {
        struct slice rest = slice_from(octets, at);
        if (!slice_has_prefix(rest, job->word))
            continue;
        rest = slice_from(rest, strlen(job->word));
        write_part(job, without_line_end(slice_first(rest, slice_find(rest, '\n'))));
        write_part(job, without_line_end(rest));
    }
}

static void write_dialogue(struct job *job, const struct transcript *t, size_t index)
{
    transcript_steps(t, index, add_step, job);
    for (uint8_t service = 0; service < FUZZ_SERVICES; service++)
        write_seed(job, (struct slice){&service, 1}, bytes_view(&job->dialogue));
    bytes_free(&job->dialogue);
}

static bool write_seeds(struct job *job, const char *what, const char *path)
{
    struct transcript *t = transcript_load(path);
    if (t == NULL)
        return false;
    for (size_t i = 0; i < transcript_count(t); i++) {
        if (strcmp(what, "dialogues") == 0)
            write_dialogue(job, t, i);
        else
            transcript_steps(t, i,
                             strcmp(what, "lines") == 0   ? write_lines
                             : strcmp(what, "steps") == 0 ? write_step
                                                          : write_behind,
                             job);
    }
    transcript_free(t);
    return !job->failed;
}

int main(int argc, char **argv)
{
    int folder = argc > 1 && strcmp(argv[1], "dialogues") == 0 ? 2 : 3;
    if (argc <= folder) {
        fprintf(stderr, "usage: make_corpus dialogues FOLDER TRANSCRIPT..., or see the source\n");
        return 2;
    }
    struct job job = {.folder = argv[folder], .word = strcmp(argv[2], "any") == 0 ? "" : argv[2]};
    mkdir(job.folder, 0777);
    for (int i = folder + 1; i < argc; i++)
        if (!write_seeds(&job, argv[1], argv[i]))
            return 1;
    return 0;
}
