#include "connection.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tls.h"

/* As <netinet/tcp.h> numbers the states; it cannot be included beside <linux/tcp.h>. */
enum { TCP_STATE_CLOSE = 7, TCP_STATE_CLOSE_WAIT = 8 };

/* How long a connection must have been seen idle to be closed while draining: a client under way
 * with its next request shall get an answer. */
enum { DRAIN_IDLE_MS = 250 };

struct connection *connection_open(struct connections *connections, int descriptor, void *session)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    *connection = (struct connection){
        .next = connections->first, .descriptor = descriptor, .handshake = session, .known = true};
    if (connections->first)
        connections->first->previous = connection;
    connections->first = connection;
    connections->count++;
    return connection;
}

void connection_close(struct connections *connections, struct connection *connection)
{
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    connections->count--;
    free(connection);
}

static struct tcp_info tcp_info(const struct connection *connection)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    getsockopt(connection->descriptor, IPPROTO_TCP, TCP_INFO, &info, &length);
    return info;
}

static int unread_bytes(const struct connection *connection)
{
    int unread = 0;
    ioctl(connection->descriptor, FIONREAD, &unread);
    return unread;
}

bool connection_is_gone(const struct connection *connection)
{
    unsigned state = tcp_info(connection).tcpi_state;
    return state == TCP_STATE_CLOSE ||
           (state == TCP_STATE_CLOSE_WAIT && unread_bytes(connection) == 0);
}

/* The client has closed in the middle of a request. libmicrohttpd overlooks it when the end came
 * together with the last bytes. */
static bool is_cut_off(const struct connection *connection)
{
    bool reading =
        connection->exchange ? !connection->exchange->complete : connection->header_since_ns != 0;
    return reading && tcp_info(connection).tcpi_state == TCP_STATE_CLOSE_WAIT &&
           unread_bytes(connection) == 0;
}

/* Between requests: bytes that have arrived since the last one are the beginning of a header. */
static bool header_is_late(struct connection *connection, unsigned limit_s, uint64_t now)
{
    uint64_t received = tcp_info(connection).tcpi_bytes_received;
    if (!connection->known) {
        connection->known = true;
        connection->received_bytes = received;
    }
    if (received == connection->received_bytes)
        return false;
    if (connection->header_since_ns == 0)
        connection->header_since_ns = now;
    return now - connection->header_since_ns > limit_s * 1000000000ull;
}

static bool body_is_late(const struct connection *connection, unsigned limit_ms, uint64_t now)
{
    const struct exchange *exchange = connection->exchange;
    return !exchange->complete && now - exchange->began_ns > limit_ms * 1000000ull;
}

/* Nothing is being read, and it has been so for a while. */
static bool is_idle(struct connection *connection, uint64_t now)
{
    if (connection->exchange || connection->header_since_ns)
        return false;
    if (connection->idle_since_ns == 0)
        connection->idle_since_ns = now;
    return now - connection->idle_since_ns >= DRAIN_IDLE_MS * 1000000ull;
}

/* The bytes of a handshake that is done are no beginning of a header. */
static void look_at_handshake(struct connection *connection)
{
    if (!connection->handshake || !tls_is_established(connection->handshake))
        return;
    connection->handshake = NULL;
    connection->known = false;
    connection->header_since_ns = 0;
}

bool connection_overstays(struct connection *connection, const struct http_limits *limits,
                          uint64_t now_ns, bool draining)
{
    look_at_handshake(connection);
    bool late = connection->exchange ? body_is_late(connection, limits->body_ms, now_ns)
                                     : header_is_late(connection, limits->header_s, now_ns);
    bool idle = is_idle(connection, now_ns);
    return late || is_cut_off(connection) || (draining && idle && unread_bytes(connection) == 0);
}
