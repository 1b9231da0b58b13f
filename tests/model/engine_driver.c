/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs engines for another program, the reference models of this folder, which talks to it in lines:
 *   new PROTOCOL CIPHER NONCE DEEP-STATUS-IN-HEX   an engine in place of the last one;
 *                     protocol: imap, pop3, submission
 *   behind ...        the same, for a client that has begun with STARTTLS or STLS
 *   cleartext ...     the same, for what is said before that; it has greeted the client
 *   external N        1: engines from now on are for clients whose certificate the backend knows; 0: not
 *   chunk N           what is fed from now on reaches the engine in chunks of at most N octets;
 *                     0: as it comes
 *   c HEX, b HEX      feeds octets of the client, of the backend
 *   goodbye WORD      unavailable, shutdown or timeout
 *   ?                 asks for a line of answer
 *   report            asks for a line of answer: NAME=HEX for each field that the client has reported
 * The answer to "?": what came out since the last one to the client and to the backend in hexadecimal ("-":
 * nothing), the reason, "g", "a" and "e" for greeted, authenticated and ending (or "-"), "c" and "b" for the
 * sides that are wanted (or "-"), how many octets of the client's and the backend's are kept unconsumed, how
 * many were discarded behind STARTTLS, and the detail. Octets that the engine does not consume are kept and
 * fed again when it wants them, as engine.h asks for.
 */
#include "base/bytes.h"
#include "protocols/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT ((size_t)1 << 30)

struct drive {
    struct engine *engine;
    struct engine_out *out;
    struct engine_service service;
    struct engine_client client;
    char *deep;
    char *cipher;
    struct bytes kept[2]; /* by the side that it came from */
    struct bytes got[2];  /* by the side that it goes to */
    size_t chunk;
    bool external;
};

static void die(const char *what, const char *line)
{
    fprintf(stderr, "engine_driver: %s: %.60s\n", what, line);
    exit(2);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place; the length of what it was. */
static size_t unhex(char *text)
{
    size_t n = 0;
    for (char *p = text; hex_digit(p[0]) >= 0 && hex_digit(p[1]) >= 0; p += 2)
        text[n++] = (char)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
    text[n] = '\0';
    return n;
}

static void put_hex(struct slice s)
{
    static const char digits[] = "0123456789abcdef";
    if (s.len == 0)
        putchar('-');
    for (size_t i = 0; i < s.len; i++) {
        putchar(digits[s.data[i] >> 4]);
        putchar(digits[s.data[i] & 15]);
    }
}

static void collect(struct drive *d)
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < d->out->lanes[side].count; i++)
            bytes_append(&d->got[side], d->out->lanes[side].slices[i], NO_LIMIT);
    engine_out_reset(d->out);
}

/*
 * Feeds from a block of exactly the octets' size, which is spoilt afterwards: nobody may look beyond or
 * later.
 */
static bool feed_once(struct drive *d, enum side from)
{
    struct bytes *kept = &d->kept[from];
    if (kept->len == 0 || !engine_wants(d->engine, from))
        return false;
    uint8_t *block = malloc(kept->len);
    if (block == NULL)
        abort();
    memcpy(block, kept->data, kept->len);
    size_t consumed = engine_feed(d->engine, from, (struct slice){block, kept->len}, d->out);
    bool moved = consumed > 0 || !engine_out_is_empty(d->out);
    collect(d);
    memset(block, 0xdb, kept->len);
    free(block);
    bytes_drop(kept, consumed);
    return moved;
}

static void pump(struct drive *d)
{
    for (size_t turns = 0; feed_once(d, SIDE_BACKEND) || feed_once(d, SIDE_CLIENT); turns++)
        if (turns > 10000000)
            die("the engine never comes to rest", "");
}

static void feed(struct drive *d, enum side from, char *hex)
{
    struct slice octets = {(const uint8_t *)hex, unhex(hex)};
    size_t chunk = d->chunk != 0 ? d->chunk : octets.len;
    for (size_t done = 0; done < octets.len; done += chunk) {
        bytes_append(&d->kept[from], slice_sub(octets, done, chunk), NO_LIMIT);
        pump(d);
    }
}

static void end(struct drive *d)
{
    engine_free(&d->engine);
    for (int side = 0; side < 2; side++) {
        bytes_free(&d->kept[side]);
        bytes_free(&d->got[side]);
    }
    free(d->deep);
    free(d->cipher);
    d->deep = d->cipher = NULL;
}

static struct engine *make_engine(struct drive *d, const char *stage)
{
    d->service.starttls = strcmp(stage, "new") != 0;
    if (strcmp(stage, "cleartext") != 0)
        return engine_new(&d->service, &d->client);
    struct engine *engine = engine_new_pretls(&d->service);
    if (engine != NULL)
        engine_greet(engine, d->out);
    return engine;
}

/* `stage`: the word with which the line began. */
static void begin(struct drive *d, const char *stage, const char *line)
{
    char protocol[16], cipher[80], nonce[ENGINE_NONCE_LEN + 1], deep[2 * 1024 + 1] = "";
    end(d);
    if (sscanf(line, "%15s %79s %16s %2048s", protocol, cipher, nonce, deep) < 3)
        die("what engine", line);
    unhex(deep);
    d->deep = strdup(deep);
    d->cipher = strdup(cipher);
    d->service = (struct engine_service){.protocol = strcmp(protocol, "imap") == 0   ? PROTOCOL_IMAP
                                                     : strcmp(protocol, "pop3") == 0 ? PROTOCOL_POP3
                                                                                     : PROTOCOL_SUBMISSION,
                                         .deep_status = d->deep,
                                         .hostname = "proxy.example.com"};
    d->client = (struct engine_client){.tls_cipher = d->cipher, .external = d->external};
    memcpy(d->client.nonce, nonce, sizeof d->client.nonce);
    d->engine = make_engine(d, stage);
    if (d->engine == NULL)
        abort();
    collect(d);
    d->chunk = 0;
}

static void say_goodbye(struct drive *d, const char *word)
{
    enum engine_goodbye_reason why = strncmp(word, "un", 2) == 0   ? ENGINE_GOODBYE_UNAVAILABLE
                                     : strncmp(word, "sh", 2) == 0 ? ENGINE_GOODBYE_SHUTDOWN
                                                                   : ENGINE_GOODBYE_TIMEOUT;
    engine_goodbye(d->engine, why, d->out);
    collect(d);
}

static void answer(struct drive *d)
{
    static const char *const reasons[] = {[ENGINE_OPEN] = "open",
                                          [ENGINE_BACKEND_REFUSED] = "backend-refused",
                                          [ENGINE_BACKEND_ERROR] = "backend-error",
                                          [ENGINE_CLIENT_ERROR] = "client-error",
                                          [ENGINE_STARTTLS] = "starttls",
                                          [ENGINE_LOGOUT] = "logout",
                                          [ENGINE_NO_MEMORY] = "no-memory"};
    const struct engine_status *s = engine_status(d->engine);
    for (int side = 0; side < 2; side++) {
        put_hex(bytes_view(&d->got[side]));
        bytes_free(&d->got[side]);
        putchar(' ');
    }
    printf("%s -%s%s%s -%s%s %zu %zu %zu %s\n", reasons[s->reason], s->greeted ? "g" : "",
           s->authenticated ? "a" : "", s->ending ? "e" : "", engine_wants(d->engine, SIDE_CLIENT) ? "c" : "",
           engine_wants(d->engine, SIDE_BACKEND) ? "b" : "", d->kept[SIDE_CLIENT].len,
           d->kept[SIDE_BACKEND].len, s->discarded, s->detail != NULL ? s->detail : "");
    fflush(stdout);
}

static void report(const struct drive *d)
{
    static const char *const names[ENGINE_REPORT_FIELDS] = {"name", "version", "latch", "latch-fail",
                                                            "security-tags"};
    for (int i = 0; i < ENGINE_REPORT_FIELDS; i++) {
        const char *value = engine_report(d->engine, (enum engine_report_field)i);
        if (value == NULL)
            continue;
        printf("%s=", names[i]);
        put_hex(slice_of(value));
        putchar(' ');
    }
    putchar('\n');
    fflush(stdout);
}

static void obey(struct drive *d, char *line)
{
    if (strncmp(line, "external ", 9) == 0)
        d->external = line[9] == '1';
    else if (strncmp(line, "new ", 4) == 0)
        begin(d, "new", line + 4);
    else if (strncmp(line, "behind ", 7) == 0)
        begin(d, "behind", line + 7);
    else if (strncmp(line, "cleartext ", 10) == 0)
        begin(d, "cleartext", line + 10);
    else if (d->engine == NULL)
        die("no engine yet", line);
    else if (strncmp(line, "chunk ", 6) == 0)
        d->chunk = strtoul(line + 6, NULL, 10);
    else if (strncmp(line, "c ", 2) == 0)
        feed(d, SIDE_CLIENT, line + 2);
    else if (strncmp(line, "b ", 2) == 0)
        feed(d, SIDE_BACKEND, line + 2);
    else if (strncmp(line, "goodbye ", 8) == 0)
        say_goodbye(d, line + 8);
    else if (strcmp(line, "?\n") == 0)
        answer(d);
    else if (strcmp(line, "report\n") == 0)
        report(d);
    else
        die("no such command", line);
}

int main(void)
{
    struct drive d = {.out = engine_out_new()};
    char *line = NULL;
    size_t cap = 0;
    if (d.out == NULL)
        abort();
    while (getline(&line, &cap, stdin) > 0)
        obey(&d, line);
    free(line);
    end(&d);
    engine_out_free(&d.out);
    return 0;
}
