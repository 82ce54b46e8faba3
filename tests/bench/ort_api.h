/* ort_api: what the benchmark calls of ONNX Runtime's C interface, version 1.
 *
 * The interface is a table of functions whose order is published and frozen: version 1 are its
 * first 102 places, and newer versions only add to the end. Places that are not called are counted,
 * not named. A function returns NULL, or a status that says what went wrong. */
#ifndef RELUD_BENCH_ORT_API_H
#define RELUD_BENCH_ORT_API_H

#include <stddef.h>
#include <stdint.h>

enum {
    ORT_API_VERSION = 1,
    ORT_LOG_WARNING = 2,
    ORT_EXECUTE_SEQUENTIALLY = 0,
    ORT_OPTIMIZE_ALL = 99,
    ORT_FLOAT32 = 1,
    ORT_ARENA_ALLOCATOR = 1,
    ORT_MEMORY_DEFAULT = 0,
};

struct ort_status;
struct ort_env;
struct ort_session_options;
struct ort_session;
struct ort_value;
struct ort_type;
struct ort_tensor_type;
struct ort_memory;
struct ort_allocator;

struct ort_api {
    void *places_0_1[2];
    const char *(*status_message)(const struct ort_status *status);
    struct ort_status *(*create_env)(int log_level, const char *name, struct ort_env **env);
    void *places_4_5[2];
    struct ort_status *(*disable_telemetry)(const struct ort_env *env);
    struct ort_status *(*create_session)(const struct ort_env *env, const char *path,
                                         const struct ort_session_options *options,
                                         struct ort_session **session);
    void *place_8;
    struct ort_status *(*run)(struct ort_session *session, const void *run_options,
                              const char *const *input_names, const struct ort_value *const *inputs,
                              size_t input_count, const char *const *output_names,
                              size_t output_count, struct ort_value **outputs);
    struct ort_status *(*create_session_options)(struct ort_session_options **options);
    void *places_11_12[2];
    struct ort_status *(*set_execution_mode)(struct ort_session_options *options, int mode);
    void *places_14_17[4];
    struct ort_status *(*enable_arena)(struct ort_session_options *options);
    void *places_19_22[4];
    struct ort_status *(*set_optimization)(struct ort_session_options *options, int level);
    struct ort_status *(*set_intra_op_threads)(struct ort_session_options *options, int count);
    struct ort_status *(*set_inter_op_threads)(struct ort_session_options *options, int count);
    void *places_26_32[7];
    struct ort_status *(*input_type)(const struct ort_session *session, size_t input,
                                     struct ort_type **type);
    struct ort_status *(*output_type)(const struct ort_session *session, size_t output,
                                      struct ort_type **type);
    void *place_35;
    struct ort_status *(*input_name)(const struct ort_session *session, size_t input,
                                     struct ort_allocator *allocator, char **name);
    struct ort_status *(*output_name)(const struct ort_session *session, size_t output,
                                      struct ort_allocator *allocator, char **name);
    void *places_38_48[11];
    struct ort_status *(*create_tensor)(const struct ort_memory *memory, void *data, size_t bytes,
                                        const int64_t *dims, size_t rank, int type,
                                        struct ort_value **value);
    void *places_50_54[5];
    struct ort_status *(*type_as_tensor)(const struct ort_type *type,
                                         const struct ort_tensor_type **tensor);
    void *places_56_60[5];
    struct ort_status *(*tensor_rank)(const struct ort_tensor_type *tensor, size_t *rank);
    struct ort_status *(*tensor_dims)(const struct ort_tensor_type *tensor, int64_t *dims,
                                      size_t rank);
    void *places_63_68[6];
    struct ort_status *(*create_cpu_memory)(int allocator, int type, struct ort_memory **memory);
    void *places_70_75[6];
    struct ort_status *(*allocator_free)(struct ort_allocator *allocator, void *what);
    void *place_77;
    struct ort_status *(*default_allocator)(struct ort_allocator **allocator);
    void *places_79_91[13];
    void (*release_env)(struct ort_env *env);
    void *place_93;
    void (*release_memory)(struct ort_memory *memory);
    void (*release_session)(struct ort_session *session);
    void (*release_value)(struct ort_value *value);
    void *place_97;
    void (*release_type)(struct ort_type *type);
    void *place_99;
    void (*release_session_options)(struct ort_session_options *options);
    void *place_101;
};

_Static_assert(sizeof(struct ort_api) == 102 * sizeof(void *), "version 1 has 102 places");
_Static_assert(offsetof(struct ort_api, default_allocator) == 78 * sizeof(void *), "place 78");

/* What the library exports: OrtGetApiBase() returns it. */
struct ort_base {
    const struct ort_api *(*api)(uint32_t version);
    const char *(*version)(void);
};

#endif
