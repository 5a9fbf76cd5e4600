// What references are made of: outputs whose types come from the operator's own rule, element access without a switch per
// element, and strided walks. References are slow and plain; they only ever touch memory that the rule has sized.
#pragma once
#include <array>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "ir/op.h"

namespace octet::ops {

using Inputs = std::span<const HostTensor* const>;
inline constexpr int64_t kMaxOutputBytes = int64_t{1} << 31;
inline constexpr int kAnyOpset = 20;  // for rules that do not depend on it

using Rule = std::function<std::vector<Inferred>(InferContext&)>;

// Runs a rule on tensors: their types are static and their values known, so the types of the outputs are static, too.
// Throws Error{kInvalid} with every violation, Error{kUnsupported} if an output exceeds kMaxOutputBytes.
std::vector<TensorType> output_types(const Rule& rule, Inputs in, int opset, int count);
// Zero tensors of those types: what a reference fills.
std::vector<HostTensor> outputs_by_rule(const Rule& rule, Inputs in, int opset, int count);
template <class T>
std::vector<HostTensor> make_outputs(const T& op, Inputs in, int opset = kAnyOpset, int count = 1) {
  return outputs_by_rule([&](InferContext& context) { return op.infer(context); }, in, opset, count);
}
// Input i, or nullptr if omitted.
inline const HostTensor* optional_input(Inputs in, size_t i) { return i < in.size() ? in[i] : nullptr; }

// Element access by a function chosen once per tensor.
class Reader {  // as double, exact but for i64
 public:
  explicit Reader(const HostTensor& tensor);
  double operator[](int64_t i) const { return load_(data_, i); }

 private:
  const std::byte* data_;
  double (*load_)(const std::byte*, int64_t);
};
class IntReader {  // of i8 u8 i32 i64 bool
 public:
  explicit IntReader(const HostTensor& tensor);
  int64_t operator[](int64_t i) const { return load_(data_, i); }

 private:
  const std::byte* data_;
  int64_t (*load_)(const std::byte*, int64_t);
};
class Writer {  // of floats: rounds once to nearest even
 public:
  explicit Writer(HostTensor& tensor);
  void operator()(int64_t i, double value) const { store_(data_, i, value); }

 private:
  std::byte* data_;
  void (*store_)(std::byte*, int64_t, double);
};
class IntWriter {  // of i8 u8 i32 i64 (keeps the low bits) and bool (!= 0)
 public:
  explicit IntWriter(HostTensor& tensor);
  void operator()(int64_t i, int64_t value) const { store_(data_, i, value); }

 private:
  std::byte* data_;
  void (*store_)(std::byte*, int64_t, int64_t);
};

// The code of `value` in e4m3 or e5m2, rounded once; without `saturate` out of range gives NaN (e4m3) or infinity (e5m2).
uint8_t encode_f8(DType dtype, double value, bool saturate);

std::vector<int64_t> integers(const HostTensor& tensor);
std::vector<int64_t> strides_of(std::span<const int64_t> dims);  // in elements, row-major
// The strides that walk a tensor of `dims` along axes `out`: 0 on broadcast axes.
std::vector<int64_t> broadcast_strides(std::span<const int64_t> dims, std::span<const int64_t> out);
int64_t product_of(std::span<const int64_t> dims, size_t begin, size_t end);  // of dims[begin, end)

// Calls body(i, offsets) for every index of `dims` in row-major order: i counts, offsets[n] = sum of index * strides[n].
template <size_t kCount, class Body>
void walk(std::span<const int64_t> dims, const std::array<std::vector<int64_t>, kCount>& strides, Body&& body) {
  for (const int64_t dim : dims)
    if (dim == 0) return;
  std::vector<int64_t> index(dims.size());
  std::array<int64_t, kCount> offsets{};
  for (int64_t i = 0;; ++i) {
    body(i, offsets);
    size_t axis = dims.size();
    while (axis > 0) {
      --axis;
      for (size_t n = 0; n < kCount; ++n) offsets[n] += strides[n][axis];
      if (++index[axis] < dims[axis]) break;
      for (size_t n = 0; n < kCount; ++n) offsets[n] -= strides[n][axis] * dims[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (dims.empty()) return;
  }
}

// One side of a strided copy; offset and strides in elements.
struct Strided {
  int64_t offset;
  std::vector<int64_t> strides;
};
// out[index] = in[index] for every index of `dims`; both have one type. Serves transposes, slices, tiles, pads, joins.
void copy_strided(HostTensor& out, const Strided& to, const HostTensor& in, const Strided& from, std::span<const int64_t> dims);

// A tensor seen as [outer, size, inner] around one axis (0 <= axis < rank).
struct Around {
  int64_t outer, size, inner;
};
Around around(std::span<const int64_t> dims, int64_t axis);

}  // namespace octet::ops
