#include "onnx_file.h"

#include "model.h"
#include "onnx_import.h"
#include "wire.h"

/* A file of float_data lists, the largest there may be, takes as much again as it has bytes. */
#define MESSAGE_BYTES_MAX ((size_t)1 << 32)

/* protobuf-c's memory: freed at once, with the arena. */
struct pool {
    struct arena *arena;
    bool exhausted;
};

static void *allocate(void *of, size_t bytes)
{
    struct pool *pool = of;
    void *memory = arena_alloc(pool->arena, bytes, 1);
    pool->exhausted |= !memory;
    return memory;
}

static void keep(void *of, void *memory)
{
    (void)of;
    (void)memory;
}

enum status onnx_unpack(struct arena *arena, size_t count, const uint8_t *bytes,
                        Onnx__ModelProto **proto, struct error *error)
{
    struct pool pool = {.arena = arena};
    ProtobufCAllocator allocator = {allocate, keep, &pool};
    *proto = onnx__model_proto__unpack(&allocator, count, bytes);
    if (pool.exhausted)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the file's messages");
    return *proto ? STATUS_OK
                  : error_set(error, STATUS_INVALID,
                              "expected an ONNX protobuf, found something else");
}

static enum status unpack(struct onnx_file *onnx, struct error *error)
{
    struct wire wire;
    if (wire_read(&onnx__model_proto__descriptor, &onnx->files.list[0], &wire, error) != STATUS_OK)
        return error->status;
    onnx_unpack(&onnx->arena, wire.count, wire.bytes, &onnx->proto, error);
    wire_free(&wire);
    return error->status;
}

static enum status open_external(struct files *files, const Onnx__TensorProto *tensor,
                                 struct error *error)
{
    const char *location = onnx_tensor_location(tensor);
    if (!location || files_add(files, location, MODEL_MEMORY_BYTES_MAX, error) == STATUS_OK)
        return STATUS_OK;
    return error_prefix(error, "tensor \"%s\": external data \"%s\"",
                        tensor->name ? tensor->name : "", location);
}

static enum status open_node(struct files *files, const Onnx__NodeProto *node, struct error *error)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->t &&
            open_external(files, node->attribute[i]->t, error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

/* Opens every file that a tensor names, so that all of them are known before the import. */
static enum status open_files(struct files *files, const Onnx__GraphProto *graph,
                              struct error *error)
{
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (open_external(files, graph->initializer[i], error) != STATUS_OK)
            return error->status;
    for (size_t i = 0; i < graph->n_node; i++)
        if (open_node(files, graph->node[i], error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

static enum status read(struct onnx_file *onnx, struct error *error)
{
    arena_init(&onnx->arena, MESSAGE_BYTES_MAX);
    error->status = STATUS_OK;
    if (unpack(onnx, error) == STATUS_OK && onnx->proto->graph)
        open_files(&onnx->files, onnx->proto->graph, error);
    if (error->status != STATUS_OK)
        onnx_file_close(onnx);
    return error->status;
}

enum status onnx_file_open(struct onnx_file *onnx, const char *path, struct error *error)
{
    *onnx = (struct onnx_file){.proto = NULL};
    if (files_open(&onnx->files, path, MODEL_FILE_BYTES_MAX, error) != STATUS_OK)
        return error->status;
    return read(onnx, error);
}

enum status onnx_file_of_bytes(struct onnx_file *onnx, const uint8_t *bytes, size_t count,
                               struct error *error)
{
    *onnx = (struct onnx_file){.proto = NULL};
    files_of_bytes(&onnx->files, bytes, count);
    return read(onnx, error);
}

void onnx_file_close(struct onnx_file *onnx)
{
    files_close(&onnx->files);
    arena_free(&onnx->arena);
    onnx->proto = NULL;
}
