#include "oracle/compare.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "plan/uses.h"

namespace octet::oracle {
namespace {

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

double rounded(DType dtype, double value) {
  std::byte bits[4];
  encode(dtype, &value, 1, bits, 0);
  decode(dtype, bits, 0, 1, &value);
  return value;
}

// The place of a value among all of its type, in order; both zeros are 0.
int64_t place_of(DType dtype, double value) {
  uint32_t bits = 0;
  encode(dtype, &value, 1, reinterpret_cast<std::byte*>(&bits), 0);
  const uint32_t sign = 1u << (8 * size_of(dtype) - 1);
  return (bits & sign) != 0 ? -static_cast<int64_t>(bits ^ sign) : static_cast<int64_t>(bits);
}

bool explained(DType dtype, double actual, double exact, double bound) {
  if (std::isnan(exact) || std::isnan(bound)) return true;  // the exact arithmetic itself has no answer here
  return actual >= rounded(dtype, exact - bound) && actual <= rounded(dtype, exact + bound);
}

// Sums for cosine and SQNR.
struct Agreement {
  double xx = 0, yy = 0, xy = 0, error = 0;
  void add(double exact, double actual) {
    xx += exact * exact, yy += actual * actual, xy += exact * actual, error += (exact - actual) * (exact - actual);
  }
  double cosine() const { return xx == 0 && yy == 0 ? 1 : xx == 0 || yy == 0 ? 0 : xy / std::sqrt(xx * yy); }
  double sqnr_db() const { return error == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(xx / error); }
};

std::vector<int64_t> spread(int64_t all, int64_t wanted) {
  std::vector<int64_t> rows;
  if (wanted <= 0 || wanted >= all) return rows;
  for (int64_t i = 0; i < wanted; ++i) rows.push_back(wanted == 1 ? 0 : i * (all - 1) / (wanted - 1));
  return rows;
}

}  // namespace

double out_scale_of(const plan::Step& step, int64_t col) {
  if (const auto* gemm = std::get_if<plan::Gemm>(&step.op)) {
    for (const plan::ColumnRange& range : gemm->ranges)
      if (col < range.end) return range.out_scale;
    return 1;
  }
  if (const auto* norm = std::get_if<plan::Norm>(&step.op)) return norm->out_scale;
  if (const auto* attention = std::get_if<plan::Attention>(&step.op)) return attention->out_scale;
  if (const auto* softmax = std::get_if<plan::Softmax>(&step.op)) return softmax->out_scale;
  if (const auto* values = std::get_if<plan::Values>(&step.op)) return values->out_scale;
  if (const auto* pointwise = std::get_if<plan::Pointwise>(&step.op)) return pointwise->out_scale;
  return 1;
}

StepVerdict judge(const plan::Plan& plan, size_t step, const ExactOutput& exact, std::span<const std::byte> out) {
  const DType dtype = plan.buffers.at(plan::out_of(plan.steps.at(step).op)).dtype;
  StepVerdict verdict;
  Agreement agreement;
  std::vector<double> row(static_cast<size_t>(exact.cols)), scale(row.size());
  for (size_t c = 0; c < scale.size(); ++c) scale[c] = out_scale_of(plan.steps[step], static_cast<int64_t>(c));
  for (size_t i = 0; i < exact.rows.size(); ++i) {
    const int64_t begin = exact.rows[i] * exact.cols;
    OCTET_CHECK(static_cast<size_t>(begin + exact.cols) * size_of(dtype) <= out.size(), begin, out.size());
    decode(dtype, out.data(), begin, exact.cols, row.data());
    for (size_t c = 0; c < row.size(); ++c) {
      const double value = exact.value[i * row.size() + c], bound = exact.bound[i * row.size() + c];
      ++verdict.elements;
      agreement.add(value * scale[c], row[c] * scale[c]);
      verdict.max_abs = std::max(verdict.max_abs, std::abs(value - row[c]) * scale[c]);
      if (same(row[c], rounded(dtype, value))) continue;
      ++verdict.differing;
      if (!std::isnan(row[c]) && !std::isnan(value))
        verdict.max_ulp = std::max(verdict.max_ulp, std::abs(place_of(dtype, row[c]) - place_of(dtype, value)));
      if (explained(dtype, row[c], value, bound)) continue;
      if (verdict.unexplained++ == 0) verdict.first_unexplained = begin + static_cast<int64_t>(c);
    }
  }
  verdict.cosine = agreement.cosine();
  verdict.sqnr_db = agreement.sqnr_db();
  return verdict;
}

void teacher_force(const plan::Plan& plan, Context& target, std::span<const void* const> inputs, int64_t batch, int64_t rows_per_step,
                   const std::function<void(size_t, const StepVerdict&)>& visit, ThreadPool* pool, std::span<const StepChoice> choices) {
  std::vector<std::vector<std::byte>> memory(plan.buffers.size());
  std::vector<const std::byte*> buffers(plan.buffers.size());
  const auto bytes = [&](plan::Id id) { return plan::bytes_per_item(plan.buffers[id]) * static_cast<uint64_t>(batch); };
  for (size_t i = 0; i < inputs.size(); ++i) buffers[plan.inputs[i].buffer] = static_cast<const std::byte*>(inputs[i]);
  for (size_t step = 0; step < plan.steps.size(); ++step) {
    const plan::Operation& op = plan.steps[step].op;
    for (const plan::Id id : plan::reads_of(op)) std::memcpy(target.buffer(id, batch).data(), buffers[id], bytes(id));
    const auto rows = spread(batch * rows_per_item(plan, plan.steps[step]), rows_per_step);
    const ExactOutput exact =
        exact_step(plan, step, buffers, batch, rows, pool, choices.empty() ? Accumulation{} : choices[step].accumulation);
    target.run_step(step, batch);
    const plan::Id out = plan::out_of(op);
    visit(step, judge(plan, step, exact, target.buffer(out, batch)));
    memory[out].resize(bytes(out));  // a residual that is also the output is read and written row by row
    run_exact(plan, step, buffers, batch, memory[out].data(), pool);
    buffers[out] = memory[out].data();
  }
}

}  // namespace octet::oracle
