// Operators that keep the bytes and change the dimensions. Symbolic sizes are resolved exactly (dims.h).
#pragma once
#include "ir/op.h"

namespace octet {

// y = data with the dimensions of the i64 vector `shape`; 0 copies data's (allowzero == 0), one -1 is computed.
//   T1: shape is i64.  S1: shape is a vector whose length is known.  S2: at most one -1, nothing below it; no -1 beside a 0
//   that means zero.  S3: a copied axis exists.  S4: the number of elements stays.
struct Reshape {
  static constexpr std::string_view kName = "Reshape";
  int64_t allowzero = 0;
  static void fields(auto& self, auto&& visit) { visit("allowzero", self.allowzero); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y = data as a matrix: axes [0, axis) by axes [axis, rank).  S1: axis in [-rank, rank].
struct Flatten {
  static constexpr std::string_view kName = "Flatten";
  int64_t axis = 1;
  static void fields(auto& self, auto&& visit) { visit("axis", self.axis); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// Removes axes of size 1: those of input 1 (opset 13) or of the attribute, else all of them.
//   T1: axes are i64.  S1: axes are known, in range, not repeated.  S2: each has size 1.
struct Squeeze {
  static constexpr std::string_view kName = "Squeeze";
  std::vector<int64_t> axes = {};  // opset < 13
  static void fields(auto& self, auto&& visit) { visit("axes", self.axes); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// Inserts axes of size 1 at those positions of the result: input 1 (opset 13) or the attribute.  T1, S1 as Squeeze.
struct Unsqueeze {
  static constexpr std::string_view kName = "Unsqueeze";
  std::vector<int64_t> axes = {};  // opset < 13
  static void fields(auto& self, auto&& visit) { visit("axes", self.axes); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
