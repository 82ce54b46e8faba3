#include "acceptor.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"

enum { BACKLOG = 4096 };

/* Binds and listens at one address; the descriptor, or -1 with errno. */
static int listen_at(const struct addrinfo *address)
{
    const int on = 1;
    int descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(descriptor, BACKLOG) == 0)
        return descriptor;
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

static void read_port(struct acceptor *acceptor)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char port[16] = "0";
    if (getsockname(acceptor->descriptor, (struct sockaddr *)&address, &length) == 0)
        getnameinfo((struct sockaddr *)&address, length, NULL, 0, port, sizeof port,
                    NI_NUMERICSERV);
    sscanf(port, "%u", &acceptor->port);
}

enum status acceptor_open(struct acceptor *acceptor, const struct options *options,
                          struct error *error)
{
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    snprintf(port, sizeof port, "%u", (unsigned)options->port);
    int result = getaddrinfo(options->host, port, &hints, &found);
    if (result != 0)
        return error_set(error, STATUS_INVALID, "--host %s: %s", options->host,
                         gai_strerror(result));
    acceptor->descriptor = listen_at(found);
    int reason = errno;
    freeaddrinfo(found);
    if (acceptor->descriptor < 0)
        return error_set(error, STATUS_IO, "cannot listen on %s:%s: %s", options->host, port,
                         strerror(reason));
    bool ipv6 = strchr(options->host, ':') != NULL;
    snprintf(acceptor->host, sizeof acceptor->host, ipv6 ? "[%.250s]" : "%.250s", options->host);
    read_port(acceptor);
    return STATUS_OK;
}

void acceptor_close(struct acceptor *acceptor)
{
    if (acceptor->descriptor >= 0)
        close(acceptor->descriptor);
    acceptor->descriptor = -1;
}

/* The loop with the fewest connections; *total receives those of all. */
static struct loop *least_loaded(const struct server *server, uint64_t *total)
{
    struct loop *best = server->loops[0];
    unsigned best_load = loop_load(best);
    *total = best_load;
    for (size_t i = 1; i < server->loop_count; i++) {
        unsigned load = loop_load(server->loops[i]);
        *total += load;
        if (load < best_load) {
            best = server->loops[i];
            best_load = load;
        }
    }
    return best;
}

bool acceptor_accept(struct acceptor *acceptor, struct server *server)
{
    for (;;) {
        uint64_t total;
        struct loop *loop = least_loaded(server, &total);
        if (total >= server->options.max_connections)
            return false;
        int descriptor = accept4(acceptor->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0)
            loop_add(loop, descriptor);
        else if (errno == EMFILE || errno == ENFILE)
            return false;
        else if (errno != EINTR && errno != ECONNABORTED)
            return true;
    }
}
