/* onnx_file: an ONNX file that has been read, but for the numbers of its large tensors. */
#ifndef RELUD_ONNX_FILE_H
#define RELUD_ONNX_FILE_H

#include "files.h"
#include "onnx.pb-c.h"

struct onnx_file {
    struct arena arena; /* owned: proto */
    struct files files; /* owned: the file itself, and those with its external data */
    Onnx__ModelProto *proto;
};

/* Reads the file at path, whose external data must lie under the same directory. Close it after
 * the import. */
enum status onnx_file_open(struct onnx_file *onnx, const char *path, struct error *error);
void onnx_file_close(struct onnx_file *onnx);

/* The same of a file in memory, which has no external data and must stay until it is closed. */
enum status onnx_file_of_bytes(struct onnx_file *onnx, const uint8_t *bytes, size_t count,
                               struct error *error);

/* The messages of a file in arena, with all of their fields and numbers. The bytes must have been
 * read once by either of the above, which measures how deep they are nested. */
enum status onnx_unpack(struct arena *arena, size_t count, const uint8_t *bytes,
                        Onnx__ModelProto **proto, struct error *error);

#endif
