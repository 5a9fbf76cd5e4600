// fake_quantize: y = round(e4m3(x / scale) * scale), the quotient in f32 and saturating; x f16, bf16 or f32 of y's type, or e4m3 codes,
// which are only multiplied. Exact but for the one rounding to y's type, so all rows give the same bits (a NaN stays one of its sign).
// It stands where a quantization has no step to live in.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "numeric/dtype.h"

namespace octet::cpu {

struct FakeQuantizeProblem {
  DType in = DType::f16, out = DType::f16;
};
struct FakeQuantizeArgs {
  const void* x;
  void* y;  // may be x when the types are equal
  int64_t count;
  float scale;
};
struct FakeQuantizeKernel {
  std::string_view name;  // fake_quantize_<in>_<out>_<isa>
  uint32_t isa;
  Refusal (*accepts)(const FakeQuantizeProblem&);
  void (*run)(const FakeQuantizeProblem&, const FakeQuantizeArgs&, int thread, int threads);
};
std::span<const FakeQuantizeKernel> fake_quantize_kernels();  // best first

}  // namespace octet::cpu
