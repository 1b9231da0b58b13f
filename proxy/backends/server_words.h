/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_SERVER_WORDS_H
#define DEEPPROXY_PROXY_BACKENDS_SERVER_WORDS_H

/*
 * The states of a server, on two axes, and why they change. Log, metrics, runtime control and manual use the
 * words that this file gives for them; all texts are static. It has no state and changes none
 * (server_state.h).
 */

/* The axis of what the proxy sees. */
enum server_health {
    SERVER_UNCHECKED, /* nothing is known of it: it takes sessions */
    SERVER_UP,
    SERVER_FAILING,    /* some checks in a row have failed, fewer than "fall": it takes sessions */
    SERVER_DOWN,       /* checks have failed: it takes none */
    SERVER_RISING,     /* some checks in a row have passed, fewer than "rise": it takes none yet */
    SERVER_WARMING,    /* slow start: it takes a share of its sessions that grows */
    SERVER_EJECTED,    /* sessions have failed at it: it takes one at a time, after its back-off */
    SERVER_UNRESOLVED, /* its name has no address */
    SERVER_HEALTHS
};

/* The axis of what the operator wants. */
enum server_admin {
    SERVER_READY,
    SERVER_DRAIN,       /* no new sessions */
    SERVER_MAINTENANCE, /* no new sessions, no checks */
    SERVER_ADMINS
};

enum server_axis { SERVER_AXIS_STATE, SERVER_AXIS_ADMIN, SERVER_AXES };

/* Why something has changed, and how a session or a check has failed. */
enum server_cause {
    /* Failures of a session or a check, by layer: those below SERVER_FAILURES. */
    SERVER_CONNECT_REFUSED,
    SERVER_CONNECT_TIMEOUT,
    SERVER_CONNECT_FAILED, /* another error of the network */
    SERVER_TLS_UNTRUSTED,
    SERVER_TLS_FAILED,
    SERVER_TLS_TIMEOUT,
    SERVER_NO_GREETING,  /* connected, and silent for too long */
    SERVER_CLOSED_EARLY, /* it has ended the connection before its greeting */
    SERVER_BAD_GREETING,
    SERVER_NO_ANSWER,  /* a check: closed or silent after the greeting */
    SERVER_BAD_ANSWER, /* a check: an answer that is none of the protocol */
    SERVER_NO_LOGIN_OFFERED,
    SERVER_NO_XCLIENT,
    SERVER_NO_PROXY,
    SERVER_FAILURES,
    /* What else changes a state. */
    SERVER_CAUSE_CHECK_PASSED = SERVER_FAILURES,
    SERVER_CAUSE_SERVED, /* a client has had its greeting */
    SERVER_CAUSE_WARMED, /* the slow start is over */
    SERVER_CAUSE_NAME_GONE,
    SERVER_CAUSE_NAME_FOUND,
    SERVER_CAUSE_CHECKS_OFF, /* the configuration has no checks any more */
    SERVER_CAUSE_OPERATOR,
    SERVER_CAUSE_RESTORED,      /* the operator's wish of before a restart */
    SERVER_CAUSE_CONFIGURATION, /* the file was changed on this point */
    SERVER_CAUSES
};

/* "unchecked", "up", ... */
const char *server_health_word(enum server_health health);

/* "ready", "drain", "maintenance". */
const char *server_admin_word(enum server_admin admin);

/* "state", "admin". */
const char *server_axis_word(enum server_axis axis);

/* The word of a value of either axis. */
const char *server_value_word(enum server_axis axis, unsigned value);

/* "connect-refused", "check-passed", ... */
const char *server_cause_word(enum server_cause cause);

#endif
