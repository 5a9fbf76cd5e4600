// Expand and Tile: repetition.
#pragma once
#include "ir/op.h"

namespace octet {

// y = x broadcast with a tensor of the dimensions in the i64 vector `shape` (both may grow).
//   T1: shape is i64.  T2: x is not f8.  S1: shape is a vector whose length is known.  S2: no negative size.
//   S3: the shapes broadcast.
struct Expand {
  static constexpr std::string_view kName = "Expand";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y = x repeated repeats[i] times along axis i.
//   T1: repeats is i64.  T2: x is not f8.  S1: repeats is a vector with one element an axis.  S2: none is negative.
struct Tile {
  static constexpr std::string_view kName = "Tile";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
