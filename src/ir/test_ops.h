// A few tiny operators for the tests of ir, which knows no real ones.
#pragma once
#include "base/error.h"
#include "ir/graph.h"

namespace octet::toy {

// y = a + b (+ c).  T1: one element type.  S1: one shape.
struct Plus {
  static constexpr std::string_view kName = "Plus";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& c) const {
    const TensorType& first = c.in(0).type;
    for (int i = 1; i < c.input_count(); ++i) {
      const Operand* other = c.input(i);
      if (other == nullptr) continue;
      if (other->type.dtype != first.dtype) c.violation("T1", "the element types differ: " + c.input_name(i), "insert a Cast");
      if (other->type.shape != first.shape) c.violation("S1", "the shapes differ");
    }
    return {{first, std::nullopt}};
  }
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const { return {*in[0]}; }
};

// One attribute of each kind; the result keeps its operand's type. A second output is allowed.
struct Every {
  static constexpr std::string_view kName = "Every";
  static constexpr std::string_view kDomain = "octet";
  int64_t axis = -1;
  float epsilon = 1e-5f;
  std::string mode = "linear";
  std::string note = {};
  std::vector<int64_t> axes = {};
  std::vector<int64_t> pads = {0, 0};
  std::vector<float> factors = {};
  DType to = DType::f32;
  HostTensor value = {};
  static void fields(auto& self, auto&& visit) {
    visit("axis", self.axis), visit("epsilon", self.epsilon), visit("mode", self.mode), visit("note", self.note);
    visit("axes", self.axes), visit("pads", self.pads), visit("factors", self.factors), visit("to", self.to), visit("value", self.value);
  }
  std::vector<Inferred> infer(InferContext& c) const { return {{c.in(0).type, std::nullopt}, {c.in(0).type, std::nullopt}}; }
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in, int) const { return {*in[0], *in[0]}; }
};

// No input, one f16 output of the shape `dims`, each 0 of which is a fresh dimension; dims = [-1] throws.
struct Source {
  static constexpr std::string_view kName = "Source";
  std::vector<int64_t> dims;
  static void fields(auto& self, auto&& visit) { visit("dims", self.dims); }
  std::vector<Inferred> infer(InferContext&) const {
    if (dims == std::vector<int64_t>{-1}) fail(Code::kUnsupported, "a Source of -1");
    TensorType type{DType::f16, {}};
    for (const int64_t dim : dims) type.shape.push_back(dim == 0 ? fresh_dim() : Dim(dim));
    return {{type, std::nullopt}};
  }
  std::vector<HostTensor> reference(std::span<const HostTensor* const>) const { return {HostTensor()}; }
};

// The shape of its operand as i64, known at compile time; and a tensor of a shape given so.
struct ShapeOf {
  static constexpr std::string_view kName = "ShapeOf";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& c) const {
    const Shape& shape = c.in(0).type.shape;
    return {{{DType::i64, {static_cast<int64_t>(shape.size())}}, shape}};
  }
  std::vector<HostTensor> reference(std::span<const HostTensor* const>) const { return {HostTensor()}; }
};
struct Fill {
  static constexpr std::string_view kName = "Fill";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& c) const {
    const Shape* shape = c.in(0).shape_value;
    if (shape == nullptr) return c.violation("S1", "the shape is not known"), std::vector<Inferred>{{{DType::f32, {}}, std::nullopt}};
    return {{{DType::f32, *shape}, std::nullopt}};
  }
  std::vector<HostTensor> reference(std::span<const HostTensor* const>) const { return {HostTensor()}; }
};

inline const OpDef* find(std::string_view name, std::string_view domain) {
  for (const OpDef* def : {&op_def<Plus>(), &op_def<Every>(), &op_def<Source>(), &op_def<ShapeOf>(), &op_def<Fill>()})
    if (def->name == name && def->domain == domain) return def;
  return nullptr;
}

}  // namespace octet::toy
