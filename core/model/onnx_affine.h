/* onnx_affine: y = x * scale + shift for each unit, folded into the weights of what makes x. */
#ifndef RELUD_ONNX_AFFINE_H
#define RELUD_ONNX_AFFINE_H

#include "onnx_import.h"

/* Folds Add, Sub, Mul or Div of input i, which a dense or convolution node makes for proto alone,
 * with a constant that holds one finite number for each unit, or one for all; output 0 stands for
 * the same value then. *fused says whether it was possible. */
enum status onnx_fuse_affine(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                             bool *fused, struct error *error);

#endif
