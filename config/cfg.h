/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_H
#define DEEPPROXY_CONFIG_CFG_H

#include "base/must_check.h"
#include "base/networks.h"
#include "config/cfg_problems.h"
#include "protocols/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The configuration file (libconfig's syntax) as one validated, immutable value. Loading reads the file and
 * what it includes, and nothing else: it opens no certificate, resolves no name and binds no port. It reports
 * everything that is wrong with the text in one run, each problem with file:line, what was expected and the
 * nearest known key. Every string belongs to the struct cfg and lives as long. Symbols are cfg_*: libconfig
 * owns config_*.
 */

/* "[::]:993", "10.0.0.1:143", "store1.internal:143", "unix:/run/dovecot/imap". */
struct cfg_endpoint {
    char *text;                      /* as in the file */
    char *host;                      /* without brackets; "::" for "*"; the path of a Unix socket */
    uint16_t port;                   /* 0 for a Unix socket */
    struct sockaddr_storage address; /* if the host is a numeric address, or a Unix socket */
    socklen_t address_len;           /* 0: the host is a name, which the program looks up */
    bool is_any;                     /* "*": [::], and IPv4's 0.0.0.0 if the kernel has no IPv6 */
    bool freebind;                   /* listens although the machine may not have the address yet */
    struct cfg_place place;
};

enum cfg_tls_version { CFG_TLS_1_0, CFG_TLS_1_1, CFG_TLS_1_2, CFG_TLS_1_3 };

/*
 * A PEM file with the chain, leaf first, and one with its private key; they may be the same. Relative paths
 * are meant from the configuration's folder.
 */
struct cfg_certificate {
    char *chain;
    char *key;
    /* A file whose first line decrypts the key; NULL: the key is not encrypted. */
    char *passphrase;
    /* A response to staple; NULL: the program looks for one beside the chain. */
    char *ocsp;
    struct cfg_place place;
};

/* A folder of certificates, each with its key. */
struct cfg_directory {
    char *path;
    struct cfg_place place;
};

/* TLS with clients. There is at least one certificate or directory. */
struct cfg_tls {
    struct cfg_certificate *certificates; /* the first is the default */
    size_t certificate_count;
    struct cfg_directory *directories;
    size_t directory_count;
    /* For the encrypted keys in folders, as in struct cfg_certificate. */
    char *passphrase;
    bool strict_sni;                  /* default false */
    enum cfg_tls_version min_version; /* default CFG_TLS_1_2 */
    enum cfg_tls_version max_version; /* default CFG_TLS_1_3 */
    /* For TLS 1.2 and older, in OpenSSL's syntax; NULL: the suites of RFC 9325 section 4.2. */
    char *ciphers;
    char *groups;         /* "X25519:P-256"; NULL: X25519, P-256, P-384 */
    bool session_tickets; /* default true */
    /* The file of keys that replicas share; NULL: keys are made in memory, and rotated by the clock. */
    char *ticket_keys;
    struct cfg_place ciphers_place; /* of the key, or `place` without it; as the next three */
    struct cfg_place groups_place;
    struct cfg_place passphrase_place;
    struct cfg_place ticket_keys_place;
    struct cfg_place place;
};

/* A string of the file, and its place. */
struct cfg_text {
    char *text;
    struct cfg_place place;
};

/* A group "deep" (draft section 5.3). */
struct cfg_deep {
    /* deep-status: the tags, and then the <url>. It is valid; "" if it is empty. */
    char *status;
    /* Is the backend's own status merged into it? Default false: ours replaces it. */
    bool merge;
    /* Tags that were promised and are promised no longer, because the operator says so. */
    struct cfg_text *withdrawn;
    size_t withdrawn_count;
    /* Records that a certificate must match for tls-dane-tlsa (RFC 6698 section 2.2), not parsed yet. */
    struct cfg_text *tlsa;
    size_t tlsa_count;
    /* A PEM file of the authorities that clients trust, for tls-cert; NULL: the system's. */
    char *ca;
    struct cfg_place ca_place;
    struct cfg_place place;
};

/* When the TLS of a service's clients begins. */
enum cfg_tls_mode {
    CFG_TLS_IMPLICIT, /* with the first octet (draft section 4) */
    CFG_TLS_STARTTLS  /* with the client's command: STARTTLS, STLS in POP3 */
};

/* The part of a client's certificate that is the user's login. */
enum cfg_login { CFG_LOGIN_NONE, CFG_LOGIN_CN, CFG_LOGIN_EMAIL };

/* Which certificates clients may show, and what for (draft section 9.1.1). Relative paths as above. */
struct cfg_client_certificates {
    char *ca;             /* a PEM file with the authorities */
    char *crl;            /* a PEM file with their revocation lists; NULL: no certificate is revoked */
    bool required;        /* default false: a client may have none */
    enum cfg_login login; /* default CFG_LOGIN_NONE */
    /* Is SASL EXTERNAL passed to servers that learn the certificate's name? Default true. */
    bool external;
    struct cfg_place ca_place; /* of the key, or `place` without it; as the next three */
    struct cfg_place crl_place;
    struct cfg_place login_place;
    struct cfg_place external_place;
    struct cfg_place place;
};

/* The PROXY protocol towards a service: balancers say whose connection it is. */
struct cfg_proxy_protocol {
    struct networks from; /* the balancers that are believed; at least one */
    bool is_optional;     /* default false: each connection comes from a balancer, with a header */
};

struct cfg_service {
    /* For logs; default: the protocol's name, and "-2" and so on if another service has that. */
    char *name;
    enum protocol protocol;
    struct cfg_endpoint *listen; /* numeric addresses only; at least one */
    size_t listen_count;
    enum cfg_tls_mode tls_mode;  /* default CFG_TLS_IMPLICIT */
    size_t pool;                 /* index into cfg.pools */
    const struct cfg_deep *deep; /* never NULL */
    /* Submission: is a Received field added to each message? Default false. */
    bool adds_received;
    /* Submission: is a bare LF in a message an error? Default false: it becomes CRLF. */
    bool refuses_bare_lf;
    struct cfg_client_certificates *client_certificates; /* NULL: no client is asked for one */
    struct cfg_proxy_protocol *proxy_protocol;           /* NULL: connections are the clients' own */
    struct networks allow;                               /* clients come from here; none: from everywhere */
    struct networks deny;                                /* and not from here, whatever `allow` has */
    struct cfg_place place;
};

/* What is different for clients that ask for one of these names (SNI). */
struct cfg_host {
    char **names; /* in lower case; "*.example.com" too; at least one */
    size_t name_count;
    const struct cfg_deep *deep; /* NULL: the service's */
    int pools[PROTOCOLS];        /* indexes into cfg.pools; CFG_NO_POOL: the service's */
    struct cfg_place place;
};
enum { CFG_NO_POOL = -1 };

/* How a pool's servers share its sessions: each is a policy in proxy/backends. */
enum cfg_balance {
    CFG_BALANCE_ROUND_ROBIN,
    CFG_BALANCE_LEAST_CONNECTIONS,
    CFG_BALANCE_SOURCE_HASH,
    CFG_BALANCES
};

/* How servers learn who the client is: in one way, so that no two can contradict each other. */
enum cfg_identity { CFG_IDENTITY_NONE, CFG_IDENTITY_PROXY_V1, CFG_IDENTITY_PROXY_V2, CFG_IDENTITY_NATIVE };

/* TLS towards the servers of a pool. */
enum cfg_pool_tls_mode {
    CFG_POOL_TLS_NONE,     /* cleartext, for a private network: the default */
    CFG_POOL_TLS_IMPLICIT, /* from the first octet, or right after a PROXY header */
    CFG_POOL_TLS_STARTTLS  /* by STARTTLS, STLS in POP3; a server without it is not used */
};

struct cfg_pool_tls {
    enum cfg_pool_tls_mode mode;
    /*
     * A PEM file with the authorities that are trusted, or with the server's own certificate; NULL: the
     * system's.
     */
    char *ca;
    /* The name that the certificates must have; NULL: the host of each server's address. */
    char *name;
    /* For each server, the name that follows from it: a DNS name or a numeric address. */
    char **server_names;
    bool verify; /* default true */
    /* What the proxy shows its servers, with its issuers; NULL: nothing. */
    char *certificate;
    char *key; /* NULL if, and only if, `certificate` is */
    /* A file whose first line decrypts the key; NULL: the key is not encrypted. */
    char *passphrase;
    enum cfg_tls_version min_version; /* default CFG_TLS_1_2 */
    struct cfg_place place;
    struct cfg_place ca_place; /* `place` if there is no "ca" */
    struct cfg_place certificate_place;
};

/* How the servers of a pool are checked. Times in milliseconds. */
struct cfg_pool_check {
    bool is_on;           /* default true */
    uint64_t interval_ms; /* from the end of a check to the next one of the server; default 5 s */
    uint64_t
        fast_ms; /* the same if its state is about to change; default 1 s, or interval_ms if that is less */
    uint64_t slow_ms;    /* the same if it is down; default 10 s, or interval_ms if that is more */
    uint64_t timeout_ms; /* for a whole check; default 5 s */
    unsigned rise;       /* checks in a row that pass until a server that was down is up; default 2 */
    unsigned fall;       /* checks in a row that fail until a server is down; default 3 */
};

/* A server of a pool. One whose address is a host's name is as many as the name has addresses. */
struct cfg_server {
    char *name; /* default: the text of its address */
    struct cfg_endpoint address;
    unsigned weight;          /* its share of new sessions, up to CFG_WEIGHT_MAX; 0: none; default 1 */
    unsigned max_connections; /* default 0: no limit */
    bool is_backup;           /* used if no other one can be; default false */
    struct cfg_place place;
};
enum { CFG_WEIGHT_MAX = 1000 };

/* Sessions that wait as the servers of a pool are full. */
struct cfg_pool_queue {
    unsigned length;             /* how many may wait, over all workers; 0: none; default 500 */
    uint64_t wait_ms;            /* how long each; default 10 s */
    struct cfg_place wait_place; /* of the key, or the pool's */
};

/* A pool of servers: a group of "backends". */
struct cfg_pool {
    char *name;
    enum cfg_balance balance; /* default CFG_BALANCE_ROUND_ROBIN */
    enum cfg_identity identity;
    struct cfg_server *servers; /* at least one, each with a name of its own */
    size_t server_count;
    struct cfg_pool_tls tls;
    struct cfg_pool_check check;
    struct cfg_pool_queue queue;
    uint64_t slow_start_ms;     /* how long a server that was down warms up; default 60 s; 0: not at all */
    uint64_t resolve_ms;        /* how often names are looked up; default 10 s */
    uint64_t hold_ms;           /* how long the last good addresses stay without an answer; default 1 h */
    uint64_t goodbye_spread_ms; /* over which the clients of a lost server get the goodbye; default 30 s */
    /* Addresses from which the proxy connects, of port 0, in turn; none: the kernel selects one. */
    struct cfg_endpoint *sources;
    size_t source_count;
    struct cfg_place place;
};

struct cfg_timeouts {
    uint64_t handshake_ms; /* from accept to the end of the TLS handshake; default 30 s */
    uint64_t login_ms;     /* from there to a successful login; default 3 min, as Dovecot */
    /*
     * Instead of that if the protocol has login_optional: until the next whole command. Default 5 min (RFC
     * 5321 section 4.5.3.2.7); as `login_ms` if the file sets that.
     */
    uint64_t command_ms;
    /*
     * Without an octet from either side; default 35 min: over Cyrus' 32 (RFC 3501 section 5.4: 30 at least).
     */
    uint64_t idle_ms;
    uint64_t connect_ms;  /* for each server that is tried; default 5 s */
    uint64_t greeting_ms; /* for a server's greeting; default 30 s */
    uint64_t failover_ms; /* for a greeting in all, whatever number of servers is tried; default 20 s */
    uint64_t grace_ms;    /* from "not ready" to closing the listeners, after SIGTERM; default 0 */
    uint64_t shutdown_ms; /* from then on, for sessions to end by themselves; default 30 s */
};

/* A limit that the program derives, as it knows how many workers there are. */
enum { CFG_LIMIT_DERIVED = INT32_MAX };

/* How many clients may be there at once, of all workers (0: no limit), and how long their lines may be. */
struct cfg_limits {
    /* Half open; default derived: 512 for each worker. */
    unsigned handshakes;
    /* Half open, of an IPv4 address or a /64; default derived: half of `handshakes`. */
    unsigned handshakes_per_address;
    unsigned connections_per_address; /* default 0 */
    /* New ones in a second; default 0. */
    unsigned connection_rate_per_address;
    /* Octets of lines (protocols/limits.h): an IMAP command of a user who has logged in, and SASL. */
    unsigned imap_line; /* default IMAP_LINE_AUTHENTICATED_MAX */
    unsigned sasl_line; /* default SASL_MAX */
};

/* Loopback and a management network, of both families, and some more. */
enum { CFG_ADMIN_LISTEN_MAX = 8 };

/*
 * The endpoint that serves metrics and health by HTTP to everybody who can connect, and control to those who
 * may use its socket. There is neither by default.
 */
struct cfg_admin {
    struct cfg_endpoint *listen; /* numeric addresses only; at most CFG_ADMIN_LISTEN_MAX */
    size_t listen_count;
    char *socket; /* a path that fits into the address of a Unix socket; NULL: there is none */
    struct cfg_place socket_place;
    /* Whose members may control, a name or digits; NULL: root and the program's own user alone. */
    char *group;
    struct cfg_place group_place;
    /* Indexes into cfg.pools: the program is ready if each of these can serve. None: if any pool can. */
    size_t *ready_needs;
    size_t ready_need_count;
};

enum cfg_log_level { CFG_LOG_ERROR, CFG_LOG_WARNING, CFG_LOG_INFO, CFG_LOG_DEBUG };

struct cfg {
    char *path;
    char *hostname; /* default: the machine's name */
    /*
     * The user and the group to become after binding, if started as root, each a name or digits; NULL: the
     * program's default (proxy/common/privileges.h), and the user's own group.
     */
    char *user;
    char *group;
    struct cfg_place user_place; /* of the key, or the whole file's; as the next two */
    struct cfg_place group_place;
    struct cfg_place key_user_place;
    /* Are private keys in a process of their own? Default true. */
    bool key_isolation;
    /* The user of that process, if started as root, a name or digits; NULL: as `user`. */
    char *key_user;
    /* Threads; 0: one for each core that the process may run on. */
    unsigned workers;
    /* Sessions at once, of all workers; 0: as many as RLIMIT_NOFILE allows. */
    unsigned max_connections;
    enum cfg_log_level log_level;
    /* The file in which promised tags are remembered; NULL: there is none. */
    char *state_file;
    struct cfg_place state_file_place;
    struct cfg_tls tls;
    struct cfg_service *services;
    size_t service_count;
    const struct cfg_host *hosts; /* in host_list */
    size_t host_count;
    struct cfg_host_list *host_list; /* NULL: there are no hosts */
    struct cfg_pool *pools;
    size_t pool_count;
    struct cfg_timeouts timeouts;
    struct cfg_limits limits;
    struct cfg_admin admin;
};

/*
 * Loads and checks a file. Returns the value, or NULL if there was an error; `problems` then has it. Warnings
 * may be there either way. The caller frees both.
 */
struct cfg *cfg_load(const char *path, struct cfg_problems *problems);

/*
 * As cfg_load, for callers that go on checking: NULL only if memory is short, and then `problems` has an
 * error. After any other the value is what could be read: a text that is missing or wrong is NULL in it, a
 * list empty. Such a value must not be run.
 */
struct cfg *cfg_load_to_check(const char *path, struct cfg_problems *problems);

/*
 * If both have the same hosts, at the same places of the file, `cfg` gets those of `before` in place of its
 * own, so that they are in memory once. What was found in cfg->hosts is not valid any more.
 */
void cfg_share_hosts(struct cfg *cfg, const struct cfg *before);

/* Frees a configuration with all its strings, and nulls the pointer, which may be NULL already. */
void cfg_free(struct cfg **cfg);

/*
 * The keys that take a restart as `cfg` has them, and nothing else of it: what a program that began with it
 * runs with for good. The caller frees it by cfg_free. NULL if memory is short.
 */
MUST_CHECK struct cfg *cfg_copy_start(const struct cfg *cfg);

/* Adds a warning for each key whose value in `after` is not that in `before`, and that takes a restart. */
void cfg_warn_of_restart(const struct cfg *before, const struct cfg *after, struct cfg_problems *problems);

/* The name of the key with this index among those that take a restart, static; NULL: there are no more. */
const char *cfg_restart_key(size_t index);

/* The library that reads the syntax, and its version; static. */
const char *cfg_library_name(void);

/* The version of TLS as the file spells it; static. */
const char *cfg_tls_version_name(enum cfg_tls_version version);

/* The policy as the file spells it; static. */
const char *cfg_balance_name(enum cfg_balance balance);

#endif
