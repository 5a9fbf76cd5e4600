#include "formats/onnx/tensor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "formats/onnx/schema.h"
#include "ops/quantize.h"

namespace octet::onnx {
namespace {

constexpr std::array<std::string_view, 29> kTypeNames = {
    "UNDEFINED",  "FLOAT",        "UINT8",          "INT8",       "UINT16",         "INT16",  "INT32",     "INT64",
    "STRING",     "BOOL",         "FLOAT16",        "DOUBLE",     "UINT32",         "UINT64", "COMPLEX64", "COMPLEX128",
    "BFLOAT16",   "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "UINT4",  "INT4",      "FLOAT4E2M1",
    "FLOAT8E8M0", "UINT2",        "INT2",           "FLOAT6E2M3", "FLOAT6E3M2"};

// A TensorProto, undecoded.
struct View {
  std::string_view name, location;
  int32_t data_type = 0, data_location = 0;
  std::vector<int64_t> dims;
  std::optional<std::span<const std::byte>> raw;
  uint32_t typed_field = 0;  // which *_data field is there; 0: none
  int64_t typed_count = 0;
  std::optional<uint64_t> offset, length;
  bool has_location = false;
};

// The field that holds typed data of `dtype`.
uint32_t typed_field(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return tensor::kFloatData;
    case DType::f64:
      return tensor::kDoubleData;
    case DType::i64:
      return tensor::kInt64Data;
    default:
      return tensor::kInt32Data;
  }
}

template <class Fn>
void each_element(const WireReader& reader, Fn&& fn) {
  switch (reader.field()) {
    case tensor::kFloatData:
      return reader.each_fixed32(fn);
    case tensor::kDoubleData:
      return reader.each_fixed64(fn);
    default:
      return reader.each_varint(fn);
  }
}

void count_typed(const WireReader& reader, View& view) {
  if (view.typed_field != 0 && view.typed_field != reader.field()) reader.damaged("a tensor has two kinds of typed data");
  view.typed_field = reader.field();
  if (reader.field() == tensor::kStringData) return;  // its data_type is refused, whichever it is
  each_element(reader, [&](uint64_t) { ++view.typed_count; });
}

uint64_t parse_number(std::string_view text, const WireReader& at) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) at.damaged("an external offset or length is not a plain number");
  return value;
}

void read_external_entry(WireReader reader, View& view) {
  std::string_view key, value;
  const WireReader at = reader;
  while (reader.next()) {
    if (reader.field() == entry::kKey) key = reader.text();
    if (reader.field() == entry::kValue) value = reader.text();
  }
  const bool repeated = (key == "location" && view.has_location) || (key == "offset" && view.offset) || (key == "length" && view.length);
  if (repeated) at.damaged("an external data key is given twice");
  if (key == "location") view.has_location = true, view.location = value;
  if (key == "offset") view.offset = parse_number(value, at);
  if (key == "length") view.length = parse_number(value, at);
}

void read_dims(const WireReader& reader, std::vector<int64_t>& dims) {
  reader.each_varint([&](uint64_t dim) {
    if (dims.size() == kMaxRank) fail(Code::kUnsupported, "a tensor has more than {} dimensions", kMaxRank);
    dims.push_back(static_cast<int64_t>(dim));
  });
}

View read_view(WireReader reader) {
  View view;
  while (reader.next()) {
    switch (reader.field()) {
      case tensor::kDims:
        read_dims(reader, view.dims);
        break;
      case tensor::kDataType:
        view.data_type = reader.int32();
        break;
      case tensor::kName:
        view.name = reader.text();
        break;
      case tensor::kRawData:
        view.raw = reader.bytes();
        break;
      case tensor::kDataLocation:
        view.data_location = reader.int32();
        break;
      case tensor::kExternalData:
        read_external_entry(reader.message(), view);
        break;
      case tensor::kSegment:
        reader.damaged("a tensor is split into segments");
      case tensor::kStringData:
      case tensor::kFloatData:
      case tensor::kInt32Data:
      case tensor::kInt64Data:
      case tensor::kDoubleData:
      case tensor::kUint64Data:
        count_typed(reader, view);
        break;
      default:
        break;
    }
  }
  return view;
}

// The range of int32_data elements of a type that is narrower than that.
std::pair<int32_t, int32_t> range_of(DType dtype) {
  if (dtype == DType::i8) return {-128, 127};
  if (dtype == DType::boolean) return {0, 1};
  return {0, size_of(dtype) == 1 ? 0xff : 0xffff};
}

// Copies the elements of every *_data field: their low bytes are what raw_data would hold.
HostTensor decode_typed(WireReader reader, const View& view, DType dtype) {
  if (view.typed_field != 0 && view.typed_field != typed_field(dtype)) reader.damaged("the typed data is of another type than data_type");
  if (view.typed_count != element_count(view.dims)) {
    fail(Code::kInvalid, "the dims [{}] need {} elements but the file has {}", fmt::join(view.dims, ","), element_count(view.dims),
         view.typed_count);
  }
  HostTensor out(dtype, view.dims);
  const size_t size = size_of(dtype);
  const auto [low, high] = range_of(dtype);
  std::byte* at = view.typed_count == 0 ? nullptr : out.mutable_data();
  while (reader.next()) {
    if (reader.field() != view.typed_field) continue;
    each_element(reader, [&, low = low, high = high](uint64_t bits) {
      const auto value = static_cast<int32_t>(bits);
      if (size <= 2 && (value < low || value > high)) reader.damaged("an element does not fit its type");
      std::memcpy(at, &bits, size);
      at += size;
    });
  }
  return out;
}

// `have` bytes must be exactly what dims and dtype need.
void check_size(const View& view, DType dtype, uint64_t have) {
  const auto count = static_cast<uint64_t>(element_count(view.dims));  // at most 2^62
  if (have % size_of(dtype) != 0 || have / size_of(dtype) != count) {
    fail(Code::kInvalid, "the dims [{}] of {} need {} elements of {} bytes but the data has {} bytes", fmt::join(view.dims, ","),
         name_of(dtype), count, size_of(dtype), have);
  }
}

HostTensor view_external(const View& view, DType dtype, Source& source) {
  if (!view.has_location) fail(Code::kInvalid, "an external tensor has no location");
  if (view.length) check_size(view, dtype, *view.length);
  const auto file = source.external.open(view.location);
  const auto bytes = file->bytes();
  const uint64_t offset = view.offset.value_or(0), count = static_cast<uint64_t>(element_count(view.dims));
  if (offset > bytes.size() || count > (bytes.size() - offset) / size_of(dtype)) {
    throw Error(Code::kInvalid,
                fmt::format("external data `{}`: {} elements of {} from byte {} on lie past the end of the file ({} bytes)",
                            printable(view.location), count, name_of(dtype), offset, bytes.size()),
                "the data file is cut short or belongs to another model: copy it again");
  }
  return HostTensor(dtype, view.dims, bytes.subspan(offset, count * size_of(dtype)), file);
}

HostTensor read_data(const WireReader& message, const View& view, Source& source) {
  const DType dtype = dtype_of_onnx(view.data_type, "a tensor");
  element_count(view.dims);  // negative or overflowing dims stop here
  if (view.data_location != 0 && view.data_location != 1) message.damaged("a tensor's data_location is unknown");
  if (int{view.raw.has_value()} + int{view.typed_field != 0} + int{view.data_location == 1} > 1)
    message.damaged("a tensor has more than one kind of data");
  if (view.data_location == 1) return view_external(view, dtype, source);
  if (!view.raw) return decode_typed(message, view, dtype);
  check_size(view, dtype, view.raw->size());
  return HostTensor(dtype, view.dims, *view.raw, source.owner);
}

}  // namespace

DType dtype_of_onnx(int64_t data_type, std::string_view what) {
  if (const auto dtype = from_onnx_number(data_type)) return *dtype;
  const bool known = data_type >= 0 && data_type < static_cast<int64_t>(kTypeNames.size());
  throw Error(Code::kUnsupported, fmt::format("{} has the data type {}, which octet does not support", what,
                                              known ? kTypeNames[static_cast<size_t>(data_type)] : std::to_string(data_type)));
}

NamedTensor read_tensor(const WireReader& message, Source& source) {
  const View view = read_view(message);
  return with_context([&] { return fmt::format("reading tensor `{}` at byte {}", printable(view.name), message.offset()); },
                      [&] {
                        NamedTensor result{view.name, read_data(message, view, source)};
                        const bool is_bool = result.tensor.dtype() == DType::boolean;
                        if (is_bool && std::ranges::any_of(result.tensor.bytes(), [](std::byte b) { return b > std::byte{1}; }))
                          message.damaged("a bool is neither 0 nor 1");
                        return result;
                      });
}

void write_tensor(const HostTensor& tensor, std::string_view name, const std::optional<ExternalPlace>& place, WireWriter& out) {
  for (const int64_t dim : tensor.dims()) out.int64(tensor::kDims, dim);
  out.int64(tensor::kDataType, onnx_number(tensor.dtype()));
  if (!name.empty()) out.text(tensor::kName, name);
  if (!place) return out.view(tensor::kRawData, tensor.bytes());
  const std::pair<std::string_view, std::string> entries[] = {
      {"location", place->location}, {"offset", std::to_string(place->offset)}, {"length", std::to_string(tensor.bytes().size())}};
  for (const auto& [key, value] : entries) {
    WireWriter message;
    message.text(entry::kKey, key);
    message.text(entry::kValue, value);
    out.message(tensor::kExternalData, message);
  }
  out.int64(tensor::kDataLocation, 1);
}

}  // namespace octet::onnx
