/* SPDX-License-Identifier: BSD-2-Clause */
#include "load_client.h"

#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CIPHERTEXT = 256 * 1024 /* read from a socket at once */
};

/*
 * What came from the socket of the client that is being read. BoringSSL asks for five octets of header and
 * then for the record; served from here that costs no system call each, and it takes all before it says that
 * it wants more, so that nothing is left behind when the next client's turn comes.
 */
static struct {
    uint8_t data[CIPHERTEXT];
    size_t at;
    size_t len;
} inbox;

/* ---- the socket as BoringSSL sees it ---- */

static int socket_read(BIO *bio, char *into, int size)
{
    struct load_client *client = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (inbox.at == inbox.len) {
        if (client->drained) {
            BIO_set_retry_read(bio);
            return -1;
        }
        ssize_t got = recv(client->fd, inbox.data, sizeof(inbox.data), 0);
        if (got < 0 && errno == EAGAIN)
            BIO_set_retry_read(bio);
        client->drained = got < 0;
        if (got <= 0)
            return (int)got;
        /*
         * epoll(7): less than asked for means that the socket is empty, and no call is needed to hear so. An
         * end that was announced in the same event as these octets would not be announced again.
         */
        client->drained = (size_t)got < sizeof(inbox.data) && !client->ending;
        inbox.at = 0;
        inbox.len = (size_t)got;
    }
    size_t part = inbox.len - inbox.at < (size_t)size ? inbox.len - inbox.at : (size_t)size;
    memcpy(into, inbox.data + inbox.at, part);
    inbox.at += part;
    return (int)part;
}

static int socket_write(BIO *bio, const char *data, int len)
{
    const struct load_client *client = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(client->fd, data, (size_t)len, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *socket_bio_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOCKET, "load");
    if (method == NULL || !BIO_meth_set_read(method, socket_read) ||
        !BIO_meth_set_write(method, socket_write) || !BIO_meth_set_ctrl(method, socket_control))
        errx(1, "no memory for a BIO");
    return method;
}

/* ---- what all clients share ---- */

static enum ssl_verify_result_t trust_anybody(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

static int keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    struct load_client *client = SSL_get_app_data(ssl);
    SSL_SESSION_free(client->ticket);
    client->ticket = ticket;
    return 1;
}

void load_tls_init(struct load_tls *tls, uint16_t port, bool keep_tickets)
{
    SSL_CTX *context = SSL_CTX_new(TLS_with_buffers_method());
    if (context == NULL || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
        !SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) ||
        !SSL_CTX_set1_curves_list(context, "X25519"))
        errx(1, "no TLS context");
    SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, trust_anybody);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, keep_tickets ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                                         : SSL_SESS_CACHE_OFF);
    if (keep_tickets)
        SSL_CTX_sess_set_new_cb(context, keep_ticket);
    *tls = (struct load_tls){
        .context = context,
        .socket_bio = socket_bio_new(),
        .server = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}},
        .keep_tickets = keep_tickets,
    };
}

void load_tls_free(struct load_tls *tls)
{
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->socket_bio);
    *tls = (struct load_tls){0};
}

/* ---- one client ---- */

static bool open_socket(struct load_client *client, const struct load_tls *tls, int epoll, void *data)
{
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return false;
    int on = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(client->fd, (const struct sockaddr *)&tls->server, sizeof(tls->server)) != 0 &&
        errno != EINPROGRESS)
        return false;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = data}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) == 0;
}

bool load_client_open(struct load_client *client, struct load_tls *tls, int epoll, void *data, bool resume)
{
    client->drained = client->ending = client->clean_close = false;
    if (!open_socket(client, tls, epoll, data))
        return false;
    client->ssl = SSL_new(tls->context);
    BIO *bio = BIO_new(tls->socket_bio);
    if (client->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, client);
    BIO_set_init(bio, 1);
    SSL_set_bio(client->ssl, bio, bio);
    SSL_set_app_data(client->ssl, client);
    SSL_set_connect_state(client->ssl);
    SSL_set_shed_handshake_config(client->ssl, 1);
    if (!SSL_set_tlsext_host_name(client->ssl, "mail.example.com"))
        return false;
    return !resume || client->ticket == NULL || SSL_set_session(client->ssl, client->ticket);
}

void load_client_woken(struct load_client *client, uint32_t events)
{
    client->ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    client->drained = false;
}

/* What a return value of 0 or less means. */
static enum load_result why(struct load_client *client, int result)
{
    int error = SSL_get_error(client->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return LOAD_WAIT;
    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN)
        client->clean_close = true;
    return error == SSL_ERROR_ZERO_RETURN || error == SSL_ERROR_SYSCALL ? LOAD_END : LOAD_FAILED;
}

enum load_result load_client_handshake(struct load_client *client)
{
    int result = SSL_do_handshake(client->ssl);
    return result == 1 ? LOAD_DONE : why(client, result);
}

enum load_result load_client_write(struct load_client *client, const uint8_t *data, size_t len,
                                   size_t *written)
{
    int result = SSL_write(client->ssl, data, (int)len);
    if (result <= 0)
        return why(client, result);
    *written = (size_t)result;
    return LOAD_DONE;
}

enum load_result load_client_read(struct load_client *client, uint8_t *data, size_t size, size_t *got)
{
    int result = SSL_read(client->ssl, data, (int)size);
    if (result <= 0)
        return why(client, result);
    *got = (size_t)result;
    return LOAD_DONE;
}

void load_client_close(struct load_client *client)
{
    if (client->ssl != NULL && SSL_is_init_finished(client->ssl))
        SSL_shutdown(client->ssl);
    SSL_free(client->ssl);
    ERR_clear_error();
    client->ssl = NULL;
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    inbox.at = inbox.len = 0;
}

void load_client_free(struct load_client *client)
{
    load_client_close(client);
    SSL_SESSION_free(client->ticket);
    client->ticket = NULL;
}
