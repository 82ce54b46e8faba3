#include "bounds.h"

struct interval bounds_join(const struct bounds *bounds)
{
    struct interval all = bounds->at[0];
    for (size_t i = 1; i < bounds->count; i++)
        all = interval_join(all, bounds->at[i]);
    return all;
}

void bounds_along(const struct bounds *bounds, const struct value *value, size_t dimension,
                  struct interval *along)
{
    const size_t count = value->shape.dims[dimension];
    const bool channels = dimension == value_channel_axis(value);
    size_t strides[TENSOR_RANK_MAX];
    value_strides(value, strides);
    for (size_t i = 0; i < count; i++)
        along[i] = (struct interval){INFINITY, -INFINITY};
    if (!channels && bounds->count == value->channels) {
        const struct interval all = bounds_join(bounds);
        for (size_t i = 0; i < count; i++)
            along[i] = all;
        return;
    }
    const size_t elements =
        channels && bounds->count == value->channels ? value->channels : value->features;
    for (size_t m = 0; m < elements; m++) {
        const size_t offset = m / value->channels * value->stride + m % value->channels;
        const size_t i = (channels ? m % value->channels : offset / strides[dimension]) % count;
        along[i] = interval_join(along[i], bounds->at[m % bounds->count]);
    }
}
