/* SPDX-License-Identifier: BSD-2-Clause */
#include "transcript.h"

#include "base/array.h"
#include "base/bytes.h"
#include "exchange.h"
#include "protocols/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum line_kind {
    LINE_INPUT,
    LINE_OUTPUT,
    LINE_WANTS,
    LINE_STATUS,
    LINE_STATE,
    LINE_REPORT,
    LINE_DISCARDED,
    LINE_GOODBYE,
    LINE_WARNING,
    LINE_REFUSAL
};

struct line {
    enum line_kind kind;
    unsigned number;
    enum side side;    /* INPUT: who sends; OUTPUT: who receives; WANTS */
    struct bytes text; /* INPUT, OUTPUT: octets; others: the words behind the keyword, and a NUL */
    bool opens_step;   /* INPUT: not joined to the input line before */
};

struct dialogue {
    char *name;
    char *deep;
    char *cipher;
    char nonce[ENGINE_NONCE_LEN + 1];
    char *address;
    bool adds_received;
    bool sends_identity;
    bool refuses_bare_lf;
    bool external;
    char *login;
    enum protocol protocol;
    size_t imap_line; /* 0: the default */
    size_t sasl_line;
    bool cleartext; /* the dialogue before STARTTLS */
    bool starttls;  /* the one behind it */
    bool merge;
    bool in_step; /* not interleaved: the order of its turns is what it is about */
    struct line *lines;
    size_t count;
};

struct transcript {
    char *path;
    struct dialogue *dialogues;
    size_t count;
};

#define NO_LIMIT ((size_t)1 << 30)

/* ---- reading ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Decodes the escapes; false where one is unknown. `*open` where the text ends in \- */
static bool unescape(const char *text, struct bytes *into, bool *open)
{
    *open = false;
    for (const char *p = text; *p != '\0'; p++) {
        uint8_t octet = (uint8_t)*p;
        if (*p == '\\') {
            switch (*++p) {
            case 'r':
                octet = '\r';
                break;
            case 'n':
                octet = '\n';
                break;
            case '0':
                octet = 0;
                break;
            case 's':
                octet = ' ';
                break;
            case '\\':
                break;
            case '-':
                *open = true;
                return p[1] == '\0';
            case 'x':
                if (hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
                    return false;
                octet = (uint8_t)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
                p += 2;
                break;
            default:
                return false;
            }
        }
        bytes_append(into, (struct slice){&octet, 1}, NO_LIMIT);
    }
    return true;
}

static bool read_octets(const char *text, bool repeated, struct bytes *into)
{
    unsigned long times = 1;
    if (repeated) {
        char *end;
        times = strtoul(text, &end, 10);
        if (end == text || *end != ' ')
            return false;
        text = end + 1;
    }
    struct bytes once = {0};
    bool open;
    bool ok = unescape(text, &once, &open);
    for (unsigned long i = 0; ok && i < times; i++)
        bytes_append(into, bytes_view(&once), NO_LIMIT);
    if (ok && !repeated && !open)
        bytes_append(into, slice_of("\r\n"), NO_LIMIT);
    bytes_free(&once);
    return ok;
}

static const char *skip_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(text, word, len) != 0 || (text[len] != ' ' && text[len] != '\0'))
        return NULL;
    return text[len] == ' ' ? text + len + 1 : text + len;
}

static bool read_traffic(const char *text, struct line *line)
{
    const char *rest = skip_word(text, "client");
    line->side = rest != NULL ? SIDE_CLIENT : SIDE_BACKEND;
    if (rest == NULL)
        rest = skip_word(text, "backend");
    if (rest == NULL || (*rest != '>' && *rest != '<'))
        return false;
    line->kind = *rest++ == '>' ? LINE_INPUT : LINE_OUTPUT;
    bool repeated = *rest == '*';
    rest += repeated;
    if (*rest == ' ')
        rest++;
    else if (*rest != '\0')
        return false;
    return read_octets(rest, repeated, &line->text);
}

static bool read_directive(const char *text, struct line *line)
{
    static const struct {
        const char *word;
        enum line_kind kind;
    } words[] = {{"wants", LINE_WANTS},     {"status", LINE_STATUS},       {"state", LINE_STATE},
                 {"report", LINE_REPORT},   {"discarded", LINE_DISCARDED}, {"goodbye", LINE_GOODBYE},
                 {"warning", LINE_WARNING}, {"refusal", LINE_REFUSAL}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *rest = skip_word(text, words[i].word);
        if (rest == NULL)
            continue;
        line->kind = words[i].kind;
        return bytes_append(&line->text, (struct slice){(const uint8_t *)rest, strlen(rest) + 1}, NO_LIMIT);
    }
    return false;
}

static bool read_switch(const char *text, struct dialogue *d)
{
    const struct {
        const char *words;
        bool *is_on;
    } switches[] = {{"received add", &d->adds_received}, {"identity native", &d->sends_identity},
                    {"external", &d->external},          {"bare_newline reject", &d->refuses_bare_lf},
                    {"before starttls", &d->cleartext},  {"behind starttls", &d->starttls}};
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        if (strcmp(text, switches[i].words) == 0)
            return *switches[i].is_on = true;
    return false;
}

static bool read_setting(const char *text, struct dialogue *d)
{
    const char *rest;
    if (read_switch(text, d))
        return true;
    if ((rest = skip_word(text, "deep")) != NULL) {
        free(d->deep);
        d->deep = strdup(rest);
    } else if ((rest = skip_word(text, "cipher")) != NULL) {
        free(d->cipher);
        d->cipher = strdup(rest);
    } else if ((rest = skip_word(text, "address")) != NULL) {
        free(d->address);
        d->address = strdup(rest);
    } else if ((rest = skip_word(text, "imap_line")) != NULL) {
        d->imap_line = strtoul(rest, NULL, 10);
    } else if ((rest = skip_word(text, "sasl_line")) != NULL) {
        d->sasl_line = strtoul(rest, NULL, 10);
    } else if ((rest = skip_word(text, "login")) != NULL && *rest != '\0') {
        free(d->login);
        d->login = strdup(rest);
    } else if ((rest = skip_word(text, "nonce")) != NULL && strlen(rest) == ENGINE_NONCE_LEN) {
        memcpy(d->nonce, rest, ENGINE_NONCE_LEN + 1);
    } else if ((rest = skip_word(text, "merge")) != NULL && *rest == '\0') {
        d->merge = true;
    } else if ((rest = skip_word(text, "in-step")) != NULL && *rest != '\0') {
        d->in_step = true;
    } else {
        return false;
    }
    return true;
}

static bool read_line(const char *text, unsigned number, struct dialogue *d)
{
    if (read_setting(text, d))
        return d->count == 0;
    struct line line = {.number = number};
    if (!read_directive(text, &line) && !read_traffic(text, &line)) {
        bytes_free(&line.text);
        return false;
    }
    const struct line *before = d->count > 0 ? &d->lines[d->count - 1] : NULL;
    line.opens_step = line.kind == LINE_INPUT &&
                      (before == NULL || before->kind != LINE_INPUT || before->side != line.side);
    d->lines = realloc(d->lines, (d->count + 1) * sizeof *d->lines);
    d->lines[d->count++] = line;
    return true;
}

enum protocol transcript_protocol(const struct transcript *t)
{
    return strstr(t->path, "/imap/")   ? PROTOCOL_IMAP
           : strstr(t->path, "/pop3/") ? PROTOCOL_POP3
                                       : PROTOCOL_SUBMISSION;
}

static struct dialogue *add_dialogue(struct transcript *t, const char *name)
{
    t->dialogues = realloc(t->dialogues, (t->count + 1) * sizeof *t->dialogues);
    struct dialogue *d = &t->dialogues[t->count++];
    *d = (struct dialogue){.name = strdup(name),
                           .deep = strdup("tls11 tls12"),
                           .cipher = strdup("TLS_AES_128_GCM_SHA256"),
                           .nonce = "abcdefghijklmnop",
                           .address = strdup("203.0.113.5"),
                           .protocol = transcript_protocol(t)};
    return d;
}

struct transcript *transcript_load(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return NULL;
    }
    struct transcript *t = calloc(1, sizeof *t);
    t->path = strdup(path);
    struct dialogue *d = NULL;
    char *text = NULL;
    size_t cap = 0;
    bool ok = true;
    for (unsigned number = 1; ok && getline(&text, &cap, file) >= 0; number++) {
        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '\0' || text[0] == '#')
            continue;
        if (strncmp(text, "== ", 3) == 0)
            d = add_dialogue(t, text + 3);
        else
            ok = d != NULL && read_line(text, number, d);
        if (!ok)
            fprintf(stderr, "%s:%u: not a line of a transcript: %s\n", path, number, text);
    }
    free(text);
    fclose(file);
    if (!ok) {
        transcript_free(t);
        return NULL;
    }
    return t;
}

void transcript_free(struct transcript *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct dialogue *d = &t->dialogues[i];
        for (size_t j = 0; j < d->count; j++)
            bytes_free(&d->lines[j].text);
        free(d->lines);
        free(d->name);
        free(d->deep);
        free(d->cipher);
        free(d->address);
        free(d->login);
    }
    free(t->dialogues);
    free(t->path);
    free(t);
}

size_t transcript_count(const struct transcript *t)
{
    return t->count;
}

const char *transcript_name(const struct transcript *t, size_t index)
{
    return t->dialogues[index].name;
}

/* ---- running ---- */

/*
 * How the steps of one run are cut: all in chunks of `chunk` octets, and step `step` at `at` besides. Or,
 * with `exchange`, how both sides are interleaved.
 */
struct cutting {
    size_t chunk;
    size_t step;
    size_t at;
    const struct exchange *exchange;
    unsigned schedule;
};

struct run {
    const struct dialogue *dialogue;
    struct engine *engine;
    struct engine_out *out;
    struct bytes kept[2]; /* not consumed yet, by the side that it came from */
    struct bytes got[2];  /* came out and not yet compared, by the side that it goes to */
    char *failure;
};

__attribute__((format(printf, 2, 3))) static void fail(struct run *r, const char *format, ...)
{
    if (r->failure != NULL)
        return;
    va_list args;
    va_start(args, format);
    if (vasprintf(&r->failure, format, args) < 0)
        abort();
    va_end(args);
}

static void collect(struct run *r)
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < r->out->lanes[side].count; i++)
            bytes_append(&r->got[side], r->out->lanes[side].slices[i], NO_LIMIT);
    engine_out_reset(r->out);
}

/* Feeds what is kept of one side in a memory block of exactly its size; true where something moved. */
static bool feed_once(struct run *r, enum side from)
{
    struct bytes *kept = &r->kept[from];
    if (kept->len == 0 || !engine_wants(r->engine, from))
        return false;
    uint8_t *block = malloc(kept->len);
    memcpy(block, kept->data, kept->len);
    size_t consumed = engine_feed(r->engine, from, (struct slice){block, kept->len}, r->out);
    bool moved = consumed > 0 || !engine_out_is_empty(r->out);
    collect(r);
    memset(block, 0xdb, kept->len);
    free(block);
    bytes_drop(kept, consumed);
    return moved;
}

static void pump(struct run *r)
{
    for (size_t turns = 0; feed_once(r, SIDE_BACKEND) || feed_once(r, SIDE_CLIENT); turns++) {
        if (turns > 10000000) {
            fail(r, "the engine never comes to rest");
            return;
        }
    }
}

static void feed_step(struct run *r, enum side from, struct slice step, size_t chunk, size_t cut)
{
    for (size_t done = 0; done < step.len;) {
        size_t len = step.len - done < chunk ? step.len - done : chunk;
        if (done < cut && done + len > cut)
            len = cut - done;
        bytes_append(&r->kept[from], slice_sub(step, done, len), NO_LIMIT);
        pump(r);
        done += len;
    }
}

/*
 * Compares all that came out for a side with the OUTPUT lines from `first` up to the next line of another
 * kind.
 */
static void compare(struct run *r, size_t first, size_t end, enum side side)
{
    const struct dialogue *d = r->dialogue;
    struct bytes expected = {0};
    unsigned number = end < d->count ? d->lines[end].number : 0;
    for (size_t i = end; i-- > first;) {
        if (d->lines[i].side == side && d->lines[i].kind == LINE_OUTPUT)
            number = d->lines[i].number;
    }
    for (size_t i = first; i < end; i++)
        if (d->lines[i].side == side && d->lines[i].kind == LINE_OUTPUT)
            bytes_append(&expected, bytes_view(&d->lines[i].text), NO_LIMIT);
    if (!slice_equals(bytes_view(&expected), bytes_view(&r->got[side]))) {
        char want[1200], have[1200];
        exchange_printable(bytes_view(&expected), want, sizeof want);
        exchange_printable(bytes_view(&r->got[side]), have, sizeof have);
        fail(r, "before line %u, to the %s:\n  expected %zu: %s\n  came     %zu: %s", number,
             side == SIDE_CLIENT ? "client" : "backend", expected.len, want, r->got[side].len, have);
    }
    bytes_free(&expected);
    bytes_free(&r->got[side]);
}

static bool status_matches(const struct run *r, const char *word)
{
    static const char *const names[] = {[ENGINE_OPEN] = "open",
                                        [ENGINE_BACKEND_REFUSED] = "backend-refused",
                                        [ENGINE_BACKEND_ERROR] = "backend-error",
                                        [ENGINE_CLIENT_ERROR] = "client-error",
                                        [ENGINE_STARTTLS] = "starttls",
                                        [ENGINE_LOGOUT] = "logout",
                                        [ENGINE_NO_MEMORY] = "no-memory"};
    return strcmp(names[engine_status(r->engine)->reason], word) == 0;
}

static bool state_matches(const struct run *r, const char *word)
{
    const struct engine_status *s = engine_status(r->engine);
    bool negated = strncmp(word, "not-", 4) == 0;
    word += negated ? 4 : 0;
    bool value = strcmp(word, "authenticated") == 0 ? s->authenticated
                 : strcmp(word, "ending") == 0      ? s->ending
                 : strcmp(word, "greeted") == 0     ? s->greeted
                 : strcmp(word, "last-word") == 0   ? s->closing_reply_sent
                                                    : negated;
    return value != negated;
}

static bool report_matches(const struct run *r, const char *words)
{
    static const char *const names[ENGINE_REPORT_FIELDS] = {"name", "version", "latch", "latch-fail",
                                                            "security-tags"};
    for (int i = 0; i < ENGINE_REPORT_FIELDS; i++) {
        const char *rest = skip_word(words, names[i]);
        if (rest == NULL)
            continue;
        const char *got = engine_report(r->engine, (enum engine_report_field)i);
        return *rest == '\0' ? got == NULL : got != NULL && strcmp(got, rest) == 0;
    }
    return false;
}

static bool wants_matches(const struct run *r, const char *words)
{
    const char *rest = skip_word(words, "client");
    enum side side = rest != NULL ? SIDE_CLIENT : SIDE_BACKEND;
    if (rest == NULL)
        rest = skip_word(words, "backend");
    return rest != NULL && engine_wants(r->engine, side) == (strcmp(rest, "yes") == 0);
}

static bool warning_matches(const struct run *r, const char *words)
{
    const char *warning = engine_status(r->engine)->warning;
    return *words == '\0' ? warning == NULL : warning != NULL && strstr(warning, words) != NULL;
}

/* Lines end in "|" there. */
static bool refusal_matches(struct run *r, const char *words)
{
    char *refusal = engine_take_refusal(r->engine);
    char seen[ENGINE_REFUSAL_MAX] = "";
    size_t len = 0;
    for (const char *p = refusal; p != NULL && *p != '\0' && len + 1 < sizeof seen; p++)
        if (*p != '\r')
            seen[len++] = (char)(*p == '\n' ? '|' : *p);
    free(refusal);
    return strcmp(seen, words) == 0;
}

static void say_goodbye(struct run *r, const char *word)
{
    enum engine_goodbye_reason why = strcmp(word, "unavailable") == 0 ? ENGINE_GOODBYE_UNAVAILABLE
                                     : strcmp(word, "shutdown") == 0  ? ENGINE_GOODBYE_SHUTDOWN
                                     : strcmp(word, "kicked") == 0    ? ENGINE_GOODBYE_KICKED
                                     : strcmp(word, "moved") == 0     ? ENGINE_GOODBYE_MOVED
                                                                      : ENGINE_GOODBYE_TIMEOUT;
    engine_goodbye(r->engine, why, r->out);
    collect(r);
}

static void check_directive(struct run *r, const struct line *line)
{
    const char *words = (const char *)line->text.data;
    bool ok = true;
    switch (line->kind) {
    case LINE_WANTS:
        ok = wants_matches(r, words);
        break;
    case LINE_STATUS:
        ok = status_matches(r, words);
        break;
    case LINE_STATE:
        ok = state_matches(r, words);
        break;
    case LINE_REPORT:
        ok = report_matches(r, words);
        break;
    case LINE_DISCARDED:
        ok = engine_status(r->engine)->discarded == strtoul(words, NULL, 10);
        break;
    case LINE_GOODBYE:
        say_goodbye(r, words);
        break;
    case LINE_WARNING:
        ok = warning_matches(r, words);
        break;
    case LINE_REFUSAL:
        ok = refusal_matches(r, words);
        break;
    case LINE_INPUT:
    case LINE_OUTPUT:
        break;
    }
    if (!ok)
        fail(r, "line %u does not hold: %s", line->number, words);
}

static struct bytes join_step(const struct dialogue *d, size_t first, size_t *next)
{
    struct bytes step = {0};
    size_t i = first;
    do
        bytes_append(&step, bytes_view(&d->lines[i].text), NO_LIMIT);
    while (++i < d->count && d->lines[i].kind == LINE_INPUT && !d->lines[i].opens_step);
    *next = i;
    return step;
}

void transcript_steps(const struct transcript *t, size_t index,
                      void (*each)(void *context, enum side from, struct slice octets), void *context)
{
    const struct dialogue *d = &t->dialogues[index];
    for (size_t i = 0; i < d->count;) {
        size_t next = i + 1;
        if (d->lines[i].kind == LINE_INPUT) {
            struct bytes step = join_step(d, i, &next);
            each(context, d->lines[i].side, bytes_view(&step));
            bytes_free(&step);
        }
        i = next;
    }
}

/* The output lines from `first` on; returns the number of the line behind them. */
static size_t compare_outputs(struct run *r, size_t first)
{
    const struct dialogue *d = r->dialogue;
    size_t end = first;
    while (end < d->count && d->lines[end].kind == LINE_OUTPUT)
        end++;
    compare(r, first, end, SIDE_CLIENT);
    compare(r, first, end, SIDE_BACKEND);
    return end;
}

static void run_lines(struct run *r, struct cutting cutting)
{
    const struct dialogue *d = r->dialogue;
    size_t step_number = 0;
    for (size_t i = compare_outputs(r, 0); i < d->count && r->failure == NULL;) {
        size_t next = i + 1;
        if (d->lines[i].kind == LINE_INPUT) {
            struct bytes step = join_step(d, i, &next);
            size_t cut = step_number++ == cutting.step ? cutting.at : 0;
            feed_step(r, d->lines[i].side, bytes_view(&step), cutting.chunk, cut);
            bytes_free(&step);
        } else {
            check_directive(r, &d->lines[i]);
        }
        i = compare_outputs(r, next);
    }
}

/* Wed, 25 Nov 2026 09:00:05 +0000 */
static int64_t now(void)
{
    return 1795597205;
}

/* A goodbye comes at a moment of its own: what is before it is interleaved. */
static size_t first_goodbye(const struct dialogue *d)
{
    size_t i = 0;
    while (i < d->count && d->lines[i].kind != LINE_GOODBYE)
        i++;
    return i;
}

static void plan_exchange(const struct dialogue *d, struct exchange *x)
{
    *x = (struct exchange){.protocol = d->protocol};
    enum side from = SIDE_BACKEND;
    size_t end = first_goodbye(d);
    for (size_t i = 0; i < end;) {
        size_t next = i + 1;
        const struct line *line = &d->lines[i];
        if (line->kind == LINE_INPUT) {
            struct bytes step = join_step(d, i, &next);
            from = line->side;
            exchange_add_step(x, from, bytes_view(&step));
            bytes_free(&step);
        } else if (line->kind == LINE_OUTPUT) {
            exchange_expect(x, line->side, from, bytes_view(&line->text));
        }
        i = next;
    }
}

/* What the dialogue says of the engine behind its last step holds however it came there. */
static void run_interleaved(struct run *r, const struct exchange *x, unsigned schedule)
{
    const struct dialogue *d = r->dialogue;
    r->failure = exchange_run(x, schedule, r->engine, r->out);
    size_t end = first_goodbye(d);
    size_t last = end;
    while (last > 0 && d->lines[last - 1].kind != LINE_INPUT)
        last--;
    for (size_t i = last; i < end && r->failure == NULL; i++)
        check_directive(r, &d->lines[i]);
}

static struct transcript_setting setting_of(const struct dialogue *d)
{
    struct transcript_setting setting = {.service = {.protocol = d->protocol,
                                                     .deep_status = d->deep,
                                                     .hostname = "proxy.example.com",
                                                     .starttls = d->starttls || d->cleartext,
                                                     .deep_merge = d->merge,
                                                     .sends_identity = d->sends_identity,
                                                     .imap_line_max = d->imap_line,
                                                     .sasl_max = d->sasl_line,
                                                     .adds_received = d->adds_received,
                                                     .refuses_bare_lf = d->refuses_bare_lf,
                                                     .now = now},
                                         .client = {.tls_cipher = d->cipher,
                                                    .address = d->address,
                                                    .session_id = "session-1",
                                                    .connected_address = "192.0.2.1",
                                                    .login = d->login,
                                                    .external = d->external,
                                                    .port = 4711,
                                                    .connected_port = 993},
                                         .cleartext = d->cleartext};
    memcpy(setting.client.nonce, d->nonce, sizeof setting.client.nonce);
    return setting;
}

struct transcript_setting transcript_setting(const struct transcript *t, size_t index)
{
    return setting_of(&t->dialogues[index]);
}

/* One for all runs, as a worker has it for all sessions: it is large. */
static struct engine_out *worker_out(void)
{
    static struct engine_out *out;
    if (out == NULL)
        out = engine_out_new();
    return out;
}

static char *run_once(const struct dialogue *d, struct cutting cutting)
{
    struct transcript_setting setting = setting_of(d);
    struct run r = {.dialogue = d, .out = worker_out()};
    r.engine =
        d->cleartext ? engine_new_pretls(&setting.service) : engine_new(&setting.service, &setting.client);
    if (r.engine == NULL || r.out == NULL)
        abort();
    if (d->cleartext) {
        engine_greet(r.engine, r.out);
        collect(&r);
    }
    if (cutting.exchange != NULL)
        run_interleaved(&r, cutting.exchange, cutting.schedule);
    else
        run_lines(&r, cutting);
    engine_free(&r.engine);
    engine_out_reset(r.out);
    for (int side = 0; side < 2; side++) {
        bytes_free(&r.kept[side]);
        bytes_free(&r.got[side]);
    }
    return r.failure;
}

static char *explain(const struct transcript *t, const struct dialogue *d, const char *how, char *failure)
{
    char *message;
    if (asprintf(&message, "%s: \"%s\", %s: %s", t->path, d->name, how, failure) < 0)
        abort();
    free(failure);
    return message;
}

/* Long steps are cut at their ends and at a sample in between. */
static size_t next_cut(size_t cut, size_t len)
{
    size_t sample = len > 20000 ? len / 200 : 97;
    return len > 2000 && cut > 400 && cut + sample + 300 < len ? cut + sample : cut + 1;
}

static char *run_cuts(const struct transcript *t, const struct dialogue *d)
{
    size_t step_number = 0;
    for (size_t i = 0; i < d->count;) {
        size_t next = i + 1;
        if (d->lines[i].kind != LINE_INPUT) {
            i = next;
            continue;
        }
        struct bytes step = join_step(d, i, &next);
        size_t len = step.len;
        bytes_free(&step);
        for (size_t cut = 1; cut < len; cut = next_cut(cut, len)) {
            char *failure = run_once(d, (struct cutting){.chunk = SIZE_MAX, .step = step_number, .at = cut});
            if (failure != NULL) {
                char how[80];
                snprintf(how, sizeof how, "line %u cut at octet %zu", d->lines[i].number, cut);
                return explain(t, d, how, failure);
            }
        }
        step_number++;
        i = next;
    }
    return NULL;
}

/* A dialogue that is marked must go wrong some way when interleaved, or the mark hides what would hold. */
static char *run_schedules(const struct transcript *t, const struct dialogue *d)
{
    struct exchange x;
    if (d->cleartext) /* one side alone speaks */
        return NULL;
    plan_exchange(d, &x);
    char *failure = NULL;
    for (unsigned i = 0; failure == NULL && i < exchange_schedules(&x); i++) {
        failure = run_once(d, (struct cutting){.exchange = &x, .schedule = i});
        if (failure != NULL && !d->in_step) {
            char how[80];
            snprintf(how, sizeof how, "both sides interleaved (schedule %u)", i);
            failure = explain(t, d, how, failure);
        }
    }
    exchange_free(&x);
    if (!d->in_step)
        return failure;
    if (failure == NULL)
        return explain(t, d, "in-step", strdup("its order makes no difference"));
    free(failure);
    return NULL;
}

char *transcript_run(const struct transcript *t, size_t index)
{
    const struct dialogue *d = &t->dialogues[index];
    char *failure = run_once(d, (struct cutting){.chunk = SIZE_MAX});
    if (failure != NULL)
        return explain(t, d, "whole", failure);
    failure = run_once(d, (struct cutting){.chunk = 1});
    if (failure != NULL)
        return explain(t, d, "byte by byte", failure);
    failure = run_cuts(t, d);
    return failure != NULL ? failure : run_schedules(t, d);
}
