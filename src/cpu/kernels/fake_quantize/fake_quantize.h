// fake_quantize: y = round(e4m3(x / scale) * scale), the quotient in f32 and saturating; x f16, bf16 or f32 of y's type, or e4m3 codes,
// which are only multiplied. Exact but for the one rounding to y's type. It stands where a quantization has no step to live in.
#pragma once
#include <cstdint>

#include "numeric/dtype.h"

namespace octet::cpu {

struct FakeQuantizeArgs {
  DType in, out;
  const void* x;
  void* y;  // may be x when the types are equal
  int64_t count;
  float scale;
};
void fake_quantize(const FakeQuantizeArgs& args, int thread, int threads);

}  // namespace octet::cpu
