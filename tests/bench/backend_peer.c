/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend_peer.h"

#include "base/array.h"

#include "pattern.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TAG_MAX = 64,
    LINE_MAX_OCTETS = 2048,    /* deepproxy's own ID command, with all that it may carry, is shorter */
    CHUNK = 256 * 1024,        /* read at once */
    REPLIES = 1024 * 1024,     /* to the commands of one chunk; more is a flood, and ends the connection */
    FETCH_BUFFERED = 64 * 1024 /* a message up to here goes out with the replies around it in one write */
};

enum verb { VERB_NONE, VERB_SIMPLE, VERB_APPEND, VERB_FETCH, VERB_IDLE, VERB_LOGOUT, VERB_UNKNOWN };

struct command {
    const char *name;
    enum verb verb;
    const char *untagged; /* goes out before the tagged reply */
};

#define CAPABILITIES "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID IDLE"

static const struct command commands[] = {
    {"NOOP", VERB_SIMPLE, ""},
    {"FETCH", VERB_FETCH, ""},
    {"APPEND", VERB_APPEND, ""},
    {"CAPABILITY", VERB_SIMPLE, "* " CAPABILITIES "\r\n"},
    {"ID", VERB_SIMPLE, "* ID NIL\r\n"},
    {"LOGIN", VERB_SIMPLE, ""},
    {"SELECT", VERB_SIMPLE,
     "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* 1 EXISTS\r\n* 0 RECENT\r\n"
     "* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 2] next\r\n"},
    {"IDLE", VERB_IDLE, "+ idling\r\n"},
    {"LOGOUT", VERB_LOGOUT, "* BYE see you\r\n"},
};

static const struct command unknown_command = {"", VERB_UNKNOWN, ""};

struct peer {
    int fd;
    bool fresh;                    /* nothing has been read yet: a PROXY header may come */
    bool closing;                  /* close when all is written */
    const struct command *command; /* the one under way, or NULL */
    char tag[TAG_MAX];
    char held[LINE_MAX_OCTETS]; /* a line whose end has not come yet */
    size_t held_len;
    uint64_t literal_at; /* offset in the command's literal, and how much of it is to come */
    uint64_t literal_left;
    bool literal_right; /* it is the content of pattern.h so far */
    uint64_t fetch_at;  /* the message going out behind `unsent`, and how much of it is left */
    uint64_t fetch_left;
    char *unsent; /* replies that the socket did not take */
    size_t unsent_len;
    size_t unsent_at;
};

/* Both serve one peer at a time: nothing stays in them after a call. */
static uint8_t chunk[CHUNK];
static char replies[REPLIES];
static size_t replies_len;

struct peer *peer_new(int fd)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        close(fd);
        return NULL;
    }
    peer->fd = fd;
    peer->fresh = true;
    return peer;
}

void peer_free(struct peer **peer)
{
    if (*peer == NULL)
        return;
    close((*peer)->fd);
    free((*peer)->unsent);
    free(*peer);
    *peer = NULL;
}

int peer_fd(const struct peer *peer)
{
    return peer->fd;
}

bool peer_wants_write(const struct peer *peer)
{
    return peer->unsent_len > 0 || peer->fetch_left > 0;
}

/* ---- writing ---- */

/* False where the replies to one chunk are too many. */
static bool say(const void *text, size_t len)
{
    if (len > sizeof(replies) - replies_len)
        return false;
    memcpy(replies + replies_len, text, len);
    replies_len += len;
    return true;
}

static bool say_text(const char *text)
{
    return say(text, strlen(text));
}

static bool say_tagged(const struct peer *peer, const char *text)
{
    return say_text(peer->tag) && say_text(" ") && say_text(text) && say_text("\r\n");
}

/* The octets sent, 0 where the socket takes none now, -1 where it is broken. */
static ssize_t send_some(int fd, const void *data, size_t len, int flags)
{
    ssize_t sent = send(fd, data, len, MSG_NOSIGNAL | flags);
    return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* The end of a FETCH whose message was too long to stand among the replies. */
static bool finish_fetch(struct peer *peer)
{
    char end[TAG_MAX + 32];
    int len = snprintf(end, sizeof(end), ")\r\n%s OK fetched\r\n", peer->tag);
    peer->unsent = strdup(end);
    peer->unsent_len = peer->unsent != NULL ? (size_t)len : 0;
    peer->unsent_at = 0;
    peer->command = NULL;
    return peer->unsent != NULL;
}

/* The rest of replies. How much was written; 0: nothing now; -1: the connection has failed. */
static ssize_t write_unsent(struct peer *peer)
{
    ssize_t sent = send_some(peer->fd, peer->unsent + peer->unsent_at, peer->unsent_len, 0);
    if (sent <= 0)
        return sent;
    peer->unsent_at += (size_t)sent;
    peer->unsent_len -= (size_t)sent;
    if (peer->unsent_len == 0) {
        free(peer->unsent);
        peer->unsent = NULL;
    }
    return sent;
}

/* The same of a message. */
static ssize_t write_fetch(struct peer *peer)
{
    size_t part = peer->fetch_left < PATTERN_RUN ? (size_t)peer->fetch_left : PATTERN_RUN;
    ssize_t sent = send_some(peer->fd, pattern_at(peer->fetch_at), part, 0);
    if (sent <= 0)
        return sent;
    peer->fetch_at += (uint64_t)sent;
    peer->fetch_left -= (uint64_t)sent;
    return peer->fetch_left > 0 || finish_fetch(peer) ? sent : -1;
}

/* Writes what waits, as far as the socket takes it. */
bool peer_on_writable(struct peer *peer)
{
    while (peer_wants_write(peer)) {
        ssize_t sent = peer->unsent_len > 0 ? write_unsent(peer) : write_fetch(peer);
        if (sent <= 0)
            return sent == 0;
    }
    return !peer->closing;
}

/* Sends the replies collected, and keeps what the socket does not take. */
static bool flush_replies(struct peer *peer)
{
    size_t len = replies_len;
    replies_len = 0;
    if (len == 0)
        return peer_on_writable(peer);
    ssize_t sent = send_some(peer->fd, replies, len, peer->fetch_left > 0 ? MSG_MORE : 0);
    if (sent < 0)
        return false;
    if ((size_t)sent < len) {
        peer->unsent_len = len - (size_t)sent;
        peer->unsent_at = 0;
        peer->unsent = malloc(peer->unsent_len);
        if (peer->unsent == NULL)
            return false;
        memcpy(peer->unsent, replies + sent, peer->unsent_len);
        return true;
    }
    return peer_on_writable(peer);
}

bool peer_greet(struct peer *peer)
{
    replies_len = 0;
    return say_text("* OK [" CAPABILITIES "] bench ready\r\n") && flush_replies(peer);
}

/* ---- commands ---- */

static const struct command *find_command(const char *word, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strlen(commands[i].name) == len && strncasecmp(commands[i].name, word, len) == 0)
            return &commands[i];
    return &unknown_command;
}

/*
 * "... BODY.PEEK[]<0.16777216>": as many octets of the message as the partial fetch asks for (RFC 3501
 * 6.4.5).
 */
static bool start_fetch(struct peer *peer, const char *arguments)
{
    const char *range = strstr(arguments, "<0.");
    uint64_t octets = range != NULL ? strtoull(range + 3, NULL, 10) : 0;
    char head[96];
    snprintf(head, sizeof(head), "* 1 FETCH (BODY[]<0> {%" PRIu64 "}\r\n", octets);
    if (!say_text(head))
        return false;
    if (octets > FETCH_BUFFERED) {
        peer->fetch_at = 0;
        peer->fetch_left = octets;
        return true;
    }
    if (!say(pattern_at(0), (size_t)octets) || !say_text(")\r\n") || !say_tagged(peer, "OK fetched"))
        return false;
    peer->command = NULL;
    return true;
}

/* The command is there as a whole: answers it. `line`: its first line where it had no literal. */
static bool finish_command(struct peer *peer, const char *line)
{
    const struct command *command = peer->command;
    if (!say_text(command->untagged))
        return false;
    if (command->verb == VERB_FETCH)
        return start_fetch(peer, line);
    if (command->verb == VERB_IDLE)
        return true;
    peer->closing = command->verb == VERB_LOGOUT;
    peer->command = NULL;
    if (command->verb == VERB_UNKNOWN)
        return say_tagged(peer, "BAD unknown command");
    if (command->verb != VERB_APPEND)
        return say_tagged(peer, "OK done");
    char stored[64];
    snprintf(stored, sizeof(stored), "OK stored %" PRIu64 " octets", peer->literal_at);
    return say_tagged(peer, peer->literal_right ? stored : "NO these are not the octets of the benchmark");
}

/* {n} or {n+} at the end of a line: *octets are to follow. */
static bool ends_with_literal(const char *line, size_t len, uint64_t *octets, bool *synchronising)
{
    const char *brace = len > 0 && line[len - 1] == '}' ? strrchr(line, '{') : NULL;
    if (brace == NULL)
        return false;
    char *end;
    *octets = strtoull(brace + 1, &end, 10);
    *synchronising = *end != '+';
    return end != brace + 1;
}

static bool begin_command(struct peer *peer, const char *line)
{
    size_t tag_len = strcspn(line, " ");
    if (tag_len == 0 || tag_len >= sizeof(peer->tag) || line[tag_len] == '\0')
        return false;
    memcpy(peer->tag, line, tag_len);
    peer->tag[tag_len] = '\0';
    const char *word = line + tag_len + 1;
    peer->command = find_command(word, strcspn(word, " "));
    peer->literal_at = 0;
    peer->literal_right = true;
    return true;
}

/* A line without its end, NUL-terminated. False where the connection can't go on. */
static bool on_line(struct peer *peer, const char *line, size_t len)
{
    if (peer->command != NULL && peer->command->verb == VERB_IDLE) {
        peer->command = NULL;
        return say_tagged(peer, strcasecmp(line, "DONE") == 0 ? "OK idled" : "BAD expected DONE");
    }
    if (peer->command == NULL && !begin_command(peer, line))
        return false;
    bool synchronising;
    if (ends_with_literal(line, len, &peer->literal_left, &synchronising))
        return !synchronising || say_text("+ go ahead\r\n");
    return finish_command(peer, line);
}

/* ---- reading ---- */

static size_t take_literal(struct peer *peer, const uint8_t *data, size_t len)
{
    size_t part = peer->literal_left < len ? (size_t)peer->literal_left : len;
    if (peer->command->verb == VERB_APPEND && peer->literal_right)
        peer->literal_right = pattern_matches(peer->literal_at, data, part);
    peer->literal_at += part;
    peer->literal_left -= part;
    return part;
}

/*
 * Takes a line, or all there is of it, into peer->held. Returns 0 where it is too long or the session ends.
 */
static size_t take_line(struct peer *peer, const uint8_t *data, size_t len)
{
    const uint8_t *lf = memchr(data, '\n', len);
    size_t part = lf != NULL ? (size_t)(lf - data) + 1 : len;
    if (part >= sizeof(peer->held) - peer->held_len)
        return 0;
    memcpy(peer->held + peer->held_len, data, part);
    peer->held_len += part;
    if (lf == NULL)
        return part;
    size_t text = peer->held_len - 1;
    if (text > 0 && peer->held[text - 1] == '\r')
        text--;
    peer->held[text] = '\0';
    peer->held_len = 0;
    return on_line(peer, peer->held, text) ? part : 0;
}

/* The length of a PROXY v2 header in front, 0 where there is none. It comes in one segment. */
static size_t proxy_header(const uint8_t *data, size_t len)
{
    static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
    if (len < 16 || memcmp(data, signature, sizeof(signature)) != 0)
        return 0;
    size_t header = 16 + (size_t)(data[14] << 8 | data[15]);
    return header <= len ? header : 0;
}

bool peer_on_readable(struct peer *peer)
{
    ssize_t got = recv(peer->fd, chunk, sizeof(chunk), 0);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    size_t len = (size_t)got;
    size_t at = peer->fresh ? proxy_header(chunk, len) : 0;
    peer->fresh = false;
    replies_len = 0;
    while (at < len && !peer->closing) {
        if (peer->fetch_left > 0)
            return false;
        size_t taken = peer->literal_left > 0 ? take_literal(peer, chunk + at, len - at)
                                              : take_line(peer, chunk + at, len - at);
        if (taken == 0)
            return false;
        at += taken;
    }
    return flush_replies(peer);
}
