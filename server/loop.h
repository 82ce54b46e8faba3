/* loop: one core's life: poll, read, batch, run, answer.
 *
 * Each loop is a thread with an HTTP daemon and a seat at every model. Small runs happen where the
 * request was received; others wait in the loop's queue until everything that is ready has been
 * read, and those of one model run side by side, in slices, so that the loop is soon back at its
 * sockets. */
#ifndef RELUD_LOOP_H
#define RELUD_LOOP_H

#include "codec/envelope.h"
#include "job.h"
#include "server.h"

struct loop;

/* index: which of the server's loops it is, and which seat of every model is its own. */
enum status loop_open(struct loop **loop, struct server *server, size_t index, struct error *error);

/* Waits until the loop's thread has ended, and frees it. */
void loop_close(struct loop *loop);

/* Thread-safe: hands a connected socket to the loop, which owns it from then on. */
void loop_add(struct loop *loop, int descriptor);

/* Thread-safe: makes the loop look at the server's phase and at the current catalog. */
void loop_wake(struct loop *loop);

/* Thread-safe: makes the loop call run on its own thread. */
struct call {
    void (*run)(struct call *call);
};
void loop_call(struct loop *loop, struct call *call);

/* Thread-safe: connections open or handed over. */
unsigned loop_load(const struct loop *loop);

/* For handlers, on the loop's own thread */

struct server *loop_server(const struct loop *loop);
bool loop_draining(const struct loop *loop);

/* Whether nothing may be begun any more whose answer comes later. */
bool loop_aborting(const struct loop *loop);
void loop_connections_changed(struct loop *loop);

/* What the loop's requests take the bytes of their bodies from. */
struct purse *loop_purse(struct loop *loop);

/* The last envelope that the loop's requests had around their tensors. */
struct envelope *loop_envelope(struct loop *loop);

/* Records a request on the loop's page of the ledger, or of that of requests to no model (NULL). */
void loop_record(struct loop *loop, struct ledger *ledger, const struct usage_sample *sample);

/* The current catalog, until it is given back. */
struct catalog *loop_enter(struct loop *loop);
void loop_leave(struct loop *loop, struct catalog *catalog);

enum submit { SUBMIT_DONE, SUBMIT_QUEUED, SUBMIT_FULL };

/* Runs job: SUBMIT_DONE when it has its outcome on return, SUBMIT_QUEUED when job->done will be
 * called later, SUBMIT_FULL when too many rows wait already. */
enum submit loop_submit(struct loop *loop, struct job *job);

#endif
