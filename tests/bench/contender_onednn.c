/* oneDNN with bias and ReLU fused and weights in the layout it prefers. */
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>

#include "contender.h"

struct onednn_layer {
    dnnl_primitive_t primitive;
    dnnl_memory_t weights, bias, output;
};

struct onednn {
    const struct subject *subject; /* borrowed */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_t input;
    struct onednn_layer layers[DENSE_LAYERS_MAX];
};

static void must(dnnl_status_t status, const char *what)
{
    char why[64];
    snprintf(why, sizeof why, "%s: status %d", what, (int)status);
    if (status != dnnl_success)
        fail("oneDNN", why);
}

static dnnl_memory_desc_t matrix(size_t rows, size_t columns, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t desc;
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    must(dnnl_memory_desc_init_by_tag(&desc, 2, dims, dnnl_f32, tag), "a matrix");
    return desc;
}

static dnnl_memory_t memory(const struct onednn *peer, const dnnl_memory_desc_t *desc,
                            const float *data)
{
    dnnl_memory_t made;
    void *handle = data ? (void *)(size_t)data : DNNL_MEMORY_ALLOCATE;
    must(dnnl_memory_create(&made, desc, peer->engine, handle), "memory");
    return made;
}

static dnnl_primitive_attr_t attributes(bool relu)
{
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t after;
    must(dnnl_primitive_attr_create(&attr), "attributes");
    must(dnnl_post_ops_create(&after), "post-ops");
    if (relu)
        must(dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0), "relu");
    must(dnnl_primitive_attr_set_post_ops(attr, after), "post-ops");
    must(dnnl_post_ops_destroy(after), "post-ops");
    return attr;
}

/* Copies plain [k, n] weights into the layout the primitive asks for. */
static dnnl_memory_t reorder(const struct onednn *peer, const struct dense_layer *layer,
                             const dnnl_memory_desc_t *wanted)
{
    dnnl_memory_desc_t plain = matrix(layer->k, layer->n, dnnl_ab);
    dnnl_memory_t from = memory(peer, &plain, layer->weights);
    dnnl_memory_t to = memory(peer, wanted, NULL);
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    must(
        dnnl_reorder_primitive_desc_create(&desc, &plain, peer->engine, wanted, peer->engine, NULL),
        "reorder");
    must(dnnl_primitive_create(&primitive, desc), "reorder");
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    must(dnnl_primitive_execute(primitive, peer->stream, 2, args), "reorder");
    must(dnnl_stream_wait(peer->stream), "reorder");
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(desc);
    dnnl_memory_destroy(from);
    return to;
}

static void open_layer(struct onednn *peer, struct onednn_layer *made,
                       const struct dense_layer *layer, size_t rows)
{
    dnnl_memory_desc_t x = matrix(rows, layer->k, dnnl_ab);
    dnnl_memory_desc_t w = matrix(layer->k, layer->n, dnnl_format_tag_any);
    dnnl_memory_desc_t b = matrix(1, layer->n, dnnl_ab);
    dnnl_memory_desc_t y = matrix(rows, layer->n, dnnl_ab);
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_attr_t attr = attributes(layer->relu);
    must(dnnl_matmul_desc_init(&matmul, &x, &w, &b, &y), "matmul");
    must(dnnl_primitive_desc_create(&desc, &matmul, attr, peer->engine, NULL), "matmul");
    must(dnnl_primitive_create(&made->primitive, desc), "matmul");
    made->weights =
        reorder(peer, layer, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
    made->bias = memory(peer, &b, layer->bias);
    made->output = memory(peer, &y, NULL);
    if (!peer->input)
        peer->input = memory(peer, &x, layer->weights /* replaced before every run */);
    dnnl_primitive_desc_destroy(desc);
    dnnl_primitive_attr_destroy(attr);
}

static void *open_onednn(const struct subject *subject)
{
    struct onednn *peer = must_alloc(1, sizeof *peer);
    *peer = (struct onednn){.subject = subject};
    must(dnnl_engine_create(&peer->engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&peer->stream, peer->engine, dnnl_stream_default_flags), "stream");
    for (size_t i = 0; i < subject->layer_count; i++)
        open_layer(peer, &peer->layers[i], &subject->layers[i], subject->rows);
    return peer;
}

static void close_onednn(void *self)
{
    struct onednn *peer = self;
    for (size_t i = 0; i < peer->subject->layer_count; i++) {
        dnnl_primitive_destroy(peer->layers[i].primitive);
        dnnl_memory_destroy(peer->layers[i].weights);
        dnnl_memory_destroy(peer->layers[i].bias);
        dnnl_memory_destroy(peer->layers[i].output);
    }
    dnnl_memory_destroy(peer->input);
    dnnl_stream_destroy(peer->stream);
    dnnl_engine_destroy(peer->engine);
    free(peer);
}

static const float *run(void *self, size_t input)
{
    struct onednn *peer = self;
    dnnl_memory_t x = peer->input;
    must(dnnl_memory_set_data_handle(x, (void *)(size_t)peer->subject->inputs[input]), "input");
    for (size_t i = 0; i < peer->subject->layer_count; i++) {
        const struct onednn_layer *layer = &peer->layers[i];
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, x},
                                        {DNNL_ARG_WEIGHTS, layer->weights},
                                        {DNNL_ARG_BIAS, layer->bias},
                                        {DNNL_ARG_DST, layer->output}};
        must(dnnl_primitive_execute(layer->primitive, peer->stream, 4, args), "run");
        x = layer->output;
    }
    must(dnnl_stream_wait(peer->stream), "run");
    void *y;
    must(dnnl_memory_get_data_handle(x, &y), "output");
    return y;
}

static const char *isa_name(dnnl_cpu_isa_t isa)
{
    if (isa == dnnl_cpu_isa_all)
        return "every instruction set";
    return isa >= dnnl_cpu_isa_avx512_core ? "avx512"
           : isa >= dnnl_cpu_isa_avx2      ? "avx2"
                                           : "baseline";
}

static const char *about(const struct subject *subject)
{
    static char about[96];
    const dnnl_version_t *version = dnnl_version();
    (void)subject;
    snprintf(about, sizeof about, "oneDNN %d.%d.%d (%s)", version->major, version->minor,
             version->patch, isa_name(dnnl_get_effective_cpu_isa()));
    return about;
}

const struct contender contender_onednn = {"onednn", true, open_onednn, close_onednn, run, about};
