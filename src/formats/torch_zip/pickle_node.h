// The shared parts of PickleValues, private to this folder. A container is open while it is filled; it closes when another
// value takes it, and cannot change afterwards. So values form no cycle, and the depth and weight of a part are final.
#pragma once
#include <set>
#include <unordered_map>
#include <variant>

#include "formats/blob.h"
#include "formats/torch_zip/pickle_value.h"

namespace octet {

inline constexpr int kPickleMaxDepth = 64;
inline constexpr uint64_t kPickleMaxWeight = 16'000'000;  // values in the tree, shared parts counted each time

struct PickleDict {
  PickleValue::Entries entries;
  std::unordered_map<std::string_view, size_t> by_name;  // views into the keys' nodes
  std::set<int64_t> numbers;
};
struct PickleStorage {
  DType dtype;
  int64_t count;
  Blob blob;
};

struct PickleNode {
  std::variant<std::string, PickleValue::Items, std::unique_ptr<PickleDict>, std::unique_ptr<HostTensor>, std::unique_ptr<PickleStorage>>
      data;
  uint64_t weight = 1;
  int depth = 1;
  bool closed = false;    // part of another value
  bool ordered = false;   // a dict that OrderedDict() made: BUILD may follow
  bool data_only = true;  // no kGlobal or kStorage inside

  void push(PickleValue item);                      // onto a list, tuple or torch.Size
  void insert(PickleValue key, PickleValue value);  // into a dict; the key must be a new string or int
 private:
  void take(const PickleValue& part);  // closes `part` and accounts for it; Error{kInvalid} at the limits above
};

}  // namespace octet
