/* complaints: refusals in the log, for each code one line a second, with how many there were.
 *
 * The first of a code is written at once, those that follow within a second are counted.
 * Thread-safe.
 */
#ifndef RELUD_COMPLAINTS_H
#define RELUD_COMPLAINTS_H

#include <stdint.h>

/* A request refused with that status and code (static text), and why. */
void complaints_note(int status, const char *code, const char *reason);

/* Writes what was counted and not written yet, if its second is over by now_ns (UINT64_MAX: in any
 * case). */
void complaints_flush(uint64_t now_ns);

#endif
