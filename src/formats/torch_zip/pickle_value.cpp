#include "formats/torch_zip/pickle_value.h"

#include "base/error.h"
#include "base/text.h"
#include "formats/torch_zip/pickle_node.h"

namespace octet {
namespace {

template <class T>
std::shared_ptr<PickleNode> make_node(T data) {
  auto node = std::make_shared<PickleNode>();
  node->data = std::move(data);
  return node;
}

std::shared_ptr<PickleNode> make_items(PickleValue::Items items) {
  auto node = make_node(PickleValue::Items{});
  std::get<PickleValue::Items>(node->data).reserve(items.size());
  for (auto& item : items) node->push(std::move(item));
  return node;
}

[[noreturn]] void unexpected(std::string_view expected, PickleValue::Kind found) {
  fail(Code::kInvalid, "expected {}, found {}", expected, name_of(found));
}

}  // namespace

std::string_view name_of(PickleValue::Kind kind) {
  constexpr std::string_view kNames[] = {"None",   "a bool",       "an int",        "a float",  "a string", "a tuple",  "a list",
                                         "a dict", "a torch.Size", "a torch dtype", "a tensor", "a global", "a storage"};
  return kNames[static_cast<size_t>(kind)];
}

void PickleNode::take(const PickleValue& part) {
  if (PickleNode* node = part.node_.get(); node != nullptr) {
    if (node == this) fail(Code::kInvalid, "a container holds itself");
    node->closed = true;
    weight += node->weight;
    depth = std::max(depth, node->depth + 1);
    data_only &= node->data_only;
  } else {
    ++weight;
  }
  if (depth > kPickleMaxDepth) fail(Code::kInvalid, "values nested deeper than {}", kPickleMaxDepth);
  if (weight > kPickleMaxWeight) fail(Code::kInvalid, "more than {} values once shared parts are counted: a memo bomb", kPickleMaxWeight);
}

void PickleNode::push(PickleValue item) {
  take(item);
  std::get<PickleValue::Items>(data).push_back(std::move(item));
}

void PickleNode::insert(PickleValue key, PickleValue value) {
  auto& dict = *std::get<std::unique_ptr<PickleDict>>(data);
  if (key.kind() == PickleValue::Kind::kString) {
    if (!dict.by_name.emplace(key.as_string(), dict.entries.size()).second)
      fail(Code::kInvalid, "a dict has the key `{}` twice", printable(key.as_string()));
  } else if (key.kind() == PickleValue::Kind::kInt) {
    if (!dict.numbers.insert(key.as_int()).second) fail(Code::kInvalid, "a dict has the key {} twice", key.as_int());
  } else {
    unexpected("a string or an int as a dict's key", key.kind());
  }
  take(key);
  take(value);
  dict.entries.emplace_back(std::move(key), std::move(value));
}

PickleValue::PickleValue(std::string value) : kind_(Kind::kString), node_(make_node(std::move(value))) {}
PickleValue PickleValue::tuple(Items items) { return {Kind::kTuple, make_items(std::move(items))}; }
PickleValue PickleValue::list(Items items) { return {Kind::kList, make_items(std::move(items))}; }
PickleValue PickleValue::dtype(std::string name) { return {Kind::kDType, make_node(std::move(name))}; }
PickleValue PickleValue::tensor(HostTensor tensor) { return {Kind::kTensor, make_node(std::make_unique<HostTensor>(std::move(tensor)))}; }

PickleValue PickleValue::dict(Entries entries) {
  auto node = make_node(std::make_unique<PickleDict>());
  for (auto& [key, value] : entries) node->insert(std::move(key), std::move(value));
  return {Kind::kDict, std::move(node)};
}

PickleValue PickleValue::size(std::vector<int64_t> dims) {
  Items items(dims.begin(), dims.end());
  return {Kind::kSize, make_items(std::move(items))};
}

const PickleNode& PickleValue::node(Kind kind) const {
  if (kind_ != kind) unexpected(name_of(kind), kind_);
  return *node_;
}

bool PickleValue::as_bool() const {
  if (kind_ != Kind::kBool) unexpected("a bool", kind_);
  return scalar_.integer != 0;
}
int64_t PickleValue::as_int() const {
  if (kind_ != Kind::kInt) unexpected("an int", kind_);
  return scalar_.integer;
}
double PickleValue::as_float() const {
  if (kind_ == Kind::kInt) return static_cast<double>(scalar_.integer);
  if (kind_ != Kind::kFloat) unexpected("a float", kind_);
  return scalar_.real;
}
const std::string& PickleValue::as_string() const { return std::get<std::string>(node(Kind::kString).data); }
const std::string& PickleValue::dtype_name() const { return std::get<std::string>(node(Kind::kDType).data); }
const HostTensor& PickleValue::as_tensor() const { return *std::get<std::unique_ptr<HostTensor>>(node(Kind::kTensor).data); }
const PickleValue::Entries& PickleValue::entries() const { return std::get<std::unique_ptr<PickleDict>>(node(Kind::kDict).data)->entries; }

const PickleValue::Items& PickleValue::items() const {
  if (kind_ != Kind::kTuple && kind_ != Kind::kList && kind_ != Kind::kSize) unexpected("a tuple or a list", kind_);
  return std::get<Items>(node_->data);
}

const PickleValue* PickleValue::find(std::string_view key) const {
  const auto& dict = *std::get<std::unique_ptr<PickleDict>>(node(Kind::kDict).data);
  const auto found = dict.by_name.find(key);
  return found == dict.by_name.end() ? nullptr : &dict.entries[found->second].second;
}

const PickleValue& PickleValue::at(std::string_view key) const {
  if (const PickleValue* value = find(key)) return *value;
  fail(Code::kInvalid, "no key `{}`", printable(key));
}

}  // namespace octet
