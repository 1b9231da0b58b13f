/* SPDX-License-Identifier: BSD-2-Clause */
#include "transcript.h"

#include "base/bytes.h"
#include "services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Turns recorded dialogues into seeds for the fuzzer, a file for each and each service: what the two sides
 * send, in chunks as fuzz_engine.c reads them. make_corpus FOLDER TRANSCRIPT...
 */
enum {
    CHUNK_FROM_BACKEND = 0x80,
    CHUNK_MAX = 128,
    /* A seed that is longer slows the fuzzer down more than it teaches it; the transcripts run it anyway. */
    SEED_MAX = 64 * 1024
};

static void add_step(void *context, enum side from, struct slice octets)
{
    struct bytes *seed = context;
    while (octets.len > 0) {
        struct slice chunk = slice_sub(octets, 0, CHUNK_MAX);
        uint8_t control = (uint8_t)((from == SIDE_BACKEND ? CHUNK_FROM_BACKEND : 0) | (chunk.len - 1));
        if (!bytes_append(seed, (struct slice){&control, 1}, SEED_MAX) ||
            !bytes_append(seed, chunk, SEED_MAX))
            return;
        octets = slice_sub(octets, chunk.len, octets.len);
    }
}

static bool write_seed(const char *folder, const char *name, size_t index, uint8_t service, struct slice seed)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s-%03zu-%u", folder, name, index, service) >= (int)sizeof path)
        return false;
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    putc(service, file);
    for (size_t i = 0; i < seed.len; i++)
        putc(seed.data[i], file);
    bool written = ferror(file) == 0;
    return fclose(file) == 0 && written;
}

static bool write_seeds(const char *folder, const char *path)
{
    struct transcript *t = transcript_load(path);
    if (t == NULL)
        return false;
    const char *base = strrchr(path, '/');
    char name[256];
    snprintf(name, sizeof name, "%s", base != NULL ? base + 1 : path);
    name[strcspn(name, ".")] = '\0';
    bool ok = true;
    for (size_t i = 0; ok && i < transcript_count(t); i++) {
        struct bytes seed = {0};
        transcript_steps(t, i, add_step, &seed);
        for (uint8_t service = 0; ok && service < FUZZ_SERVICES; service++)
            ok = write_seed(folder, name, i, service, bytes_view(&seed));
        bytes_free(&seed);
    }
    transcript_free(t);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: make_corpus FOLDER TRANSCRIPT...\n");
        return 2;
    }
    mkdir(argv[1], 0777);
    for (int i = 2; i < argc; i++) {
        if (!write_seeds(argv[1], argv[i])) {
            perror(argv[i]);
            return 1;
        }
    }
    return 0;
}
