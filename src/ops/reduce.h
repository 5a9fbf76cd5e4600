// Reductions over axes, and ArgMax.
#pragma once
#include "ir/op.h"

namespace octet {

enum class Reduction { kMean, kSum, kMax, kMin, kProd, kL2 };
inline constexpr std::string_view kReductionNames[] = {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2"};

// y = the reduction of x over `axes`: input 1 (opset 18; ReduceSum 13) or the attribute; none means all axes, or none at
// all with noop_with_empty_axes. Reduced axes stay with size 1 if keepdims. Floats in f64, rounded once; integers wrap.
//   T1: x is a float, i32 or i64 (ReduceMax, ReduceMin also i8, u8).  T2: axes are i64.
//   S1: axes are known, in range, not repeated.  S2: Max, Min and Mean of nothing: an error at run time.
template <Reduction kKind>
struct Reduce {
  static constexpr std::string_view kName = kReductionNames[static_cast<int>(kKind)];
  std::vector<int64_t> axes = {};  // opset < 18 (ReduceSum: 13)
  int64_t keepdims = 1;
  int64_t noop_with_empty_axes = 0;
  static void fields(auto& self, auto&& visit) {
    visit("axes", self.axes);
    visit("keepdims", self.keepdims);
    visit("noop_with_empty_axes", self.noop_with_empty_axes);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};
using ReduceMean = Reduce<Reduction::kMean>;
using ReduceSum = Reduce<Reduction::kSum>;
using ReduceMax = Reduce<Reduction::kMax>;
using ReduceMin = Reduce<Reduction::kMin>;
using ReduceProd = Reduce<Reduction::kProd>;
using ReduceL2 = Reduce<Reduction::kL2>;

extern template struct Reduce<Reduction::kMean>;
extern template struct Reduce<Reduction::kSum>;
extern template struct Reduce<Reduction::kMax>;
extern template struct Reduce<Reduction::kMin>;
extern template struct Reduce<Reduction::kProd>;
extern template struct Reduce<Reduction::kL2>;

// y = the index (i64) of the largest element along `axis`; the first of equals, the last with select_last_index. A NaN is
// never larger.  T1: x is a number.  S1: axis in [-rank, rank), rank >= 1.  S2: a known axis is not empty.
struct ArgMax {
  static constexpr std::string_view kName = "ArgMax";
  int64_t axis = 0;
  int64_t keepdims = 1;
  int64_t select_last_index = 0;
  static void fields(auto& self, auto&& visit) {
    visit("axis", self.axis);
    visit("keepdims", self.keepdims);
    visit("select_last_index", self.select_last_index);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
