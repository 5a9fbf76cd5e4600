// Matrix products: MatMul with NumPy batching, and Gemm.
#pragma once
#include "ir/op.h"

namespace octet {

// y[..., m, n] = sum_k a[..., m, k] * b[..., k, n]; leading axes broadcast; a vector operand gets, then loses, an axis of 1.
// Exact products accumulated in f64 in order of k, rounded once (integers wrap).
//   T1: a and b have the same type.  T2: a float, i32 or i64.
//   S1: rank >= 1.  S2: the inner dimensions agree.  S3: the leading axes broadcast.
struct MatMul {
  static constexpr std::string_view kName = "MatMul";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y[m, n] = alpha * sum_k a'[m, k] * b'[k, n] + beta * c[m, n], a' = transA ? a^T : a, b' likewise; c (optional)
// broadcasts to [m, n]. Accumulated in f64, rounded once.
//   T1: all inputs have the same type.  T2: a float.
//   S1: a and b have rank 2.  S2: the inner dimensions agree.  S3: c broadcasts to [m, n].
struct Gemm {
  static constexpr std::string_view kName = "Gemm";
  float alpha = 1, beta = 1;
  int64_t transA = 0, transB = 0;  // NOLINT: the standard's spelling
  static void fields(auto& self, auto&& visit) {
    visit("alpha", self.alpha);
    visit("beta", self.beta);
    visit("transA", self.transA);
    visit("transB", self.transB);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
