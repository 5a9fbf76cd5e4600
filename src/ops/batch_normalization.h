// BatchNormalization, opset 9, as inference does it.
#pragma once
#include "ir/op.h"

namespace octet {

// y[b,c,...] = (x[b,c,...] - mean[c]) / sqrt(var[c] + epsilon) * scale[c] + bias[c]. Inputs x, scale, bias, mean, var. Computed in f64,
// rounded once.
//   T1: all five have the same type.  T2: a float.  S1: x has rank 2 or more; the others are [C].  A1: training_mode is 0, epsilon is
//   finite and >= 0.
struct BatchNormalization {
  static constexpr std::string_view kName = "BatchNormalization";
  float epsilon = 1e-5f;
  float momentum = 0.9f;  // of training; without meaning here
  int64_t training_mode = 0;
  static void fields(auto& self, auto&& visit) {
    visit("epsilon", self.epsilon);
    visit("momentum", self.momentum);
    visit("training_mode", self.training_mode);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
