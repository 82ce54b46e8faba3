/* Dead units taken out of networks of every kind: no bit of an answer changes. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compacted.h"
#include "random_net.h"
#include "randoms.h"

/* Every activation of one input becomes a relu, or an elu here and there; of what adds to channels
 * a third is so negative that they never fire. */
static void kill_units(struct onnx_builder *onnx, uint64_t seed)
{
    struct randoms random = {seed};
    for (size_t i = 0; i < onnx->graph->n_node; i++) {
        Onnx__NodeProto *node = onnx->graph->node[i];
        const char *op = node->op_type;
        if (node->n_input == 1 && strcmp(op, "Flatten") != 0 && !strstr(op, "Pool") &&
            !strstr(op, "Softmax") && strcmp(op, "LRN") != 0 && strcmp(op, "ReduceMean") != 0)
            node->op_type = (char *)(random_between(&random, 0, 4) > 0 ? "Relu" : "Elu");
        const bool adds = strcmp(op, "Conv") == 0 || strcmp(op, "Gemm") == 0 ||
                          strcmp(op, "BatchNormalization") == 0;
        if (!adds || node->n_input < 3)
            continue;
        for (size_t t = 0; t < onnx->graph->n_initializer; t++) {
            Onnx__TensorProto *tensor = onnx->graph->initializer[t];
            float *numbers = (float *)(void *)tensor->raw_data.data;
            for (int64_t c = 0; strcmp(tensor->name, node->input[2]) == 0 && c < tensor->dims[0];
                 c++)
                if (random_between(&random, 0, 2) == 0)
                    numbers[c] = -1000;
        }
    }
}

/* Operator set 19 is the first whose AveragePool knows dilations. */
static bool is_of_set_13(const struct onnx_builder *onnx)
{
    for (size_t i = 0; i < onnx->graph->n_node; i++)
        for (size_t j = 0; j < onnx->graph->node[i]->n_attribute; j++)
            if (strcmp(onnx->graph->node[i]->op_type, "AveragePool") == 0 &&
                strcmp(onnx->graph->node[i]->attribute[j]->name, "dilations") == 0)
                return false;
    return true;
}

Test(compact_nets, random_ones)
{
    struct temporary files;
    size_t removed = 0, units = 0, compared = 0;
    temporary_open(&files);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct onnx_builder onnx;
        struct compacted compacted;
        char name[32];
        onnx_open(&onnx);
        random_net(&onnx, seed);
        kill_units(&onnx, seed);
        compacted_open(&compacted, &onnx, &(struct compact_options){.fold = false});
        compared += compacted_compare(&compacted, 0);
        removed += compacted_removed_in_all(&compacted);
        for (size_t i = 0; i < compacted.after.layer_count; i++)
            units += compacted.after.layers[i].layer->units;
        snprintf(name, sizeof name, "net%u", (unsigned)seed);
        if (is_of_set_13(&onnx))
            compacted_write(&compacted, &files, name);
        compacted_close(&compacted);
        onnx_close(&onnx);
    }
    compacted_check(&files);
    temporary_close(&files);
    cr_assert(removed > units / 10 && compared >= 40 * COMPACTED_ROWS, "%zu of %zu, %zu rows",
              removed, units, compared);
}

/* As PyTorch and Keras wrote them: whatever never fires in a few rows. */
Test(compact_nets, exported_ones)
{
    glob_t found;
    struct temporary files;
    size_t removed = 0;
    temporary_open(&files);
    cr_assert(glob("tests/conformance/golden/*/model.onnx", 0, NULL, &found) == 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct compacted compacted;
        char name[32];
        compacted_open_file(&compacted, found.gl_pathv[i],
                            &(struct compact_options){.fold = false});
        cr_assert(compacted_compare(&compacted, 0) >= COMPACTED_ROWS);
        removed += compacted_removed_in_all(&compacted);
        snprintf(name, sizeof name, "net%zu", i);
        compacted_write(&compacted, &files, name);
        compacted_close(&compacted);
    }
    compacted_check(&files);
    temporary_close(&files);
    globfree(&found);
    cr_assert(removed >= 100, "%zu", removed);
}
