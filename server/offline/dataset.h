/* dataset: rows of numbers for one input of a model, from a file or a pipe.
 *
 * What is read is .npy when its first bytes say so, else .csv: a row per line, numbers separated by
 * commas, semicolons or tabs, after a first line of names or none. It is read from front to back,
 * in pieces: one thread takes rows as they stand in the file, any may turn them into numbers. So
 * the size of a data set is not limited by memory, and a pipe is as good as a file. */
#ifndef RELUD_DATASET_H
#define RELUD_DATASET_H

#include "model/model.h"
#include "npy.h"
#include "text.h"

struct dataset {
    const char *name;        /* what messages call it; borrowed */
    const struct port *port; /* the input, borrowed */
    int descriptor;          /* owned */
    char *buffer;            /* owned: bytes [begin, end) are read and not taken */
    size_t begin, end, capacity;
    bool ended; /* nothing is left to read */
    bool csv;
    enum datatype type;  /* .npy */
    uint64_t rows;       /* .npy: in all */
    uint64_t taken;      /* rows; for .csv lines */
    uint64_t read_bytes; /* so far */
    uint64_t file_bytes; /* of a regular file; 0 when there is no telling */
};

/* Rows as they stand in the file. */
struct rows {
    struct text bytes; /* owned */
    size_t count;
    uint64_t first; /* the first one's number, from 0 on; of .csv the line's, from 1 on */
};

/* Opens the data set at path, or standard input for "-". Its numbers must fit port: of .npy the
 * shape is [rows, …], as the input's is, or [rows, features]. */
enum status dataset_open(struct dataset *dataset, const char *path, const struct port *port,
                         struct error *error);
void dataset_close(struct dataset *dataset);

/* Takes the next rows, most at most, none at the end. */
enum status dataset_take(struct dataset *dataset, size_t most, struct rows *rows,
                         struct error *error);
void rows_free(struct rows *rows);

/* The same of several data sets, as many of each into rows[count]. */
enum status datasets_take(struct dataset *sets, size_t count, size_t most, struct rows *rows,
                          struct error *error);

/* Their numbers into x[rows->count, features]. Thread-safe. The message names the row (.csv: line)
 * and the number at fault; NaN and infinities are taken from .npy alone. */
enum status rows_read(const struct rows *rows, const struct dataset *dataset, float *x,
                      struct error *error);

#endif
