/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_TRANSCRIPT_H
#define DEEPPROXY_TESTS_TRANSCRIPT_H

#include "protocols/engine.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Recorded dialogues, run against an engine: whole, byte by byte, at every two-way cut of every step, and
 * with both sides interleaved. tests/transcripts/README.md describes the format.
 */
struct transcript;

/*
 * All dialogues of a file. NULL with a message on standard error where the file can't be read or has a
 * mistake.
 */
struct transcript *transcript_load(const char *path);
void transcript_free(struct transcript *t);

size_t transcript_count(const struct transcript *t);
const char *transcript_name(const struct transcript *t, size_t index);

/* The protocol of the file's folder. */
enum protocol transcript_protocol(const struct transcript *t);

/* Who talks in a dialogue, as its settings have it. The strings are the transcript's. */
struct transcript_setting {
    struct engine_service service;
    struct engine_client client;
    bool cleartext; /* the dialogue before STARTTLS: engine_new_pretls, and engine_greet first */
};
struct transcript_setting transcript_setting(const struct transcript *t, size_t index);

/* Calls `each` for what the two sides of a dialogue send, step by step; the octets hold until it returns. */
void transcript_steps(const struct transcript *t, size_t index,
                      void (*each)(void *context, enum side from, struct slice octets), void *context);

/* Runs one dialogue in all ways. NULL where all is as written, else a message that the caller frees. */
char *transcript_run(const struct transcript *t, size_t index);

#endif
