#include "bias.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "panel.h"

/* LAYER[UNITS]+=STEP, taken apart. */
struct change {
    const char *text;
    size_t name_length;
    const char *units; /* "3,17]", NULL for all */
    float step;
};

static enum status refuse(const char *text, struct error *error)
{
    return error_set(error, STATUS_INVALID,
                     "expected LAYER+=NUMBER, LAYER-=NUMBER or LAYER[UNIT,…]+=NUMBER, found \"%s\"",
                     text);
}

/* The last "+=" or "-=": names of layers may hold anything. */
static const char *find_sign(const char *text)
{
    const char *equals = strrchr(text, '=');
    const bool found = equals && equals > text + 1 && (equals[-1] == '+' || equals[-1] == '-');
    return found ? equals - 1 : NULL;
}

static enum status parse(struct change *change, const char *text, struct error *error)
{
    const char *sign = find_sign(text);
    char *end = NULL;
    const double step = sign ? strtod(sign + 2, &end) : 0;
    if (!sign || end == sign + 2 || *end || !isfinite((float)step))
        return refuse(text, error);
    const char *bracket = sign[-1] == ']' ? memrchr(text, '[', (size_t)(sign - text)) : NULL;
    *change = (struct change){.text = text,
                              .name_length = (size_t)((bracket ? bracket : sign) - text),
                              .units = bracket ? bracket + 1 : NULL,
                              .step = (float)(*sign == '-' ? -step : step)};
    return change->name_length > 0 ? STATUS_OK : refuse(text, error);
}

static enum status add(struct node *node, size_t unit, float step, struct error *error)
{
    const size_t n = node->n / node->groups;
    float *bias = (float *)node->bias + unit / n * panel_padded(n) + unit % n;
    *bias += step;
    if (isfinite(*bias))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "the bias of unit %zu would not be finite", unit);
}

static enum status add_listed(struct node *node, const struct change *change, struct error *error)
{
    const char *at = change->units;
    for (char *end;; at = end + 1) {
        errno = 0;
        const unsigned long long unit = isdigit((unsigned char)*at) ? strtoull(at, &end, 10) : 0;
        if (!isdigit((unsigned char)*at) || errno || (*end != ',' && *end != ']'))
            return refuse(change->text, error);
        if (unit >= node->n)
            return error_set(error, STATUS_INVALID, "layer \"%s\" has units 0 to %zu, found %llu",
                             node->name, node->n - 1, unit);
        if (add(node, (size_t)unit, change->step, error) != STATUS_OK)
            return error->status;
        if (*end == ']')
            return STATUS_OK;
    }
}

static enum status apply(struct node *node, const struct change *change, struct error *error)
{
    if (!node->bias)
        return error_set(error, STATUS_UNSUPPORTED, "layer \"%s\" has no biases", node->name);
    if (change->units)
        return add_listed(node, change, error);
    for (size_t unit = 0; unit < node->n; unit++)
        if (add(node, unit, change->step, error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

static bool is_meant(const struct change *change, const struct node *node)
{
    if (change->name_length == 1 && change->text[0] == '*')
        return node->bias && activation_counted(&node->activation);
    return strncmp(node->name, change->text, change->name_length) == 0 &&
           node->name[change->name_length] == '\0';
}

enum status bias_change(struct model *model, const char *text, struct error *error)
{
    struct change change = {.text = text};
    size_t found = 0;
    if (parse(&change, text, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < model->graph.node_count; i++) {
        if (!is_meant(&change, &model->graph.nodes[i]))
            continue;
        if (apply(&model->graph.nodes[i], &change, error) != STATUS_OK)
            return error->status;
        found++;
    }
    return found > 0 ? STATUS_OK
                     : error_set(error, STATUS_NOT_FOUND, "the model has no layer \"%.*s\"",
                                 (int)change.name_length, text);
}
