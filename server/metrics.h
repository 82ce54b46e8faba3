/* metrics: what GET /metrics answers: Prometheus text, version 0.0.4. */
#ifndef RELUD_METRICS_H
#define RELUD_METRICS_H

#include "reading.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Writes every metric of metrics.def. triton: also those that Triton's users know, under their
 * names, which break the rules that `promtool check metrics` sees to. */
void metrics_write(struct text *text, const struct reading *reading, bool triton);

#endif
