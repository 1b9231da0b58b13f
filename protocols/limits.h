/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_LIMITS_H
#define DEEPPROXY_PROTOCOLS_LIMITS_H

/*
 * How long the lines of all protocols may be, in octets and with their end unless it says otherwise. Each is
 * at least what the RFC allows and what the common servers take, so that no client is refused here whom its
 * server would serve; tests/unit/protocols/test_lengths.c has the table. `limits` in the configuration
 * changes two of them (struct engine_service). What is held of a line that has not ended is bounded by them,
 * and freed when it has been sent.
 */
enum {
    LINE_END_LEN = 2,

    /*
     * SASL, without the line end: an initial response, a challenge, and the client's answer to one. RFC 4954
     * section 4 has 12,288 for SMTP, RFC 5034 and RFC 3501 no figure. `limits.sasl_line`.
     */
    SASL_MAX = 12288,
    /* Up to a Kerberos ticket of 48,000 octets (MaxTokenSize of Active Directory) in base64. */
    SASL_MAX_HIGHEST = 65536,

    /*
     * A command line before the login: RFC 7162 section 4 has clients stay below. Dovecot takes 1,024 +
     * 8,192.
     */
    IMAP_LINE_MAX = 8192,
    /*
     * After it. Dovecot takes 65,536 (imap_max_line_length), Cyrus words of 131,072. `limits.imap_line`.
     */
    IMAP_LINE_AUTHENTICATED_MAX = 262144,
    IMAP_LINE_HIGHEST = 10 * 1000 * 1000,
    /* What is around the initial response of AUTHENTICATE: tag, name, mechanism (RFC 4422: 20), line end. */
    IMAP_AUTHENTICATE_WORDS_MAX = 128,
    /*
     * A whole ID command, with its literals: RFC 2971 section 3.3 has 30 x (30 + 1,024), which are twice as
     * many if each has a backslash before it (63,240), in quotation marks, with what is between them. Dovecot
     * takes 31,799 of such octets.
     */
    IMAP_ID_COMMAND_MAX = 65536,
    /* A server's ID response: the same. */
    IMAP_HELD_ID_MAX = 65536,
    /* A server's greeting, or a line with its capabilities; Dovecot's have 520 octets. */
    IMAP_HELD_LINE_MAX = 8192,

    /* A command: RFC 2449 section 4 has 255; Dovecot takes 1,024, Cyrus 8,191. */
    POP3_COMMAND_MAX = 8192,
    /* AUTH with an initial response, and what is around it. */
    POP3_AUTH_WORDS_MAX = 64,
    /* What is around a challenge: "+ " and the line end. */
    POP3_CHALLENGE_WORDS_MAX = 4,

    /*
     * A command: RFC 5321 section 4.5.3.1.4 has 512, to which the extensions of MAIL and RCPT add less than
     * 2,000. Postfix takes 2,048, Exim 16,384.
     */
    SMTP_COMMAND_MAX = 16384,
    /* AUTH with an initial response, and what is around it. */
    SMTP_AUTH_WORDS_MAX = 64,
    /* What is around a challenge: "334 " and the line end. */
    SMTP_CHALLENGE_WORDS_MAX = 6,
    /* A line over its limit gets a reply and is skipped; one that is as long as this is taken for endless. */
    SMTP_LINE_ENDLESS = 128 * 1024
};

#endif
