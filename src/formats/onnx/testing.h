// For tests: ONNX messages built by hand, well-formed or not, and a place on the disk. Everything goes through WireWriter, so
// a test reads like the message it makes.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "formats/onnx/read.h"
#include "formats/onnx/schema.h"
#include "formats/onnx/wire.h"

namespace octet::onnx::test {

using Dims = std::vector<int64_t>;
using Names = std::vector<std::string_view>;
enum : int32_t {
  kFloat = 1,
  kUint8,
  kInt8,
  kInt32 = 6,
  kInt64,
  kBool = 9,
  kFloat16,
  kDouble,
  kBfloat16 = 16,
  kE4m3,
  kE5m2 = 19,
  kE8m0 = 24
};

inline std::string bytes_of(const WireWriter& message) {
  std::string out;
  message.write([&](std::span<const std::byte> b) { out.append(reinterpret_cast<const char*>(b.data()), b.size()); });
  return out;
}

inline std::span<const std::byte> as_span(std::string_view bytes) { return std::as_bytes(std::span(bytes)); }

inline WireWriter tensor_header(std::string_view name, int32_t data_type, const Dims& dims) {
  WireWriter out;
  for (const int64_t dim : dims) out.int64(tensor::kDims, dim);
  out.int64(tensor::kDataType, data_type);
  out.text(tensor::kName, name);
  return out;
}

inline WireWriter raw_tensor(std::string_view name, int32_t data_type, const Dims& dims, std::string_view raw) {
  WireWriter out = tensor_header(name, data_type, dims);
  out.text(tensor::kRawData, raw);
  return out;
}

inline WireWriter external_tensor(std::string_view name, const Dims& dims,
                                  std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  WireWriter out = tensor_header(name, kFloat, dims);
  for (const auto& [key, value] : entries) {
    WireWriter entry;
    entry.text(entry::kKey, key);
    entry.text(entry::kValue, value);
    out.message(tensor::kExternalData, entry);
  }
  out.int64(tensor::kDataLocation, 1);
  return out;
}

// A dimension is a number, a name, or "" for unknown.
struct TestDim {
  int64_t value = -1;
  std::string_view param;
  TestDim(int v) : value(v) {}                // NOLINT
  TestDim(const char* name) : param(name) {}  // NOLINT
};
inline WireWriter typed_value(std::string_view name, int32_t data_type, std::initializer_list<TestDim> dims) {
  WireWriter shape, tensor, type, out;
  for (const TestDim& dim : dims) {
    WireWriter one;
    if (!dim.param.empty()) one.text(dim::kParam, dim.param);
    else if (dim.value >= 0) one.int64(dim::kValue, dim.value);
    shape.message(shape::kDim, one);
  }
  tensor.int64(tensor_type::kElemType, data_type);
  tensor.message(tensor_type::kShape, shape);
  type.message(type::kTensor, tensor);
  out.text(value_info::kName, name);
  out.message(value_info::kType, type);
  return out;
}

inline WireWriter make_node(std::string_view op, const Names& inputs, const Names& outputs, std::string_view name = {}) {
  WireWriter out;
  for (const auto input : inputs) out.text(node::kInput, input);
  for (const auto output : outputs) out.text(node::kOutput, output);
  if (!name.empty()) out.text(node::kName, name);
  out.text(node::kOpType, op);
  return out;
}

inline WireWriter attribute_header(std::string_view name, int type) {
  WireWriter out;
  out.text(attribute::kName, name);
  out.int64(attribute::kType, type);
  return out;
}
inline void add_int(WireWriter& node, std::string_view name, int64_t value) {
  WireWriter a = attribute_header(name, 2);
  a.int64(attribute::kInt, value);
  node.message(node::kAttribute, a);
}

// A model around a graph's fields.
inline std::string make_model(const WireWriter& graph, int64_t opset = 20, int64_t ir_version = 10) {
  WireWriter out, import;
  out.int64(model::kIrVersion, ir_version);
  out.message(model::kGraph, graph);
  import.text(opset_id::kDomain, "");
  import.int64(opset_id::kVersion, opset);
  out.message(model::kOpsetImport, import);
  return bytes_of(out);
}

// x: f32[batch,3] -> Identity -> y, to be extended.
inline WireWriter small_graph() {
  WireWriter out;
  out.message(graph::kNode, make_node("Identity", {"x"}, {"y"}, "first"));
  out.text(graph::kName, "small");
  out.message(graph::kInput, typed_value("x", kFloat, {"batch", 3}));
  out.message(graph::kOutput, typed_value("y", kFloat, {"batch", 3}));
  return out;
}

inline Graph read(std::string bytes) {
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return read_onnx(as_span(*owner), owner);
}

// Expects an Error of that code whose message and trail, rendered, contain `part`.
template <class Body>
void expect_error(Code code, std::string_view part, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "no error; expected one with: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.render();
    EXPECT_NE(error.render().find(part), std::string::npos) << error.render() << "\nexpected: " << part;
  }
}

// A fresh directory, gone at the end of the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "octet_onnx_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(Code::kIo, "no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace octet::onnx::test
