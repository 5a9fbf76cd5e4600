// Concat and Split: joining along an axis and its inverse.
#pragma once
#include "ir/op.h"

namespace octet {

// y = the inputs, one after the other along `axis` (which has no default in ONNX; importers require it).
//   T1: all inputs have the same type.  S1: axis in [-rank, rank), rank >= 1.  S2: the other axes agree.
struct Concat {
  static constexpr std::string_view kName = "Concat";
  int64_t axis = 0;
  static void fields(auto& self, auto&& visit) { visit("axis", self.axis); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// The parts of x along `axis`: sizes from input 1 (opset 13) or the attribute `split`, else as many equal parts as the
// node has outputs (num_outputs, opset 18), the last one smaller if they do not divide.
//   T1: split is i64.  T2: x is not f8.  S1: axis in range.  S2: the sizes are known, not negative, and sum to the axis.
//   S3: their number is the number of outputs.
struct Split {
  static constexpr std::string_view kName = "Split";
  int64_t axis = 0;
  int64_t num_outputs = 0;          // 0: unset
  std::vector<int64_t> split = {};  // opset < 13
  static void fields(auto& self, auto&& visit) {
    visit("axis", self.axis);
    visit("num_outputs", self.num_outputs);
    visit("split", self.split);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  // Without sizes and without num_outputs the number of parts is not known here: Error{kUnsupported}.
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
