#include "subgraph.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reading */

struct reader {
    struct subgraph *subgraph;
    const char *at;
};

static void skip(struct reader *reader, const char *characters)
{
    reader->at += strspn(reader->at, characters);
}

static void read_name(struct reader *reader, char *name, size_t room)
{
    size_t length = 0;
    skip(reader, " ");
    while (isalnum((unsigned char)reader->at[length]))
        length++;
    cr_assert(length > 0 && length < room, "a name is missing at \"%s\"", reader->at);
    memcpy(name, reader->at, length);
    reader->at += length;
    skip(reader, " ");
}

static size_t add_term(struct reader *reader, const struct subgraph_term *term)
{
    cr_assert(reader->subgraph->count < SUBGRAPH_TERMS_MAX);
    reader->subgraph->terms[reader->subgraph->count] = *term;
    return reader->subgraph->count++;
}

static size_t read_numbers(struct reader *reader)
{
    struct subgraph_term term = {.op = ""};
    const bool list = *reader->at == '[';
    reader->at += list;
    for (size_t i = 0; i == 0 || (list && *reader->at != ']'); i++) {
        char *end;
        cr_assert(i < SUBGRAPH_LIST_MAX);
        term.numbers[i] = (float)strtod(reader->at, &end);
        cr_assert(end > reader->at, "a number is missing at \"%s\"", reader->at);
        term.number_count += list;
        reader->at = end;
    }
    reader->at += list;
    return add_term(reader, &term);
}

static size_t find_name(const struct reader *reader, const char *name)
{
    size_t i = 0;
    while (i < reader->subgraph->count && strcmp(reader->subgraph->terms[i].name, name) != 0)
        i++;
    cr_assert(i < reader->subgraph->count, "unknown name \"%s\"", name);
    return i;
}

static size_t read_expression(struct reader *reader);

static void read_argument(struct reader *reader, struct subgraph_term *term)
{
    struct subgraph_argument *argument = &term->arguments[term->argument_count++];
    const char *equals = reader->at + strcspn(reader->at, "=(,)");
    cr_assert(term->argument_count <= SUBGRAPH_ARGUMENTS_MAX);
    if (*equals == '=') {
        read_name(reader, argument->attribute, sizeof argument->attribute);
        reader->at++;
    }
    argument->term = read_expression(reader);
}

static size_t read_expression(struct reader *reader)
{
    struct subgraph_term term = {.op = ""};
    skip(reader, " ");
    if (!isalpha((unsigned char)*reader->at))
        return read_numbers(reader);
    read_name(reader, term.op, sizeof term.op);
    if (*reader->at != '(')
        return find_name(reader, term.op);
    while (*reader->at != ')') {
        reader->at++;
        skip(reader, " ");
        read_argument(reader, &term);
        skip(reader, " ");
    }
    reader->at++;
    return add_term(reader, &term);
}

void subgraph_parse(struct subgraph *subgraph, const char *text)
{
    struct reader reader = {subgraph, text};
    *subgraph = (struct subgraph){.count = 0};
    add_term(&reader, &(struct subgraph_term){.op = "z", .name = "z"});
    for (bool more = true; more; more = *reader.at++ == ';') {
        const size_t statement = strcspn(reader.at, ";"), equals = strcspn(reader.at, "=(");
        char name[8] = "";
        if (equals < statement && reader.at[equals] == '=') {
            read_name(&reader, name, sizeof name);
            reader.at++;
        }
        const size_t made = read_expression(&reader);
        strcpy(subgraph->terms[made].name, name);
        skip(&reader, " ");
    }
}

/* Building */

enum { TERM_NAME_BYTES = 24 };

static const char *term_name(const struct subgraph *subgraph, size_t i, char name[TERM_NAME_BYTES])
{
    if (i == 0)
        return "z";
    if (i + 1 == subgraph->count)
        return "y";
    sprintf(name, "t%zu", i);
    return name;
}

static void build_node(const struct subgraph *subgraph, const struct subgraph_term *term,
                       const char *name, struct onnx_builder *builder)
{
    char inputs[128] = "", input[TERM_NAME_BYTES];
    for (size_t i = 0; i < term->argument_count; i++) {
        if (!term->arguments[i].attribute[0]) {
            strcat(inputs, term_name(subgraph, term->arguments[i].term, input));
            strcat(inputs, " ");
        }
    }
    Onnx__NodeProto *node = onnx_node(builder, term->op, "", inputs, name);
    for (size_t i = 0; i < term->argument_count; i++)
        if (term->arguments[i].attribute[0])
            onnx_float(builder, node, term->arguments[i].attribute,
                       subgraph->terms[term->arguments[i].term].numbers[0]);
}

void subgraph_build(const struct subgraph *subgraph, struct onnx_builder *builder)
{
    for (size_t i = 1; i < subgraph->count; i++) {
        const struct subgraph_term *term = &subgraph->terms[i];
        const int64_t dims[1] = {(int64_t)term->number_count};
        char room[TERM_NAME_BYTES];
        const char *name = term_name(subgraph, i, room);
        if (term->op[0])
            build_node(subgraph, term, name, builder);
        else
            onnx_initializer(
                builder, onnx_floats(builder, name, term->number_count > 0, dims, term->numbers));
    }
}

/* Computing */

/* The upper bound has the last word. */
static double clip(double x, double low, double high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* What ONNX says its operators are, in double precision. */
static double compute(const char *op, double a, double b, double c)
{
    const struct {
        const char *op;
        double value;
    } values[] = {
        {"Add", a + b},
        {"Sub", a - b},
        {"Mul", a * b},
        {"Div", a / b},
        {"Pow", pow(a, b)},
        {"Max", isnan(a) || a > b ? a : b},
        {"Min", isnan(a) || a < b ? a : b},
        {"Neg", -a},
        {"Abs", fabs(a)},
        {"Exp", exp(a)},
        {"Log", log(a)},
        {"Erf", erf(a)},
        {"Tanh", tanh(a)},
        {"Sqrt", sqrt(a)},
        {"Sigmoid", 1 / (1 + exp(-a))},
        {"Softplus", log1p(exp(-fabs(a))) + (a > 0 ? a : 0)},
        {"Relu", a > 0 || isnan(a) ? a : 0},
        {"Clip", clip(a, b, c)},
        {"HardSigmoid", clip(b * a + c, 0, 1)},
        {"Identity", a},
        {"Greater", a > b},
        {"GreaterOrEqual", a >= b},
        {"Less", a < b},
        {"LessOrEqual", a <= b},
        {"Where", a != 0 ? b : c},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (strcmp(values[i].op, op) == 0)
            return values[i].value;
    cr_assert(false, "unknown operator %s", op);
    return NAN;
}

double subgraph_value(const struct subgraph *subgraph, double z, size_t i)
{
    double values[SUBGRAPH_TERMS_MAX] = {z};
    for (size_t t = 1; t < subgraph->count; t++) {
        const struct subgraph_term *term = &subgraph->terms[t];
        double from[SUBGRAPH_ARGUMENTS_MAX] = {0};
        for (size_t j = 0; j < term->argument_count; j++)
            from[j] = values[term->arguments[j].term];
        values[t] = term->op[0] ? compute(term->op, from[0], from[1], from[2])
                                : (double)term->numbers[term->number_count > 1 ? i : 0];
    }
    return values[subgraph->count - 1];
}
