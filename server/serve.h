/* serve: `relud serve`, from the options to the exit code. */
#ifndef RELUD_SERVE_H
#define RELUD_SERVE_H

/* Runs until SIGTERM or SIGINT; returns the exit code. */
int serve(int count, char *const *argv);

#endif
