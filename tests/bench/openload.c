/* openload HOST PORT BODIES CONNECTIONS RATE SECONDS: requests at a constant rate, whether or not
 * those before them have been answered, as clients send them who do not know each other.
 *
 * Posts the lines of the file BODIES in turn to /infer over CONNECTIONS. A request that is due
 * while all of them wait is sent when one is free; its latency counts from when it was due. To
 * standard output goes one line of JSON: requests answered per second, latencies in microseconds,
 * and how many requests were still without an answer GRACE_NS after the last was due. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, BODIES_MAX = 1024, REPLY_BYTES = 1 << 16, EVENTS = 256 };

static const uint64_t grace_ns = 2000000000;

struct connection {
    int socket;
    uint64_t due_ns; /* of the request under way */
    size_t got;
    char reply[REPLY_BYTES];
};

struct load {
    struct connection *connections;
    size_t *idle, idle_count; /* those without a request, a stack */
    char *requests[BODIES_MAX];
    size_t lengths[BODIES_MAX], request_count;
    uint64_t begun_ns;
    double interval_ns;
    size_t count, sent, done;
    double *latencies_us; /* of those done */
    int epoll;
};

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "openload: %s: %s\n", what, why);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void *must_alloc(size_t count, size_t bytes)
{
    void *made = calloc(count, bytes);
    if (!made)
        fail("memory", "none left");
    return made;
}

static void read_bodies(struct load *load, const char *path, const char *host)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        fail(path, strerror(errno));
    for (ssize_t n; load->request_count < BODIES_MAX && (n = getline(&line, &room, file)) > 0;) {
        if (line[n - 1] == '\n')
            n--;
        char *request = must_alloc((size_t)n + 256, 1);
        const int head = snprintf(request, 256,
                                  "POST /infer HTTP/1.1\r\nHost: %s\r\nContent-Type: "
                                  "application/json\r\nContent-Length: %zd\r\n\r\n",
                                  host, n);
        memcpy(request + head, line, (size_t)n);
        load->requests[load->request_count] = request;
        load->lengths[load->request_count++] = (size_t)head + (size_t)n;
    }
    free(line);
    fclose(file);
    if (load->request_count == 0)
        fail(path, "expected a body on each line");
}

static void connect_all(struct load *load, const char *host, uint16_t port, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail(host, "expected an IPv4 address");
    load->connections = must_alloc(count, sizeof *load->connections);
    load->idle = must_alloc(count, sizeof *load->idle);
    load->epoll = epoll_create1(0);
    for (size_t i = 0; i < count; i++) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
            fail(host, strerror(errno));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event);
        load->connections[i].socket = fd;
        load->idle[load->idle_count++] = i;
    }
}

static uint64_t due_ns(const struct load *load, size_t request)
{
    return load->begun_ns + (uint64_t)((double)request * load->interval_ns);
}

/* Sends what is due, as far as connections are idle. Requests fit a socket's buffer. */
static void send_due(struct load *load, uint64_t now)
{
    while (load->sent < load->count && load->idle_count > 0 && due_ns(load, load->sent) <= now) {
        struct connection *connection = &load->connections[load->idle[--load->idle_count]];
        const size_t which = load->sent % load->request_count;
        connection->due_ns = due_ns(load, load->sent++);
        connection->got = 0;
        const ssize_t n = send(connection->socket, load->requests[which], load->lengths[which],
                               MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n != (ssize_t)load->lengths[which])
            fail("send", n < 0 ? strerror(errno) : "the request does not fit the socket's buffer");
    }
}

/* Whether the reply is whole. Anything but 200 and a length ends the program. */
static bool whole(const struct connection *connection)
{
    const char *end = strstr(connection->reply, "\r\n\r\n");
    if (!end)
        return false;
    if (strncmp(connection->reply, "HTTP/1.1 200", 12) != 0)
        fail("a reply", connection->reply);
    const char *length = strcasestr(connection->reply, "content-length:");
    if (!length || length > end)
        fail("a reply has no length", connection->reply);
    const size_t body = strtoul(length + 15, NULL, 10);
    return connection->got >= (size_t)(end + 4 - connection->reply) + body;
}

static void receive(struct load *load, size_t which)
{
    struct connection *connection = &load->connections[which];
    const ssize_t n = recv(connection->socket, connection->reply + connection->got,
                           REPLY_BYTES - 1 - connection->got, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail("receive", n < 0 ? strerror(errno) : "closed by the server, or a reply too long");
    connection->got += (size_t)n;
    connection->reply[connection->got] = '\0';
    if (!whole(connection))
        return;
    load->latencies_us[load->done++] = (double)(now_ns() - connection->due_ns) * 1e-3;
    load->idle[load->idle_count++] = which;
}

/* Until something arrives, the next request is due, or the time is over. */
static void wait_for_replies(struct load *load, uint64_t end)
{
    struct epoll_event events[EVENTS];
    const uint64_t now = now_ns();
    uint64_t until = end;
    if (load->sent < load->count && load->idle_count > 0)
        until = due_ns(load, load->sent);
    const uint64_t left = until > now ? until - now : 0;
    const struct timespec timeout = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
    const int count = epoll_pwait2(load->epoll, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++)
        receive(load, events[i].data.u64);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Requests without an answer took longer than all others. */
static double percentile(const struct load *load, double share)
{
    const size_t at = (size_t)(share * (double)(load->count - 1));
    return at < load->done ? load->latencies_us[at] : (double)grace_ns * 1e-3;
}

static void run(struct load *load)
{
    const uint64_t end = due_ns(load, load->count) + grace_ns;
    while (load->done < load->count && now_ns() < end) {
        send_due(load, now_ns());
        wait_for_replies(load, end);
    }
    const double seconds = (double)(now_ns() - load->begun_ns) * 1e-9;
    qsort(load->latencies_us, load->done, sizeof(double), compare);
    printf("{\"answered\":%zu,\"rps\":%.1f,\"unanswered\":%zu,\"p50_us\":%.1f,\"p90_us\":%.1f,"
           "\"p99_us\":%.1f,\"p999_us\":%.1f}\n",
           load->done, (double)load->done / seconds, load->count - load->done,
           percentile(load, 0.5), percentile(load, 0.9), percentile(load, 0.99),
           percentile(load, 0.999));
}

int main(int count, char **arguments)
{
    if (count != 7)
        fail("usage", "openload HOST PORT BODIES CONNECTIONS RATE SECONDS");
    static struct load load;
    const size_t connections = strtoul(arguments[4], NULL, 10);
    const double rate = strtod(arguments[5], NULL), seconds = strtod(arguments[6], NULL);
    if (connections < 1 || connections > CONNECTIONS_MAX || !(rate * seconds >= 1))
        fail("usage", "expected 1 to 4096 connections, and one request at least");
    read_bodies(&load, arguments[3], arguments[1]);
    connect_all(&load, arguments[1], (uint16_t)strtoul(arguments[2], NULL, 10), connections);
    load.count = (size_t)(rate * seconds);
    load.interval_ns = 1e9 / rate;
    load.latencies_us = must_alloc(load.count, sizeof *load.latencies_us);
    load.begun_ns = now_ns();
    run(&load);
    return 0;
}
