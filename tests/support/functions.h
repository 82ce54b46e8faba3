/* functions: every activation whose units are counted, with its defaults and with parameters that
 * show, and its formula once more. */
#ifndef RELUD_TESTS_FUNCTIONS_H
#define RELUD_TESTS_FUNCTIONS_H

#include <stddef.h>

#include "activation.h"

enum { FUNCTION_COUNT = 35 };

/* As activation_parse() reads them. */
extern const char *const functions[FUNCTION_COUNT];

/* f(z), from the documentation of ONNX's operators (of PyTorch's modules where ONNX has none) and
 * not from activation.c; terms are only moved where they would cancel. What rounding adds is what
 * a change of z and of f(z) by a few parts in 10^19 would. */
long double function_value(const struct activation *activation, size_t unit, long double z);

/* The stated error bound of a row of activation.def. */
double function_ulps(enum activation_type type);

#endif
