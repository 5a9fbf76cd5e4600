// What is in an ONNX file, a checkpoint or an engine, as one JSON document: `octet inspect --json` prints it, `octet inspect`
// renders it. Keys are stable within a schema version: new ones may be added, none changes its meaning.
//
// All:         schema "octet.inspect/1", kind onnx | checkpoint | engine, file, bytes
// Tensors:     inputs, outputs: [{name, dtype, dims}]; a dim is a number or the name of a symbol ("batch", "3*batch")
// Storage:     {count, elements, bytes, by_dtype: {e4m3: {count, elements, bytes}, ...}}
// Next: inspect_onnx.cpp, inspect_checkpoint.cpp, inspect_engine.cpp: the further keys of each kind are in their first lines.
#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "runtime/backend.h"

namespace octet {

using Json = nlohmann::ordered_json;

Json inspect_onnx(const std::filesystem::path& file);       // throws as load_model
Json inspect_checkpoint(const std::filesystem::path& dir);  // throws as load_checkpoint
// Prepares the plan on `backend` to learn the kernels. A plan that is not valid gives {valid: false, reasons: [...]} and nothing
// more of the file; a file that cannot be read is Error{kIo}.
Json inspect_engine(const std::filesystem::path& file, const Backend& backend, const PrepareOptions& options = {});

// "vision.layers.17.fc1" -> "vision.layers.*.fc1": what repeats layer after layer.
std::string without_numbers(std::string_view name);

// Counts tensors by dtype; to_json() is a Storage.
class StorageCount {
 public:
  void add(DType dtype, int64_t elements);
  Json to_json() const;

 private:
  struct Share {
    int64_t count = 0, elements = 0, bytes = 0;
    Json to_json() const { return {{"count", count}, {"elements", elements}, {"bytes", bytes}}; }
    void add(int64_t n, int64_t size) { ++count, elements += n, bytes += n * size; }
  };
  Share all_;
  std::map<DType, Share> by_dtype_;
};

}  // namespace octet
