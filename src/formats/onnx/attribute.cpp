#include "formats/onnx/attribute.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "formats/onnx/schema.h"
#include "ops/quantize.h"

namespace octet::onnx {
namespace {

// AttributeProto.AttributeType, those with a value octet reads.
enum class Type : uint8_t { kFloat = 1, kInt, kString, kTensor, kFloats = 6, kInts };

// By AttributeType: its name, and the field that holds its value.
constexpr std::array<std::string_view, 15> kTypeNames = {"UNDEFINED",      "FLOAT",      "INT",        "STRING",  "TENSOR", "GRAPH",
                                                         "FLOATS",         "INTS",       "STRINGS",    "TENSORS", "GRAPHS", "SPARSE_TENSOR",
                                                         "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};
constexpr std::array<uint32_t, 15> kValueFields = {0,
                                                   attribute::kFloat,
                                                   attribute::kInt,
                                                   attribute::kString,
                                                   attribute::kTensor,
                                                   attribute::kGraph,
                                                   attribute::kFloats,
                                                   attribute::kInts,
                                                   attribute::kStrings,
                                                   attribute::kTensors,
                                                   attribute::kGraphs,
                                                   attribute::kSparseTensor,
                                                   attribute::kSparseTensors,
                                                   attribute::kTypeProto,
                                                   attribute::kTypeProtos};
std::string_view name_of(Type type) { return kTypeNames.at(static_cast<size_t>(type)); }

// One attribute, its value still in the file.
struct Attribute {
  std::string_view name;
  Type type;
  WireReader message;
};

// Attributes without a default in ONNX: a file must give them.
constexpr std::string_view kRequired[] = {"AveragePool.kernel_shape",
                                          "BitCast.to",
                                          "BitShift.direction",
                                          "Cast.to",
                                          "Concat.axis",
                                          "DepthToSpace.blocksize",
                                          "Einsum.equation",
                                          "GroupNormalization.num_groups",
                                          "LRN.size",
                                          "LpPool.kernel_shape",
                                          "MaxPool.kernel_shape",
                                          "SpaceToDepth.blocksize"};

bool is_required(const OpDef& def, std::string_view name) {
  return def.domain.empty() && std::ranges::find(kRequired, fmt::format("{}.{}", def.name, name)) != std::end(kRequired);
}

Attribute read_attribute(const WireReader& message) {
  std::string_view name, reference;
  uint64_t type = 0;
  uint32_t present = 0;  // bit t: the value field of type t is there
  for (WireReader reader = message; reader.next();) {
    if (reader.field() == attribute::kName) name = reader.text();
    if (reader.field() == attribute::kRefName) reference = reader.text();
    if (reader.field() == attribute::kType) type = reader.varint();
    const auto found = std::ranges::find(kValueFields, reader.field());
    if (found != kValueFields.end()) present |= 1u << (found - kValueFields.begin());
  }
  if (!reference.empty()) fail(Code::kUnsupported, "attribute `{}` refers to a function's attribute", printable(name));
  if (type == 0 || type >= kTypeNames.size()) message.damaged("an attribute has no type, or one that is unknown");
  if ((present & ~(1u << type)) != 0) message.damaged("an attribute has a value of another type than it says");
  using enum Type;
  const Type known = static_cast<Type>(type);
  if (known != kFloat && known != kInt && known != kString && known != kTensor && known != kFloats && known != kInts)
    fail(Code::kUnsupported, "attribute `{}` is a {}: not supported", printable(name), name_of(known));
  return {name, known, message};
}

// More elements than any op has use for: a list costs eight times its bytes in the file.
constexpr size_t kMaxList = size_t{1} << 20;

template <class Fn>
void each_value(const Attribute& a, Fn&& fn) {
  const uint32_t field = kValueFields[static_cast<size_t>(a.type)];
  for (WireReader reader = a.message; reader.next();)
    if (reader.field() == field) fn(reader);
}

int64_t int_of(const Attribute& a) {
  int64_t value = 0;
  each_value(a, [&](const WireReader& reader) { value = reader.int64(); });
  return value;
}
float float_of(const Attribute& a) {
  float value = 0;
  each_value(a, [&](const WireReader& reader) { value = reader.f32(); });
  return value;
}
template <class T>
void append(std::vector<T>& values, T value, const WireReader& at) {
  if (values.size() == kMaxList) at.damaged("an attribute's list is too long");
  values.push_back(value);
}
std::vector<int64_t> ints_of(const Attribute& a) {
  std::vector<int64_t> values;
  each_value(a, [&](const WireReader& r) { r.each_varint([&](uint64_t v) { append(values, static_cast<int64_t>(v), r); }); });
  return values;
}
std::vector<float> floats_of(const Attribute& a) {
  std::vector<float> values;
  each_value(a, [&](const WireReader& r) {
    r.each_fixed32([&](uint64_t v) { append(values, std::bit_cast<float>(static_cast<uint32_t>(v)), r); });
  });
  return values;
}
HostTensor tensor_of(const Attribute& a, Source& source) {
  HostTensor value;
  bool found = false;
  each_value(a, [&](const WireReader& reader) { value = read_tensor(reader.message(), source).tensor, found = true; });
  if (!found) fail(Code::kInvalid, "attribute `{}` has no value", printable(a.name));
  return value;
}

// Fills an op's fields from the attributes of a node.
class Filler : public FieldVisitor {
 public:
  Filler(const OpDef& def, std::span<const Attribute> attributes, Source& source) : def_(def), attributes_(attributes), source_(source) {}
  void field(std::string_view name, int64_t& value) override {
    if (const Attribute* a = take(name, Type::kInt)) value = int_of(*a);
  }
  void field(std::string_view name, float& value) override {
    if (const Attribute* a = take(name, Type::kFloat)) value = float_of(*a);
  }
  void field(std::string_view name, std::string& value) override {
    if (const Attribute* a = take(name, Type::kString))
      value.clear(), each_value(*a, [&](const WireReader& reader) { value = reader.text(); });
  }
  void field(std::string_view name, std::vector<int64_t>& value) override {
    if (const Attribute* a = take(name, Type::kInts)) value = ints_of(*a);
  }
  void field(std::string_view name, std::vector<float>& value) override {
    if (const Attribute* a = take(name, Type::kFloats)) value = floats_of(*a);
  }
  void field(std::string_view name, DType& value) override {
    const Attribute* a = take(name, Type::kInt);
    if (!a || (int_of(*a) == 0 && !is_required(def_, name))) return;  // UNDEFINED is how ONNX spells "not given"
    value = dtype_of_onnx(int_of(*a), fmt::format("attribute `{}`", name));
  }
  void field(std::string_view name, HostTensor& value) override {
    if (const Attribute* a = take(name, Type::kTensor)) value = tensor_of(*a, source_);
  }
  // After the visit: nothing may be left over.
  void finish() const {
    for (const Attribute& a : attributes_) {
      if (std::ranges::find(known_, a.name) != known_.end() || a.name == "doc_string") continue;
      throw Error(Code::kUnsupported, fmt::format("attribute `{}` of op {} is not supported", printable(a.name), def_.name),
                  "convert the model to opset 20 or later; remove the attribute if it is an exporter's extra");
    }
  }

 private:
  const Attribute* take(std::string_view name, Type type) {
    known_.push_back(name);
    const auto found = std::ranges::find(attributes_, name, &Attribute::name);
    if (found == attributes_.end()) {
      if (is_required(def_, name)) fail(Code::kInvalid, "op {} has no attribute `{}`, which ONNX requires", def_.name, name);
      return nullptr;
    }
    if (found->type == type) return &*found;
    fail(Code::kInvalid, "attribute `{}` of op {} is {} but must be {}", name, def_.name, name_of(found->type), name_of(type));
  }
  const OpDef& def_;
  std::span<const Attribute> attributes_;
  Source& source_;
  std::vector<std::string_view> known_;
};

// Encodes every field as an AttributeProto.
class Encoder : public FieldVisitor {
 public:
  void field(std::string_view name, int64_t& value) override { open(name, Type::kInt).int64(attribute::kInt, value); }
  void field(std::string_view name, float& value) override { open(name, Type::kFloat).f32(attribute::kFloat, value); }
  void field(std::string_view name, std::string& value) override { open(name, Type::kString).text(attribute::kString, value); }
  void field(std::string_view name, std::vector<int64_t>& value) override {
    WireWriter& out = open(name, Type::kInts);
    for (const int64_t v : value) out.int64(attribute::kInts, v);
  }
  void field(std::string_view name, std::vector<float>& value) override {
    WireWriter& out = open(name, Type::kFloats);
    for (const float v : value) out.f32(attribute::kFloats, v);
  }
  void field(std::string_view name, DType& value) override { open(name, Type::kInt).int64(attribute::kInt, onnx_number(value)); }
  void field(std::string_view name, HostTensor& value) override {
    WireWriter tensor;
    write_tensor(value, {}, {}, tensor);
    open(name, Type::kTensor).message(attribute::kTensor, tensor);
  }
  struct Field {
    std::string name;
    WireWriter message;
  };
  std::vector<Field> fields;

 private:
  WireWriter& open(std::string_view name, Type type) {
    WireWriter& out = fields.emplace_back(Field{std::string(name), {}}).message;
    out.text(attribute::kName, name);
    out.int64(attribute::kType, static_cast<int64_t>(type));
    return out;
  }
};

}  // namespace

Op read_op(const OpDef& def, std::shared_ptr<void> fields, int opset, std::span<const WireReader> attributes, Source& source) {
  std::vector<Attribute> parsed;
  for (const WireReader& message : attributes) {
    const Attribute& a = parsed.emplace_back(read_attribute(message));
    if (std::ranges::count(parsed, a.name, &Attribute::name) != 1) fail(Code::kInvalid, "attribute `{}` is given twice", printable(a.name));
  }
  Filler filler(def, parsed, source);
  def.visit(fields.get(), opset, filler);
  filler.finish();
  return Op(def, std::move(fields));
}

void write_attributes(const Op& op, int opset, WireWriter& node) {
  const OpDef& def = op.def();
  const std::shared_ptr<void> copy = def.copy(op.attributes()), fresh = def.make();  // outlive the views of their tensors
  Encoder actual, defaults;
  def.visit(copy.get(), opset, actual);
  def.visit(fresh.get(), opset, defaults);
  for (size_t i = 0; i < actual.fields.size(); ++i) {
    const auto& [name, message] = actual.fields[i];
    if (is_required(def, name) || !(message == defaults.fields.at(i).message)) node.message(node::kAttribute, message);
  }
}

}  // namespace octet::onnx
