// What a torch pickle can hold here: plain data, torch.Size, torch dtypes and tensors. Values are immutable once finished and
// share their parts, so a copy is cheap. Next: torch_zip.h reads and writes files of them.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "numeric/host_tensor.h"

namespace octet {

struct PickleNode;

class PickleValue {
 public:
  // kGlobal and kStorage exist only while a pickle is being read: no finished value contains them.
  enum class Kind : uint8_t { kNone, kBool, kInt, kFloat, kString, kTuple, kList, kDict, kSize, kDType, kTensor, kGlobal, kStorage };
  using Items = std::vector<PickleValue>;
  using Entries = std::vector<std::pair<PickleValue, PickleValue>>;

  PickleValue() = default;  // None
  PickleValue(bool value) : kind_(Kind::kBool) { scalar_.integer = value; }
  PickleValue(int value) : PickleValue(int64_t{value}) {}
  PickleValue(int64_t value) : kind_(Kind::kInt) { scalar_.integer = value; }
  PickleValue(double value) : kind_(Kind::kFloat) { scalar_.real = value; }
  PickleValue(std::string value);
  PickleValue(std::string_view value) : PickleValue(std::string(value)) {}
  PickleValue(const char* value) : PickleValue(std::string(value)) {}
  static PickleValue tuple(Items items = {});
  static PickleValue list(Items items = {});
  static PickleValue dict(Entries entries = {});       // keys: strings and ints, each once
  static PickleValue size(std::vector<int64_t> dims);  // torch.Size
  static PickleValue dtype(std::string name);          // "float16" for torch.float16
  static PickleValue tensor(HostTensor tensor);

  Kind kind() const { return kind_; }
  bool is_none() const { return kind_ == Kind::kNone; }
  // Each throws Error{kInvalid} "expected a bool, found a tuple" when the kind is another.
  bool as_bool() const;
  int64_t as_int() const;
  double as_float() const;  // an int is converted
  const std::string& as_string() const;
  const std::string& dtype_name() const;
  const Items& items() const;      // of a tuple, a list or a torch.Size (ints)
  const Entries& entries() const;  // of a dict, in the order of insertion
  const HostTensor& as_tensor() const;
  const PickleValue* find(std::string_view key) const;  // in a dict; nullptr: no such string key
  const PickleValue& at(std::string_view key) const;    // Error{kInvalid} when absent

 private:
  friend class PickleReader;
  friend struct PickleNode;
  PickleValue(Kind kind, std::shared_ptr<PickleNode> node) : kind_(kind), node_(std::move(node)) {}
  const PickleNode& node(Kind kind) const;

  Kind kind_ = Kind::kNone;
  union {
    int64_t integer;
    double real;
  } scalar_ = {0};
  std::shared_ptr<PickleNode> node_;
};

std::string_view name_of(PickleValue::Kind kind);  // "a dict"

}  // namespace octet
