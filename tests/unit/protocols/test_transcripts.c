/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "transcript.h"
#include "run_suite.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct transcript *transcripts[512];
static size_t transcript_total;

/* The dialogues of all files, numbered through. */
static const struct transcript *find(int number, size_t *index)
{
    size_t left = (size_t)number;
    for (size_t i = 0; i < transcript_total; i++) {
        if (left < transcript_count(transcripts[i])) {
            *index = left;
            return transcripts[i];
        }
        left -= transcript_count(transcripts[i]);
    }
    return NULL;
}

START_TEST(dialogue)
{
    size_t index;
    const struct transcript *t = find(_i, &index);
    ck_assert_ptr_nonnull(t);
    char *failure = transcript_run(t, index);
    if (failure != NULL)
        ck_abort_msg("%s", failure);
}
END_TEST

static int give_up(const char *what, const char *where)
{
    fprintf(stderr, "%s %s\n", what, where);
    return EXIT_FAILURE;
}

static int load_all(const char *folder)
{
    char pattern[512];
    snprintf(pattern, sizeof pattern, "%s/%s/*.txt", TEST_SOURCE_DIR "/transcripts", folder);
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    int dialogues = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct transcript *t = transcript_load(found.gl_pathv[i]);
        if (t == NULL || transcript_total == ARRAY_LEN(transcripts))
            exit(EXIT_FAILURE);
        if (transcript_count(t) == 0)
            exit(give_up("no dialogue in", found.gl_pathv[i]));
        transcripts[transcript_total++] = t;
        dialogues += (int)transcript_count(t);
    }
    globfree(&found);
    return dialogues;
}

/*
 * With arguments: only these folders of tests/transcripts. A file without a dialogue, or a folder without a
 * file, tests nothing.
 */
int main(int argc, char **argv)
{
    static const char *const all[] = {"imap", "pop3", "submission"};
    const char *const *folders = argc > 1 ? (const char *const *)argv + 1 : all;
    size_t folder_count = argc > 1 ? (size_t)argc - 1 : ARRAY_LEN(all);
    int dialogues = 0;
    for (size_t i = 0; i < folder_count; i++) {
        int found = load_all(folders[i]);
        if (found == 0)
            return give_up("no transcripts in", folders[i]);
        dialogues += found;
    }
    TCase *tcase = tcase_create("dialogues");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, dialogue, 0, dialogues);
    Suite *suite = suite_create("transcripts");
    suite_add_tcase(suite, tcase);
    int status = run_suite(suite);
    for (size_t i = 0; i < transcript_total; i++)
        transcript_free(transcripts[i]);
    return status;
}
