#include "frontends/weights.h"

#include <cmath>

#include "numeric/convert.h"

namespace octet {
namespace {

// Transposes in square blocks, so that both sides stay in cache: ViT-L/14 has 600 MB of weights.
constexpr int64_t kBlock = 32;

template <class Body>
void for_each_block(int64_t rows, int64_t cols, Body&& body) {
  for (int64_t r = 0; r < rows; r += kBlock)
    for (int64_t c = 0; c < cols; c += kBlock)
      for (int64_t i = r; i < std::min(rows, r + kBlock); ++i)
        for (int64_t j = c; j < std::min(cols, c + kBlock); ++j) body(i, j);
}

template <class T>
HostTensor transpose_of(const HostTensor& matrix) {
  const int64_t rows = matrix.dims()[0], cols = matrix.dims()[1];
  HostTensor out(matrix.dtype(), {cols, rows});
  const auto* from = matrix.bytes().data();  // may be unaligned: a view of a file
  auto* to = out.mutable_data();
  for_each_block(rows, cols, [&](int64_t i, int64_t j) {
    std::memcpy(to + static_cast<size_t>(j * rows + i) * sizeof(T), from + static_cast<size_t>(i * cols + j) * sizeof(T), sizeof(T));
  });
  return out;
}

HostTensor dequantize(const HostTensor& codes, const HostTensor& scale) {
  std::vector<float> values = to_f32(codes);
  const auto factor = static_cast<float>(scale.at(0));
  for (float& value : values) value *= factor;
  return from_f32(DType::f32, codes.dims(), values);
}

}  // namespace

HostTensor checkpoint_tensor(const Checkpoint& checkpoint, const std::string& name, const std::vector<int64_t>& dims) {
  const HostTensor& tensor = checkpoint.tensor(name);
  if (tensor.dims() != dims)
    fail(Code::kInvalid, "tensor `{}` is {}, config.json makes it [{}]", name, describe(tensor), fmt::join(dims, ","));
  if (tensor.dtype() == DType::e4m3 && checkpoint.quant.by_name.contains(name + "_quantizer"))
    return dequantize(tensor, checkpoint.tensor(name + "_scale"));
  if (!is_float(tensor.dtype()))
    throw Error(Code::kUnsupported,
                fmt::format("tensor `{}` is {}; this frontend reads f16, bf16 and f32 weights", name, describe(tensor)));
  return tensor;
}

HostTensor cast_tensor(const HostTensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  const std::vector<float> values = to_f32(tensor);
  HostTensor out = from_f32(dtype, tensor.dims(), values);
  if (dtype == DType::f16)
    for (const float value : values)
      if (std::isfinite(value) && std::abs(value) >= 65520.0f)
        fail(Code::kInvalid, "a weight of {} does not fit f16: export with --precision bf16 or fp32", value);
  return out;
}

HostTensor transpose(const HostTensor& matrix) {
  switch (size_of(matrix.dtype())) {
    case 1:
      return transpose_of<uint8_t>(matrix);
    case 2:
      return transpose_of<uint16_t>(matrix);
    case 4:
      return transpose_of<uint32_t>(matrix);
    default:
      return transpose_of<uint64_t>(matrix);
  }
}

HostTensor quantize_transposed(const HostTensor& matrix, const std::vector<float>& scales, bool through_f16) {
  const int64_t rows = matrix.dims()[0], cols = matrix.dims()[1];
  const std::vector<float> values = to_f32(matrix);
  HostTensor out(DType::e4m3, {cols, rows});
  const auto codes = out.mut<uint8_t>();
  for_each_block(rows, cols, [&](int64_t i, int64_t j) {
    const float scale = scales[scales.size() == 1 ? 0 : static_cast<size_t>(i)];
    const float quotient = values[static_cast<size_t>(i * cols + j)] / scale;
    codes[static_cast<size_t>(j * rows + i)] = encode_e4m3(through_f16 ? decode_f16(encode_f16(quotient)) : quotient);
  });
  return out;
}

}  // namespace octet
