// The writing half of pickle.h.
#include <bit>
#include <map>

#include "base/error.h"
#include "formats/torch_zip/pickle.h"
#include "formats/torch_zip/pickle_names.h"

namespace octet {
namespace {

using namespace pickle;

class PickleWriter {
 public:
  explicit PickleWriter(std::vector<HostTensor>& storages) : storages_(storages) {}

  std::string write(const PickleValue& value) {
    out_ = {static_cast<char>(kProto), 2};
    put(value);
    op(kStop);
    return std::move(out_);
  }

 private:
  void op(unsigned char opcode) { out_ += static_cast<char>(opcode); }
  template <class T>
  void raw(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void global(std::string_view full) {
    const size_t dot = full.rfind('.');
    out_ += fmt::format("c{}\n{}\n", full.substr(0, dot), full.substr(dot + 1));
  }
  void integer(int64_t value) {
    if (value >= 0 && value <= UINT8_MAX) op(kBinInt1), raw(static_cast<uint8_t>(value));
    else if (value >= INT32_MIN && value <= INT32_MAX) op(kBinInt), raw(static_cast<int32_t>(value));
    else op(kLong1), raw(uint8_t{8}), raw(value);
  }
  void string(const std::string& text) {
    if (const auto known = memo_.find(text); known != memo_.end()) return op(kLongBinGet), raw(known->second);
    OCTET_CHECK(text.size() < UINT32_MAX);
    op(kBinUnicode), raw(static_cast<uint32_t>(text.size()));
    out_ += text;
    const auto index = static_cast<uint32_t>(memo_.size());
    op(kLongBinPut), raw(index);
    memo_.emplace(text, index);
  }
  void tuple(const PickleValue::Items& items) {
    if (items.empty()) return op(kEmptyTuple);
    op(kMark);
    for (const auto& item : items) put(item);
    op(kTuple);
  }
  void list(const PickleValue::Items& items) {
    op(kEmptyList);
    if (items.empty()) return;
    op(kMark);
    for (const auto& item : items) put(item);
    op(kAppends);
  }
  void dict(const PickleValue::Entries& entries) {
    op(kEmptyDict);
    if (entries.empty()) return;
    op(kMark);
    for (const auto& [key, value] : entries) put(key), put(value);
    op(kSetItems);
  }
  void integers(const std::vector<int64_t>& values) {
    op(kMark);
    for (const int64_t value : values) integer(value);
    op(kTuple);
  }
  void tensor(const HostTensor& tensor) {
    std::string_view storage;
    for (const auto& [name, dtype] : kTorchStorages)
      if (dtype == tensor.dtype()) storage = name;
    if (storage.empty()) fail(Code::kUnsupported, "a {} tensor cannot be written to a torch file", name_of(tensor.dtype()));
    std::vector<int64_t> strides(tensor.dims().size(), 1);
    for (size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(tensor.dims()[i], 1);
    global(kRebuildGlobal), op(kMark);
    op(kMark), string("storage"), global(storage), string(std::to_string(storages_.size())), string("cpu"), integer(tensor.count()),
        op(kTuple);
    op(kBinPersId);
    integer(0), integers(tensor.dims()), integers(strides), op(kFalse);
    global(kOrderedDictGlobal), op(kEmptyTuple), op(kReduce);
    op(kTuple), op(kReduce);
    storages_.push_back(tensor);
  }
  void put(const PickleValue& value) {
    using Kind = PickleValue::Kind;
    switch (value.kind()) {
      case Kind::kNone:
        return op(pickle::kNone);
      case Kind::kBool:
        return op(value.as_bool() ? kTrue : kFalse);
      case Kind::kInt:
        return integer(value.as_int());
      case Kind::kFloat:
        return op(kBinFloat), raw(__builtin_bswap64(std::bit_cast<uint64_t>(value.as_float())));
      case Kind::kString:
        return string(value.as_string());
      case Kind::kTuple:
        return tuple(value.items());
      case Kind::kList:
        return list(value.items());
      case Kind::kDict:
        return dict(value.entries());
      case Kind::kSize:
        return global(kSizeGlobal), tuple(value.items()), op(kTuple1), op(kReduce);
      case Kind::kDType:
        return global("torch." + value.dtype_name());
      case Kind::kTensor:
        return tensor(value.as_tensor());
      case Kind::kGlobal:
      case Kind::kStorage:
        OCTET_CHECK(false);
    }
  }

  std::vector<HostTensor>& storages_;
  std::string out_;
  std::map<std::string, uint32_t> memo_;
};

}  // namespace

std::string write_pickle(const PickleValue& value, std::vector<HostTensor>& storages) { return PickleWriter(storages).write(value); }

}  // namespace octet
