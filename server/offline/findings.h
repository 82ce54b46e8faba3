/* findings: what a profile has found, as tables, JSON and a snapshot. */
#ifndef RELUD_FINDINGS_H
#define RELUD_FINDINGS_H

#include "offline/dataset.h"

/* A model and what was counted of it. */
struct subject {
    struct model model;
    struct counters counters;
};

/* Everything is borrowed. */
struct findings {
    const struct subject *subjects; /* the model; then the same, changed, if that was asked for */
    size_t subject_count;
    const struct dataset *datasets; /* by input */
    size_t dataset_count;
    const char *since;
};

/* The snapshot of the model asked for, the changed one if there is one, to the file at path. */
enum status findings_save(const struct findings *findings, const char *path, struct error *error);

/* To standard output: what was found of the model, or before and after the change; as JSON the
 * snapshot, or {"before":…,"after":…}. */
enum status findings_print(const struct findings *findings, struct error *error);
enum status findings_print_json(const struct findings *findings, struct error *error);

#endif
