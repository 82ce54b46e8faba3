#include "refusals.h"

#include <criterion/criterion.h>
#include <string.h>

static bool says_both(const char *message, const char *parts)
{
    char first[128];
    const size_t length = strcspn(parts, "|");
    memcpy(first, parts, length);
    first[length] = '\0';
    return strstr(message, first) && strstr(message, parts + length + 1);
}

void check_refusal(const struct refusal *refusal)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    onnx_small(&builder);
    refusal->breaks(&builder);
    cr_assert(onnx_load(&builder, &model, &error) != STATUS_OK, "%s is accepted", refusal->name);
    cr_assert(error.status != STATUS_OK, "%s", refusal->name);
    cr_assert(says_both(error.message, refusal->says), "%s: %s", refusal->name, error.message);
    cr_assert(!strchr(error.message, '\n'), "%s: %s", refusal->name, error.message);
    model_close(&model);
    onnx_close(&builder);
}
