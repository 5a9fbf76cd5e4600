#include "formats/onnx/tensor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "formats/onnx/schema.h"

namespace octet::onnx {
namespace {

constexpr std::array<std::string_view, 29> kTypeNames = {
    "UNDEFINED",  "FLOAT",        "UINT8",          "INT8",       "UINT16",         "INT16",  "INT32",     "INT64",
    "STRING",     "BOOL",         "FLOAT16",        "DOUBLE",     "UINT32",         "UINT64", "COMPLEX64", "COMPLEX128",
    "BFLOAT16",   "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "UINT4",  "INT4",      "FLOAT4E2M1",
    "FLOAT8E8M0", "UINT2",        "INT2",           "FLOAT6E2M3", "FLOAT6E3M2"};
constexpr std::array<int32_t, kDTypeCount> kCodes = {1, 10, 16, 17, 19, 24, 3, 2, 6, 7, 9, 11};  // by DType

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

template <class T>
T narrow(uint64_t bits, const WireReader& reader) {
  const auto value = static_cast<int32_t>(bits);
  if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) reader.damaged("an element does not fit its type");
  return static_cast<T>(value);
}

// Copies the elements of every *_data field into `out`, which has room for exactly that many.
template <class T>
void decode(WireReader reader, uint32_t field, std::span<T> out) {
  size_t i = 0;
  while (reader.next()) {
    if (reader.field() != field) continue;
    each_element(reader, [&](uint64_t bits) {
      if constexpr (std::is_same_v<T, bool>) out[i++] = narrow<uint8_t>(bits, reader) != 0;
      else if constexpr (sizeof(T) <= 2) out[i++] = narrow<T>(bits, reader);
      else out[i++] = std::bit_cast<T>(static_cast<std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>(bits));
    });
  }
}

HostTensor decode_typed(const WireReader& reader, const View& view, DType dtype) {
  if (view.typed_field != 0 && view.typed_field != typed_field(dtype)) reader.damaged("the typed data is of another type than data_type");
  if (view.typed_count != element_count(view.dims)) {
    fail(Code::kInvalid, "the dims [{}] need {} elements but the file has {}", fmt::join(view.dims, ","), element_count(view.dims),
         view.typed_count);
  }
  HostTensor out(dtype, view.dims);
  if (out.count() == 0) return out;
  switch (dtype) {
    case DType::f32:
      decode(reader, view.typed_field, out.mut<float>());
      break;
    case DType::f64:
      decode(reader, view.typed_field, out.mut<double>());
      break;
    case DType::i64:
      decode(reader, view.typed_field, out.mut<int64_t>());
      break;
    case DType::i32:
      decode(reader, view.typed_field, out.mut<int32_t>());
      break;
    case DType::f16:
    case DType::bf16:
      decode(reader, view.typed_field, out.mut<uint16_t>());
      break;
    case DType::i8:
      decode(reader, view.typed_field, out.mut<int8_t>());
      break;
    case DType::boolean:
      decode(reader, view.typed_field, out.mut<bool>());
      break;
    default:
      decode(reader, view.typed_field, out.mut<uint8_t>());
      break;
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
  for (size_t i = 0; i < kCodes.size(); ++i)
    if (kCodes[i] == data_type) return static_cast<DType>(i);
  const bool known = data_type >= 0 && data_type < static_cast<int64_t>(kTypeNames.size());
  throw Error(Code::kUnsupported, fmt::format("{} has the data type {}, which octet does not support", what,
                                              known ? kTypeNames[static_cast<size_t>(data_type)] : std::to_string(data_type)));
}

int32_t onnx_of_dtype(DType dtype) { return kCodes[static_cast<size_t>(dtype)]; }

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
  out.int64(tensor::kDataType, onnx_of_dtype(tensor.dtype()));
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
