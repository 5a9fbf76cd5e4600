// HostTensor: storage, exact element access, conversion of whole tensors.
#include "numeric/host_tensor.h"

#include <cmath>
#include <cstdlib>
#include <limits>

#include "numeric/convert.h"

namespace octet {
namespace {

constexpr int64_t kMaxCount = int64_t{1} << 62;
constexpr size_t kAlignment = 64;
constexpr size_t kMaxBytes = size_t{1} << 39;  // 512 GiB: what asks for more is a damaged file, whatever the machine

size_t byte_size(DType dtype, std::span<const int64_t> dims) {
  const int64_t count = element_count(dims), size = static_cast<int64_t>(size_of(dtype));
  if (count > kMaxCount / size)
    fail(Code::kInvalid, "a tensor {}[{}] is larger than the address space", name_of(dtype), fmt::join(dims, ","));
  return static_cast<size_t>(count * size);
}

// Zeroed by calloc, so that the pages of a large tensor cost nothing until they are written.
std::shared_ptr<const void> allocate(size_t size, std::byte*& data) {
  void* block = size <= kMaxBytes ? std::calloc(size + kAlignment, 1) : nullptr;
  if (block == nullptr) fail(Code::kInvalid, "no memory for a tensor of {} bytes", size);
  const auto address = reinterpret_cast<uintptr_t>(block);
  data = static_cast<std::byte*>(block) + (kAlignment - address % kAlignment) % kAlignment;
  return std::shared_ptr<const void>(block, [](const void* p) { std::free(const_cast<void*>(p)); });
}

template <class T>
T load(const std::byte* data, int64_t i) {
  T value;
  std::memcpy(&value, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}
template <class T>
void store(std::byte* data, int64_t i, T value) {
  std::memcpy(data + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

template <class T>
T to_integer(double rounded) {
  if (std::isnan(rounded)) return 0;
  if (rounded <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (rounded >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(rounded);
}
template <class T>
T to_integer(int64_t value) {
  if (value < std::numeric_limits<T>::min()) return std::numeric_limits<T>::min();
  if (value > std::numeric_limits<T>::max()) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

// To a double with at most 43 + 1 leading bits, the last one sticky: rounding that to a format of <= 24 bits equals
// rounding `value` itself, which a plain cast (to 53 bits, nearest) does not.
double sticky(int64_t value) {
  const uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  if (magnitude >> 53 == 0) return static_cast<double>(value);
  const uint64_t low = magnitude & 0x7ff;
  const auto kept = static_cast<double>((magnitude - low) | (low != 0 ? 0x800 : 0));
  return value < 0 ? -kept : kept;
}

double round_even(double value) { return std::nearbyint(value); }  // octet never leaves the default rounding mode

}  // namespace

int64_t element_count(std::span<const int64_t> dims) {
  bool empty = false;
  for (const int64_t dim : dims) {
    if (dim < 0) fail(Code::kInvalid, "a dimension of [{}] is negative", fmt::join(dims, ","));
    empty |= dim == 0;
  }
  if (empty) return 0;
  int64_t count = 1;
  for (const int64_t dim : dims) {
    if (dim > kMaxCount / count) fail(Code::kInvalid, "the element count of [{}] exceeds 2^62", fmt::join(dims, ","));
    count *= dim;
  }
  return count;
}

HostTensor::HostTensor(DType dtype, std::vector<int64_t> dims) : dtype_(dtype), dims_(std::move(dims)), owned_(true) {
  const size_t size = byte_size(dtype_, dims_);
  count_ = static_cast<int64_t>(size / size_of(dtype_));
  std::byte* data = nullptr;
  owner_ = allocate(size, data);
  data_ = data;
}

HostTensor::HostTensor(DType dtype, std::vector<int64_t> dims, std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
    : dtype_(dtype), dims_(std::move(dims)), data_(bytes.data()), owner_(std::move(owner)) {
  const size_t size = byte_size(dtype_, dims_);
  if (bytes.size() != size)
    fail(Code::kInvalid, "a tensor {}[{}] has {} bytes, not {}", name_of(dtype_), fmt::join(dims_, ","), size, bytes.size());
  count_ = static_cast<int64_t>(size / size_of(dtype_));
}

std::byte* HostTensor::mutable_data() {
  if (!owned_ || owner_.use_count() != 1) {
    std::byte* data = nullptr;
    auto owner = allocate(bytes().size(), data);
    if (count_ > 0) std::memcpy(data, data_, bytes().size());
    owner_ = std::move(owner), data_ = data, owned_ = true;
  }
  return const_cast<std::byte*>(data_);
}

HostTensor HostTensor::reshaped(std::vector<int64_t> dims) const {
  if (element_count(dims) != count_)
    fail(Code::kInvalid, "{} cannot be reshaped to [{}]: the element counts differ", describe(*this), fmt::join(dims, ","));
  HostTensor result = *this;
  result.dims_ = std::move(dims);
  return result;
}

double HostTensor::at(int64_t i) const {
  OCTET_CHECK(i >= 0 && i < count_, i, count_);
  switch (dtype_) {
    case DType::f32:
      return load<float>(data_, i);
    case DType::f16:
      return decode_f16(load<uint16_t>(data_, i));
    case DType::bf16:
      return decode_bf16(load<uint16_t>(data_, i));
    case DType::e4m3:
      return decode_e4m3(load<uint8_t>(data_, i));
    case DType::e5m2:
      return decode_e5m2(load<uint8_t>(data_, i));
    case DType::e8m0:
      return decode_e8m0(load<uint8_t>(data_, i));
    case DType::f64:
      return load<double>(data_, i);
    default:
      return static_cast<double>(at_int(i));
  }
}

int64_t HostTensor::at_int(int64_t i) const {
  OCTET_CHECK(i >= 0 && i < count_, i, count_);
  switch (dtype_) {
    case DType::i8:
      return load<int8_t>(data_, i);
    case DType::u8:
      return load<uint8_t>(data_, i);
    case DType::i32:
      return load<int32_t>(data_, i);
    case DType::i64:
      return load<int64_t>(data_, i);
    case DType::boolean:
      return load<uint8_t>(data_, i) != 0;
    default:
      return to_integer<int64_t>(std::trunc(at(i)));
  }
}

void HostTensor::set(int64_t i, double value) {
  OCTET_CHECK(i >= 0 && i < count_, i, count_);
  std::byte* data = mutable_data();
  switch (dtype_) {
    case DType::f32:
      return store(data, i, encode_f32(value));
    case DType::f16:
      return store(data, i, encode_f16(value));
    case DType::bf16:
      return store(data, i, encode_bf16(value));
    case DType::e4m3:
      return store(data, i, encode_e4m3(value));
    case DType::e5m2:
      return store(data, i, encode_e5m2(value));
    case DType::e8m0:
      return store(data, i, encode_e8m0(value));
    case DType::i8:
      return store(data, i, to_integer<int8_t>(round_even(value)));
    case DType::u8:
      return store(data, i, to_integer<uint8_t>(round_even(value)));
    case DType::i32:
      return store(data, i, to_integer<int32_t>(round_even(value)));
    case DType::i64:
      return store(data, i, to_integer<int64_t>(round_even(value)));
    case DType::boolean:
      return store(data, i, static_cast<uint8_t>(value != 0));
    case DType::f64:
      return store(data, i, value);
  }
}

void HostTensor::set_int(int64_t i, int64_t value) {
  OCTET_CHECK(i >= 0 && i < count_, i, count_);
  switch (dtype_) {
    case DType::i8:
      return store(mutable_data(), i, to_integer<int8_t>(value));
    case DType::u8:
      return store(mutable_data(), i, to_integer<uint8_t>(value));
    case DType::i32:
      return store(mutable_data(), i, to_integer<int32_t>(value));
    case DType::i64:
      return store(mutable_data(), i, value);
    case DType::boolean:
      return store(mutable_data(), i, static_cast<uint8_t>(value != 0));
    case DType::f64:
      return store(mutable_data(), i, static_cast<double>(value));
    default:
      return set(i, sticky(value));
  }
}

bool HostTensor::same_bytes(const HostTensor& other) const {
  return dtype_ == other.dtype_ && dims_ == other.dims_ && (count_ == 0 || std::memcmp(data_, other.data_, bytes().size()) == 0);
}

std::vector<float> to_f32(const HostTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.count()));
  const std::byte* data = tensor.bytes().data();
  for (int64_t i = 0; i < tensor.count(); ++i) {
    float& value = values[static_cast<size_t>(i)];
    switch (tensor.dtype()) {
      case DType::f64:
        value = encode_f32(load<double>(data, i));
        break;
      case DType::i64:
        value = static_cast<float>(load<int64_t>(data, i));
        break;
      case DType::i32:
        value = static_cast<float>(load<int32_t>(data, i));
        break;
      case DType::i8:
      case DType::u8:
      case DType::boolean:
        value = static_cast<float>(tensor.at_int(i));
        break;
      default:
        decode_many(tensor.dtype(), data, tensor.count(), values.data());
        return values;
    }
  }
  return values;
}

HostTensor from_f32(DType dtype, std::vector<int64_t> dims, std::span<const float> values) {
  HostTensor tensor(dtype, std::move(dims));
  OCTET_CHECK(tensor.count() == static_cast<int64_t>(values.size()), describe(tensor), values.size());
  const bool is_small = (is_float(dtype) && dtype != DType::f64) || is_float8(dtype) || dtype == DType::e8m0;
  if (is_small) encode_many(dtype, values.data(), tensor.count(), tensor.mutable_data());
  else
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, values[static_cast<size_t>(i)]);
  return tensor;
}

std::string describe(const HostTensor& tensor) { return fmt::format("{}[{}]", name_of(tensor.dtype()), fmt::join(tensor.dims(), ",")); }

}  // namespace octet
