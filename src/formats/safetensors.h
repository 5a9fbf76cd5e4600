// safetensors files: u64 header length N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the data.
// Format: https://github.com/huggingface/safetensors (README, "Format"). Reading copies nothing: tensors are views of the mapping.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/blob.h"
#include "numeric/host_tensor.h"

namespace octet {

// The tensors of one file, or of all shards of a checkpoint.
// Refused with Error{kInvalid}: a header over 100 MB, beyond the file or not starting with '{'; more than 200,000 tensors; a
// duplicate name; bytes that no tensor or two tensors own; dtype x shape != bytes. A known dtype that octet lacks (U16, C64,
// ...) is Error{kUnsupported} naming the tensor.
class Safetensors {
 public:
  static Safetensors open(const std::filesystem::path& path);
  static Safetensors parse(const Blob& file);

  bool has(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }
  const HostTensor& at(std::string_view name) const;                // Error{kInvalid} naming the nearest existing name
  const std::vector<std::string>& names() const { return names_; }  // in the order of the data
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& where() const { return where_; }
  void merge(Safetensors other);  // adds another shard; Error{kInvalid} when both hold a name
  // Gives every tensor the name that `to` makes of its own; Error{kInvalid} when two then share one.
  void rename(const std::function<std::string(const std::string&)>& to);

 private:
  std::string where_;
  std::vector<std::string> names_;
  std::map<std::string, HostTensor, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

// `dir`/model.safetensors, or the shards that `dir`/model.safetensors.index.json lists (plain file names only). Every tensor
// must be where the index says, and none may be missing from it. Neither file: Error{kIo}.
Safetensors open_checkpoint_tensors(const std::filesystem::path& dir);

struct TensorSpec {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> dims;
};
using Metadata = std::map<std::string, std::string>;

// Writes atomically. Tensors are laid out by falling element size (so that each is aligned), ties in the order given.
void write_safetensors(const std::filesystem::path& path, std::span<const std::pair<std::string, HostTensor>> tensors,
                       const Metadata& metadata = {{"format", "pt"}});
// The same, holding one tensor at a time: `make(i)` is called once for each specs[i], in the order of the layout, and its
// result must have that spec's dtype and dims.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorSpec> specs, const Metadata& metadata,
                       const std::function<HostTensor(size_t i)>& make);

}  // namespace octet
