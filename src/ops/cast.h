// Conversions between types: the only operators besides Q/DQ that change one.
#pragma once
#include "ir/op.h"

namespace octet {

// y = x converted to `to`, rounded once to nearest even; float to integer truncates toward zero and saturates (NaN: 0);
// integer to narrower integer keeps the low bits; to bool: x != 0. f8 saturates unless saturate == 0 (then out of range
// gives NaN in e4m3, infinity in e5m2). Known integer elements stay known.  T1: the target is not e8m0.
struct Cast {
  static constexpr std::string_view kName = "Cast";
  DType to = DType::f32;
  int64_t saturate = 1;
  std::string round_mode = "up";  // of casts to e8m0 alone (opset 24), read and written but never used
  static void fields(auto& self, auto&& visit) {
    visit("to", self.to);
    visit("saturate", self.saturate);
    visit("round_mode", self.round_mode);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// Cast to the type of the second input, whose value is not used.  T1 as Cast.
struct CastLike {
  static constexpr std::string_view kName = "CastLike";
  int64_t saturate = 1;
  std::string round_mode = "up";
  static void fields(auto& self, auto&& visit) {
    visit("saturate", self.saturate);
    visit("round_mode", self.round_mode);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
