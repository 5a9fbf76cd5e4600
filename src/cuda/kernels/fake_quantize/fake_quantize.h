// fake_quantize: y = round(e4m3(x / scale) * scale), the quotient in f32 and saturating; x f16, bf16 or f32 of y's type, or e4m3 codes,
// which are only multiplied.
#pragma once
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

struct FakeQuantizeProblem {
  DType in = DType::f16, out = DType::f16;
};
struct FakeQuantizeArgs {
  Address x = 0, y = 0;
  float scale = 1;
  int64_t count = 0;
};
using FakeQuantizeKernel = KernelRow<FakeQuantizeProblem, FakeQuantizeArgs>;
std::span<const FakeQuantizeKernel> fake_quantize_kernels();

}  // namespace octet::cuda
