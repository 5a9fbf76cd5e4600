// The reading half of pickle.h: a stack machine whose stack and memo hold data only.
#include <algorithm>
#include <bit>

#include "base/text.h"
#include "formats/torch_zip/pickle.h"
#include "formats/torch_zip/pickle_names.h"
#include "formats/torch_zip/pickle_node.h"

namespace octet {

class PickleReader {
 public:
  PickleReader(const Blob& pickle, const StorageSource& storage) : where_(pickle.where), cursor_(pickle.bytes, where_), storage_(storage) {}

  PickleValue read() {
    if (cursor_.left() > kMaxBytes) fail(Code::kInvalid, "{}: a pickle of {} bytes, more than {}", where_, cursor_.left(), kMaxBytes);
    for (size_t operations = 0; !finished_; ++operations) {
      if (cursor_.left() == 0) fail(Code::kInvalid, "{}: the pickle has no STOP: it is truncated", where_);
      at_ = cursor_.offset();
      const auto opcode = cursor_.number<unsigned char>();
      if (operations == kMaxOperations) refuse("more than 2 million operations");
      if ((at_ == 0) != (opcode == pickle::kProto)) refuse(at_ == 0 ? "it does not start with PROTO" : "PROTO in the middle");
      locate([&] { step(opcode); });
    }
    if (cursor_.left() > 0) refuse(fmt::format("{} bytes follow STOP", cursor_.left()));
    return std::move(stack_.back());
  }

 private:
  using Kind = PickleValue::Kind;
  static constexpr size_t kMaxBytes = size_t{256} << 20, kMaxOperations = 2'000'000, kMaxNodes = 500'000, kMaxName = 256;

  [[noreturn]] void refuse(std::string_view reason) const { fail(Code::kInvalid, "{}: pickle, byte {}: {}", where_, at_, reason); }

  // Errors from the values themselves ("expected an int, found a list") gain the place.
  template <class Body>
  void locate(Body&& body) const {
    try {
      body();
    } catch (Error& error) {
      if (!error.message().starts_with(where_)) error.while_(fmt::format("reading {}: pickle, byte {}", where_, at_));
      throw;
    }
  }

  void step(unsigned char opcode) {
    using namespace pickle;
    switch (opcode) {
      case kProto:
        if (const auto version = cursor_.number<uint8_t>(); version != 2)
          refuse(fmt::format("protocol {}; torch.save writes protocol 2", version));
        return;
      case kStop:
        return stop();
      case kMark:
        return marks_.push_back(stack_.size());
      case kNone:
        return push({});
      case kTrue:
        return push(true);
      case kFalse:
        return push(false);
      case kBinInt:
        return push(int64_t{cursor_.number<int32_t>()});
      case kBinInt1:
        return push(int64_t{cursor_.number<uint8_t>()});
      case kBinInt2:
        return push(int64_t{cursor_.number<uint16_t>()});
      case kLong1:
        return push(read_long());
      case kBinFloat:
        return push(std::bit_cast<double>(__builtin_bswap64(cursor_.number<uint64_t>())));
      case kBinUnicode:
        return push_node(PickleValue(cursor_.text(cursor_.number<uint32_t>())));
      case kEmptyTuple:
        return make_tuple(0);
      case kTuple1:
        return make_tuple(1);
      case kTuple2:
        return make_tuple(2);
      case kTuple3:
        return make_tuple(3);
      case kTuple:
        return make_tuple(stack_.size() - pop_mark());
      case kEmptyList:
        return push_node(PickleValue::list());
      case kEmptyDict:
        return push_node(PickleValue::dict());
      case kAppend:
        return append(check_available(1));
      case kAppends:
        return append(pop_mark());
      case kSetItem:
        return set_items(check_available(2));
      case kSetItems:
        return set_items(pop_mark());
      case kBinPut:
        return put(cursor_.number<uint8_t>());
      case kLongBinPut:
        return put(cursor_.number<uint32_t>());
      case kBinGet:
        return get(cursor_.number<uint8_t>());
      case kLongBinGet:
        return get(cursor_.number<uint32_t>());
      case kGlobal:
        return push_global();
      case kReduce:
        return reduce();
      case kBuild:
        return build();
      case kBinPersId:
        return push_storage();
      default:
        refuse_opcode(opcode);
    }
  }

  [[noreturn]] void refuse_opcode(unsigned char opcode) const {
    const auto found = std::ranges::find(pickle::kRefused, opcode, [](const auto& entry) { return entry.first; });
    if (found == std::end(pickle::kRefused)) refuse(fmt::format("{:#04x} is not an opcode", opcode));
    throw Error(Code::kInvalid,
                fmt::format("{}: pickle, byte {}: opcode {} is not read: it may run code, or torch.save never writes it", where_, at_,
                            found->second),
                "get the file from a source you trust, saved by torch.save with its default protocol");
  }

  // --- the stack ---
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  // Index of the first of the top `count` values, which must all lie above the last mark.
  size_t check_available(size_t count) const {
    if (stack_.size() - floor() < count) refuse("the stack is too short");
    return stack_.size() - count;
  }
  size_t pop_mark() {
    if (marks_.empty()) refuse("there is no MARK");
    const size_t mark = marks_.back();
    marks_.pop_back();
    return mark;
  }
  void push(PickleValue value) { stack_.push_back(std::move(value)); }
  void push_node(PickleValue value) {
    if (++nodes_ > kMaxNodes) refuse("more than 500,000 strings and containers");
    push(std::move(value));
  }
  PickleValue pop() {
    check_available(1);
    PickleValue value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }
  static bool data_only(const PickleValue& value) { return value.node_ == nullptr || value.node_->data_only; }
  // The container just below `begin`, still open, to be filled with values from there on.
  PickleNode& open_container(size_t begin, Kind kind) {
    if (begin <= floor()) refuse("the stack is too short");
    const PickleValue& target = stack_[begin - 1];
    if (target.kind() != kind) refuse(fmt::format("expected {} to fill, found {}", name_of(kind), name_of(target.kind())));
    if (target.node_->closed) refuse("a container changes after it was put into another");
    for (size_t i = begin; i < stack_.size(); ++i)
      if (!data_only(stack_[i])) refuse(fmt::format("{} holds {} as a value", name_of(kind), name_of(stack_[i].kind())));
    return *target.node_;
  }

  void stop() {
    if (stack_.size() != 1 || !marks_.empty()) refuse(fmt::format("STOP with {} values on the stack", stack_.size()));
    if (!data_only(stack_[0])) refuse(fmt::format("the result is {}", name_of(stack_[0].kind())));
    finished_ = true;
  }
  int64_t read_long() {
    const auto bytes = cursor_.take(cursor_.number<uint8_t>());
    if (bytes.size() > 8) refuse("an integer of more than 64 bits");
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) value |= static_cast<uint64_t>(bytes[i]) << (8 * i);
    if (!bytes.empty() && bytes.size() < 8 && (static_cast<uint8_t>(bytes.back()) & 0x80) != 0) value |= ~uint64_t{0} << (8 * bytes.size());
    return static_cast<int64_t>(value);
  }
  void make_tuple(size_t count) {
    const size_t begin = check_available(count);
    PickleValue::Items items(std::make_move_iterator(stack_.begin() + static_cast<ptrdiff_t>(begin)),
                             std::make_move_iterator(stack_.end()));
    stack_.resize(begin);
    push_node(PickleValue::tuple(std::move(items)));
  }
  void append(size_t begin) {
    PickleNode& list = open_container(begin, Kind::kList);
    for (size_t i = begin; i < stack_.size(); ++i) list.push(std::move(stack_[i]));
    stack_.resize(begin);
  }
  void set_items(size_t begin) {
    PickleNode& dict = open_container(begin, Kind::kDict);
    if ((stack_.size() - begin) % 2 != 0) refuse("a dict entry has no value");
    for (size_t i = begin; i < stack_.size(); i += 2) dict.insert(std::move(stack_[i]), std::move(stack_[i + 1]));
    stack_.resize(begin);
  }
  // torch.save numbers the memo 0, 1, 2, ...
  void put(size_t index) {
    if (index != memo_.size()) refuse(fmt::format("memo entry {} follows {} others", index, memo_.size()));
    memo_.push_back(stack_[check_available(1)]);
  }
  void get(size_t index) {
    if (index >= memo_.size()) refuse(fmt::format("memo entry {} was never put", index));
    push(memo_[index]);
  }

  // --- globals ---
  std::string read_line() {
    std::string line;
    for (char c; (c = cursor_.number<char>()) != '\n'; line += c)
      if (line.size() == kMaxName) refuse("the name of a global is too long");
    return line;
  }
  void push_global() {
    const std::string module = read_line(), name = read_line(), full = module + "." + name;
    if (module == "torch" && std::ranges::find(kTorchDTypes, name) != std::end(kTorchDTypes)) return push_node(PickleValue::dtype(name));
    const bool storage = std::ranges::any_of(kTorchStorages, [&](const auto& entry) { return entry.first == full; });
    if (std::ranges::find(kUnsupportedStorages, full) != std::end(kUnsupportedStorages))
      fail(Code::kUnsupported, "{}: pickle, byte {}: a tensor in a {}, an element type that octet does not read", where_, at_, full);
    if (!storage && full != kSizeGlobal && full != kOrderedDictGlobal && full != kRebuildGlobal)
      throw Error(Code::kInvalid,
                  fmt::format("{}: pickle, byte {}: it refers to `{}`, which is code and not data", where_, at_, printable(full)),
                  "octet runs nothing from a file; if you trust the file, re-save its plain data and tensors with torch.save");
    PickleValue value(full);
    value.kind_ = Kind::kGlobal;
    value.node_->data_only = false;
    push_node(std::move(value));
  }
  const std::string& global_name(const PickleValue& value) const {
    if (value.kind() != Kind::kGlobal) refuse(fmt::format("expected a global, found {}", name_of(value.kind())));
    return std::get<std::string>(value.node_->data);
  }

  void reduce() {
    const PickleValue arguments = pop(), callee = pop();
    const std::string& name = global_name(callee);
    if (arguments.kind() != Kind::kTuple) refuse("REDUCE without a tuple of arguments");
    const auto& items = arguments.items();
    if (name == kSizeGlobal && items.size() == 1) return push_node(PickleValue::size(read_dims(items[0])));
    if (name == kOrderedDictGlobal && items.empty()) {
      PickleValue dict = PickleValue::dict();
      dict.node_->ordered = true;
      return push_node(std::move(dict));
    }
    if (name == kRebuildGlobal && (items.size() == 6 || items.size() == 7)) return push_node(PickleValue::tensor(rebuild(items)));
    refuse(fmt::format("`{}` called with {} arguments", name, items.size()));
  }
  // OrderedDict's own attributes (a state dict's _metadata) are dropped: they are not part of its items.
  void build() {
    const PickleValue state = pop();
    if (!data_only(state)) refuse("BUILD with something that is not data");
    const PickleValue& target = stack_[check_available(1)];
    if (target.kind() != Kind::kDict || !target.node_->ordered || target.node_->closed)
      refuse(fmt::format("BUILD of {}: only an OrderedDict may carry attributes", name_of(target.kind())));
  }

  std::vector<int64_t> read_dims(const PickleValue& value) const {
    std::vector<int64_t> dims;
    for (const auto& item : value.items()) dims.push_back(item.as_int());
    return dims;
  }
  // The persistent id ('storage', torch.<X>Storage, key, location, count).
  void push_storage() {
    const PickleValue id = pop();
    if (id.kind() != Kind::kTuple || id.items().size() != 5 || id.items()[0].as_string() != "storage")
      refuse("a persistent id that names no storage");
    const auto& items = id.items();
    const auto known = std::ranges::find(kTorchStorages, global_name(items[1]), [](const auto& entry) { return entry.first; });
    if (known == kTorchStorages.end()) refuse(fmt::format("`{}` is not a storage", global_name(items[1])));
    const int64_t count = items[4].as_int();
    Blob blob = storage_(items[2].as_string());
    const size_t size = size_of(known->second);
    if (count < 0 || blob.bytes.size() % size != 0 || blob.bytes.size() / size != static_cast<uint64_t>(count))
      refuse(fmt::format("storage `{}` is said to have {} elements of {} bytes, the file has {} bytes", printable(items[2].as_string()),
                         count, size, blob.bytes.size()));
    auto node = std::make_shared<PickleNode>();
    node->data = std::make_unique<PickleStorage>(PickleStorage{known->second, count, std::move(blob)});
    node->data_only = false;
    push_node(PickleValue(Kind::kStorage, std::move(node)));
  }
  // _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks[, metadata]).
  HostTensor rebuild(const PickleValue::Items& items) const {
    if (items[0].kind() != Kind::kStorage) refuse("a tensor without a storage");
    const auto& storage = *std::get<std::unique_ptr<PickleStorage>>(items[0].node_->data);
    const int64_t offset = items[1].as_int();
    const std::vector<int64_t> dims = read_dims(items[2]), strides = read_dims(items[3]);
    items[4].as_bool();
    if (!items[5].entries().empty() || (items.size() == 7 && !items[6].is_none() && !items[6].entries().empty()))
      refuse("a tensor with hooks or metadata");
    const int64_t count = element_count(dims);
    if (offset < 0 || offset > storage.count || count > storage.count - offset) refuse("a tensor reaches beyond its storage");
    check_contiguous(dims, strides);
    const size_t size = size_of(storage.dtype);
    return {storage.dtype, dims, storage.blob.bytes.subspan(static_cast<size_t>(offset) * size, static_cast<size_t>(count) * size),
            storage.blob.owner};
  }
  void check_contiguous(const std::vector<int64_t>& dims, const std::vector<int64_t>& strides) const {
    if (strides.size() != dims.size()) refuse("a tensor has more or fewer strides than dimensions");
    int64_t expected = 1;  // below 2^62: the product of the dims was checked
    if (std::ranges::find(dims, 0) != dims.end()) return;
    for (size_t i = dims.size(); i-- > 0;) {
      if (dims[i] != 1 && strides[i] != expected)
        throw Error(Code::kUnsupported, fmt::format("{}: pickle, byte {}: a tensor is not contiguous", where_, at_),
                    "save tensor.contiguous()");
      expected *= dims[i];
    }
  }

  std::string where_;
  ByteCursor cursor_;
  const StorageSource& storage_;
  std::vector<PickleValue> stack_, memo_;
  std::vector<size_t> marks_;
  size_t at_ = 0, nodes_ = 0;
  bool finished_ = false;
};

PickleValue read_pickle(const Blob& pickle, const StorageSource& storage) { return PickleReader(pickle, storage).read(); }

}  // namespace octet
