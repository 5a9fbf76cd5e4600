// LayerNormalization, opset 17.
#pragma once
#include "ir/op.h"

namespace octet {

// y = (x - mean) / sqrt(var + epsilon) * scale + bias; mean and variance over the axes [axis, rank). Inputs x, scale,
// bias (optional). Statistics and arithmetic in f64, rounded once. Outputs 1 and 2 (optional): mean and 1/deviation,
// of the type stash_type (ONNX number; 1 = f32, 16 = bf16).
//   T1: x is a float.  T2: scale and bias have the type of x.  A1: stash_type is 1 or 16.
//   S1: axis in [-rank, rank).  S2: scale and bias broadcast to x without growing it.
struct LayerNormalization {
  static constexpr std::string_view kName = "LayerNormalization";
  int64_t axis = -1;
  float epsilon = 1e-5f;
  int64_t stash_type = 1;
  static void fields(auto& self, auto&& visit) {
    visit("axis", self.axis);
    visit("epsilon", self.epsilon);
    visit("stash_type", self.stash_type);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
