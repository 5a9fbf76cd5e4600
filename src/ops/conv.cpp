// Conv in two dimensions: the plain sum.
#include "ops/conv.h"

#include <algorithm>
#include <array>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// The attributes with their defaults filled in; pads as [top, left, bottom, right], resolved against the input for SAME_*.
struct Window {
  std::array<int64_t, 2> kernel, stride, dilation, before, after;
  int64_t reach(size_t axis) const { return (kernel[axis] - 1) * dilation[axis] + 1; }  // input rows under the kernel
};

constexpr int64_t kLimit = int64_t{1} << 30;  // on every attribute: no sum or product below overflows

std::array<int64_t, 2> pair(const std::vector<int64_t>& values, int64_t fallback) {
  if (values.empty()) return {fallback, fallback};
  return {values[0], values[1]};
}

bool in_range(const std::vector<int64_t>& values, size_t length, int64_t least) {
  return (values.empty() || values.size() == length) &&
         std::all_of(values.begin(), values.end(), [&](int64_t v) { return v >= least && v < kLimit; });
}

// A1 on what needs no shape; the rest of A1 (kernel_shape) is in infer().
bool check_attributes(InferContext& context, const Conv& conv) {
  bool good = ops::check(context, in_range(conv.strides, 2, 1), "A1", "strides must be two numbers >= 1");
  good &= ops::check(context, in_range(conv.dilations, 2, 1), "A1", "dilations must be two numbers >= 1");
  good &= ops::check(context, in_range(conv.pads, 4, 0), "A1", "pads must be four numbers >= 0");
  good &= ops::check(context, conv.group >= 1, "A1", fmt::format("group is {}", conv.group));
  const auto& pad = conv.auto_pad;
  return good & ops::check(context, pad == "NOTSET" || pad == "VALID" || pad == "SAME_UPPER" || pad == "SAME_LOWER", "A1",
                           fmt::format("auto_pad is \"{}\"", pad), "use NOTSET, VALID, SAME_UPPER or SAME_LOWER");
}

bool is_same(const Conv& conv) { return conv.auto_pad.starts_with("SAME"); }

Window window(const Conv& conv, std::array<int64_t, 2> kernel) {
  Window out{kernel, pair(conv.strides, 1), pair(conv.dilations, 1), {0, 0}, {0, 0}};
  if (conv.auto_pad == "NOTSET" && !conv.pads.empty()) {
    out.before = {conv.pads[0], conv.pads[1]};
    out.after = {conv.pads[2], conv.pads[3]};
  }
  return out;
}

// The output size along one axis of input size `in`; a negative number where the kernel does not fit.
int64_t out_size(const Conv& conv, const Window& window, size_t axis, int64_t in) {
  if (is_same(conv)) return (in + window.stride[axis] - 1) / window.stride[axis];
  const int64_t room = in + window.before[axis] + window.after[axis] - window.reach(axis);
  return room < 0 ? -1 : room / window.stride[axis] + 1;
}

// S2: `weight` is [O, C/group, ...].
bool channels_agree(const Dim& channels, const std::vector<int64_t>& weight, int64_t group) {
  const bool in = !channels.is_static() || (channels.value % group == 0 && channels.value / group == weight[1]);
  return in && weight[0] % group == 0;
}

Dim out_dim(InferContext& context, const Conv& conv, const Window& window, size_t axis, const Dim& in) {
  if (!in.is_static()) {
    const bool keeps = window.stride[axis] == 1 && (is_same(conv) || window.before[axis] + window.after[axis] == window.reach(axis) - 1);
    return keeps ? in : fresh_dim();
  }
  const int64_t size = in.value < kLimit ? out_size(conv, window, axis, in.value) : -1;
  ops::check(context, size >= 0, "S4", fmt::format("a kernel reaching over {} does not fit an input of {}", window.reach(axis), in.value));
  return std::max<int64_t>(size, 1);
}

}  // namespace

std::vector<Inferred> Conv::infer(InferContext& context) const {
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
  ops::check(context, channels_agree(x.shape[1], dims, group), "S2",
             fmt::format("{} channels, {} groups and the weight {} do not agree", to_string(x.shape[1]), group, to_string(w.shape)));
  if (const Operand* bias = context.input(2))
    ops::check(context, bias->type.shape == Shape{w.shape[0]}, "S3",
               fmt::format("the bias has the shape {}, not [{}]", to_string(bias->type.shape), dims[0]));
  const bool kernel_fits = kernel_shape.empty() || kernel_shape == std::vector<int64_t>{dims[2], dims[3]};
  const bool kernel_ok = dims[2] >= 1 && dims[3] >= 1 && dims[2] < kLimit && dims[3] < kLimit;
  if (!ops::check(context, kernel_fits && kernel_ok, "A1", fmt::format("kernel_shape and the weight {} do not agree", to_string(w.shape))))
    return {{x, {}}};
  const Window view = window(*this, {dims[2], dims[3]});
  return {
      ops::output(context, x.dtype,
                  {x.shape[0], w.shape[0], out_dim(context, *this, view, 0, x.shape[2]), out_dim(context, *this, view, 1, x.shape[3])})};
}

std::vector<HostTensor> Conv::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto &x_dims = in[0]->dims(), &w_dims = in[1]->dims(), &y_dims = out[0].dims();
  Window view = window(*this, {w_dims[2], w_dims[3]});
  for (size_t axis = 0; axis < 2 && is_same(*this); ++axis) {
    const int64_t total = std::max<int64_t>(0, (y_dims[axis + 2] - 1) * view.stride[axis] + view.reach(axis) - x_dims[axis + 2]);
    view.before[axis] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
  }
  const HostTensor* bias = ops::optional_input(in, 2);
  const auto x = to_f32(*in[0]), w = to_f32(*in[1]);
  const ops::Writer write(out[0]);
  const int64_t channels = w_dims[1], outputs_a_group = std::max<int64_t>(y_dims[1] / group, 1);
  const auto sum = [&](int64_t b, int64_t o, int64_t row, int64_t column) {
    double total = bias == nullptr ? 0 : bias->at(o);
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t u = 0; u < view.kernel[0]; ++u) {
        const int64_t i = row * view.stride[0] - view.before[0] + u * view.dilation[0];
        if (i < 0 || i >= x_dims[2]) continue;
        const float* line = x.data() + ((b * x_dims[1] + o / outputs_a_group * channels + c) * x_dims[2] + i) * x_dims[3];
        const float* taps = w.data() + ((o * channels + c) * view.kernel[0] + u) * view.kernel[1];
        for (int64_t v = 0; v < view.kernel[1]; ++v) {
          const int64_t j = column * view.stride[1] - view.before[1] + v * view.dilation[1];
          if (j >= 0 && j < x_dims[3]) total += static_cast<double>(line[j]) * static_cast<double>(taps[v]);
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
