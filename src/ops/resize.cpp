// Resize: axis by axis, every resampling being linear in x.
#include "ops/resize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

bool one_of(const std::string& value, std::initializer_list<std::string_view> allowed) {
  return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

bool check_attributes(InferContext& context, const Resize& op) {
  const auto named = [&](const char* what, const std::string& value, std::initializer_list<std::string_view> allowed) {
    return ops::check(context, one_of(value, allowed), "A1", fmt::format("{} is \"{}\"", what, value),
                      fmt::format("use one of {}", fmt::join(allowed, " ")));
  };
  bool good = named("mode", op.mode, {"nearest", "linear", "cubic"});
  good &= named("coordinate_transformation_mode", op.coordinate_transformation_mode,
                {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"});
  good &= named("nearest_mode", op.nearest_mode, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  good &= named("keep_aspect_ratio_policy", op.keep_aspect_ratio_policy, {"stretch"});
  good &= ops::check(context, op.antialias == 0 && op.exclude_outside == 0 && op.axes.empty(), "A1",
                     "antialias, exclude_outside and axes are not supported");
  return good & ops::check(context, std::isfinite(op.cubic_coeff_a), "A1", fmt::format("cubic_coeff_a is {}", op.cubic_coeff_a));
}

// Where an output position lies in the source.
double position(const Resize& op, int64_t at, int64_t in, int64_t out, double scale) {
  const auto i = static_cast<double>(at);
  if (op.coordinate_transformation_mode == "asymmetric") return i / scale;
  if (op.coordinate_transformation_mode == "align_corners")
    return out == 1 ? 0 : i * static_cast<double>(in - 1) / static_cast<double>(out - 1);
  if (op.coordinate_transformation_mode == "pytorch_half_pixel" && out == 1) return 0;
  return (i + 0.5) / scale - 0.5;
}

double nearest(const std::string& mode, double p) {
  if (mode == "floor") return std::floor(p);
  if (mode == "ceil") return std::ceil(p);
  return mode == "round_prefer_floor" ? std::ceil(p - 0.5) : std::floor(p + 0.5);
}

// Keys' kernel with coefficient a at distance d.
double cubic(double d, double a) {
  d = std::abs(d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// Source positions and weights of one output position: those of taps [first, first + 4).
struct Taps {
  int64_t first = 0;
  std::array<double, 4> weight{};
};
Taps taps(const Resize& op, double p) {
  const double below = std::floor(p), rest = p - below;
  if (op.mode == "nearest") return {static_cast<int64_t>(nearest(op.nearest_mode, p)), {1}};
  if (op.mode == "linear") return {static_cast<int64_t>(below), {1 - rest, rest}};
  Taps out{static_cast<int64_t>(below) - 1, {}};
  for (int i = 0; i < 4; ++i) out.weight[static_cast<size_t>(i)] = cubic(rest + 1 - i, static_cast<double>(op.cubic_coeff_a));
  return out;
}

std::vector<double> resample(const Resize& op, const std::vector<double>& x, std::vector<int64_t>& dims, size_t axis, int64_t size,
                             double scale) {
  const auto [outer, in, inner] = ops::around(dims, static_cast<int64_t>(axis));
  dims[axis] = size;
  std::vector<double> out(static_cast<size_t>(outer * size * inner));
  for (int64_t i = 0; i < size; ++i) {
    const Taps t = taps(op, position(op, i, in, size, scale));
    for (int64_t tap = 0; tap < 4; ++tap) {
      const double weight = t.weight[static_cast<size_t>(tap)];
      const int64_t from = std::clamp<int64_t>(t.first + tap, 0, in - 1);
      for (int64_t o = 0; weight != 0 && o < outer; ++o)
        for (int64_t n = 0; n < inner; ++n)
          out[static_cast<size_t>((o * size + i) * inner + n)] += weight * x[static_cast<size_t>((o * in + from) * inner + n)];
    }
  }
  return out;
}

}  // namespace

std::vector<Inferred> Resize::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  ops::float_input(context, "T1", 0);
  const bool good = check_attributes(context, *this);
  const auto given = [&](int i) {  // present, and not empty: how opset 11 left scales out
    const Operand* operand = context.input(i);
    return operand && operand->type.shape != Shape{0} ? operand : nullptr;
  };
  const Operand *scales = given(2), *sizes = given(3);
  if (!ops::check(context, !scales != !sizes, "S1", "scales and sizes: one of them must be given") || !good) return {{x, {}}};
  if (scales) ops::check_dtype(context, "T2", 2, scales->type.dtype == DType::f32, "f32", DType::f32);
  if (sizes) ops::i64_input(context, "T2", 3);
  Shape shape;
  if (sizes) {
    const auto known = ops::known_elements(sizes);
    if (!ops::check(context, known && known->size() == x.shape.size(), "S1", "sizes are not known, or not one an axis")) return {{x, {}}};
    shape = *known;
  } else {
    const HostTensor* values = scales->constant;
    if (!ops::check(context, values && values->count() == static_cast<int64_t>(x.shape.size()), "S1",
                    "scales are no constant, or not one an axis"))
      return {{x, {}}};
    for (size_t i = 0; i < x.shape.size(); ++i) {
      const double scale = values->at(static_cast<int64_t>(i));
      ops::check(context, scale > 0 && scale < 0x1p20, "S1", fmt::format("a scale is {}", scale));
      if (scale == 1) shape.push_back(x.shape[i]);
      else if (!x.shape[i].is_static()) shape.push_back(fresh_dim());
      else shape.emplace_back(static_cast<int64_t>(std::floor(static_cast<double>(x.shape[i].value) * std::clamp(scale, 0.0, 0x1p20))));
    }
  }
  for (size_t i = 0; i < shape.size(); ++i)
    ops::check(context, (!shape[i].is_static() || shape[i].value >= 1) && (!x.shape[i].is_static() || x.shape[i].value >= 1), "S2",
               fmt::format("axis {} goes from {} to {}", i, to_string(x.shape[i]), to_string(shape[i])));
  return {ops::output(context, x.dtype, std::move(shape))};
}

std::vector<HostTensor> Resize::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  std::vector<int64_t> dims = in[0]->dims();
  std::vector<double> values(static_cast<size_t>(in[0]->count()));
  const ops::Reader x(*in[0]);
  for (size_t i = 0; i < values.size(); ++i) values[i] = x[static_cast<int64_t>(i)];
  const HostTensor* scales = ops::optional_input(in, 2);
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const int64_t size = out[0].dims()[axis];
    const bool by_scale = scales != nullptr && scales->count() > 0;
    const double scale = by_scale ? scales->at(static_cast<int64_t>(axis)) : static_cast<double>(size) / static_cast<double>(dims[axis]);
    if (scale != 1) values = resample(*this, values, dims, axis, size, scale);
  }
  const ops::Writer write(out[0]);
  for (size_t i = 0; i < values.size(); ++i) write(static_cast<int64_t>(i), values[i]);
  return out;
}

}  // namespace octet
