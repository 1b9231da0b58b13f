/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "proxy/common/address.h"

#include <stdlib.h>
#include <string.h>

/*
 * The PROXY header with which a balancer begins. From one that proxy_protocol.from has it is read, and the
 * client whom it names is admitted then. With mode = "optional" the connection may be a client's own: such a
 * client is admitted first, and then looked at for a header, which is refused.
 */

/* All of a read, and what was held of a header that is none. */
enum { EARLY_MAX = SESSION_HEADER_READ_MAX + PROXY_READER_HELD_MAX };

/* ---- addresses ---- */

static void pack(const struct sockaddr_storage *address, union packed_address *into)
{
    memcpy(into, address, sizeof *into);
}

static void unpack(const union packed_address *packed, struct sockaddr_storage *into)
{
    memset(into, 0, sizeof *into);
    memcpy(into, packed, sizeof *packed);
}

static void to_sockaddr(const struct proxy_v2_address *from, struct sockaddr_storage *into)
{
    memset(into, 0, sizeof *into);
    if (from->family == PROXY_V2_IPV4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(from->port)};
        memcpy(&v4.sin_addr, from->octets, sizeof v4.sin_addr);
        memcpy(into, &v4, sizeof v4);
    } else {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(from->port)};
        memcpy(&v6.sin6_addr, from->octets, sizeof v6.sin6_addr);
        memcpy(into, &v6, sizeof v6);
    }
    address_unmap(into);
}

bool session_origin_connected(const struct session *session, struct sockaddr_storage *into)
{
    if (session->origin == NULL || session->origin->connected.any.sa_family == AF_UNSPEC)
        return false;
    unpack(&session->origin->connected, into);
    return true;
}

bool session_origin_balancer(const struct session *session, struct sockaddr_storage *into)
{
    if (session->origin == NULL || session->origin->balancer.any.sa_family == AF_UNSPEC)
        return false;
    unpack(&session->origin->balancer, into);
    return true;
}

/* From here on the session is that of the client in the header, if there is one. */
static void take_addresses(struct session *session)
{
    struct origin *origin = session->origin;
    const struct proxy_reader *reader = origin->reader;
    struct sockaddr_storage connected;
    pack(&session->address, &origin->balancer);
    origin->is_local = reader->is_local;
    if (reader->client.family == PROXY_V2_UNSPEC)
        return;
    to_sockaddr(&reader->client, &session->address);
    to_sockaddr(&reader->proxy, &connected);
    pack(&connected, &origin->connected);
}

/* ---- the beginning and the end ---- */

void session_free_origin(struct session *session)
{
    if (session->origin == NULL)
        return;
    bytes_free(&session->origin->early);
    free(session->origin->reader);
    free(session->origin);
    session->origin = NULL;
}

bool session_awaits_header(const struct session *session)
{
    return session->service->cfg->proxy_protocol != NULL && session->origin == NULL;
}

bool session_is_of_balancer(const struct session *session)
{
    return session->origin != NULL && session->origin->is_local;
}

void session_begin_header(struct session *session, bool is_trusted)
{
    session->origin = calloc(1, sizeof *session->origin);
    if (session->origin != NULL)
        session->origin->reader = calloc(1, sizeof *session->origin->reader);
    if (session->origin == NULL || session->origin->reader == NULL) {
        session_close(session, END_NO_MEMORY, NULL);
        return;
    }
    session->origin->is_trusted = is_trusted;
    session_move(session, SESSION_HEADER);
    session_set_timeout(session, WORKER_TIMEOUT_HANDSHAKE);
    session_advance(session);
}

/* False if memory is short. */
static bool keep_early(struct session *session, struct slice rest)
{
    struct origin *origin = session->origin;
    bool is_absent = origin->reader->state == PROXY_READER_ABSENT;
    struct slice held = is_absent ? proxy_reader_held(origin->reader) : (struct slice){NULL, 0};
    return bytes_append(&origin->early, held, EARLY_MAX) && bytes_append(&origin->early, rest, EARLY_MAX);
}

void session_take_early(struct session *session)
{
    struct origin *origin = session->origin;
    if (origin == NULL || origin->early.len == 0 || !session_is_in(session, SESSION_IS_BEGUN))
        return;
    /* The session may end meanwhile, and frees what it has. */
    struct bytes early = origin->early;
    origin->early = (struct bytes){0};
    session_receive_from_client(session, bytes_view(&early));
    bytes_free(&early);
}

/* The header is read, or there is none. `rest` follows it. May end the session. */
static void go_on(struct session *session, struct slice rest)
{
    struct origin *origin = session->origin;
    if (!keep_early(session, rest)) {
        session_close(session, END_NO_MEMORY, NULL);
        return;
    }
    if (origin->is_trusted && origin->reader->state == PROXY_READER_DONE)
        take_addresses(session);
    free(origin->reader);
    origin->reader = NULL;
    if (!origin->is_trusted) {
        session_begin_half_open(session);
        return;
    }
    handshakes_leave(&session->worker->handshakes, &session->handshake);
    session_admit(session);
    session_advance(session);
}

/* ---- what comes ---- */

static void take_trusted(struct session *session, struct slice rest)
{
    const struct proxy_reader *reader = session->origin->reader;
    switch (reader->state) {
    case PROXY_READER_UNDECIDED:
    case PROXY_READER_READS:
        return;
    case PROXY_READER_ABSENT:
        if (session->service->cfg->proxy_protocol->is_optional)
            go_on(session, rest);
        else
            session_refuse(session, REFUSAL_PROXY_MISSING, NULL);
        return;
    case PROXY_READER_DONE:
        go_on(session, rest);
        return;
    case PROXY_READER_REFUSED:
        session_refuse(session, REFUSAL_PROXY_MALFORMED, proxy_fault_words(reader->fault));
        return;
    }
}

/* From an address that is believed nothing: the beginning of a header is enough. */
static void take_untrusted(struct session *session, struct slice rest)
{
    session->has_spoken = true;
    switch (session->origin->reader->state) {
    case PROXY_READER_UNDECIDED:
        return;
    case PROXY_READER_ABSENT:
        go_on(session, rest);
        return;
    case PROXY_READER_READS:
    case PROXY_READER_DONE:
    case PROXY_READER_REFUSED:
        session_refuse(session, REFUSAL_PROXY_UNTRUSTED, NULL);
        return;
    }
}

void session_take_header(struct session *session, struct slice data)
{
    size_t taken = proxy_reader_feed(session->origin->reader, data);
    if (session->origin->is_trusted)
        take_trusted(session, slice_from(data, taken));
    else
        take_untrusted(session, slice_from(data, taken));
}

void session_end_header(struct session *session, enum end_reason reason)
{
    const struct origin *origin = session->origin;
    bool is_late = reason == END_HANDSHAKE_TIMEOUT;
    if (origin->is_trusted && origin->reader->held_len > 0)
        session_refuse(session, REFUSAL_PROXY_INCOMPLETE,
                       is_late ? "timeout in the PROXY header" : "closed in the PROXY header");
    else if (origin->is_trusted)
        session_close(session, reason, "before the PROXY header");
    else
        session_close(session, reason, is_late ? NULL : "during the TLS handshake");
}
