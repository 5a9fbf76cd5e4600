// Slice.
#include "ops/slice.h"

#include <algorithm>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// One axis of a slice with numbers: first index, step, count.
struct Cut {
  int64_t begin, step, count;
};

// Python's slice(start, end, step).indices(size).
Cut cut(int64_t start, int64_t end, int64_t step, int64_t size) {
  const auto place = [size](int64_t at, int64_t low, int64_t high) {
    if (at < 0) at = at < -size ? low : at + size;
    return std::clamp(at, low, high);
  };
  if (step > 0) {
    const int64_t first = place(start, 0, size), last = place(end, 0, size);
    return {first, step, first >= last ? 0 : (last - first - 1) / step + 1};
  }
  const int64_t first = place(start, -1, size - 1), last = place(end, -1, size - 1);
  const uint64_t stride = 0 - static_cast<uint64_t>(step);
  return {first, step, first <= last ? 0 : static_cast<int64_t>(static_cast<uint64_t>(first - last - 1) / stride) + 1};
}

// Whether a bound reaches past the end of a dimension of whatever size.
bool is_end(const Dim& bound, const Dim& size) { return bound == size || (bound.is_static() && bound.value >= INT32_MAX); }
bool is_front(const Dim& bound) { return bound.is_static() && bound.value <= INT32_MIN + 1; }

// The size that slicing leaves: exact with numbers, and where a symbolic axis is kept whole, reversed or cut to a part that
// certainly fits; otherwise nobody can say.
Dim sliced(const Dim& size, const Dim& start, const Dim& end, int64_t step) {
  if (size.is_static() && start.is_static() && end.is_static()) return cut(start.value, end.value, step, size.value).count;
  const bool from_start = start == Dim(0) || is_front(start);
  if (step == 1 && from_start && is_end(end, size)) return size;
  if (step == 1 && from_start && end.symbol == size.symbol && end.value > 0) return end.value < size.value ? end : size;
  if (step == -1 && (start == Dim(-1) || is_end(start, size)) && is_front(end)) return size;
  return fresh_dim();
}

// What the inputs say; bounds unknown at compile time are absent.
struct Request {
  std::vector<int64_t> axes, steps;
  std::optional<Shape> starts, ends;
};

std::optional<Request> request(InferContext& context) {
  for (int i = 1; i < 5; ++i)
    if (i < 3 || context.input(i) != nullptr) ops::index_input(context, "T1", i);
  const auto count = ops::known_length(context.in(1));
  const Operand *axes = context.input(3), *steps = context.input(4);
  const auto known_axes = ops::known_ints(axes), known_steps = ops::known_ints(steps);
  const auto fits = [&](const Operand* operand, bool known) {
    return operand == nullptr || (known && operand->type.shape.size() == 1 && ops::known_length(*operand) == count);
  };
  const bool good = count && *count <= ops::kMaxElements && fits(context.input(2), true) && fits(axes, known_axes.has_value()) &&
                    fits(steps, known_steps.has_value());
  if (!ops::check(context, good, "S1", "starts, ends, axes and steps are not vectors of one length, or axes or steps are unknown",
                  "make axes and steps constants"))
    return std::nullopt;
  const auto rank = static_cast<int64_t>(context.in(0).type.shape.size());
  Request out{known_axes.value_or(std::vector<int64_t>()), known_steps.value_or(std::vector<int64_t>(static_cast<size_t>(*count), 1)),
              ops::known_elements(context.input(1)), ops::known_elements(context.input(2))};
  if (axes == nullptr)
    for (int64_t i = 0; i < *count; ++i) out.axes.push_back(i);
  const auto normal = ops::normalize_axes(out.axes, rank);
  const bool has_axes = ops::check(context, normal.has_value(), "S2",
                                   fmt::format("axes [{}] are repeated or outside [{}, {})", fmt::join(out.axes, ","), -rank, rank));
  const bool moves = ops::check(context, std::find(out.steps.begin(), out.steps.end(), 0) == out.steps.end(), "S3", "a step is 0");
  if (!has_axes || !moves) return std::nullopt;
  out.axes = *normal;
  return out;
}

std::optional<Shape> sliced_elements(const Operand& data, const Request& want) {
  const auto elements = ops::known_elements(&data);
  if (!elements || want.axes.size() != 1 || !want.starts || !want.ends || !all_static(*want.starts) || !all_static(*want.ends))
    return std::nullopt;
  const Cut one = cut((*want.starts)[0].value, (*want.ends)[0].value, want.steps[0], static_cast<int64_t>(elements->size()));
  Shape out;
  for (int64_t i = 0; i < one.count; ++i) out.push_back((*elements)[static_cast<size_t>(one.begin + i * one.step)]);
  return out;
}

}  // namespace

std::vector<Inferred> Slice::infer(InferContext& context) const {
  const Operand& data = context.in(0);
  ops::no_codes(context, "T2", 0);
  const auto want = request(context);
  if (!want) return {{data.type, {}}};
  Shape shape = data.type.shape;
  for (size_t i = 0; i < want->axes.size(); ++i) {
    Dim& dim = shape[static_cast<size_t>(want->axes[i])];
    dim = want->starts && want->ends ? sliced(dim, (*want->starts)[i], (*want->ends)[i], want->steps[i]) : fresh_dim();
  }
  return {ops::output(context, data.type.dtype, std::move(shape), sliced_elements(data, *want))};
}

std::vector<HostTensor> Slice::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto starts = ops::integers(*in[1]), ends = ops::integers(*in[2]);
  const HostTensor *axes = ops::optional_input(in, 3), *steps = ops::optional_input(in, 4);
  ops::Strided from{0, ops::strides_of(in[0]->dims())};
  for (size_t i = 0; i < starts.size() && out[0].count() > 0; ++i) {
    const auto at = static_cast<int64_t>(i);
    const auto axis = static_cast<size_t>(axes == nullptr ? at : *ops::normalize_axis(axes->at_int(at), in[0]->rank()));
    const Cut one = cut(starts[i], ends[i], steps == nullptr ? 1 : steps->at_int(at), in[0]->dims()[axis]);
    from.offset += one.begin * from.strides[axis];
    from.strides[axis] *= one.count > 1 ? one.step : 1;
  }
  ops::copy_strided(out[0], {0, ops::strides_of(out[0].dims())}, *in[0], from, out[0].dims());
  return out;
}

}  // namespace octet
