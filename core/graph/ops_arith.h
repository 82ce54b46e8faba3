/* ops_arith: which arithmetic, function or reduction node.detail means. */
#ifndef RELUD_OPS_ARITH_H
#define RELUD_OPS_ARITH_H

enum reduction { REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN };

/* node.detail of an arithmetic or unary node for that ONNX operator, -1 when there is none. */
int arithmetic_by_onnx_op(const char *onnx_op);
int unary_by_onnx_op(const char *onnx_op);

/* node.detail of a reduce node: the reduction, and one bit for each axis of a row that goes. */
static inline int reduce_detail(enum reduction reduction, unsigned axes)
{
    return (int)(axes << 2 | (unsigned)reduction);
}

#endif
