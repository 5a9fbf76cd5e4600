// The rows of gemm_wgmma.cu; gemm.cpp puts them into the family's table.
#pragma once
#include "cuda/kernels/gemm/gemm.h"

namespace octet::cuda {

std::span<const GemmKernel> gemm_wgmma_rows();  // best first

}  // namespace octet::cuda
