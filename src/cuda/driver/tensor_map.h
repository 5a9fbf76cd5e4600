// Tensor maps: what a TMA instruction knows of an array in device memory. Kernels' host code encodes them into launch parameters.
// Source: CUDA 13.0 driver API, cuTensorMapEncodeTiled. Needs the driver: throws Error{kUnsupported} where there is none.
#pragma once
#include <cstdint>
#include <span>

#include "cuda/kernels/kernel.h"

namespace octet::cuda {

// CUtensorMap. In device code it is passed by address: 64-byte aligned, inside the __grid_constant__ parameters.
struct TensorMap {
  alignas(64) unsigned char opaque[128];
};

// How a box lies in shared memory: 16-byte pieces are exchanged within 32-, 64- or 128-byte rows so that columns meet all banks.
enum class Swizzle : uint8_t { kNone = 0, k32, k64, k128 };

// An array of `dims` elements (innermost first, at most 5), `strides_bytes` between elements of dims 1.. (multiples of 16), copied in
// boxes of `box` elements (at most 256 each; box[0] bytes: a multiple of 16, at most the swizzle's width). Elements outside the array
// read as zeros and are not written. base: 16-byte aligned. element: e4m3 (as bytes), f16, bf16 or f32. Element strides are 1.
TensorMap encode_tensor_map(DType element, Address base, std::span<const uint64_t> dims, std::span<const uint64_t> strides_bytes,
                            std::span<const uint32_t> box, Swizzle swizzle);

// A row-major matrix [rows, cols] of elements, in boxes [box_rows, box_cols].
TensorMap encode_tensor_map_2d(DType element, Address base, uint64_t rows, uint64_t cols, uint64_t row_stride_bytes, uint32_t box_rows,
                               uint32_t box_cols, Swizzle swizzle);

}  // namespace octet::cuda
