#include "formats/onnx/types.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "formats/onnx/schema.h"
#include "formats/onnx/tensor.h"
#include "ops/quantize.h"

namespace octet::onnx {
namespace {

// "?7" is taken by fresh symbols, and a number in front by factors; the rest keeps terminals and reports clean.
bool is_plain(std::string_view name) {
  const auto visible = [](char c) { return c > ' ' && c <= '~'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && name.size() <= 256 && name[0] != '?' && name[0] != '-' && !digit(name[0]) && std::ranges::all_of(name, visible);
}

// "batch", "3*batch", or anything else.
Dim parse_symbol(std::string_view param, OddSymbols& odd) {
  if (is_plain(param)) return Dim(1, std::string(param));
  int64_t factor = 0;
  const auto [end, error] = std::from_chars(param.data(), param.data() + param.size(), factor);
  const std::string_view rest = param.substr(static_cast<size_t>(end - param.data()));
  if (error == std::errc{} && factor > 0 && rest.starts_with('*') && is_plain(rest.substr(1)))
    return Dim(factor, std::string(rest.substr(1)));
  const auto found = odd.find(param);
  return found != odd.end() ? found->second : odd.emplace(param, fresh_dim()).first->second;
}

Dim read_dim(WireReader reader, OddSymbols& odd) {
  std::optional<Dim> dim;
  while (reader.next()) {
    if (reader.field() == dim::kValue) dim = Dim(reader.int64());
    if (reader.field() == dim::kParam && !reader.text().empty()) dim = parse_symbol(reader.text(), odd);
  }
  if (dim && dim->value < 0) fail(Code::kInvalid, "dimension {} is negative; a symbolic one must be a dim_param", dim->value);
  return dim ? *dim : fresh_dim();
}

Shape read_shape(WireReader reader, OddSymbols& odd) {
  Shape shape;
  while (reader.next()) {
    if (reader.field() != shape::kDim) continue;
    if (shape.size() == kMaxRank) fail(Code::kUnsupported, "the shape has more than {} dimensions", kMaxRank);
    shape.push_back(read_dim(reader.message(), odd));
  }
  return shape;
}

}  // namespace

TensorType read_type(WireReader type, OddSymbols& odd) {
  std::optional<WireReader> tensor;
  while (type.next())
    if (type.field() == type::kTensor) tensor = type.message();
  if (!tensor) fail(Code::kUnsupported, "only dense tensors are supported, no sequences, maps, optionals or sparse tensors");
  int32_t dtype = 0;
  std::optional<Shape> shape;
  while (tensor->next()) {
    if (tensor->field() == tensor_type::kElemType) dtype = tensor->int32();
    if (tensor->field() == tensor_type::kShape) shape = read_shape(tensor->message(), odd);
  }
  if (!shape)
    throw Error(Code::kUnsupported, "the tensor's rank is not known", "export the model with shapes (symbolic dimensions are fine)");
  return {dtype_of_onnx(dtype, "the tensor"), std::move(*shape)};
}

void write_type(const TensorType& type, uint32_t field, WireWriter& out) {
  WireWriter shape, tensor, message;
  for (const Dim& dim : type.shape) {
    WireWriter one;
    if (dim.is_static()) one.int64(dim::kValue, dim.value);
    else if (!dim.symbol.starts_with('?')) one.text(dim::kParam, to_string(dim));  // a fresh symbol means nothing elsewhere
    shape.message(shape::kDim, one);
  }
  tensor.int64(tensor_type::kElemType, onnx_number(type.dtype));
  tensor.message(tensor_type::kShape, shape);
  message.message(type::kTensor, tensor);
  out.message(field, message);
}

}  // namespace octet::onnx
