#include "compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"
#include "plan/uses.h"

namespace octet {
namespace {

struct Sums {
  double aa = 0, bb = 0, ab = 0, error = 0;
  void add(double a, double b) { aa += a * a, bb += b * b, ab += a * b, error += (a - b) * (a - b); }
  void add(const Sums& s) { aa += s.aa, bb += s.bb, ab += s.ab, error += s.error; }
  double cosine() const { return aa == 0 && bb == 0 ? 1 : aa == 0 || bb == 0 ? 0 : std::min(1.0, ab / std::sqrt(aa) / std::sqrt(bb)); }
  double sqnr_db() const { return error == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(aa / error); }
};

// The place of a code among all codes, in order; both zeros are 0.
int64_t place_of(std::byte code) {
  const int64_t magnitude = std::to_integer<int64_t>(code) & 0x7f;
  return (std::to_integer<int>(code) & 0x80) != 0 ? -magnitude : magnitude;
}

void decode_row(const TensorBytes& tensor, int64_t row, std::vector<double>& to) {
  const auto cols = static_cast<int64_t>(to.size());
  oracle::decode(tensor.dtype, tensor.bytes.data(), row * cols, cols, to.data());
  for (size_t c = 0; c < tensor.scale.size(); ++c) to[c] *= tensor.scale[c];
}

void compare_rows(const std::vector<double>& a, const std::vector<double>& b, Difference& difference, Sums& sums) {
  for (size_t c = 0; c < a.size(); ++c) {
    if (a[c] == b[c] && std::isfinite(a[c])) {
      sums.add(a[c], b[c]);
      continue;
    }
    if (a[c] == b[c] || (std::isnan(a[c]) && std::isnan(b[c]))) continue;
    ++difference.differing;
    if (!std::isfinite(a[c]) || !std::isfinite(b[c])) {
      ++difference.not_finite;
      continue;
    }
    difference.max_abs = std::max(difference.max_abs, std::abs(a[c] - b[c]));
    sums.add(a[c], b[c]);
  }
}

// b's output against a's, in a's terms: where the folded factors differ, b's is exchanged for a's.
Difference compare_steps(const Side& a, size_t step_a, std::span<const std::byte> bytes_a, const Side& b, size_t step_b,
                         std::span<const std::byte> bytes_b) {
  const plan::Step &x = a.plan.steps[step_a], &y = b.plan.steps[step_b];
  const plan::Buffer &out_a = a.plan.buffers[plan::out_of(x.op)], &out_b = b.plan.buffers[plan::out_of(y.op)];
  const std::vector<double> factor_a = factors_of(a.plan, x), factor_b = factors_of(b.plan, y), scale_a = scales_of(a.plan, x);
  std::vector<double> scale_b = scales_of(b.plan, y);
  for (size_t c = 0; c < scale_b.size(); ++c)
    if (factor_a[c] != factor_b[c] && factor_b[c] != 0) scale_b[c] *= factor_a[c] / factor_b[c];
  return compare_tensors({out_a.dtype, bytes_a, scale_a}, {out_b.dtype, bytes_b, scale_b}, out_a.dims.back());
}

std::optional<double> saturated(DType dtype, std::span<const std::byte> bytes) {
  if (dtype != DType::e4m3 || bytes.empty()) return std::nullopt;
  const auto count = std::ranges::count_if(bytes, [](std::byte code) { return (std::to_integer<int>(code) & 0x7f) == 0x7e; });
  return 100.0 * static_cast<double>(count) / static_cast<double>(bytes.size());
}

// Sets lost_db of every layer from those of the tensors that its step in `b` reads.
void find_losses(const plan::Plan& b, LayerReport& report) {
  std::map<std::string, double> sqnr;  // by tensor
  std::map<std::string, const plan::Step*> steps;
  for (const plan::Step& step : b.steps) steps[b.buffers[plan::out_of(step.op)].name] = &step;
  for (LayerDifference& layer : report.layers) {
    double worst = kGoodSqnr;
    for (const plan::Id id : plan::reads_of(steps.at(layer.name)->op))
      if (const auto read = sqnr.find(b.buffers[id].name); read != sqnr.end()) worst = std::min(worst, read->second);
    layer.lost_db = std::max(0.0, worst - layer.difference.sqnr_db);
    sqnr[layer.name] = layer.difference.sqnr_db;
  }
}

using Places = std::map<std::string, size_t>;  // name of a step's output -> step, the last that writes it

Places outputs_of(const plan::Plan& plan) {
  Places places;
  for (size_t i = 0; i < plan.steps.size(); ++i) places[plan.buffers[plan::out_of(plan.steps[i].op)].name] = i;
  return places;
}
const plan::Buffer& output_of(const plan::Plan& plan, size_t step) { return plan.buffers[plan::out_of(plan.steps[step].op)]; }

}  // namespace

std::vector<double> scales_of(const plan::Plan& plan, const plan::Step& step) {
  const plan::Buffer& out = plan.buffers[plan::out_of(step.op)];
  std::vector<double> scales(static_cast<size_t>(out.dims.back()), 1.0);
  if (const auto* pool = std::get_if<plan::Pool>(&step.op))  // copies rows of another step
    for (const plan::Step& from : plan.steps)
      if (plan::out_of(from.op) == pool->in) return scales_of(plan, from);
  if (out.dtype == DType::e4m3)
    for (size_t c = 0; c < scales.size(); ++c) scales[c] = oracle::out_scale_of(step, static_cast<int64_t>(c));
  return scales;
}

std::vector<double> factors_of(const plan::Plan& plan, const plan::Step& step) {
  std::vector<double> factors(static_cast<size_t>(plan.buffers[plan::out_of(step.op)].dims.back()), 1.0);
  if (const auto* gemm = std::get_if<plan::Gemm>(&step.op); gemm != nullptr && gemm->residual == plan::kNoId)
    for (const plan::ColumnRange& range : gemm->ranges) std::fill(factors.begin() + range.begin, factors.begin() + range.end, range.mul);
  if (const auto* pointwise = std::get_if<plan::Pointwise>(&step.op); pointwise != nullptr && pointwise->residual == plan::kNoId)
    std::ranges::fill(factors, pointwise->mul);
  return factors;
}

Difference compare_tensors(const TensorBytes& a, const TensorBytes& b, int64_t cols) {
  const auto elements = static_cast<int64_t>(a.bytes.size() / size_of(a.dtype));
  OCTET_CHECK(cols > 0 && elements % cols == 0 && b.bytes.size() / size_of(b.dtype) == static_cast<size_t>(elements), elements, cols,
              b.bytes.size());
  Difference difference;
  difference.elements = elements;
  difference.codes = a.dtype == DType::e4m3 && b.dtype == DType::e4m3 && std::ranges::equal(a.scale, b.scale);
  std::vector<double> row_a(static_cast<size_t>(cols)), row_b(row_a.size());
  Sums all;
  double cosines = 0;
  if (difference.codes)
    for (size_t i = 0; i < a.bytes.size(); ++i)
      difference.max_places = std::max(difference.max_places, std::abs(place_of(a.bytes[i]) - place_of(b.bytes[i])));
  for (int64_t row = 0; row < elements / cols; ++row) {
    decode_row(a, row, row_a);
    decode_row(b, row, row_b);
    Sums sums;
    compare_rows(row_a, row_b, difference, sums);
    all.add(sums);
    const double cosine = sums.error == 0 ? 1 : sums.cosine();
    cosines += cosine;
    difference.min_cosine = std::min(difference.min_cosine, cosine);
  }
  if (elements > 0) difference.mean_cosine = cosines / static_cast<double>(elements / cols);
  difference.sqnr_db = all.sqnr_db();
  return difference;
}

void walk_steps(const plan::Plan& plan, Context& context, std::span<const void* const> inputs, int64_t batch, const StepVisitor& visit) {
  context.reserve(batch);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::span<std::byte> memory = context.buffer(plan.inputs[i].buffer, batch);
    std::memcpy(memory.data(), inputs[i], memory.size());
  }
  for (size_t step = 0; step < plan.steps.size(); ++step) {
    context.run_step(step, batch);
    visit(step, context.buffer(plan::out_of(plan.steps[step].op), batch));
  }
}

LayerReport compare_layers(const Side& a, const Side& b, int64_t batch) {
  const Places in_a = outputs_of(a.plan), in_b = outputs_of(b.plan);
  const auto paired = [&](const std::string& name) {
    const auto at_a = in_a.find(name), at_b = in_b.find(name);
    return at_a != in_a.end() && at_b != in_b.end() && output_of(a.plan, at_a->second).dims == output_of(b.plan, at_b->second).dims;
  };
  LayerReport report;
  std::map<std::string, std::vector<std::byte>> kept;
  walk_steps(a.plan, a.context, a.inputs, batch, [&](size_t step, std::span<const std::byte> out) {
    const std::string& name = output_of(a.plan, step).name;
    if (in_a.at(name) != step) return;
    if (paired(name)) kept[name].assign(out.begin(), out.end());
    else report.only_a.push_back(name);
  });
  walk_steps(b.plan, b.context, b.inputs, batch, [&](size_t step, std::span<const std::byte> out) {
    const plan::Buffer& buffer = output_of(b.plan, step);
    if (in_b.at(buffer.name) != step) return;
    if (!paired(buffer.name)) return report.only_b.push_back(buffer.name);
    const size_t step_a = in_a.at(buffer.name);
    report.layers.push_back({buffer.name, a.plan.steps[step_a].name, b.plan.steps[step].name, output_of(a.plan, step_a).dtype, buffer.dtype,
                             compare_steps(a, step_a, kept.at(buffer.name), b, step, out),
                             saturated(output_of(a.plan, step_a).dtype, kept.at(buffer.name)), saturated(buffer.dtype, out)});
  });
  find_losses(b.plan, report);
  return report;
}

LayerReport compare_with(const std::map<std::string, HostTensor>& a, const std::string& runtime, const Side& b, int64_t batch) {
  LayerReport report;
  const Places in_b = outputs_of(b.plan);
  walk_steps(b.plan, b.context, b.inputs, batch, [&](size_t index, std::span<const std::byte> out) {
    const plan::Step& step = b.plan.steps[index];
    const plan::Buffer& buffer = output_of(b.plan, index);
    if (in_b.at(buffer.name) != index) return;
    const auto found = a.find(buffer.name);
    if (found == a.end() || static_cast<size_t>(found->second.count()) * size_of(buffer.dtype) != out.size())
      return report.only_b.push_back(buffer.name);
    // What the step folded in before it rounded is taken out again, as in compare_steps().
    std::vector<double> scale = scales_of(b.plan, step);
    const std::vector<double> factor = factors_of(b.plan, step);
    for (size_t c = 0; c < scale.size(); ++c)
      if (factor[c] != 0) scale[c] /= factor[c];
    report.layers.push_back(
        {buffer.name, runtime, step.name, found->second.dtype(), buffer.dtype,
         compare_tensors({found->second.dtype(), found->second.bytes()}, {buffer.dtype, out, scale}, buffer.dims.back()), std::nullopt,
         saturated(buffer.dtype, out)});
  });
  find_losses(b.plan, report);
  return report;
}

const LayerDifference* first_bad(const LayerReport& report, double min_cosine) {
  const auto bad = std::ranges::find_if(report.layers, [&](const LayerDifference& layer) {
    return layer.difference.not_finite > 0 || !(layer.difference.mean_cosine >= min_cosine) || layer.lost_db >= kBadLoss;
  });
  return bad == report.layers.end() ? nullptr : &*bad;
}

}  // namespace octet
