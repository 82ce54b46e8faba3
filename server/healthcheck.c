#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "commands.h"
#include "tls.h"

enum { TIMEOUT_S = 5, URL_BYTES = 256, STATUS_LINE_BYTES = 12 /* "HTTP/1.1 200" */ };

struct target {
    bool tls;
    char host[256], port[16], path[512];
};

/* Reads http[s]://HOST[:PORT][/PATH]; the path is /readyz when there is none. */
static bool read_url(struct target *target, const char *url)
{
    target->tls = strncmp(url, "https://", 8) == 0;
    if (!target->tls && strncmp(url, "http://", 7) != 0)
        return false;
    const char *host = strstr(url, "://") + 3;
    bool bracket = *host == '[';
    host += bracket;
    size_t length = strcspn(host, bracket ? "]" : ":/");
    const char *rest = host + length + bracket;
    size_t port = *rest == ':' ? strcspn(rest + 1, "/") : 0;
    const char *path = rest + (port ? port + 1 : 0);
    if (length == 0 || length >= sizeof target->host || port >= sizeof target->port)
        return false;
    snprintf(target->host, sizeof target->host, "%.*s", (int)length, host);
    if (port)
        snprintf(target->port, sizeof target->port, "%.*s", (int)port, rest + 1);
    else
        strcpy(target->port, target->tls ? "443" : "80");
    snprintf(target->path, sizeof target->path, "%s",
             *path && strcmp(path, "/") ? path : "/readyz");
    return true;
}

/* Where this machine's relud listens by its environment; what listens everywhere listens here too.
 */
static void default_url(char url[URL_BYTES])
{
    const char *host = getenv("RELUD_HOST");
    const char *port = getenv("RELUD_PORT");
    bool ours = port && *port && strncmp(port, "tcp://", 6) != 0;
    if (!host || !*host || strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    const char *certificate = getenv("RELUD_TLS_CERT");
    snprintf(url, URL_BYTES, strchr(host, ':') ? "%s://[%.200s]:%.8s" : "%s://%.200s:%.8s",
             certificate && *certificate ? "https" : "http", host, ours ? port : "8080");
}

static int connect_address(const struct addrinfo *address)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(descriptor, address->ai_addr, address->ai_addrlen) == 0)
        return descriptor;
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

/* A connection to the first address that takes one, or -1 with the reason in *why. */
static int connect_to(const struct target *target, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int result = getaddrinfo(target->host, target->port, &hints, &found);
    if (result != 0) {
        *why = gai_strerror(result);
        return -1;
    }
    int descriptor = -1;
    for (const struct addrinfo *at = found; at && descriptor < 0; at = at->ai_next)
        descriptor = connect_address(at);
    *why = strerror(errno);
    freeaddrinfo(found);
    return descriptor;
}

/* Sends the request and reads the beginning of the answer; how much, or -1. */
static ssize_t talk(int descriptor, const char *request, size_t length, char *answer, size_t room)
{
    ssize_t got, count = 0;
    if (write(descriptor, request, length) != (ssize_t)length)
        return -1;
    while (count < STATUS_LINE_BYTES &&
           (got = read(descriptor, answer + count, room - (size_t)count)) > 0)
        count += got;
    return count;
}

/* The status the server answers with, 0 when there is no HTTP answer, -1 with the reason in *why
 * when it cannot be spoken with. */
static int ask(int descriptor, const struct target *target, const char **why)
{
    char request[1024], answer[1024];
    size_t length = (size_t)snprintf(request, sizeof request,
                                     "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                                     target->path, target->host);
    ssize_t got = target->tls
                      ? tls_talk(descriptor, request, length, answer, sizeof answer - 1, why)
                      : talk(descriptor, request, length, answer, sizeof answer - 1);
    if (got < 0)
        return target->tls ? -1 : 0;
    answer[got] = '\0';
    int status = 0;
    return sscanf(answer, "HTTP/1.%*d %d", &status) == 1 ? status : 0;
}

int healthcheck(int count, char *const *argv)
{
    char url[URL_BYTES];
    const char *why;
    struct target target;
    default_url(url);
    if (count > 1 || !read_url(&target, count ? argv[0] : url)) {
        fprintf(stderr, "relud: usage: relud healthcheck [http[s]://HOST:PORT]\n");
        return 2;
    }
    int descriptor = connect_to(&target, &why);
    if (descriptor < 0) {
        fprintf(stderr, "relud: %s port %s: %s\n", target.host, target.port, why);
        return 1;
    }
    int status = ask(descriptor, &target, &why);
    close(descriptor);
    if (status == 200)
        return 0;
    if (status < 0)
        fprintf(stderr, "relud: %s port %s: TLS: %s\n", target.host, target.port, why);
    else
        fprintf(stderr, "relud: %s port %s is not ready: it answered %d\n", target.host,
                target.port, status);
    return 1;
}
