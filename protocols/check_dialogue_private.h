/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_CHECK_DIALOGUE_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_CHECK_DIALOGUE_PRIVATE_H

#include "protocols/check_dialogue.h"
#include "protocols/line.h"

/*
 * The inner side of check_dialogue.h. check_dialogue.c has what the protocols share: lines, limits, the order
 * of the steps, the judgement. A dialect (imap_check.c and its like) has the words of one protocol: it gets
 * the server's lines one by one, and says what they mean by the functions below.
 */
enum check_step {
    CHECK_STEP_GREETING,
    CHECK_STEP_CAPABILITIES, /* the answer to the question for them */
    CHECK_STEP_CONSENT,      /* the answer to STARTTLS */
    CHECK_STEP_HANDSHAKE,
    CHECK_STEP_ID,
    CHECK_STEP_GOODBYE,
    CHECK_STEP_DONE
};

/* What the server's list has. Forgotten after STARTTLS. */
struct check_offer {
    bool listed;   /* the server has a list of capabilities */
    bool cut;      /* some of it was not kept */
    bool starttls; /* it has STARTTLS, or may have it, as it has no list */
    bool xclient;
    bool id;
    bool login; /* someone could log in */
    struct bytes capabilities;
    struct bytes mechanisms;
};

struct check_dialogue {
    struct check_settings settings;
    struct line_reader lines;
    struct bytes output;
    enum check_step step;
    unsigned line_count;
    bool secured;
    bool settled;
    enum check_result result;
    const char *detail;
    struct check_offer offer;
    bool xclient_in_greeting; /* POP3 */
    struct bytes id;
    bool in_reply;         /* a reply of several lines has begun */
    unsigned reply_code;   /* SMTP: of that reply */
    uint64_t literal_left; /* IMAP: octets that belong to no line */
};

struct check_dialect {
    /* Takes a line of the server, of any step but HANDSHAKE and DONE. */
    void (*line)(struct check_dialogue *dialogue, const struct line *line);
    /* Commands; "%" stands for the proxy's name. */
    const char *capabilities;
    const char *capabilities_over_tls; /* after STARTTLS */
    const char *starttls;
    const char *id; /* NULL: there is none */
    const char *goodbye;
    const char *not_the_protocol; /* the detail for a greeting of something else */
};

/* The greeting is good. */
void check_greeted(struct check_dialogue *dialogue);

/* One capability, one mechanism of the list. */
void check_keep_capability(struct check_dialogue *dialogue, struct slice text);
void check_keep_mechanism(struct check_dialogue *dialogue, struct slice name);

/* The list has ended, or there is none (`listed`). */
void check_capabilities_end(struct check_dialogue *dialogue, bool listed);

/* The server agrees to TLS. */
void check_consented(struct check_dialogue *dialogue);

/* Says goodbye, and expects the answer to it. The server is judged by its list, if there is no result yet. */
void check_say_goodbye(struct check_dialogue *dialogue);

/* The result is this one, if there is none yet; the server gets its goodbye. */
void check_refuse(struct check_dialogue *dialogue, enum check_result result, const char *detail);

/* The server has answered the goodbye. */
void check_finish(struct check_dialogue *dialogue);

#endif
