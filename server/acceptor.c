#include "acceptor.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inherited.h"
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

/* The address as the kernel has it; IPv6 in brackets, as in a URL. */
static void read_name(struct acceptor *acceptor)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof address;
    char host[128] = "", port[16] = "0";
    getsockname(acceptor->descriptor, (struct sockaddr *)&address, &length);
    getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(acceptor->host, sizeof acceptor->host, address.ss_family == AF_INET6 ? "[%s]" : "%s",
             host);
    sscanf(port, "%u", &acceptor->port);
}

/* Listens where the options say, and is called as they call it. */
static enum status listen_anew(struct acceptor *acceptor, const struct options *options,
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
    read_name(acceptor);
    bool ipv6 = strchr(options->host, ':') != NULL;
    snprintf(acceptor->host, sizeof acceptor->host, ipv6 ? "[%.250s]" : "%.250s", options->host);
    return STATUS_OK;
}

enum status acceptor_open(struct acceptor *acceptor, const struct options *options,
                          struct error *error)
{
    *acceptor = (struct acceptor){.descriptor = -1};
    if (inherited_find(&acceptor->descriptor, options, error) != STATUS_OK)
        return error->status;
    acceptor->held = acceptor->descriptor >= 0;
    if (!acceptor->held)
        return listen_anew(acceptor, options, error);
    read_name(acceptor);
    return STATUS_OK;
}

void acceptor_close(struct acceptor *acceptor)
{
    if (acceptor->descriptor >= 0)
        close(acceptor->descriptor);
    acceptor->descriptor = -1;
}

int acceptor_descriptor(const struct acceptor *acceptor)
{
    return acceptor->held ? -1 : acceptor->descriptor;
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
    while (!acceptor->held) {
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
            break;
    }
    return true;
}
