/* The kernels of one instruction set: this file is compiled once for each row of isa.def, with
 * KERNELS_ISA naming it and the compiler flags choosing what vec.h offers. It exports one symbol.
 */
#include "kernels.h"

#include "epilogue.h"
#include "gemm.h"
#include "gemv.h"
#include "pool.h"
#include "reduce.h"

#define KERNELS_JOIN2(a, b) a##b
#define KERNELS_JOIN(a, b)  KERNELS_JOIN2(a, b)
#define KERNELS_TEXT2(a)    #a
#define KERNELS_TEXT(a)     KERNELS_TEXT2(a)

extern const struct kernels KERNELS_JOIN(kernels_, KERNELS_ISA);

const struct kernels KERNELS_JOIN(kernels_, KERNELS_ISA) = {
    .name = KERNELS_TEXT(KERNELS_ISA),
    .gemm = gemm,
    .gemv = gemv,
    .nonzero = nonzero,
    .activate = activate,
    .fold = fold,
    .within = within,
    .depthwise = depthwise,
    .max = max,
    .average = average,
    .softmax = softmax,
    .log_softmax = log_softmax,
};
