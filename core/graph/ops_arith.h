/* ops_arith: which arithmetic, function or reduction node.detail means. */
#ifndef RELUD_OPS_ARITH_H
#define RELUD_OPS_ARITH_H

/* node.detail of a node for that onnx_op of arithmetic.def, -1 when there is none. For a reduce
 * node it also says the axes of a row that go, one bit each. */
int arithmetic_by_onnx_op(const char *onnx_op);
int unary_by_onnx_op(const char *onnx_op);
int reduce_by_onnx_op(const char *onnx_op, unsigned axes);

#endif
