/* ops_arith: which arithmetic, function or reduction node.detail means. */
#ifndef RELUD_OPS_ARITH_H
#define RELUD_OPS_ARITH_H

/* A reduce node's detail: the reduction in the lowest bits, then the axes of a row that go. */
enum { REDUCTION_BITS = 4 };

/* node.detail of a node for that onnx_op of arithmetic.def, -1 when there is none. axes:
 * one bit each. */
int arithmetic_by_onnx_op(const char *onnx_op);
int unary_by_onnx_op(const char *onnx_op);
int reduce_by_onnx_op(const char *onnx_op, unsigned axes);

#endif
