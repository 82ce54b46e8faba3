/* commands: what relud does besides serving. Each returns the process's exit code. */
#ifndef RELUD_COMMANDS_H
#define RELUD_COMMANDS_H

int inspect(int count, char *const *argv);
int profile(int count, char *const *argv);
int compact(int count, char *const *argv);
int stats(int count, char *const *argv);
int healthcheck(int count, char *const *argv);

#endif
