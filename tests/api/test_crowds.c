/* Many connections that want nothing, or nothing good: whoever asks beside them is served. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "scene.h"
#include "scrape.h"

static void raise_descriptor_limit(rlim_t wanted)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert(limit.rlim_max >= wanted, "the test needs %llu descriptors",
              (unsigned long long)wanted);
    limit.rlim_cur = limit.rlim_cur < wanted ? wanted : limit.rlim_cur;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Waits until the daemon has let go of connections that are gone. */
static void settle(const struct daemon *daemon, size_t descriptors)
{
    for (unsigned waited = 0; daemon_descriptors(daemon) > descriptors; waited += 20) {
        cr_assert(waited < PATIENCE_MS, "%zu descriptors, %zu before", daemon_descriptors(daemon),
                  descriptors);
        rest_ms(20);
    }
}

static void expect_health(int wire, const char *what)
{
    struct reply reply;
    cr_assert(wire_text(wire, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), "%s", what);
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_json(&reply, 200, what);
    reply_free(&reply);
}

/* Every second one has asked something before it fell silent. */
Test(crowds, two_thousand_idle_connections)
{
    enum { WIRES = 2000 };
    static int wires[WIRES];
    struct daemon daemon;
    raise_descriptor_limit(WIRES + 100);
    DAEMON_START(&daemon, DIGITS);
    expect_alive(&daemon, "before");
    size_t descriptors = daemon_descriptors(&daemon);
    for (size_t i = 0; i < WIRES; i++) {
        wires[i] = wire_connect(daemon.port);
        cr_assert(wires[i] >= 0);
        if (i % 2)
            expect_health(wires[i], "among the idle");
    }
    while (scrape_once(&daemon, "relud_connections") < WIRES)
        rest_ms(10);
    for (int i = 0; i < 20; i++)
        expect_alive(&daemon, "beside the idle");
    for (size_t i = 0; i < WIRES; i += 97)
        expect_health(wires[i], "awake again");
    for (size_t i = 0; i < WIRES; i++)
        close(wires[i]);
    settle(&daemon, descriptors);
    expect_alive(&daemon, "afterwards");
    daemon_stop(&daemon);
}

/* Most are reset, which leaves this machine's ports free. */
static void open_and_drop(const struct daemon *daemon, size_t count)
{
    static const char *const beginnings[] = {
        "", "P", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"inputs\":[[1,2"};
    for (size_t i = 0; i < count; i++) {
        int wire = wire_connect(daemon->port);
        cr_assert(wire >= 0, "connection %zu", i);
        wire_text(wire, beginnings[i % 4]);
        if (i % 10 == 0)
            close(wire);
        else
            wire_reset(wire);
    }
}

Test(crowds, twenty_thousand_connections_opened_and_dropped)
{
    enum { GROWTH_KIB = 8 << 10 };
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--header-timeout-s", "1", "--request-timeout-ms", "1000");
    expect_alive(&daemon, "before");
    size_t descriptors = daemon_descriptors(&daemon);
    open_and_drop(&daemon, 2000);
    settle(&daemon, descriptors);
    size_t kib = daemon_resident_kib(&daemon);
    for (int i = 0; i < 18; i++) {
        open_and_drop(&daemon, 1000);
        expect_alive(&daemon, "among the dropped");
    }
    settle(&daemon, descriptors);
    cr_assert(daemon_resident_kib(&daemon) <= kib + GROWTH_KIB, "%zu KiB, %zu before",
              daemon_resident_kib(&daemon), kib);
    expect_alive(&daemon, "afterwards");
    daemon_stop(&daemon);
}

/* A byte now and then, of headers and of bodies: all are cut off, and nobody else notices. */
Test(crowds, three_hundred_slow_senders)
{
    enum { WIRES = 300 };
    static const char header[] = "GET /stats HTTP/1.1\r\nHost: x\r\n",
                      body[] = "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n";
    int wires[WIRES];
    size_t open = WIRES;
    struct daemon daemon;
    raise_descriptor_limit(WIRES + 100);
    DAEMON_START(&daemon, DIGITS, "--header-timeout-s", "1", "--request-timeout-ms", "1000");
    for (size_t i = 0; i < WIRES; i++) {
        wires[i] = wire_connect(daemon.port);
        cr_assert(wires[i] >= 0 && wire_text(wires[i], i % 2 ? header : body));
    }
    unsigned long long begun = clock_ms();
    while (open > 0) {
        expect_alive(&daemon, "beside slow senders");
        cr_assert(clock_ms() - begun < PATIENCE_MS, "%zu are still there", open);
        for (size_t i = 0; i < WIRES; i++) {
            if (wires[i] < 0 || (wire_text(wires[i], "x") && !wire_closed(wires[i], 0)))
                continue;
            cr_assert(clock_ms() - begun >= 400, "not patient at all");
            close(wires[i]);
            wires[i] = -1;
            open--;
        }
        rest_ms(20);
    }
    expect_alive(&daemon, "afterwards");
    daemon_stop(&daemon);
}
