// ConvTranspose: the plain sum, gathered for each output.
#include "ops/conv_transpose.h"

#include <algorithm>
#include <array>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

constexpr int64_t kLimit = int64_t{1} << 30;  // on every attribute and size: no sum or product below overflows

bool in_range(const std::vector<int64_t>& values, size_t length, int64_t least) {
  return (values.empty() || values.size() == length) &&
         std::all_of(values.begin(), values.end(), [&](int64_t v) { return v >= least && v < kLimit; });
}
int64_t value_at(const std::vector<int64_t>& values, size_t axis, int64_t fallback) { return values.empty() ? fallback : values[axis]; }

bool check_attributes(InferContext& context, const ConvTranspose& op) {
  bool good = ops::check(context, in_range(op.strides, 2, 1), "A1", "strides must be two numbers >= 1");
  good &= ops::check(context, in_range(op.dilations, 2, 1), "A1", "dilations must be two numbers >= 1");
  good &= ops::check(context, in_range(op.pads, 4, 0), "A1", "pads must be four numbers >= 0");
  good &= ops::check(context, in_range(op.output_padding, 2, 0), "A1", "output_padding must be two numbers >= 0");
  good &= ops::check(context, op.group >= 1, "A1", fmt::format("group is {}", op.group));
  good &= ops::check(context, op.output_shape.empty(), "A1", "output_shape is given", "give pads and output_padding instead");
  return good & ops::check(context, op.auto_pad == "NOTSET", "A1", fmt::format("auto_pad is \"{}\"", op.auto_pad), "give pads instead");
}

Dim out_dim(InferContext& context, const ConvTranspose& op, size_t axis, const Dim& in, int64_t kernel) {
  if (!in.is_static()) return fresh_dim();
  const int64_t reach = (kernel - 1) * value_at(op.dilations, axis, 1) + 1;
  const int64_t whole = value_at(op.strides, axis, 1) * (std::min(in.value, kLimit) - 1) + reach;
  const int64_t size = whole + value_at(op.output_padding, axis, 0) - value_at(op.pads, axis, 0) - value_at(op.pads, axis + 2, 0);
  ops::check(context, size >= 1, "S4", fmt::format("pads leave {} of an axis of {}", size, whole));
  return std::max<int64_t>(size, 1);
}

}  // namespace

std::vector<Inferred> ConvTranspose::infer(InferContext& context) const {
  const TensorType &x = context.in(0).type, &w = context.in(1).type;
  ops::same_dtype(context, "T1", 0, 3);
  ops::check_dtype(context, "T2", 0, is_float(x.dtype) && x.dtype != DType::f64, "f32, f16 or bf16", DType::f32);
  const bool good = check_attributes(context, *this);
  if (!ops::check(context, x.shape.size() == 4 && w.shape.size() == 4, "S1",
                  fmt::format("input {} and weight {} are not both of rank 4", to_string(x.shape), to_string(w.shape)),
                  "only convolutions in two dimensions are supported") ||
      !good || !ops::check(context, all_static(w.shape), "S1", "the weight's shape is symbolic"))
    return {{x, {}}};
  const auto dims = static_dims(w.shape);
  const bool agree = (!x.shape[1].is_static() || x.shape[1].value == dims[0]) && dims[0] % group == 0 && dims[1] < kLimit && group < kLimit;
  ops::check(context, agree, "S2",
             fmt::format("{} channels, {} groups and the weight {} do not agree", to_string(x.shape[1]), group, to_string(w.shape)));
  const bool kernel_fits = kernel_shape.empty() || kernel_shape == std::vector<int64_t>{dims[2], dims[3]};
  const bool kernel_ok = dims[2] >= 1 && dims[3] >= 1 && dims[2] < kLimit && dims[3] < kLimit;
  if (!agree ||
      !ops::check(context, kernel_fits && kernel_ok, "A1", fmt::format("kernel_shape and the weight {} do not agree", to_string(w.shape))))
    return {{x, {}}};
  const int64_t outputs = dims[1] * group;
  if (const Operand* bias = context.input(2))
    ops::check(context, bias->type.shape == Shape{outputs}, "S3",
               fmt::format("the bias has the shape {}, not [{}]", to_string(bias->type.shape), outputs));
  return {
      ops::output(context, x.dtype,
                  {x.shape[0], outputs, out_dim(context, *this, 0, x.shape[2], dims[2]), out_dim(context, *this, 1, x.shape[3], dims[3])})};
}

std::vector<HostTensor> ConvTranspose::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto &x_dims = in[0]->dims(), &w_dims = in[1]->dims(), &y_dims = out[0].dims();
  const HostTensor* bias = ops::optional_input(in, 2);
  const auto x = to_f32(*in[0]), w = to_f32(*in[1]);
  const ops::Writer write(out[0]);
  const int64_t a_group = x_dims[1] / group, outputs = w_dims[1];
  // The input row whose kernel reaches output `at` with tap `tap`; -1 if there is none.
  const auto source = [&](size_t axis, int64_t at, int64_t tap) -> int64_t {
    const int64_t shifted = at + value_at(pads, axis, 0) - tap * value_at(dilations, axis, 1), stride = value_at(strides, axis, 1);
    return shifted < 0 || shifted % stride != 0 || shifted / stride >= x_dims[axis + 2] ? -1 : shifted / stride;
  };
  const auto sum = [&](int64_t b, int64_t o, int64_t row, int64_t column) {
    double total = bias == nullptr ? 0 : bias->at(o);
    const int64_t first = o / outputs * a_group;
    for (int64_t u = 0; u < w_dims[2]; ++u)
      for (int64_t v = 0; v < w_dims[3]; ++v) {
        const int64_t p = source(0, row, u), q = source(1, column, v);
        for (int64_t c = first; p >= 0 && q >= 0 && c < first + a_group; ++c) {
          const auto at = static_cast<size_t>(((b * x_dims[1] + c) * x_dims[2] + p) * x_dims[3] + q);
          const auto tap = static_cast<size_t>(((c * outputs + o % outputs) * w_dims[2] + u) * w_dims[3] + v);
          total += static_cast<double>(x[at]) * static_cast<double>(w[tap]);
        }
      }
    return total;
  };
  ops::walk(y_dims, std::array<std::vector<int64_t>, 0>{}, [&](int64_t i, const auto&) {
    const int64_t column = i % y_dims[3], row = i / y_dims[3] % y_dims[2], plane = i / y_dims[3] / y_dims[2];
    write(i, sum(plane / y_dims[1], plane % y_dims[1], row, column));
  });
  return out;
}

}  // namespace octet
