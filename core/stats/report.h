/* report: counters as JSON, as GET /stats answers them and snapshots hold them. */
#ifndef RELUD_REPORT_H
#define RELUD_REPORT_H

#include "model/model.h"
#include "text.h"

/* Rows below which a layer is undecided, where nobody says otherwise. */
enum { REPORT_MIN_SAMPLES = 1000 };

enum report_detail {
    REPORT_VERDICTS, /* with the units that each verdict holds for */
    REPORT_UNITS,    /* … and the per-unit arrays */
    REPORT_SUMMARY,  /* counts only */
};

struct report_options {
    double tau;           /* for dormant */
    uint64_t min_samples; /* rows below which a layer is undecided */
    enum report_detail detail;
    int layer;         /* only this layer of the plan, or PLAN_LAYER_NONE for all */
    const char *since; /* when counting began, RFC 3339 */
};

/* Writes the JSON object for counters of model. */
void report_write(struct text *text, const struct model *model, const struct counters *counters,
                  const struct report_options *options);

/* The same without braces. */
void report_write_fields(struct text *text, const struct model *model,
                         const struct counters *counters, const struct report_options *options);

#endif
