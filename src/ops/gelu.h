// The activations of transformer MLPs.
#pragma once
#include "ir/op.h"

namespace octet {

// approximate "none": y = x/2 * (1 + erf(x / sqrt 2)); "tanh": y = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))).
// Computed in f64, rounded once.  T1: x is a float.  A1: `approximate` is "none" or "tanh".
struct Gelu {
  static constexpr std::string_view kName = "Gelu";
  std::string approximate = "none";
  static void fields(auto& self, auto&& visit) { visit("approximate", self.approximate); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y = x * sigmoid(alpha * x); what the pass that recognises Mul, Sigmoid, Mul puts in their place. Never exported.
// Computed in f64, rounded once.  T1: x is a float.
struct QuickGelu {
  static constexpr std::string_view kName = "QuickGelu";
  static constexpr std::string_view kDomain = "octet";
  float alpha = 1.702f;
  static void fields(auto& self, auto&& visit) { visit("alpha", self.alpha); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
