// Required operands, and equality of operators through their visitors.
#include "ir/op.h"

#include "base/error.h"

namespace octet {
namespace {

// The attributes as one byte string: two are equal exactly when the attributes are, bit for bit.
class Flatten final : public FieldVisitor {
 public:
  std::string bytes;
  void field(std::string_view name, int64_t& value) override { raw(name, &value, sizeof value); }
  void field(std::string_view name, float& value) override { raw(name, &value, sizeof value); }
  void field(std::string_view name, std::string& value) override { raw(name, value.data(), value.size()); }
  void field(std::string_view name, std::vector<int64_t>& value) override { raw(name, value.data(), value.size() * sizeof value[0]); }
  void field(std::string_view name, std::vector<float>& value) override { raw(name, value.data(), value.size() * sizeof value[0]); }
  void field(std::string_view name, DType& value) override { raw(name, &value, sizeof value); }
  void field(std::string_view name, HostTensor& value) override {
    const std::string type = describe(value);
    raw(name, type.data(), type.size());
    raw(name, value.bytes().data(), value.bytes().size());
  }

 private:
  void raw(std::string_view name, const void* data, size_t size) {
    bytes += fmt::format("{}:{}:", name, size);
    if (size > 0) bytes.append(static_cast<const char*>(data), size);
  }
};

std::string flatten(const Op& op, int opset) {
  Flatten visitor;
  const std::shared_ptr<void> attributes = op.def().copy(op.attributes());
  op.def().visit(attributes.get(), opset, visitor);
  return std::move(visitor.bytes);
}

}  // namespace

const Operand& InferContext::in(int i) const {
  const Operand* operand = input(i);
  if (operand == nullptr) fail(Code::kInvalid, "input {} is required, and the node has {} inputs without it", i, input_count());
  return *operand;
}

bool same_op(const Op& a, const Op& b, int opset) {
  return &a.def() == &b.def() && (a.attributes() == b.attributes() || flatten(a, opset) == flatten(b, opset));
}

}  // namespace octet
