/* ONNX Runtime through its C interface, with the settings that serve a user best: all
 * optimizations, the memory arena, threads that spin (its default), tensors made beforehand. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "contender.h"
#include "ort_api.h"

struct ort {
    const struct subject *subject; /* borrowed */
    const struct ort_api *api;
    struct ort_env *env;
    struct ort_session *session;
    struct ort_allocator *allocator;
    struct ort_memory *memory;
    char *input_name, *output_name;
    struct ort_value *inputs[DIFFERENT_INPUTS], *output;
    float *y; /* owned: [rows, outputs] */
};

static const struct ort_base *base_of(const struct subject *subject)
{
    void *library = dlopen(subject->ort_library, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail("ONNX Runtime", dlerror());
    const struct ort_base *(*get_base)(void);
    *(void **)&get_base = dlsym(library, "OrtGetApiBase");
    if (!get_base)
        fail("ONNX Runtime", dlerror());
    return get_base();
}

static void must(const struct ort *self, struct ort_status *status)
{
    if (status)
        fail("ONNX Runtime", self->api->status_message(status));
}

static void open_session(struct ort *self)
{
    const struct ort_api *api = self->api;
    const int threads = (int)self->subject->threads;
    struct ort_session_options *options;
    must(self, api->create_env(ORT_LOG_WARNING, "bench", &self->env));
    must(self, api->disable_telemetry(self->env));
    must(self, api->create_session_options(&options));
    must(self, api->set_execution_mode(options, ORT_EXECUTE_SEQUENTIALLY));
    must(self, api->enable_arena(options));
    must(self, api->set_optimization(options, ORT_OPTIMIZE_ALL));
    must(self, api->set_intra_op_threads(options, threads));
    must(self, api->set_inter_op_threads(options, 1));
    must(self, api->create_session(self->env, self->subject->path, options, &self->session));
    api->release_session_options(options);
}

/* A tensor over data with the shape of type, whose free first dimension becomes rows. */
static struct ort_value *tensor(const struct ort *self, struct ort_type *type, const float *data,
                                size_t features)
{
    const struct ort_api *api = self->api;
    const struct ort_tensor_type *shape;
    int64_t dims[TENSOR_RANK_MAX];
    size_t rank;
    must(self, api->type_as_tensor(type, &shape));
    must(self, api->tensor_rank(shape, &rank));
    if (rank > TENSOR_RANK_MAX)
        fail("ONNX Runtime", "the model's tensors have too many dimensions");
    must(self, api->tensor_dims(shape, dims, rank));
    dims[0] = (int64_t)self->subject->rows;
    struct ort_value *value;
    must(self, api->create_tensor(self->memory, (void *)(size_t)data,
                                  self->subject->rows * features * sizeof(float), dims, rank,
                                  ORT_FLOAT32, &value));
    return value;
}

static void open_tensors(struct ort *self)
{
    const struct ort_api *api = self->api;
    const struct subject *subject = self->subject;
    struct ort_type *type;
    must(self, api->input_type(self->session, 0, &type));
    for (size_t i = 0; i < DIFFERENT_INPUTS; i++)
        self->inputs[i] = tensor(self, type, subject->inputs[i], subject->features);
    api->release_type(type);
    self->y = must_alloc(subject->rows * subject->outputs, sizeof *self->y);
    must(self, api->output_type(self->session, 0, &type));
    self->output = tensor(self, type, self->y, subject->outputs);
    api->release_type(type);
}

static void *open_ort(const struct subject *subject)
{
    struct ort *self = must_alloc(1, sizeof *self);
    *self = (struct ort){.subject = subject, .api = base_of(subject)->api(ORT_API_VERSION)};
    if (!self->api)
        fail("ONNX Runtime", "does not offer version 1 of its interface");
    open_session(self);
    must(self, self->api->default_allocator(&self->allocator));
    must(self,
         self->api->create_cpu_memory(ORT_ARENA_ALLOCATOR, ORT_MEMORY_DEFAULT, &self->memory));
    must(self, self->api->input_name(self->session, 0, self->allocator, &self->input_name));
    must(self, self->api->output_name(self->session, 0, self->allocator, &self->output_name));
    open_tensors(self);
    return self;
}

static void close_ort(void *of)
{
    struct ort *self = of;
    const struct ort_api *api = self->api;
    for (size_t i = 0; i < DIFFERENT_INPUTS; i++)
        api->release_value(self->inputs[i]);
    api->release_value(self->output);
    must(self, api->allocator_free(self->allocator, self->input_name));
    must(self, api->allocator_free(self->allocator, self->output_name));
    api->release_memory(self->memory);
    api->release_session(self->session);
    api->release_env(self->env);
    free(self->y);
    free(self);
}

static const float *run(void *of, size_t input)
{
    struct ort *self = of;
    const char *const input_name = self->input_name, *const output_name = self->output_name;
    const struct ort_value *const x = self->inputs[input];
    must(self,
         self->api->run(self->session, NULL, &input_name, &x, 1, &output_name, 1, &self->output));
    return self->y;
}

static const char *about(const struct subject *subject)
{
    static char text[64];
    snprintf(text, sizeof text, "ONNX Runtime %s", base_of(subject)->version());
    return text;
}

const struct contender contender_ort = {"ort", false, open_ort, close_ort, run, about};
