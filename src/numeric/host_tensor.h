// A dense row-major tensor in host memory: owned bytes, or a view of bytes that `owner` keeps alive (a mapped file).
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "numeric/dtype.h"

namespace octet {

// Product of non-negative dims; throws Error{kInvalid} if one is negative or the product exceeds 2^62.
int64_t element_count(std::span<const int64_t> dims);

class HostTensor {
 public:
  HostTensor() = default;
  HostTensor(DType dtype, std::vector<int64_t> dims);  // zero-filled, owned, 64-byte aligned; Error{kInvalid} above 512 GiB
  // A view: `bytes` must be exactly element_count(dims) * size_of(dtype), else Error{kInvalid}.
  HostTensor(DType dtype, std::vector<int64_t> dims, std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
  template <class T>
  static HostTensor of(DType dtype, std::vector<int64_t> dims, std::span<const T> values);  // copies the raw values

  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& dims() const { return dims_; }
  int64_t rank() const { return static_cast<int64_t>(dims_.size()); }
  int64_t count() const { return count_; }
  std::span<const std::byte> bytes() const { return {data_, static_cast<size_t>(count_) * size_of(dtype_)}; }
  template <class T>
  std::span<const T> as() const;  // raw elements; sizeof(T) must be size_of(dtype). Views may be unaligned: see at()
  template <class T>
  std::span<T> mut();                                    // a view, or bytes shared with another tensor, are copied first (copy on write)
  std::byte* mutable_data();                             // likewise
  HostTensor reshaped(std::vector<int64_t> dims) const;  // same bytes, other dims of the same count

  // Element i converted exactly to double / int64 (i64 through at_int; there, floats truncate to zero and saturate, NaN
  // is 0). i is checked. Slow; for constants and references.
  double at(int64_t i) const;
  int64_t at_int(int64_t i) const;
  // Stores `value` rounded once (nearest even; e4m3, e5m2, e8m0 and integers saturate; an integer NaN is 0; bool: != 0).
  void set(int64_t i, double value);
  void set_int(int64_t i, int64_t value);
  bool same_bytes(const HostTensor& other) const;  // dtype, dims and every byte equal

 private:
  DType dtype_ = DType::f32;
  std::vector<int64_t> dims_{0};
  int64_t count_ = 0;
  const std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
  bool owned_ = false;
};

std::vector<float> to_f32(const HostTensor& tensor);  // every element, rounded to f32 (exact for all but f64, i32, i64)
HostTensor from_f32(DType dtype, std::vector<int64_t> dims, std::span<const float> values);  // rounds once
std::string describe(const HostTensor& tensor);                                              // "f16[3,4]"

}  // namespace octet

#include "numeric/host_tensor_inl.h"
