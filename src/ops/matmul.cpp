// MatMul and Gemm: one blocked product, fast enough to run a small model in seconds.
#include "ops/matmul.h"

#include <algorithm>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

constexpr int64_t kRows = 8, kColumns = 256;  // a block of sums is 16 KiB and stays in the first cache

template <class T>
struct Sum {
  using Type = double;  // products of f32 are exact in it
};
template <>
struct Sum<int64_t> {
  using Type = uint64_t;  // wraps
};

// The dense elements of a tensor, as the product reads them; transposed if asked for ([rows, columns] of a matrix).
template <class T>
std::vector<T> dense(const HostTensor& tensor, bool transposed = false) {
  std::vector<T> values;
  if constexpr (std::is_same_v<T, float>) values = to_f32(tensor);
  else if constexpr (std::is_same_v<T, int64_t>) values = ops::integers(tensor);
  else {
    const ops::Reader read(tensor);
    values.resize(static_cast<size_t>(tensor.count()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = read[static_cast<int64_t>(i)];
  }
  if (!transposed) return values;
  const auto rows = static_cast<size_t>(tensor.dims()[0]), columns = static_cast<size_t>(tensor.dims()[1]);
  std::vector<T> out(values.size());
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j) out[j * rows + i] = values[i * columns + j];
  return out;
}

struct Sizes {
  int64_t m, n, k;
};

// put(row, column, sum over k of a[row, k] * b[k, column]) for every element; a, b dense and row-major.
template <class T, class Put>
void multiply(const T* a, const T* b, Sizes size, Put put) {
  using Acc = typename Sum<T>::Type;
  std::vector<Acc> sums(kRows * kColumns);
  for (int64_t row = 0; row < size.m; row += kRows)
    for (int64_t column = 0; column < size.n; column += kColumns) {
      const int64_t rows = std::min(kRows, size.m - row), columns = std::min(kColumns, size.n - column);
      std::fill(sums.begin(), sums.end(), Acc{});
      for (int64_t k = 0; k < size.k; ++k)
        for (int64_t r = 0; r < rows; ++r) {
          const auto factor = static_cast<Acc>(a[(row + r) * size.k + k]);
          Acc* sum = sums.data() + r * kColumns;
          const T* from = b + k * size.n + column;
          for (int64_t c = 0; c < columns; ++c) sum[c] += factor * static_cast<Acc>(from[c]);
        }
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) put(row + r, column + c, sums[static_cast<size_t>(r * kColumns + c)]);
    }
}

// f(zero of the type that the elements of a float tensor are read as, a writer of `out`).
template <class F>
void dispatch_float(HostTensor& out, F f) {
  if (out.dtype() == DType::f64) f(double{}, ops::Writer(out));
  else f(float{}, ops::Writer(out));
}

// MatMul's dimensions after a vector operand got its axis of 1.
Shape matrix_shape(const Shape& shape, bool left) {
  if (shape.size() != 1) return shape;
  return left ? Shape{Dim(1), shape[0]} : Shape{shape[0], Dim(1)};
}

bool inner_agrees(InferContext& context, const Dim& a, const Dim& b) {
  const auto both = ops::broadcast(a, b);  // refuses what no size of the symbols can make equal
  const bool ones = a.is_static() && b.is_static();
  return ops::check(context, both && (!ones || a == b), "S2",
                    fmt::format("the inner dimensions {} of {} and {} of {} differ", to_string(a), context.input_name(0), to_string(b),
                                context.input_name(1)));
}

}  // namespace

std::vector<Inferred> MatMul::infer(InferContext& context) const {
  const TensorType &left = context.in(0).type, &right = context.in(1).type;
  ops::same_dtype(context, "T1", 0, 2);
  ops::number_input(context, "T2", 0);
  if (!ops::check(context, !left.shape.empty() && !right.shape.empty(), "S1", "an operand is a scalar", "use Mul")) return {{left, {}}};
  const Shape a = matrix_shape(left.shape, true), b = matrix_shape(right.shape, false);
  if (!inner_agrees(context, a.back(), b[b.size() - 2])) return {{left, {}}};
  auto out = ops::broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!ops::check(context, out.has_value(), "S3",
                  fmt::format("the leading axes of {} and {} do not broadcast", to_string(left.shape), to_string(right.shape))))
    return {{left, {}}};
  if (left.shape.size() > 1) out->push_back(a[a.size() - 2]);
  if (right.shape.size() > 1) out->push_back(b.back());
  return {ops::output(context, left.dtype, std::move(*out))};
}

std::vector<HostTensor> MatMul::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto a = static_dims(matrix_shape(to_shape(in[0]->dims()), true)), b = static_dims(matrix_shape(to_shape(in[1]->dims()), false));
  const Sizes size{a[a.size() - 2], b.back(), a.back()};
  const std::vector<int64_t> a_batch(a.begin(), a.end() - 2), b_batch(b.begin(), b.end() - 2);
  const auto batch = static_dims(*ops::broadcast(to_shape(a_batch), to_shape(b_batch)));
  if (out[0].count() == 0) return out;
  const auto run = [&](auto zero, const auto& write) {
    using T = decltype(zero);
    const auto x = dense<T>(*in[0]), y = dense<T>(*in[1]);
    ops::walk(batch, std::array{ops::broadcast_strides(a_batch, batch), ops::broadcast_strides(b_batch, batch)},
              [&](int64_t i, const std::array<int64_t, 2>& at) {
                multiply(x.data() + at[0] * size.m * size.k, y.data() + at[1] * size.k * size.n, size,
                         [&](int64_t m, int64_t n, auto sum) { write((i * size.m + m) * size.n + n, sum); });
              });
  };
  if (is_float(out[0].dtype())) dispatch_float(out[0], run);
  else run(int64_t{}, ops::IntWriter(out[0]));
  return out;
}

std::vector<Inferred> Gemm::infer(InferContext& context) const {
  const TensorType &left = context.in(0).type, &right = context.in(1).type;
  ops::same_dtype(context, "T1", 0, 3);
  ops::float_input(context, "T2", 0);
  if (!ops::check(context, left.shape.size() == 2 && right.shape.size() == 2, "S1",
                  fmt::format("the operands {} and {} are not both matrices", to_string(left.shape), to_string(right.shape))))
    return {{left, {}}};
  Shape a = left.shape, b = right.shape;
  if (transA != 0) std::swap(a[0], a[1]);
  if (transB != 0) std::swap(b[0], b[1]);
  inner_agrees(context, a[1], b[0]);
  const Shape out{a[0], b[1]};
  if (const Operand* c = context.input(2)) {
    const auto both = ops::broadcast(out, c->type.shape);
    const bool fits =
        both && both->size() == 2 && (!out[0].is_static() || (*both)[0] == out[0]) && (!out[1].is_static() || (*both)[1] == out[1]);
    ops::check(context, fits, "S3",
               fmt::format("{} of shape {} does not broadcast to {}", context.input_name(2), to_string(c->type.shape), to_string(out)));
  }
  return {ops::output(context, left.dtype, out)};
}

std::vector<HostTensor> Gemm::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto& dims = out[0].dims();
  const Sizes size{dims[0], dims[1], in[0]->dims()[transA != 0 ? 0 : 1]};
  const HostTensor* c = ops::optional_input(in, 2);
  dispatch_float(out[0], [&](auto zero, const auto& write) {
    using T = decltype(zero);
    const auto x = dense<T>(*in[0], transA != 0), y = dense<T>(*in[1], transB != 0);
    const auto bias = c == nullptr ? std::vector<T>(1) : dense<T>(*c);
    const auto strides = ops::broadcast_strides(c == nullptr ? std::vector<int64_t>{} : c->dims(), dims);
    multiply(x.data(), y.data(), size, [&](int64_t m, int64_t n, double sum) {
      const double added = bias[static_cast<size_t>(m * strides[0] + n * strides[1])];
      write(m * size.n + n, static_cast<double>(alpha) * sum + static_cast<double>(beta) * added);
    });
  });
  return out;
}

}  // namespace octet
