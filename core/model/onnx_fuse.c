/* Finds the sub-graphs that are an activation written out, by the patterns of onnx_fuse.def, and
 * makes one step of each: then it has statistics, can be configured, and is part of the layer that
 * makes its input. The formula is computed once, by the kernel of the activation, and so more
 * precisely than by the sub-graph, which rounds after every node; what ONNX says it is within what
 * such roundings are worth.
 *
 * What the nodes inside compute must be read by nothing else, or it would be missed. Each node is
 * the end of at most one sub-graph, and a pattern is small: time is in proportion to the nodes. */
#include <math.h>
#include <string.h>

#include "onnx_import.h"
#include "onnx_pattern.h"

enum { PARTS_MAX = 16 };

/* Relative: exporters round constants to float once or twice, and a reciprocal once more, so that a
 * constant may be some units in the last place away, here four to eight. */
#define CONSTANT_TOLERANCE 0x1p-21

/* What has been found while a pattern is compared with the nodes that end at one of them. */
struct match {
    struct importer *importer;
    struct operand *x;
    double numbers[ACTIVATION_PARAMETERS];
    bool bound[ACTIVATION_PARAMETERS];
    const struct tensor *slopes;
    bool negative;                 /* the slopes are those with the other sign */
    struct step *parts[PARTS_MAX]; /* the one at the end first */
    size_t part_count;
};

/* Comparing: the functions below recurse as deep as the patterns of the table are. A comparison
 * that fails leaves its findings behind; who tries another restores what was found before. */

static bool bind_number(struct match *match, const struct pattern *pattern, double value)
{
    match->bound[pattern->parameter] = true;
    match->numbers[pattern->parameter] = pattern->negative ? -value : value;
    return isfinite((float)value);
}

static bool match_number(struct match *match, const struct pattern *pattern, double value)
{
    switch (pattern->kind) {
    case PATTERN_PARAMETER:
        return bind_number(match, pattern, value);
    case PATTERN_FRACTION:
        return value > 0 && value < 1 && bind_number(match, pattern, value);
    case PATTERN_NOT_POSITIVE:
        return value <= 0;
    case PATTERN_NUMBER:
        return fabs(value - pattern->number) <= CONSTANT_TOLERANCE * fabs(pattern->number);
    default:
        return false;
    }
}

/* Whether an operand is a constant that is one number, which does not add a dimension to what it is
 * combined with: a value has at least the batch, unless that is an axis like the others. */
static bool is_number(const struct match *match, const struct operand *operand, double *value)
{
    const struct tensor *tensor = &operand->tensor;
    if (!operand->is_constant || tensor_count(tensor) != 1 ||
        tensor->rank > importer_hidden(match->importer))
        return false;
    *value = tensor->dtype == DTYPE_FLOAT32 ? (double)*(const float *)tensor->data
                                            : (double)*(const int64_t *)tensor->data;
    return true;
}

static bool bind_x(struct match *match, struct operand *operand)
{
    if (!match->x && !operand->is_constant)
        match->x = operand;
    return match->x == operand;
}

static bool bind_slopes(struct match *match, const struct operand *operand, bool negative)
{
    match->slopes = &operand->tensor;
    match->negative = negative;
    return operand->is_constant && operand->tensor.dtype == DTYPE_FLOAT32;
}

static bool match_step(struct match *match, const struct pattern *pattern, struct step *step);

static bool match_value(struct match *match, const struct pattern *pattern, const char *name);

static bool match_either(struct match *match, const struct pattern *pattern, const char *name)
{
    const struct match before = *match;
    for (size_t i = 0; i < pattern->part_count; i++) {
        if (match_value(match, pattern->parts[i], name))
            return true;
        *match = before;
    }
    return false;
}

/* Compares a pattern with what name stands for. */
static bool match_value(struct match *match, const struct pattern *pattern, const char *name)
{
    struct operand *operand = importer_named(match->importer, name);
    double number;
    if (!operand)
        return false; /* an input that is left out */
    switch (pattern->kind) {
    case PATTERN_EITHER:
        return match_either(match, pattern, name);
    case PATTERN_OPERATOR:
    case PATTERN_ACTIVATION:
        return !operand->defined && operand->maker && match_step(match, pattern, operand->maker);
    case PATTERN_INPUT:
        return bind_x(match, operand);
    case PATTERN_SLOPES:
        return bind_slopes(match, operand, pattern->negative);
    default:
        return is_number(match, operand, &number) && match_number(match, pattern, number);
    }
}

/* The activation that a step is; false when it is none. */
static bool step_activation(struct importer *importer, const struct step *step,
                            struct activation *activation)
{
    struct error ignored;
    if (step->fused)
        *activation = *step->fused;
    return step->fused ||
           (activation_by_onnx_op(activation, step->proto->op_type) && step->proto->n_input > 0 &&
            onnx_activation(importer, step->proto, activation, &ignored) == STATUS_OK);
}

static bool match_activation(struct match *match, const struct pattern *pattern,
                             const struct step *step)
{
    struct activation activation;
    if (!step_activation(match->importer, step, &activation) ||
        activation.type != pattern->activation ||
        !match_value(match, pattern->parts[0], step->proto->input[0]))
        return false;
    for (size_t i = 1; i < pattern->part_count; i++)
        if (!match_number(match, pattern->parts[i], (double)activation.parameters[i - 1]))
            return false;
    return true;
}

static bool is_commutative(const char *op_type)
{
    static const char *const names[] = {"Add", "Mul", "Max", "Min"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], op_type) == 0)
            return true;
    return false;
}

/* The inputs in their order, or the first two of them exchanged. */
static bool match_inputs(struct match *match, const struct pattern *pattern, bool exchanged,
                         const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < pattern->part_count; i++)
        if (!match_value(match, pattern->parts[i], node->input[exchanged ? 1 - i : i]))
            return false;
    return true;
}

/* A product "Mul(p, number)" as a quotient. */
static bool match_quotient(struct match *match, const struct pattern *pattern,
                           const Onnx__NodeProto *node)
{
    const struct operand *divisor = importer_named(match->importer, node->input[1]);
    double number;
    return divisor && is_number(match, divisor, &number) &&
           match_number(match, pattern->parts[1], 1 / number) &&
           match_value(match, pattern->parts[0], node->input[0]);
}

static bool match_operator(struct match *match, const struct pattern *pattern,
                           const Onnx__NodeProto *node)
{
    if (node->n_input != pattern->part_count)
        return false;
    if (onnx_is_op(node, "Div") && strcmp(pattern->op_type, "Mul") == 0)
        return match_quotient(match, pattern, node);
    if (!onnx_is_op(node, pattern->op_type))
        return false;
    const struct match before = *match;
    if (match_inputs(match, pattern, false, node))
        return true;
    *match = before;
    return is_commutative(node->op_type) && match_inputs(match, pattern, true, node);
}

static bool add_part(struct match *match, struct step *step)
{
    for (size_t i = 0; i < match->part_count; i++)
        if (match->parts[i] == step)
            return true;
    if (match->part_count == PARTS_MAX || step->proto->n_output != 1)
        return false;
    match->parts[match->part_count++] = step;
    return true;
}

static bool match_step(struct match *match, const struct pattern *pattern, struct step *step)
{
    if (!step->proto || !onnx_is_standard(step->proto) || !add_part(match, step))
        return false;
    if (pattern->kind == PATTERN_ACTIVATION)
        return match_activation(match, pattern, step);
    return !step->fused && match_operator(match, pattern, step->proto);
}

/* Replacing */

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the nodes");
}

/* How often the parts read a value. */
static size_t reads(const struct match *match, const struct operand *operand)
{
    size_t count = 0;
    for (size_t i = 0; i < match->part_count; i++) {
        const Onnx__NodeProto *node = match->parts[i]->proto;
        for (size_t j = 0; j < node->n_input; j++)
            count += importer_named(match->importer, node->input[j]) == operand;
    }
    return count;
}

static struct operand *part_output(const struct match *match, size_t i)
{
    return importer_named(match->importer, match->parts[i]->proto->output[0]);
}

/* Whether nobody else reads what the parts compute on the way. */
static bool is_closed(const struct match *match)
{
    for (size_t i = 1; i < match->part_count; i++)
        if (part_output(match, i)->uses != reads(match, part_output(match, i)))
            return false;
    return true;
}

/* The activation that a rule makes of what was found; false when there is none such. */
static bool make_activation(const struct match *match, const char *text,
                            struct activation *activation)
{
    struct error ignored;
    if (activation_parse(activation, text, &ignored) != STATUS_OK)
        return false;
    for (size_t i = 0; i < ACTIVATION_PARAMETERS; i++)
        if (match->bound[i])
            activation->parameters[i] = (float)match->numbers[i];
    const float *bounds = activation->parameters;
    if (activation->type != ACTIVATION_clip)
        return true;
    onnx_set_clip(activation, bounds[0], bounds[1]);
    return bounds[0] <= bounds[1]; /* else the order of Min and Max decides */
}

/* The name of the nodes' common scope where an exporter has named the last one after its operator:
 * "/act/Mul_1" and "model/act/mul" are called "/act" and "model/act". */
static char *scope_name(struct arena *arena, const Onnx__NodeProto *node)
{
    const char *name = node->name ? node->name : "", *last = strrchr(name, '/');
    const size_t op = strlen(node->op_type);
    const bool named = last && strncasecmp(last + 1, node->op_type, op) == 0 &&
                       last[1 + op + strspn(last + 1 + op, "_0123456789")] == '\0';
    return arena_text(arena, name, named ? (size_t)(last - name) : strlen(name));
}

/* Gives an operand, which is nobody's any more, the slopes that were found. */
static bool define_slopes(const struct match *match, struct operand *operand)
{
    const size_t count = tensor_count(match->slopes);
    float *slopes = arena_alloc(match->importer->scratch, count, sizeof *slopes);
    struct error ignored;
    if (!slopes || onnx_tensor_numbers(match->slopes, 0, count, slopes, &ignored) != STATUS_OK)
        return false;
    for (size_t i = 0; i < count && match->negative; i++)
        slopes[i] = -slopes[i];
    operand->is_constant = true;
    operand->tensor = *match->slopes;
    operand->tensor.data = slopes;
    return true;
}

/* What stands for a sub-graph. */
struct replacement {
    Onnx__NodeProto proto;
    char *inputs[2];
    struct activation activation;
};

/* Puts one step in the place of the last part, and nothing in that of the others. */
static bool replace(const struct match *match, const struct activation *activation)
{
    struct arena *scratch = match->importer->scratch;
    struct step *last = match->parts[0];
    struct replacement *made = arena_alloc(scratch, 1, sizeof *made);
    char *name = scope_name(scratch, last->proto);
    if (!made || !name)
        return false;
    made->activation = *activation;
    made->inputs[0] = (char *)match->x->name;
    made->proto = *last->proto;
    made->proto.name = name;
    made->proto.op_type = (char *)activation_info(activation->type)->name;
    made->proto.input = made->inputs;
    made->proto.n_input = 1;
    if (match->slopes) { /* whether there is one for each unit shows when the shape is known */
        struct operand *inner = part_output(match, 1);
        if (!define_slopes(match, inner))
            return false;
        made->inputs[made->proto.n_input++] = (char *)inner->name;
        made->proto.op_type = (char *)activation_info(activation->type)->onnx_op;
    }
    match->x->uses -= reads(match, match->x) - 1;
    for (size_t i = 1; i < match->part_count; i++) {
        part_output(match, i)->defined = true; /* so that nothing else can take that name */
        part_output(match, i)->value = ONNX_NO_VALUE;
        match->parts[i]->proto = NULL;
    }
    last->proto = &made->proto;
    last->fused = match->slopes ? NULL : &made->activation;
    return true;
}

/* A row of onnx_fuse.def. */
struct rule {
    const char *activation, *text;
    const struct pattern *pattern;
};

/* Makes a fused step of step and nodes before it; false when they are not as the rule says. */
static bool apply_rule(struct importer *importer, const struct rule *rule, const struct step *step,
                       struct error *error)
{
    struct match match = {.importer = importer};
    struct activation activation;
    if (!match_value(&match, rule->pattern, step->proto->output[0]) || !is_closed(&match) ||
        !make_activation(&match, rule->activation, &activation))
        return false;
    if (!replace(&match, &activation))
        no_memory(error);
    return error->status == STATUS_OK;
}

/* The first rule that fits; what it makes of the step may be part of a larger one that ends there
 * as well. */
static bool fuse_step(struct importer *importer, const struct rule *rules, size_t count,
                      const struct step *step, struct error *error)
{
    bool fused = false;
    for (size_t i = 0; i < count && !fused && error->status == STATUS_OK; i++)
        fused = apply_rule(importer, &rules[i], step, error);
    return fused;
}

enum status onnx_fuse(struct importer *importer, struct error *error)
{
    struct rule rules[] = {
#define FUSE(activation, pattern) {activation, pattern, NULL},
#include "onnx_fuse.def"
#undef FUSE
    };
    const size_t count = sizeof rules / sizeof rules[0];
    for (size_t i = 0; i < count; i++) {
        rules[i].pattern = pattern_read(importer->scratch, rules[i].text);
        if (!rules[i].pattern)
            return no_memory(error);
    }
    for (size_t i = 0; i < importer->proto->n_node; i++) {
        const struct step *step = &importer->steps[i];
        while (step->proto && step->proto->n_output == 1 &&
               fuse_step(importer, rules, count, step, error))
            continue;
    }
    return error->status;
}
