// What an operator is: attributes, type and shape rule, reference. One struct per op lives in ops/; this file turns
// such a struct into an OpDef, the only thing the rest of the compiler sees. The template of a struct is in ARCHITECTURE.md.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/types.h"
#include "numeric/host_tensor.h"

namespace octet {

// Walks an op's attributes by ONNX attribute name. Import, export, text, hash and equality are visitors.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void field(std::string_view name, int64_t& value) = 0;               // INT (booleans are 0 / 1)
  virtual void field(std::string_view name, float& value) = 0;                 // FLOAT
  virtual void field(std::string_view name, std::string& value) = 0;           // STRING
  virtual void field(std::string_view name, std::vector<int64_t>& value) = 0;  // INTS
  virtual void field(std::string_view name, std::vector<float>& value) = 0;    // FLOATS
  virtual void field(std::string_view name, DType& value) = 0;                 // INT holding an ONNX data type
  virtual void field(std::string_view name, HostTensor& value) = 0;            // TENSOR
};

// One input as a rule sees it.
struct Operand {
  TensorType type;
  const HostTensor* constant = nullptr;  // its value when known at compile time
  const Shape* shape_value = nullptr;    // an integer scalar or vector whose elements are known as (symbolic) dims
  bool from_constants = false;           // nothing but constants goes into it: a build evaluates it, whether or not `constant` is known yet
};
struct Inferred {
  TensorType type;
  std::optional<Shape> shape_value;  // for integer scalars / vectors: elements as dims, when known
};

// A rule's view of one node. Rules never stop at a type violation: they report it and return the type that follows
// from the first input, so one pass finds every violation of a graph.
class InferContext {
 public:
  virtual ~InferContext() = default;
  virtual int opset() const = 0;
  virtual int input_count() const = 0;
  virtual int output_count() const = 0;
  virtual const Operand* input(int i) const = 0;  // nullptr: omitted optional input (also past the end)
  virtual std::string input_name(int i) const { return "input " + std::to_string(i); }  // for messages: "`pixel_values`"
  // `rule` is the label in the op's head comment ("T1"); `fix` the one change that mends it.
  virtual void violation(std::string_view rule, std::string what, std::string fix = {}) = 0;
  const Operand& in(int i) const;  // required: throws Error{kInvalid} if omitted
};

struct OpDef {
  std::string_view name;            // ONNX op_type
  std::string_view domain;          // "" = ai.onnx; "octet" = internal, never exported
  std::shared_ptr<void> (*make)();  // default attributes
  std::shared_ptr<void> (*copy)(const void* attributes);
  void (*visit)(void* attributes, int opset, FieldVisitor& visitor);
  std::vector<Inferred> (*infer)(const void* attributes, InferContext& context);
  // in[i] may be nullptr (omitted). Outputs are returned, allocated by the op.
  std::vector<HostTensor> (*reference)(const void* attributes, std::span<const HostTensor* const> in, int opset);
};

// An operator with its attributes; a cheap value. Immutable: change a copy with edit<T>() or set anew.
class Op {
 public:
  Op() = default;
  Op(const OpDef& def, std::shared_ptr<const void> attributes) : def_(&def), attributes_(std::move(attributes)) {}
  const OpDef& def() const { return *def_; }
  std::string_view name() const { return def_->name; }
  explicit operator bool() const { return def_ != nullptr; }
  const void* attributes() const { return attributes_.get(); }
  template <class T>
  const T* as() const;  // nullptr unless this is a T
  template <class T>
  bool is() const {
    return as<T>() != nullptr;
  }

 private:
  const OpDef* def_ = nullptr;
  std::shared_ptr<const void> attributes_;
};

// The descriptor of op struct T. T has: kName; static fields(self, visit); infer(InferContext&) const ->
// std::vector<Inferred>; reference(span<const HostTensor* const>) const -> std::vector<HostTensor> (may take int opset as a
// second argument). `visit(name, member)`. kDomain is optional ("").
template <class T>
const OpDef& op_def() {
  static const OpDef def = [] {
    OpDef d{};
    d.name = T::kName;
    if constexpr (requires { T::kDomain; }) d.domain = T::kDomain;
    d.make = []() -> std::shared_ptr<void> { return std::make_shared<T>(); };
    d.copy = [](const void* a) -> std::shared_ptr<void> { return std::make_shared<T>(*static_cast<const T*>(a)); };
    d.visit = [](void* a, int, FieldVisitor& v) {
      T::fields(*static_cast<T*>(a), [&](std::string_view name, auto& member) { v.field(name, member); });
    };
    d.infer = [](const void* a, InferContext& c) { return static_cast<const T*>(a)->infer(c); };
    d.reference = [](const void* a, std::span<const HostTensor* const> in, [[maybe_unused]] int opset) {
      if constexpr (requires(const T& t) { t.reference(in, opset); }) return static_cast<const T*>(a)->reference(in, opset);
      else return static_cast<const T*>(a)->reference(in);
    };
    return d;
  }();
  return def;
}

template <class T>
Op make_op(T attributes = {}) {
  return Op(op_def<T>(), std::make_shared<T>(std::move(attributes)));
}
template <class T>
const T* Op::as() const {
  return def_ == &op_def<T>() ? static_cast<const T*>(attributes_.get()) : nullptr;
}

// The same operator with attributes equal bit for bit, as the visitor of `opset` sees them.
bool same_op(const Op& a, const Op& b, int opset);

}  // namespace octet
