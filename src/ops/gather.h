// Look-ups by index. An index outside the axis is an error, at compile time if the indices are constant.
#pragma once
#include "ir/op.h"

namespace octet {

// y = data with its `axis` replaced by the axes of `indices`; negative indices count from the end; bits are copied.
//   T1: indices are i32 or i64.  T2: data is not f8.  S1: axis in [-rank, rank), rank >= 1.
//   S2: constant indices lie in [-n, n).
struct Gather {
  static constexpr std::string_view kName = "Gather";
  int64_t axis = 0;
  static void fields(auto& self, auto&& visit) { visit("axis", self.axis); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// The last axis of `indices` holds coordinates into data's axes [batch_dims, batch_dims + its length); the first
// batch_dims axes of both run together.
//   T1: indices are i64.  T2: data is not f8.  S1: 0 <= batch_dims < both ranks, the batch axes agree.
//   S2: the coordinates are no longer than data's remaining rank, and at least 1.  S3: constant indices lie in range.
struct GatherND {
  static constexpr std::string_view kName = "GatherND";
  int64_t batch_dims = 0;
  static void fields(auto& self, auto&& visit) { visit("batch_dims", self.batch_dims); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y[i0, .., in] = data[i0, .., indices[i0, .., in], .., in], the index replacing coordinate `axis`; y has indices' shape.
//   T1: indices are i32 or i64.  T2: data is not f8.  S1: axis in range.  S2: same rank; other axes of indices fit data's.
//   S3: constant indices lie in range.
struct GatherElements {
  static constexpr std::string_view kName = "GatherElements";
  int64_t axis = 0;
  static void fields(auto& self, auto&& visit) { visit("axis", self.axis); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
