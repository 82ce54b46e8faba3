#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "complaints.h"
#include "cpu.h"
#include "generation.h"
#include "http.h"

enum {
    SWEEP_MS = 500,
    DRAIN_SWEEP_MS = 20,
    /* Runs of at most so many multiply-adds (about 10 us) happen at once: suspending the connection
     * to gather a batch costs 9 to 24 % of such a request. */
    INLINE_MACS = 400000,
    PATIENT_NS = 1000000,
};

/* To the loop's thread: a socket to take over, or a call to make, or neither, to wake it. */
struct message {
    int descriptor; /* -1 for none */
    struct call *call;
};

struct loop {
    struct server *server;
    struct http *http;
    size_t index;            /* of its seat at every model */
    struct catalog *catalog; /* the current one, as far as the loop knows */
    pthread_t thread;
    int mailbox[2]; /* a pipe of messages: [0] the loop reads, [1] others write */
    bool started;
    _Atomic bool woken;           /* a message to wake it is under way: one is enough */
    _Atomic unsigned posted;      /* sockets in the mailbox */
    _Atomic unsigned connections; /* open ones, as others see it */
    struct purse purse;
    struct envelope envelope;
    struct job *queue, **queue_end;
    size_t queued_rows;
    struct batch batch; /* being run; .jobs NULL for none */
    uint64_t swept_ns;
};

struct server *loop_server(const struct loop *loop)
{
    return loop->server;
}

void loop_record(struct loop *loop, struct ledger *ledger, const struct usage_sample *sample)
{
    if (!ledger)
        ledger = loop->server->registry.book.ledgers;
    usage_record(&ledger->pages[loop->index], sample);
}

struct purse *loop_purse(struct loop *loop)
{
    return &loop->purse;
}

struct envelope *loop_envelope(struct loop *loop)
{
    return &loop->envelope;
}

bool loop_draining(const struct loop *loop)
{
    return atomic_load_explicit(&loop->server->phase, memory_order_relaxed) >= PHASE_CLOSING;
}

bool loop_aborting(const struct loop *loop)
{
    return atomic_load_explicit(&loop->server->phase, memory_order_relaxed) == PHASE_ABORTING;
}

unsigned loop_load(const struct loop *loop)
{
    return atomic_load(&loop->posted) + atomic_load(&loop->connections);
}

void loop_connections_changed(struct loop *loop)
{
    atomic_store(&loop->connections, http_connections(loop->http));
}

/* The mailbox */

static void post(struct loop *loop, struct message message)
{
    ssize_t written;
    do
        written = write(loop->mailbox[1], &message, sizeof message);
    while (written < 0 && errno == EINTR);
}

void loop_add(struct loop *loop, int descriptor)
{
    atomic_fetch_add(&loop->posted, 1);
    post(loop, (struct message){.descriptor = descriptor});
}

void loop_wake(struct loop *loop)
{
    if (!atomic_exchange(&loop->woken, true))
        post(loop, (struct message){.descriptor = -1});
}

void loop_call(struct loop *loop, struct call *call)
{
    post(loop, (struct message){-1, call});
}

static void take_socket(struct loop *loop, int descriptor)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof address;
    getpeername(descriptor, (struct sockaddr *)&address, &length);
    http_add(loop->http, descriptor, (struct sockaddr *)&address, length);
    atomic_fetch_sub(&loop->posted, 1);
}

static void read_mailbox(struct loop *loop)
{
    struct message message;
    while (read(loop->mailbox[0], &message, sizeof message) == (ssize_t)sizeof message) {
        if (message.descriptor >= 0)
            take_socket(loop, message.descriptor);
        else if (message.call)
            message.call->run(message.call);
        else
            atomic_store(&loop->woken, false);
    }
}

/* Catalogs */

static void look_at_registry(struct loop *loop)
{
    struct registry *registry = &loop->server->registry;
    if (registry_is_current(registry, loop->catalog))
        return;
    registry_leave(registry, loop->catalog, loop->index);
    loop->catalog = registry_join(registry, loop->index);
}

struct catalog *loop_enter(struct loop *loop)
{
    look_at_registry(loop);
    catalog_enter(loop->catalog, loop->index);
    return loop->catalog;
}

void loop_leave(struct loop *loop, struct catalog *catalog)
{
    registry_leave(&loop->server->registry, catalog, loop->index);
}

/* Jobs */

static struct seat *seat_of(const struct loop *loop, const struct job *job)
{
    return &job->generation->seats[loop->index];
}

/* Whether a batch is between two slices at that seat. */
static bool is_taken(const struct loop *loop, const struct seat *seat)
{
    return loop->batch.jobs && loop->batch.seat == seat;
}

enum submit loop_submit(struct loop *loop, struct job *job)
{
    struct seat *seat = seat_of(loop, job);
    uint64_t limit = loop->server->options.max_queue_rows / loop->server->loop_count;
    job->next = NULL;
    if (seat->model->plan.macs_per_row <= INLINE_MACS / job->rows && !is_taken(loop, seat)) {
        seat_run(seat, job);
        return SUBMIT_DONE;
    }
    if (loop->queue && loop->queued_rows + job->rows > limit)
        return SUBMIT_FULL;
    loop->queued_rows += job->rows;
    *loop->queue_end = job;
    loop->queue_end = &job->next;
    return SUBMIT_QUEUED;
}

static void rebuild_queue_end(struct loop *loop)
{
    loop->queue_end = &loop->queue;
    while (*loop->queue_end)
        loop->queue_end = &(*loop->queue_end)->next;
}

static void end_job(struct job *job, enum job_outcome outcome)
{
    job->outcome = outcome;
    job->done(job);
}

/* What becomes of a job that is not done yet; JOB_DONE: it shall be. Who has waited for a moment
 * only is not asked: the question costs a system call. */
static enum job_outcome fate_of(const struct job *job, uint64_t now)
{
    if (now >= job->deadline_ns)
        return JOB_EXPIRED;
    bool asked = now - job->submitted_ns > PATIENT_NS;
    return asked && job->is_gone(job) ? JOB_GONE : JOB_DONE;
}

/* Takes the first job and all that fit beside it, of the same model, from the queue. */
static struct job *take_jobs(struct loop *loop, uint64_t now)
{
    struct job *taken = NULL, **taken_end = &taken;
    size_t rows = 0;
    for (struct job **link = &loop->queue; *link;) {
        struct job *job = *link;
        size_t capacity = seat_of(loop, job)->session.capacity;
        if (taken && (job->generation != taken->generation || rows + job->rows > capacity)) {
            link = &job->next;
            continue;
        }
        enum job_outcome fate = fate_of(job, now);
        *link = job->next;
        loop->queued_rows -= job->rows;
        if (fate != JOB_DONE) {
            end_job(job, fate);
            continue;
        }
        job->next = NULL;
        job->queue_ns = now - job->submitted_ns;
        rows += job->rows;
        *taken_end = job;
        taken_end = &job->next;
    }
    rebuild_queue_end(loop);
    return taken;
}

/* The batch's jobs have their outcome. */
static void finish_batch(struct loop *loop)
{
    for (struct job *job = loop->batch.jobs, *next; job; job = next) {
        next = job->next;
        job->done(job);
    }
    loop->batch.jobs = NULL;
}

/* Answers those in the queue whose deadline has passed. */
static bool expire_queue(struct loop *loop, uint64_t now)
{
    bool any = false;
    for (struct job **link = &loop->queue, *job; (job = *link);) {
        if (now < job->deadline_ns) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        loop->queued_rows -= job->rows;
        end_job(job, JOB_EXPIRED);
        any = true;
    }
    rebuild_queue_end(loop);
    return any;
}

/* Takes those out of the running batch who wait no longer. */
static bool thin_batch(struct loop *loop, uint64_t now)
{
    bool any = false;
    for (struct job *job = loop->batch.jobs, *next; job; job = next) {
        enum job_outcome fate = fate_of(job, now);
        next = job->next;
        if (fate == JOB_DONE)
            continue;
        batch_drop(&loop->batch, job);
        end_job(job, fate);
        any = true;
    }
    return any;
}

/* Computes for one slice; returns whether anything was answered. */
static bool run_slice(struct loop *loop)
{
    uint64_t now = cpu_clock_ns();
    uint64_t end = now + loop->server->options.slice_ms * 1000000u;
    if (!loop->batch.jobs) {
        struct job *jobs = take_jobs(loop, now);
        if (!jobs)
            return true; /* of all that waited, nobody waits any more */
        batch_begin(&loop->batch, seat_of(loop, jobs), jobs);
    }
    bool answered = batch_advance(&loop->batch, end);
    if (answered)
        finish_batch(loop);
    now = cpu_clock_ns();
    answered |= thin_batch(loop, now);
    return expire_queue(loop, now) || answered;
}

/* The thread */

static bool has_work(const struct loop *loop)
{
    return loop->batch.jobs || loop->queue;
}

static int poll_timeout(struct loop *loop)
{
    if (has_work(loop))
        return 0;
    int timeout = http_timeout_ms(loop->http);
    int most = loop_draining(loop) ? DRAIN_SWEEP_MS : SWEEP_MS;
    if (http_connections(loop->http) == 0)
        return timeout;
    return timeout < 0 || timeout > most ? most : timeout;
}

static void sweep(struct loop *loop)
{
    uint64_t now = cpu_clock_ns();
    bool draining = loop_draining(loop);
    if (!draining && now - loop->swept_ns < SWEEP_MS * 1000000ull)
        return;
    loop->swept_ns = now;
    complaints_flush(now);
    http_sweep(loop->http, draining);
}

/* Whether the loop's life is over: closing with nobody left, or aborting. */
static bool ended(const struct loop *loop)
{
    enum phase phase = atomic_load(&loop->server->phase);
    return phase == PHASE_ABORTING || (phase == PHASE_CLOSING && loop_load(loop) == 0);
}

/* Reads, handles and writes what is ready. With work waiting, and no longer than a slice, until
 * nothing is: one call reads but some KiB of each body, which must not take a slice each. */
static void run_http(struct loop *loop)
{
    uint64_t end = cpu_clock_ns() + loop->server->options.slice_ms * 1000000u;
    do
        http_run(loop->http);
    while (has_work(loop) && http_timeout_ms(loop->http) == 0 && cpu_clock_ns() < end);
}

/* Waits until there is something to do; until then, the core may be lent. */
static void wait_for_work(struct loop *loop, struct pollfd *polled, nfds_t count)
{
    struct crew *crew = loop->server->engine.crew;
    const int timeout = poll_timeout(loop);
    if (timeout == 0) {
        poll(polled, count, 0);
        return;
    }
    crew_vacate(crew, loop->index);
    poll(polled, count, timeout);
    crew_occupy(crew, loop->index);
}

static void turn(struct loop *loop)
{
    struct pollfd polled[2] = {{.fd = http_descriptor(loop->http), .events = POLLIN},
                               {.fd = loop->mailbox[0], .events = POLLIN}};
    wait_for_work(loop, polled, 2);
    if (polled[1].revents)
        read_mailbox(loop);
    look_at_registry(loop);
    run_http(loop);
    if (has_work(loop) && run_slice(loop))
        http_run(loop->http);
    sweep(loop);
}

static void *run(void *context)
{
    struct loop *loop = context;
    crew_occupy(loop->server->engine.crew, loop->index);
    while (!ended(loop))
        turn(loop);
    crew_vacate(loop->server->engine.crew, loop->index);
    return NULL;
}

/* Opening and closing */

static struct http_limits limits_of(const struct options *options)
{
    return (struct http_limits){.body_bytes = options->max_body_bytes,
                                .idle_s = (unsigned)options->idle_timeout_s,
                                .header_s = (unsigned)options->header_timeout_s,
                                .body_ms = (unsigned)options->request_timeout_ms,
                                .connections = (unsigned)options->max_connections};
}

static enum status start(struct loop *loop, struct error *error)
{
    struct http_limits limits = limits_of(&loop->server->options);
    if (http_open(&loop->http, loop, &limits, &loop->server->tls, error) != STATUS_OK)
        return error->status;
    if (pipe2(loop->mailbox, O_CLOEXEC) != 0 || fcntl(loop->mailbox[0], F_SETFL, O_NONBLOCK) != 0 ||
        pthread_create(&loop->thread, NULL, run, loop) != 0)
        return error_set(error, STATUS_IO, "a loop does not start: %s", strerror(errno));
    loop->started = true;
    return STATUS_OK;
}

/* Jobs that are left when the loop was told to abort: their exchanges end without an answer. */
static void abandon_jobs(struct loop *loop)
{
    if (loop->batch.jobs)
        batch_abandon(&loop->batch);
    for (struct job *job = loop->batch.jobs; job; job = job->next)
        job->outcome = JOB_EXPIRED;
    finish_batch(loop);
    expire_queue(loop, UINT64_MAX);
}

void loop_close(struct loop *loop)
{
    if (loop->started)
        pthread_join(loop->thread, NULL);
    if (loop->http) {
        read_mailbox(loop);
        abandon_jobs(loop);
        http_run(loop->http);
        http_close(loop->http);
    }
    loop_leave(loop, loop->catalog);
    for (int i = 0; i < 2; i++)
        if (loop->mailbox[i] > 0)
            close(loop->mailbox[i]);
    envelope_free(&loop->envelope);
    free(loop);
}

enum status loop_open(struct loop **made, struct server *server, size_t index, struct error *error)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a loop");
    loop->server = server;
    loop->index = index;
    loop->purse.budget = &server->bodies;
    loop->queue_end = &loop->queue;
    loop->catalog = registry_join(&server->registry, index);
    enum status status = start(loop, error);
    if (status == STATUS_OK)
        *made = loop;
    else
        loop_close(loop);
    return status;
}
