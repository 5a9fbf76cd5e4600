// Element access, strided copies, and rules run on tensors.
#include "ops/elements.h"

#include <algorithm>
#include <cmath>

#include "numeric/convert.h"

namespace octet::ops {
namespace {

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

using Load = double (*)(const std::byte*, int64_t);
using LoadInt = int64_t (*)(const std::byte*, int64_t);
using Store = void (*)(std::byte*, int64_t, double);
using StoreInt = void (*)(std::byte*, int64_t, int64_t);

template <class T>
double load_plain(const std::byte* d, int64_t i) {
  return static_cast<double>(load<T>(d, i));
}
template <class T>
int64_t load_int(const std::byte* d, int64_t i) {
  return load<T>(d, i);
}
template <class T>
void store_int(std::byte* d, int64_t i, int64_t v) {
  store<T>(d, i, static_cast<T>(v));
}

Load loader(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return load_plain<float>;
    case DType::f64:
      return load_plain<double>;
    case DType::f16:
      return [](const std::byte* d, int64_t i) -> double { return decode_f16(load<uint16_t>(d, i)); };
    case DType::bf16:
      return [](const std::byte* d, int64_t i) -> double { return decode_bf16(load<uint16_t>(d, i)); };
    case DType::e4m3:
      return [](const std::byte* d, int64_t i) -> double { return decode_e4m3(load<uint8_t>(d, i)); };
    case DType::e5m2:
      return [](const std::byte* d, int64_t i) -> double { return decode_e5m2(load<uint8_t>(d, i)); };
    case DType::e8m0:
      return [](const std::byte* d, int64_t i) -> double { return decode_e8m0(load<uint8_t>(d, i)); };
    case DType::i8:
      return load_plain<int8_t>;
    case DType::u8:
      return load_plain<uint8_t>;
    case DType::i32:
      return load_plain<int32_t>;
    case DType::i64:
      return load_plain<int64_t>;
    case DType::boolean:
      return [](const std::byte* d, int64_t i) -> double { return load<uint8_t>(d, i) != 0; };
  }
  OCTET_CHECK(false, static_cast<int>(dtype));
  return nullptr;
}

LoadInt int_loader(DType dtype) {
  switch (dtype) {
    case DType::i8:
      return load_int<int8_t>;
    case DType::u8:
      return load_int<uint8_t>;
    case DType::i32:
      return load_int<int32_t>;
    case DType::i64:
      return load_int<int64_t>;
    case DType::boolean:
      return [](const std::byte* d, int64_t i) -> int64_t { return load<uint8_t>(d, i) != 0; };
    default:
      fail(Code::kInvalid, "a tensor of integers is needed here, not of {}", dtype);
  }
}

Store storer(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return [](std::byte* d, int64_t i, double v) { store(d, i, encode_f32(v)); };
    case DType::f64:
      return [](std::byte* d, int64_t i, double v) { store(d, i, v); };
    case DType::f16:
      return [](std::byte* d, int64_t i, double v) { store(d, i, encode_f16(v)); };
    case DType::bf16:
      return [](std::byte* d, int64_t i, double v) { store(d, i, encode_bf16(v)); };
    case DType::e4m3:
      return [](std::byte* d, int64_t i, double v) { store(d, i, encode_e4m3(v)); };
    case DType::e5m2:
      return [](std::byte* d, int64_t i, double v) { store(d, i, encode_e5m2(v)); };
    case DType::e8m0:
      return [](std::byte* d, int64_t i, double v) { store(d, i, encode_e8m0(v)); };
    default:
      fail(Code::kInvalid, "a tensor of floats is needed here, not of {}", dtype);
  }
}

StoreInt int_storer(DType dtype) {
  switch (dtype) {
    case DType::i8:
      return store_int<int8_t>;
    case DType::u8:
      return store_int<uint8_t>;
    case DType::i32:
      return store_int<int32_t>;
    case DType::i64:
      return store_int<int64_t>;
    case DType::boolean:
      return [](std::byte* d, int64_t i, int64_t v) { store<uint8_t>(d, i, v != 0); };
    default:
      fail(Code::kInvalid, "a tensor of integers is needed here, not of {}", dtype);
  }
}

// A rule's view of tensors at hand.
class TensorContext : public InferContext {
 public:
  TensorContext(Inputs in, int opset, int outputs) : opset_(opset), outputs_(outputs) {
    for (const HostTensor* tensor : in) {
      operands_.push_back({});
      if (tensor != nullptr) operands_.back() = Operand{{tensor->dtype(), to_shape(tensor->dims())}, tensor, nullptr};
    }
  }
  int opset() const override { return opset_; }
  int input_count() const override { return static_cast<int>(operands_.size()); }
  int output_count() const override { return outputs_; }
  const Operand* input(int i) const override {
    if (i < 0 || i >= input_count() || operands_[static_cast<size_t>(i)].constant == nullptr) return nullptr;
    return &operands_[static_cast<size_t>(i)];
  }
  void violation(std::string_view rule, std::string what, std::string fix) override {
    messages_ += fmt::format("{}{} [{}]", messages_.empty() ? "" : "; ", what, rule);
    if (fix_.empty()) fix_ = std::move(fix);
  }
  void throw_violations() const {
    if (!messages_.empty()) throw Error(Code::kInvalid, messages_, fix_);
  }

 private:
  int opset_, outputs_;
  std::vector<Operand> operands_;
  std::string messages_, fix_;
};

template <class Word>
void copy_words(std::byte* out, const Strided& to, const std::byte* in, const Strided& from, std::span<const int64_t> dims) {
  constexpr int64_t kSize = sizeof(Word);
  const size_t last = dims.size() - 1;
  const bool rows = to.strides[last] == 1 && from.strides[last] == 1;
  const auto outer = dims.first(last);
  const std::array<std::vector<int64_t>, 2> strides{std::vector(to.strides.begin(), to.strides.end() - 1),
                                                    std::vector(from.strides.begin(), from.strides.end() - 1)};
  walk(outer, strides, [&](int64_t, const std::array<int64_t, 2>& offsets) {
    std::byte* target = out + (to.offset + offsets[0]) * kSize;
    const std::byte* source = in + (from.offset + offsets[1]) * kSize;
    if (rows) {
      std::memcpy(target, source, static_cast<size_t>(dims[last] * kSize));
      return;
    }
    for (int64_t i = 0; i < dims[last]; ++i)
      std::memcpy(target + i * to.strides[last] * kSize, source + i * from.strides[last] * kSize, sizeof(Word));
  });
}

}  // namespace

std::vector<TensorType> output_types(const Rule& rule, Inputs in, int opset, int count) {
  TensorContext context(in, opset, count);
  std::vector<Inferred> inferred = rule(context);
  context.throw_violations();
  std::vector<TensorType> out;
  for (Inferred& one : inferred) {
    if (!all_static(one.type.shape))
      fail(Code::kUnsupported, "the size of the output, {}, does not follow from the inputs", to_string(one.type));
    if (element_count(static_dims(one.type.shape)) > kMaxOutputBytes / static_cast<int64_t>(size_of(one.type.dtype)))
      fail(Code::kUnsupported, "the plain interpreter makes no tensor above 2^31 bytes, and {} is", to_string(one.type));
    out.push_back(std::move(one.type));
  }
  return out;
}

std::vector<HostTensor> outputs_by_rule(const Rule& rule, Inputs in, int opset, int count) {
  std::vector<HostTensor> out;
  for (const TensorType& type : output_types(rule, in, opset, count)) out.emplace_back(type.dtype, static_dims(type.shape));
  return out;
}

Reader::Reader(const HostTensor& tensor) : data_(tensor.bytes().data()), load_(loader(tensor.dtype())) {}
IntReader::IntReader(const HostTensor& tensor) : data_(tensor.bytes().data()), load_(int_loader(tensor.dtype())) {}
Writer::Writer(HostTensor& tensor) : data_(tensor.mutable_data()), store_(storer(tensor.dtype())) {}
IntWriter::IntWriter(HostTensor& tensor) : data_(tensor.mutable_data()), store_(int_storer(tensor.dtype())) {}

std::vector<int64_t> integers(const HostTensor& tensor) {
  const IntReader read(tensor);
  std::vector<int64_t> out(static_cast<size_t>(tensor.count()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = read[static_cast<int64_t>(i)];
  return out;
}

std::vector<int64_t> strides_of(std::span<const int64_t> dims) {
  std::vector<int64_t> strides(dims.size());
  uint64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = static_cast<int64_t>(stride);
    stride *= static_cast<uint64_t>(std::max<int64_t>(dims[i], 1));  // wraps only where another dimension is 0
  }
  return strides;
}

std::vector<int64_t> broadcast_strides(std::span<const int64_t> dims, std::span<const int64_t> out) {
  const auto own = strides_of(dims);
  std::vector<int64_t> strides(out.size());
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] != 1) strides[out.size() - dims.size() + i] = own[i];
  return strides;
}

int64_t product_of(std::span<const int64_t> dims, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i)
    if (__builtin_mul_overflow(product, dims[i], &product)) return 0;  // only where another dimension is 0
  return product;
}

uint8_t encode_f8(DType dtype, double value, bool saturate) {
  const bool e4m3 = dtype == DType::e4m3;
  const uint8_t code = e4m3 ? encode_e4m3(value) : encode_e5m2(value);
  // The first value that rounds past the largest finite one: 464 is a tie that goes to 448, 61440 one that goes up.
  const bool outside = e4m3 ? std::fabs(value) > 464 : std::fabs(value) >= 61440;
  if (saturate || !outside) return code;
  return static_cast<uint8_t>((code & 0x80) | (e4m3 ? 0x7f : 0x7c));
}

void copy_strided(HostTensor& out, const Strided& to, const HostTensor& in, const Strided& from, std::span<const int64_t> dims) {
  OCTET_CHECK(out.dtype() == in.dtype() && to.strides.size() == dims.size() && from.strides.size() == dims.size(), dims.size());
  for (const int64_t dim : dims)
    if (dim == 0) return;
  if (dims.empty()) return copy_strided(out, {to.offset, {1}}, in, {from.offset, {1}}, std::array<int64_t, 1>{1});
  std::byte* target = out.mutable_data();
  const std::byte* source = in.bytes().data();
  switch (size_of(in.dtype())) {
    case 1:
      return copy_words<uint8_t>(target, to, source, from, dims);
    case 2:
      return copy_words<uint16_t>(target, to, source, from, dims);
    case 4:
      return copy_words<uint32_t>(target, to, source, from, dims);
    default:
      return copy_words<uint64_t>(target, to, source, from, dims);
  }
}

Around around(std::span<const int64_t> dims, int64_t axis) {
  const auto at = static_cast<size_t>(axis);
  return {product_of(dims, 0, at), dims[at], product_of(dims, at + 1, dims.size())};
}

}  // namespace octet::ops
