#include "cuda/driver/tensor_map.h"

#include "cuda/driver/api.h"

namespace octet::cuda {
namespace {

int element_type(DType element) {
  switch (element) {
    case DType::e4m3:
      return driver::kTensorUint8;
    case DType::f16:
      return driver::kTensorFloat16;
    case DType::bf16:
      return driver::kTensorBfloat16;
    case DType::f32:
      return driver::kTensorFloat32;
    default:
      fail(Code::kInternal, "no tensor map of {}", element);
  }
}

}  // namespace

TensorMap encode_tensor_map(DType element, Address base, std::span<const uint64_t> dims, std::span<const uint64_t> strides_bytes,
                            std::span<const uint32_t> box, Swizzle swizzle) {
  static constexpr uint32_t kUnitStrides[5] = {1, 1, 1, 1, 1};
  OCTET_CHECK(dims.size() >= 1 && dims.size() <= 5 && strides_bytes.size() + 1 == dims.size() && box.size() == dims.size());
  alignas(128) TensorMap map;  // as cuda.h of CUDA 13 aligns what is encoded; in parameters 64 bytes do (PTX ISA)
  constexpr int kNoInterleave = 0, kZeroFill = 0;
  driver::api().tensor_map_tiled(map.opaque, element_type(element), static_cast<uint32_t>(dims.size()), reinterpret_cast<void*>(base),
                                 dims.data(), strides_bytes.data(), box.data(), kUnitStrides, kNoInterleave, static_cast<int>(swizzle),
                                 driver::kPromote256, kZeroFill);
  return map;
}

TensorMap encode_tensor_map_2d(DType element, Address base, uint64_t rows, uint64_t cols, uint64_t row_stride_bytes, uint32_t box_rows,
                               uint32_t box_cols, Swizzle swizzle) {
  const uint64_t dims[] = {cols, rows}, strides[] = {row_stride_bytes};
  const uint32_t box[] = {box_cols, box_rows};
  return encode_tensor_map(element, base, dims, strides, box, swizzle);
}

}  // namespace octet::cuda
