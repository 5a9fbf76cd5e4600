// The epilogue of kernels/gemm/gemm.h on f32 sums that a library's GEMM left in memory.
#pragma once
#include "cuda/kernels/gemm/gemm.h"

namespace octet::cuda {

struct GemmFinishArgs {
  Address sums = 0;  // f32 [m, n], 16-byte aligned
  GemmArgs gemm;     // a and w are not read
};
using GemmFinishKernel = KernelRow<GemmProblem, GemmFinishArgs>;
std::span<const GemmFinishKernel> gemm_finish_kernels();  // accept n in multiples of 8

}  // namespace octet::cuda
