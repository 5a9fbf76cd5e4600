// Tensors from nothing: Constant, ConstantOfShape, Range.
#pragma once
#include <bit>
#include <limits>

#include "ir/op.h"

namespace octet {

// y = the one value given. Importers turn it into a constant of the graph: tensor() is that constant.
//   A1: exactly one attribute is given (none: an empty f32 vector, which is what an empty value_floats means).
struct Constant {
  static constexpr std::string_view kName = "Constant";
  // "Not given": values that no exporter writes.
  static constexpr int64_t kNoInt = std::numeric_limits<int64_t>::min();
  static constexpr float kNoFloat = std::bit_cast<float>(0x80000001u);
  HostTensor value = {};                      // default-constructed: not given
  int64_t value_int = kNoInt;                 // i64 scalar
  float value_float = kNoFloat;               // f32 scalar
  std::vector<int64_t> value_ints{kNoInt};    // i64 vector
  std::vector<float> value_floats{kNoFloat};  // f32 vector
  static void fields(auto& self, auto&& visit) {
    visit("value", self.value);
    visit("value_int", self.value_int);
    visit("value_float", self.value_float);
    visit("value_ints", self.value_ints);
    visit("value_floats", self.value_floats);
  }
  HostTensor tensor() const;
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y = a tensor of the dimensions in the i64 vector `input`, every element `value` (one element; default f32 0).
//   T1: input is i64.  A1: value holds one element.  S1: input is a vector whose length is known.  S2: no negative size.
struct ConstantOfShape {
  static constexpr std::string_view kName = "ConstantOfShape";
  HostTensor value = {};  // default-constructed: f32 0
  static void fields(auto& self, auto&& visit) { visit("value", self.value); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y[i] = start + i * delta for i in [0, max(0, ceil((limit - start) / delta))); scalars start, limit, delta.
//   T1: all three have the same type.  T2: f32, f64, i32 or i64 (f16, bf16 from opset 27 on).  S1: scalars.  S2: delta is not 0.
struct RangeOp {  // octet::Range is a thread's share of work
  static constexpr std::string_view kName = "Range";
  int64_t stash_type = 1;
  static void fields(auto& self, auto&& visit) { visit("stash_type", self.stash_type); }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
