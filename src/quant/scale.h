// The scale of an E4M3 quantizer whose tensor reaches amax: f16(amax / 448), as ModelOpt and TensorRT use it.
#pragma once

namespace octet {

inline constexpr float kE4m3Max = 448;

// amax <= 2^-24 means that the tensor was always zero: ModelOpt counts it as 1, which keeps the scale positive in f16. The result
// is not a positive f16 number when amax is negative, or too small or too large for one: callers refuse it.
float e4m3_scale(float amax);

}  // namespace octet
