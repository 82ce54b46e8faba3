/* daemon: a relud of the test's own.
 *
 * The binary is the one that the environment variable RELUD names, build/release/relud without it.
 * Its standard error goes to a file in memory, so that it never blocks and can be read at any time.
 * The kernel kills it when the thread that started it ends: a test that crashes leaves nothing
 * behind, and a daemon is started by the test's main thread. Variables RELUD_* of the test's own
 * environment do not reach it. What cannot be had fails the test. */
#ifndef RELUD_TEST_DAEMON_H
#define RELUD_TEST_DAEMON_H

#include <stddef.h>
#include <sys/types.h>

/* Long enough for a sanitized daemon on a busy machine; nothing that works waits for it. */
enum { PATIENCE_MS = 60000 };

struct daemon {
    pid_t pid; /* 0 once it has ended */
    unsigned port;
    int log; /* descriptor of its standard error */
};

/* Starts `relud --port 0 ARGUMENTS…` (a list that ends with NULL; a later --port wins) and waits
 * until it listens. DAEMON_START() writes the list. */
void daemon_start(struct daemon *daemon, const char *const *arguments);
#define DAEMON_START(daemon, ...) daemon_start((daemon), (const char *const[]){__VA_ARGS__, NULL})

/* The two halves: starts `relud ARGUMENTS…`; waits until it listens. */
void daemon_spawn(struct daemon *daemon, const char *const *arguments);
void daemon_await(struct daemon *daemon);

/* SIGTERM; asserts that it exits with 0. */
void daemon_stop(struct daemon *daemon);

void daemon_signal(const struct daemon *daemon, int number);

/* Waits until it has ended: the exit status, or 128 + the signal that killed it. -1 when it still
 * runs after timeout_ms. */
int daemon_wait(struct daemon *daemon, unsigned timeout_ms);

/* What it has written to standard error so far; the caller frees it. */
char *daemon_log(const struct daemon *daemon);

/* Open descriptors of the process. */
size_t daemon_descriptors(const struct daemon *daemon);

/* Memory that the process occupies, in KiB; 0 when a sanitizer's own would be most of it. */
size_t daemon_resident_kib(const struct daemon *daemon);

/* A run of relud to its end. */
struct command {
    int status;      /* as daemon_wait() gives it */
    char *out, *err; /* owned: what it has written */
};

/* Runs `relud ARGUMENTS…` with VARIABLES ("NAME=VALUE", NULL for none) in its environment; both
 * lists end with NULL. What does not end by itself is killed after PATIENCE_MS. */
void command_run(struct command *command, const char *const *variables,
                 const char *const *arguments);
#define COMMAND_RUN(command, ...) \
    command_run((command), NULL, (const char *const[]){__VA_ARGS__, NULL})
void command_free(struct command *command);

/* Monotonic, in milliseconds; and a rest. */
unsigned long long clock_ms(void);
void rest_ms(unsigned milliseconds);

#endif
