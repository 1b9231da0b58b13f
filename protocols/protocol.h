/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PROTOCOL_H
#define DEEPPROXY_PROTOCOLS_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What distinguishes one mail protocol from another, as one row of traits for each. Code that has to know
 * ("is there a registered name for ALPN?", "does a session do without a login?") asks the row, and never
 * compares a protocol. A new protocol is a value of the enum, a row in its folder
 * (protocols/imap/imap_protocol.c and its like) and a line in protocol.c. All of it is constant, static and
 * shared by all threads.
 */
enum protocol { PROTOCOL_IMAP, PROTOCOL_POP3, PROTOCOL_SUBMISSION, PROTOCOLS /* how many */ };

/* When the TLS of a service's clients begins. */
struct protocol_ports {
    uint16_t implicit; /* the registered port where clients begin with TLS (RFC 8314) */
    uint16_t starttls; /* the one where they begin in the clear */
};

/* The name that is negotiated by ALPN (RFC 7301). */
struct protocol_alpn {
    const char *list; /* as a ProtocolNameList with this one name: a length octet and the name */
    /* By IANA. Servers that know ALPN refuse a name that they do not know: no other is sent to one. */
    bool is_registered;
};

/* The shortest time after which a server may disconnect a client that sends nothing. */
struct protocol_autologout {
    uint64_t min_ms;
    const char *rule; /* the RFC and its section */
};

/* What a client that only wants to know whether the service works sends and expects. */
struct protocol_probe {
    const char *greeting;   /* what a good greeting begins with ... */
    const char *greeting_2; /* ... or with this; NULL: there is one kind */
    const char *starttls;   /* the command that asks for TLS */
    const char *consent;    /* what the answer to it begins with, if the server agrees */
    const char *question;   /* a harmless command, which a server of the pool answers ... */
    const char *answer;     /* ... with a line that begins with this */
    const char *goodbye;    /* ends the session */
};

struct protocol_traits {
    const char *name; /* as the configuration, the log and the state file spell it */
    struct protocol_ports ports;
    struct protocol_alpn alpn;
    struct protocol_autologout autologout;
    /*
     * A session may be served without a login: by the client's address. The server must then know that
     * address, or it trusts everybody as it trusts the proxy.
     */
    bool login_optional;
    /*
     * Each whole command, and each reply, restarts the time that a client has for its login: it is not known
     * whether one will come (engine_status.turns).
     */
    bool turns_restart_login_timer;
    /* The session carries messages that are on their way, to which a server adds trace fields. */
    bool submits_messages;
    /* Its own words for who the client is (identity = "native") include the name of a certificate's login. */
    bool native_identity_has_login;
    struct protocol_probe probe;

    /* For protocols/ alone. */
    const struct engine_ops *engine;                       /* between client and server */
    const struct pretls_dialect *pretls;                   /* with a client, before its STARTTLS */
    const struct starttls_client_dialect *starttls_client; /* with a server, around the STARTTLS sent to it */
    const struct check_dialect *check;                     /* with a server, in an active check */
};

/* Never NULL. */
const struct protocol_traits *protocol_traits(enum protocol protocol);

#endif
