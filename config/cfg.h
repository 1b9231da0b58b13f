/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_H
#define DEEPPROXY_CONFIG_CFG_H

#include "config/cfg_problems.h"
#include "protocols/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The configuration file (libconfig's syntax) as one validated, immutable value. Loading reads the file and
 * nothing else: it opens no certificate, resolves no name and binds no port, but it says everything that is
 * wrong with the text, all of it in one run, each with file:line, what was expected and the nearest known
 * key. Every string belongs to the struct cfg and lives as long. Symbols are cfg_*: libconfig owns config_*.
 */

/* "[::]:993", "10.0.0.1:143", "store1.internal:143". */
struct cfg_endpoint {
    char *text; /* as in the file */
    char *host; /* without brackets; "::" for "*" */
    uint16_t port;
    struct sockaddr_storage address; /* where the host is a numeric address */
    socklen_t address_len;           /* 0 where it is a name, to be resolved by the program */
    struct cfg_place place;
};

enum cfg_tls_version { CFG_TLS_1_0, CFG_TLS_1_1, CFG_TLS_1_2, CFG_TLS_1_3 };

/*
 * A PEM file with the chain, leaf first, and one with its private key; they may be the same. Relative paths are meant from
 * the configuration's folder.
 */
struct cfg_certificate {
    char *chain;
    char *key;
    char *passphrase; /* of a file whose first line opens an encrypted key; NULL: the key is not encrypted */
    char *ocsp;       /* a response to staple; NULL: it is looked for beside the chain */
    struct cfg_place place;
};

/* A folder of certificates, each with its key. */
struct cfg_directory {
    char *path;
    struct cfg_place place;
};

struct cfg_tls {
    struct cfg_certificate *certificates; /* the first is the default */
    size_t certificate_count;
    struct cfg_directory *directories; /* there is at least one of these or of those */
    size_t directory_count;
    char *passphrase;                 /* for the encrypted keys in folders, as in struct cfg_certificate */
    bool strict_sni;                  /* default false */
    enum cfg_tls_version min_version; /* default CFG_TLS_1_2 */
    enum cfg_tls_version max_version; /* default CFG_TLS_1_3 */
    char *ciphers;        /* for TLS 1.2 and older, OpenSSL's syntax; NULL: the suites of RFC 9325 4.2 */
    char *groups;         /* "X25519:P-256"; NULL: X25519, P-256, P-384 */
    bool session_tickets; /* default true */
    char *ticket_keys; /* file of keys that replicas share; NULL: made in memory, and rotated by the clock */
    struct cfg_place ticket_keys_place;
    struct cfg_place place;
};

/* A string of the file, and where it stands. */
struct cfg_text {
    char *text;
    struct cfg_place place;
};

/* A group "deep" (draft section 5.3). */
struct cfg_deep {
    char *status;               /* deep-status: the tags, and then the <url>; checked; "" where it is empty */
    bool merge;                 /* the backend's own status is merged into it; default: ours replaces it */
    struct cfg_text *withdrawn; /* tags that were promised and are not any more, by the operator's own will */
    size_t withdrawn_count;
    struct cfg_text
        *tlsa; /* records that a certificate must match for tls-dane-tlsa (RFC 6698 section 2.2); unread */
    size_t tlsa_count;
    char *ca; /* PEM file of the authorities that clients trust, for tls-cert; NULL: the system's */
    struct cfg_place ca_place;
    struct cfg_place place;
};

/* When the TLS of a service's clients begins. */
enum cfg_tls_mode {
    CFG_TLS_IMPLICIT, /* with the first octet (draft section 4) */
    CFG_TLS_STARTTLS  /* with the client's command: STARTTLS, STLS in POP3 */
};

/* What of a client's certificate is the name of a user. */
enum cfg_login { CFG_LOGIN_NONE, CFG_LOGIN_CN, CFG_LOGIN_EMAIL };

/* Which certificates clients may show, and what for (draft section 9.1.1). Relative paths as above. */
struct cfg_client_certificates {
    char *ca;             /* a PEM file with the authorities */
    char *crl;            /* a PEM file with their revocation lists; NULL: none is looked at */
    bool required;        /* mode; default false: a client may have none */
    enum cfg_login login; /* default CFG_LOGIN_NONE */
    bool external; /* SASL EXTERNAL passes to servers that learn the certificate's name; default true */
    struct cfg_place place;
};

struct cfg_service {
    char *name; /* for logs; default: the protocol's name, with "-2" and so on where it is taken */
    enum protocol protocol;
    struct cfg_endpoint *listen; /* numeric addresses only; at least one */
    size_t listen_count;
    enum cfg_tls_mode tls_mode;  /* default CFG_TLS_IMPLICIT */
    size_t pool;                 /* index into cfg.pools */
    const struct cfg_deep *deep; /* never NULL */
    bool adds_received;          /* submission: a Received field before each message; default false */
    bool
        refuses_bare_lf; /* submission: a bare LF in a message behind DATA is an error; default false: CRLF is
                             made of it */
    struct cfg_client_certificates *client_certificates; /* NULL: no client is asked for one */
    struct cfg_place place;
};

/* What clients get that ask for one of these names (SNI), in place of what their service has. */
struct cfg_host {
    char **names; /* in lower case; "*.example.com" too; at least one */
    size_t name_count;
    const struct cfg_deep *deep; /* NULL: the service's */
    int pools[PROTOCOLS];        /* indexes into cfg.pools; CFG_NO_POOL: the service's */
    struct cfg_place place;
};
enum { CFG_NO_POOL = -1 };

enum cfg_balance { CFG_ROUND_ROBIN };

/* How servers learn who the client is: in one way, so that no two can contradict each other. */
enum cfg_identity { CFG_IDENTITY_NONE, CFG_IDENTITY_PROXY_V1, CFG_IDENTITY_PROXY_V2, CFG_IDENTITY_NATIVE };

/* TLS towards the servers of a pool. */
enum cfg_pool_tls_mode {
    CFG_POOL_TLS_NONE,     /* cleartext, for a private network: the default */
    CFG_POOL_TLS_IMPLICIT, /* from the first octet, but for a PROXY header */
    CFG_POOL_TLS_STARTTLS  /* asked for: STARTTLS, STLS in POP3; without it the server is not used */
};

struct cfg_pool_tls {
    enum cfg_pool_tls_mode mode;
    char *
        ca; /* PEM file with those whose word is taken, or with the server's own certificate; NULL: the system's */
    char *name;          /* what the certificates must be for; NULL: the host of each server's address */
    char **server_names; /* what follows from it, for each server: a DNS name or a numeric address */
    bool verify;         /* default true */
    char *certificate;   /* what the proxy shows its servers, with its issuers; NULL: nothing */
    char *key;           /* there where that is */
    char *passphrase;    /* a file whose first line opens the key; NULL: it is not encrypted */
    enum cfg_tls_version min_version; /* default CFG_TLS_1_2, the least */
    struct cfg_place place;
    struct cfg_place ca_place; /* there, or as `place` */
    struct cfg_place certificate_place;
};

struct cfg_pool {
    char *name;
    enum cfg_balance balance;
    enum cfg_identity identity;
    struct cfg_endpoint *servers; /* at least one */
    size_t server_count;
    struct cfg_pool_tls tls;
    struct cfg_place place;
};

/* In milliseconds. */
struct cfg_timeouts {
    uint64_t handshake; /* from accept to the end of the TLS handshake; default 30 s */
    uint64_t login;     /* from there to a successful login; default 3 min, as Dovecot */
    uint64_t idle; /* without an octet from either side; default 35 min: over Cyrus' 32 (RFC 3501 5.4: 30 at
                      least) */
    uint64_t connect;  /* for each backend tried; default 5 s */
    uint64_t greeting; /* for a backend's greeting; default 30 s */
    uint64_t shutdown; /* how long sessions may go on after SIGTERM; default 30 s */
};

/* What is left to the program, which knows how many workers there are. */
enum { CFG_LIMIT_DERIVED = INT32_MAX };

/* Clients at once, of all workers; 0: no limit. */
struct cfg_limits {
    unsigned handshakes; /* half open; default derived: 512 for each worker */
    unsigned
        handshakes_per_address; /* the same, of an IPv4 address or a /64; default derived: half of these */
    unsigned connections_per_address; /* default 0 */
};

/* Loopback and a management network, of both families, and some more. */
enum { CFG_ADMIN_LISTEN_MAX = 8 };

/* Where metrics and health are told, by HTTP, to whoever asks. */
struct cfg_admin {
    struct cfg_endpoint *listen; /* numeric addresses only; at most CFG_ADMIN_LISTEN_MAX */
    size_t listen_count;         /* default 0: nowhere */
};

enum cfg_log_level { CFG_LOG_ERROR, CFG_LOG_WARNING, CFG_LOG_INFO, CFG_LOG_DEBUG };

struct cfg {
    char *path;
    char *hostname;           /* default: the machine's name */
    char *user;               /* to become after binding, where started as root; NULL: stay who we are */
    char *group;              /* NULL: the user's own */
    bool key_isolation;       /* private keys are in a process of their own; default true */
    char *key_user;           /* who that process is, where started as root; NULL: as `user` */
    unsigned workers;         /* threads; 0: one for each core that the process may run on */
    unsigned max_connections; /* sessions at once, of all workers; 0: as many as RLIMIT_NOFILE allows */
    enum cfg_log_level log_level;
    char *state_file; /* where tags that were promised are remembered; NULL: nowhere */
    struct cfg_place state_file_place;
    struct cfg_tls tls;
    struct cfg_service *services;
    size_t service_count;
    struct cfg_host *hosts;
    size_t host_count;
    struct cfg_pool *pools;
    size_t pool_count;
    struct cfg_timeouts timeouts;
    struct cfg_limits limits;
    struct cfg_admin admin;
};

/*
 * Loads and checks a file. Returns the value, or NULL where `problems` then holds an error; warnings may be
 * there either way. The caller frees both.
 */
struct cfg *cfg_load(const char *path, struct cfg_problems *problems);

/*
 * The same for who looks for further errors: with an error the value comes too, never NULL, as far as it was read. A
 * text that is missing or wrong is NULL in it, a list empty. It must not be run.
 */
struct cfg *cfg_load_to_check(const char *path, struct cfg_problems *problems);
void cfg_free(struct cfg **cfg);

/* The library that reads the syntax, and its version, static. */
const char *cfg_library_name(void);

/* A static name, as the file spells it. */
const char *cfg_tls_version_name(enum cfg_tls_version version);

#endif
