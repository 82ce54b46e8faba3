/* savings: what relud compact did, as tables and JSON. */
#ifndef RELUD_SAVINGS_H
#define RELUD_SAVINGS_H

#include "offline/comparison.h"

/* Everything is borrowed. */
struct savings {
    const struct compact *compact;
    const struct comparison *comparison;
    const struct inputs *inputs;     /* that were run; NULL for none */
    const struct counters *counters; /* NULL for none */
    const char *out;
    size_t bytes_before;
};

/* To standard output. */
enum status savings_print(const struct savings *savings, struct error *error);
enum status savings_print_json(const struct savings *savings, struct error *error);

#endif
