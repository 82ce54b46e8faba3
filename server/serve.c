#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "acceptor.h"
#include "complaints.h"
#include "cpu.h"
#include "keeper.h"
#include "log.h"
#include "loop.h"

/* How long to wait for a connection to close when no more may be opened. */
enum { FULL_PAUSE_MS = 10, SPARE_DESCRIPTORS = 64 };

static int fail(const struct error *error, int code)
{
    fprintf(stderr, "relud: %s\n", error->message);
    return code;
}

/* Signals are read from a descriptor; a client that has gone must not kill the process. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void reload(struct server *server)
{
    struct error error;
    if (server->auth.path && auth_reload(&server->auth, &error) != STATUS_OK)
        log_event(LOG_ERROR, "keys not read again", "reason", error.message);
    else if (server->auth.path)
        log_event(LOG_INFO, "keys read again", "path", server->auth.path);
    registry_reload(&server->registry);
}

/* Reads a signal: SIGHUP is dealt with here, any other (true) is to end the process. */
static bool must_end(struct server *server, int signals)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) != (ssize_t)sizeof info)
        return false;
    if (info.ssi_signo != SIGHUP)
        return true;
    reload(server);
    return false;
}

/* Room for a descriptor per connection, as far as the hard limit allows. */
static void raise_descriptor_limit(uint64_t connections)
{
    struct rlimit limit;
    rlim_t wanted = connections + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static size_t choose_loops(const struct options *options)
{
    size_t count = options->loops ? options->loops : cpu_cores();
    return count < SERVER_LOOPS_MAX ? count : SERVER_LOOPS_MAX;
}

/* One helper less than cores: whoever borrows them computes, too. */
static enum status open_crew(struct server *server, struct error *error)
{
    const size_t cores = cpu_cores(), most = cores - 1, wanted = server->options.crew;
    return crew_open(&server->engine.crew, wanted < most ? wanted : most, cores, error);
}

static enum status open_loops(struct server *server, struct error *error)
{
    for (size_t i = 0; i < server->loop_count; i++)
        if (loop_open(&server->loops[i], server, i, error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

static void wake_loops(void *context)
{
    const struct server *server = context;
    for (size_t i = 0; i < server->loop_count && server->loops[i]; i++)
        loop_wake(server->loops[i]);
}

static void close_loops(struct server *server)
{
    for (size_t i = 0; i < server->loop_count && server->loops[i]; i++)
        loop_close(server->loops[i]);
}

static void set_phase(struct server *server, enum phase phase)
{
    atomic_store(&server->phase, phase);
    wake_loops(server);
}

static unsigned open_connections(const struct server *server)
{
    unsigned open = 0;
    for (size_t i = 0; i < server->loop_count; i++)
        open += loop_load(server->loops[i]);
    return open;
}

enum event { EVENT_END, EVENT_LOADED, EVENT_TIMEOUT };

/* Accepts until a signal is to end the process, the first load has ended (if that is waited for) or
 * deadline_ns has passed. */
static enum event accept_until(struct server *server, struct acceptor *acceptor, int signals,
                               bool loading, uint64_t deadline_ns)
{
    bool full = false;
    while (cpu_clock_ns() < deadline_ns) {
        int loaded = loading ? registry_loaded(&server->registry) : -1;
        struct pollfd polled[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = loaded, .events = POLLIN},
            {.fd = full ? -1 : acceptor_descriptor(acceptor), .events = POLLIN}};
        uint64_t left_ms = (deadline_ns - cpu_clock_ns()) / 1000000 + 1;
        int timeout = full ? FULL_PAUSE_MS : left_ms > INT32_MAX ? -1 : (int)left_ms;
        poll(polled, sizeof polled / sizeof polled[0], timeout);
        if (must_end(server, signals))
            return EVENT_END;
        if (polled[1].revents)
            return EVENT_LOADED;
        full = !acceptor_accept(acceptor, server);
    }
    return EVENT_TIMEOUT;
}

/* Waits until no connection is left, a signal arrives or deadline_ns has passed. */
static void wait_until_closed(struct server *server, int signals, uint64_t deadline_ns)
{
    while (open_connections(server) > 0 && cpu_clock_ns() < deadline_ns) {
        struct pollfd polled = {.fd = signals, .events = POLLIN};
        poll(&polled, 1, FULL_PAUSE_MS);
        if (must_end(server, signals))
            return;
    }
}

static uint64_t after_ms(uint64_t milliseconds)
{
    return cpu_clock_ns() + milliseconds * 1000000u;
}

/* Not ready, then no new connections, then nothing in flight. */
static void drain(struct server *server, struct acceptor *acceptor, int signals)
{
    const struct options *options = &server->options;
    log_event(LOG_INFO, "draining");
    set_phase(server, PHASE_DRAINING);
    bool again =
        options->drain_delay_ms > 0 && accept_until(server, acceptor, signals, false,
                                                    after_ms(options->drain_delay_ms)) == EVENT_END;
    acceptor_accept(acceptor,
                    server); /* the handshake of these is done: they were promised an answer */
    acceptor_close(acceptor);
    set_phase(server, PHASE_CLOSING);
    if (!again)
        wait_until_closed(server, signals, after_ms(options->drain_timeout_ms));
    set_phase(server, PHASE_ABORTING);
}

/* Serves until a signal: first those who need no model, then everybody. */
static enum status serve_all(struct server *server, struct acceptor *acceptor, int signals,
                             struct error *error)
{
    enum event event = accept_until(server, acceptor, signals, true, UINT64_MAX);
    if (event == EVENT_LOADED && registry_first(&server->registry, error) != STATUS_OK)
        return error->status;
    if (event == EVENT_LOADED) {
        set_phase(server, PHASE_READY);
        acceptor->held = false;
        fprintf(stderr, "relud: listening on %s://%s:%u\n", server->tls.key ? "https" : "http",
                acceptor->host, acceptor->port);
        accept_until(server, acceptor, signals, false, UINT64_MAX);
    }
    drain(server, acceptor, signals);
    return STATUS_OK;
}

static enum status run(struct server *server, int signals, struct error *error)
{
    struct acceptor acceptor;
    struct keeper keeper = {.started = false};
    if (acceptor_open(&acceptor, &server->options, error) != STATUS_OK)
        return error->status;
    enum status status = open_loops(server, error);
    if (status == STATUS_OK)
        status = registry_start(&server->registry, wake_loops, server, error);
    if (status == STATUS_OK)
        status = keeper_start(&keeper, &server->registry, server->options.stats_interval_s, error);
    if (status == STATUS_OK)
        status = serve_all(server, &acceptor, signals, error);
    acceptor_close(&acceptor);
    set_phase(server, PHASE_ABORTING);
    registry_stop(&server->registry);
    close_loops(server);
    keeper_stop(&keeper);
    return status;
}

static double epoch_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What needs no loop; the registry is the last to be opened. */
static enum status open_server(struct server *server, struct error *error)
{
    const struct options *options = &server->options;
    server->started_s = epoch_seconds();
    log_init(options->log_level, options->log_format);
    if (auth_open(&server->auth, options->api_keys, error) != STATUS_OK ||
        tls_open(&server->tls, options->tls_cert, options->tls_key, error) != STATUS_OK)
        return error->status;
    raise_descriptor_limit(options->max_connections);
    server->loop_count = choose_loops(options);
    budget_init(&server->bodies, options->max_inflight_bytes, server->loop_count);
    server->engine.kernels = kernels_select(options->isa, error);
    if (!server->engine.kernels || open_crew(server, error) != STATUS_OK)
        return error->status;
    return registry_open(&server->registry, options, &server->engine, server->loop_count, error);
}

int serve(int count, char *const *argv)
{
    static struct server server;
    struct error error;
    if (options_read(&server.options, count, argv, &error) != STATUS_OK) {
        options_free(&server.options);
        return fail(&error, 2);
    }
    int signals = open_signals();
    enum status status = open_server(&server, &error);
    if (status == STATUS_OK) {
        status = run(&server, signals, &error);
        registry_close(&server.registry);
        complaints_flush(UINT64_MAX);
    }
    crew_close(server.engine.crew);
    tls_close(&server.tls);
    auth_close(&server.auth);
    options_free(&server.options);
    close(signals);
    return status == STATUS_OK ? 0 : fail(&error, 1);
}
