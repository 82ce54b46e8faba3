#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where systemd puts the first one. */
enum { FIRST_DESCRIPTOR = 3 };

/* The variables mean this process alone: they may have been left by an ancestor for another. */
static bool is_for_us(const char *pid)
{
    return pid && strtoll(pid, NULL, 10) == getpid();
}

static enum status find_activated(int *descriptor, struct error *error)
{
    const char *count = getenv("LISTEN_FDS");
    *descriptor = -1;
    if (!count || !is_for_us(getenv("LISTEN_PID")) || strcmp(count, "0") == 0)
        return STATUS_OK;
    if (strcmp(count, "1") != 0)
        return error_set(error, STATUS_INVALID,
                         "LISTEN_FDS: expected one listening socket, found \"%s\"", count);
    *descriptor = FIRST_DESCRIPTOR;
    return STATUS_OK;
}

/* The integer that the socket has for a property, -1 when it has none or is no socket. */
static int property(int descriptor, int name)
{
    int value;
    socklen_t length = sizeof value;
    return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

static bool is_listening(int descriptor)
{
    int family = property(descriptor, SO_DOMAIN);
    return (family == AF_INET || family == AF_INET6) &&
           property(descriptor, SO_TYPE) == SOCK_STREAM && property(descriptor, SO_ACCEPTCONN) == 1;
}

enum status inherited_find(int *descriptor, const struct options *options, struct error *error)
{
    *descriptor = (int)options->listen_fd;
    if (*descriptor == 0 && find_activated(descriptor, error) != STATUS_OK)
        return error->status;
    if (*descriptor < 0)
        return STATUS_OK;
    if (!is_listening(*descriptor))
        return error_set(error, STATUS_INVALID,
                         "descriptor %d: expected a listening TCP socket that was handed over",
                         *descriptor);
    if (fcntl(*descriptor, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(*descriptor, F_SETFL, O_NONBLOCK) != 0)
        return error_set(error, STATUS_IO, "descriptor %d: %s", *descriptor, strerror(errno));
    return STATUS_OK;
}
