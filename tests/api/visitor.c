#include "visitor.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool ends_connection(const struct reply *reply)
{
    char value[HEADER_BYTES];
    return strcmp(reply_header(reply, "Connection", value), "close") == 0;
}

static bool is_stopped(const struct visitor *visitor)
{
    return visitor->stop && atomic_load(visitor->stop);
}

/* Asks over one connection until it ends. An answer that comes in part is cut; a connection that
 * ends without an answer, unannounced, although the last answer is not long ago, dropped a request.
 */
static void visit(struct visitor *visitor, int wire)
{
    unsigned long long last = 0;
    for (bool more = true; more;) {
        size_t row = visitor->index++ % visitor->quiz->rows;
        struct request request = quiz_request(visitor->quiz, row, 1, true);
        struct reply reply;
        char head[256];
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s\r\nContent-Length: %zu\r\n\r\n",
                 request.path, request.headers[1], request.headers[2], request.body_count);
        unsigned long long asked = clock_ms();
        bool sent = wire_text(wire, head) && wire_send(wire, request.body, request.body_count);
        wire_answer(wire, &reply, PATIENCE_MS);
        more = reply.status == 200 && !ends_connection(&reply) && !is_stopped(visitor);
        if (reply.status == 200) {
            visitor->answered++;
            visitor->wrong += !quiz_is_right(visitor->quiz, row, 1, true, &reply);
            last = clock_ms();
        } else {
            visitor->cut += reply.head[0] || reply.body_count > 0;
            visitor->ignored += last == 0;
            visitor->dropped += sent && last > 0 && asked - last < 100;
        }
        reply_free(&reply);
        free((void *)request.body);
    }
}

static void *keep_visiting(void *context)
{
    struct visitor *visitor = context;
    for (int wire; !is_stopped(visitor) && (wire = wire_connect(visitor->port)) >= 0; close(wire))
        visit(visitor, wire);
    return NULL;
}

void visitors_start(struct visitor *visitors, size_t count, unsigned port, const struct quiz *quiz,
                    _Atomic bool *stop)
{
    for (size_t i = 0; i < count; i++) {
        visitors[i] = (struct visitor){.port = port, .quiz = quiz, .index = i * 7, .stop = stop};
        cr_assert(pthread_create(&visitors[i].thread, NULL, keep_visiting, &visitors[i]) == 0);
    }
}

void visitors_join(struct visitor *visitors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_join(visitors[i].thread, NULL);
    for (size_t i = 0; i < count; i++) {
        const struct visitor *v = &visitors[i];
        if (v->wrong || v->cut || v->dropped || !v->answered)
            cr_assert_fail("visitor %zu: %zu answered, %zu wrong, %zu cut, %zu dropped", i,
                           v->answered, v->wrong, v->cut, v->dropped);
    }
}
