#include "client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"

/* Replies */

void reply_free(struct reply *reply)
{
    free(reply->head);
    free(reply->body);
    *reply = (struct reply){.head = NULL};
}

const char *reply_header(const struct reply *reply, const char *name, char value[HEADER_BYTES])
{
    size_t length = strlen(name);
    value[0] = '\0';
    for (const char *line = reply->head; line && *line; line += strcspn(line, "\n") + 1) {
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *from = line + length + 1;
            from += strspn(from, " ");
            snprintf(value, HEADER_BYTES, "%.*s", (int)strcspn(from, "\r\n"), from);
        }
        if (!strchr(line, '\n'))
            break;
    }
    return value;
}

/* Bytes that grow, NUL-terminated. */
struct pile {
    char *bytes;
    size_t count, room;
};

static bool pile_add(struct pile *pile, const char *bytes, size_t count)
{
    if (pile->count + count + 1 > pile->room) {
        size_t room = (pile->count + count + 1) * 2;
        char *grown = realloc(pile->bytes, room);
        if (!grown)
            return false;
        pile->bytes = grown;
        pile->room = room;
    }
    memcpy(pile->bytes + pile->count, bytes, count);
    pile->count += count;
    pile->bytes[pile->count] = '\0';
    return true;
}

/* libcurl */

struct client {
    CURL *curl;
    unsigned port;
    const char *authority; /* borrowed; NULL: no TLS */
};

static void initialise(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
}

struct client *client_open(unsigned port)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialise);
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    client->curl = curl_easy_init();
    client->port = port;
    return client;
}

struct client *client_open_tls(unsigned port, const char *authority)
{
    struct client *client = client_open(port);
    client->authority = authority;
    return client;
}

void client_close(struct client *client)
{
    curl_easy_cleanup(client->curl);
    free(client);
}

static size_t take(char *bytes, size_t size, size_t count, void *pile)
{
    return pile_add(pile, bytes, size * count) ? size * count : 0;
}

/* Each answer (100 Continue is one) begins anew, so that the last one's lines remain. */
static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    struct pile *pile = context;
    if (size * count > 5 && memcmp(bytes, "HTTP/", 5) == 0)
        pile->count = 0;
    return take(bytes, size, count, context);
}

static void set_method(CURL *curl, const struct request *request)
{
    if (request->body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_count);
    }
    if (request->method && strcmp(request->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (request->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

void client_send(struct client *client, const struct request *request, struct reply *reply)
{
    CURL *curl = client->curl;
    char url[512];
    struct pile head = {NULL, 0, 0}, body = {NULL, 0, 0};
    struct curl_slist *headers = NULL;
    for (size_t i = 0; request->headers[i]; i++)
        headers = curl_slist_append(headers, request->headers[i]);
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", client->authority ? "https" : "http",
             client->port, request->path);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_CAINFO, client->authority);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &head);
    set_method(curl, request);
    CURLcode result = curl_easy_perform(curl);
    pile_add(&head, "", 0);
    pile_add(&body, "", 0);
    *reply = (struct reply){.head = head.bytes, .body = body.bytes, .body_count = body.count};
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &reply->connects);
    if (result != CURLE_OK) {
        const char *why = curl_easy_strerror(result);
        reply->status = 0;
        body.count = 0;
        pile_add(&body, why, strlen(why));
        reply->body = body.bytes;
        reply->body_count = body.count;
    }
    curl_slist_free_all(headers);
}

void client_once(unsigned port, const struct request *request, struct reply *reply)
{
    struct client *client = client_open(port);
    client_send(client, request, reply);
    client_close(client);
}

void client_get(unsigned port, const char *path, struct reply *reply)
{
    client_once(port, &(struct request){.path = path}, reply);
}

void client_post(unsigned port, const char *path, const char *body, struct reply *reply)
{
    client_once(port, &(struct request){.path = path, .body = body, .body_count = strlen(body)},
                reply);
}

/* The bare socket */

int wire_connect(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int wire = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire >= 0 && connect(wire, (const struct sockaddr *)&address, sizeof address) == 0)
        return wire;
    if (wire >= 0)
        close(wire);
    return -1;
}

bool wire_send(int wire, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t sent = send(wire, at, count, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        count -= (size_t)sent;
    }
    return true;
}

bool wire_text(int wire, const char *text)
{
    return wire_send(wire, text, strlen(text));
}

/* Bytes that are there before end; 0 at the end of the stream, -1 when the time is over or the
 * connection was reset. */
static ssize_t receive(int wire, char *bytes, size_t room, unsigned long long end)
{
    struct pollfd polled = {.fd = wire, .events = POLLIN};
    unsigned long long now = clock_ms();
    if (now >= end || poll(&polled, 1, (int)(end - now)) <= 0)
        return -1;
    return recv(wire, bytes, room, 0);
}

/* The length of head and body together, once the head is there; 0 before. */
static size_t answer_length(const struct pile *pile)
{
    const char *blank = pile->bytes ? strstr(pile->bytes, "\r\n\r\n") : NULL;
    if (!blank)
        return 0;
    struct reply head = {.head = pile->bytes};
    char value[HEADER_BYTES];
    if (!reply_header(&head, "Content-Length", value)[0])
        return SIZE_MAX;
    return (size_t)(blank + 4 - pile->bytes) + strtoul(value, NULL, 10);
}

/* Splits what was read into head and body; without a whole head, all is body. */
static void split(struct reply *reply, const struct pile *pile)
{
    const char *all = pile->bytes ? pile->bytes : "";
    const char *blank = strstr(all, "\r\n\r\n");
    const char *body = blank ? blank + 4 : all;
    reply->body_count = pile->count - (size_t)(body - all);
    reply->head = strndup(all, (size_t)(body - all));
    reply->body = calloc(1, reply->body_count + 1);
    if (reply->body)
        memcpy(reply->body, body, reply->body_count);
}

void wire_answer(int wire, struct reply *reply, unsigned timeout_ms)
{
    struct pile pile = {NULL, 0, 0};
    char bytes[16384];
    unsigned long long end = clock_ms() + timeout_ms;
    size_t length = 0;
    ssize_t got = 1;
    *reply = (struct reply){.status = 0};
    while ((length == 0 || pile.count < length) &&
           (got = receive(wire, bytes, sizeof bytes, end)) > 0) {
        pile_add(&pile, bytes, (size_t)got);
        length = answer_length(&pile);
    }
    split(reply, &pile);
    if (length > 0 && (pile.count >= length || (length == SIZE_MAX && got == 0)))
        sscanf(pile.bytes, "HTTP/1.1 %ld", &reply->status);
    free(pile.bytes);
}

bool wire_closed(int wire, unsigned timeout_ms)
{
    char bytes[4096];
    unsigned long long end = clock_ms() + timeout_ms;
    ssize_t got;
    while ((got = receive(wire, bytes, sizeof bytes, end)) > 0)
        ;
    return got == 0 || clock_ms() < end;
}

void wire_reset(int wire)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(wire, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(wire);
}
