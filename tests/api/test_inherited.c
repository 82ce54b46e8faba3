/* --listen-fd and systemd's LISTEN_FDS: a listening descriptor that somebody else opened. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "temporary.h"
#include "visitor.h"

enum { BACKLOG = 512 };

/* A socket of the test, which its daemons inherit. */
struct shared {
    int descriptor;
    unsigned port;
    char text[16]; /* the descriptor */
};

static void shared_open(struct shared *shared)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    shared->descriptor = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(shared->descriptor, (struct sockaddr *)&address, length) == 0 &&
              listen(shared->descriptor, BACKLOG) == 0 &&
              getsockname(shared->descriptor, (struct sockaddr *)&address, &length) == 0);
    shared->port = ntohs(address.sin_port);
    snprintf(shared->text, sizeof shared->text, "%d", shared->descriptor);
}

static void start(struct daemon *daemon, const struct shared *shared)
{
    DAEMON_START(daemon, "--listen-fd", shared->text, DIGITS);
    cr_assert_eq(daemon->port, shared->port);
}

static int send_health(unsigned port)
{
    int wire = wire_connect(port);
    cr_assert(wire_text(wire, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    return wire;
}

static void expect_ready(int wire)
{
    struct reply reply;
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_json(&reply, 200, "/readyz");
    reply_free(&reply);
    close(wire);
}

/* Who comes before the models are loaded, or between two processes, waits and is answered: there
 * is no 503 while loading, since another process may share the descriptor. */
Test(inherited, clients_wait_for_the_process)
{
    struct shared shared;
    struct daemon daemon;
    shared_open(&shared);
    for (int i = 0; i < 3; i++) {
        int early = send_health(shared.port);
        start(&daemon, &shared);
        expect_ready(early);
        expect_ready(send_health(shared.port));
        daemon_stop(&daemon);
    }
    close(shared.descriptor);
}

/* A process that is told to end while it loads, or cannot load, takes no client with it. */
Test(inherited, a_process_that_does_not_load_accepts_nobody)
{
    struct shared shared;
    struct command command;
    struct daemon daemon;
    shared_open(&shared);
    int early = send_health(shared.port);
    COMMAND_RUN(&command, "--listen-fd", shared.text, "tests");
    cr_assert_eq(command.status, 1, "%s", command.err);
    command_free(&command);
    start(&daemon, &shared);
    expect_ready(early);
    daemon_stop(&daemon);
    close(shared.descriptor);
}

static void expect_refused(const char *descriptor, int status, const char *part)
{
    struct command command;
    COMMAND_RUN(&command, "--listen-fd", descriptor, DIGITS);
    cr_assert_eq(command.status, status, "%s", command.err);
    cr_assert(strstr(command.err, part), "%s", command.err);
    command_free(&command);
}

Test(inherited, what_does_not_listen_is_refused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0relud-test-inherited"};
    int descriptors[] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_DGRAM, 0),
                         socket(AF_UNIX, SOCK_STREAM, 0), dup(STDERR_FILENO)};
    cr_assert(bind(descriptors[2], (struct sockaddr *)&address, sizeof address) == 0 &&
              listen(descriptors[2], BACKLOG) == 0);
    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", descriptors[i]);
        expect_refused(text, 1, "expected a listening TCP socket");
        close(descriptors[i]);
    }
    expect_refused("1000", 1, "descriptor 1000: expected a listening TCP socket");
    expect_refused("-1", 2, "--listen-fd: expected a number");
}

/* systemd */

/* Makes a script stand for relud: it puts the descriptor where systemd does, and says so. */
static void activate(struct temporary *temporary, const struct shared *shared, const char *pid,
                     const char *count)
{
    static const char *binary;
    char script[512];
    if (!binary)
        binary = strdup(getenv("RELUD") ? getenv("RELUD") : "build/release/relud");
    int length = snprintf(script, sizeof script,
                          "#!/bin/sh\n"
                          "exec 3<&%d\n"
                          "LISTEN_PID=%s LISTEN_FDS=%s exec '%s' \"$@\"\n",
                          shared->descriptor, pid, count, binary);
    const char *path = temporary_write(temporary, "relud", script, (size_t)length);
    cr_assert_eq(chmod(path, 0700), 0);
    setenv("RELUD", path, 1);
}

Test(inherited, socket_activation)
{
    struct temporary temporary;
    struct shared shared;
    struct daemon daemon;
    shared_open(&shared);
    temporary_open(&temporary);
    activate(&temporary, &shared, "$$", "1");
    int early = send_health(shared.port);
    DAEMON_START(&daemon, DIGITS);
    cr_assert_eq(daemon.port, shared.port);
    expect_ready(early);
    daemon_stop(&daemon);
    temporary_close(&temporary);
    close(shared.descriptor);
}

/* Variables that an ancestor was given, and no descriptors at all: relud listens by itself. */
Test(inherited, socket_activation_of_another_process_is_not_ours)
{
    static const char *const cases[][2] = {{"1", "1"}, {"$$", "0"}, {"", "1"}};
    struct temporary temporary;
    struct shared shared;
    shared_open(&shared);
    temporary_open(&temporary);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct daemon daemon;
        activate(&temporary, &shared, cases[i][0], cases[i][1]);
        DAEMON_START(&daemon, DIGITS);
        cr_assert_neq(daemon.port, shared.port);
        expect_alive(&daemon, "on a port of its own");
        daemon_stop(&daemon);
    }
    temporary_close(&temporary);
    close(shared.descriptor);
}

Test(inherited, socket_activation_takes_one_socket)
{
    static const char *const counts[] = {"2", "x", "01"};
    struct temporary temporary;
    struct shared shared;
    shared_open(&shared);
    temporary_open(&temporary);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct command command;
        activate(&temporary, &shared, "$$", counts[i]);
        COMMAND_RUN(&command, DIGITS);
        cr_assert_eq(command.status, 1);
        cr_assert(strstr(command.err, "LISTEN_FDS: expected one listening socket"), "%s",
                  command.err);
        command_free(&command);
    }
    temporary_close(&temporary);
    close(shared.descriptor);
}

/* The rolling restart */

/* A new process every time, before the old one goes, while clients ask without a pause: every
 * request is answered. */
Test(inherited, a_rolling_restart_loses_nothing)
{
    enum { VISITORS = 12, RESTARTS = 6 };
    struct visitor visitors[VISITORS];
    _Atomic bool stop = false;
    struct daemon old, fresh;
    struct shared shared;
    struct quiz quiz;
    shared_open(&shared);
    start(&old, &shared);
    quiz_init(&quiz, "/infer", PIXELS, SCORES, 50);
    quiz_learn(&quiz, &old);
    visitors_start(visitors, VISITORS, shared.port, &quiz, &stop);
    for (int i = 0; i < RESTARTS; i++, old = fresh) {
        start(&fresh, &shared);
        rest_ms(50);
        daemon_stop(&old);
    }
    atomic_store(&stop, true);
    visitors_join(visitors, VISITORS);
    for (size_t i = 0; i < VISITORS; i++)
        cr_assert_eq(visitors[i].ignored, 0);
    daemon_stop(&old);
    quiz_free(&quiz);
    close(shared.descriptor);
}
