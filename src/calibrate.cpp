#include "calibrate.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "compare.h"
#include "numeric/convert.h"
#include "numeric/host_tensor.h"
#include "plan/uses.h"

namespace octet {
namespace {

// The linears of a gemm step: each is named like its module, in the order of the columns.
std::vector<std::string> modules_of(const plan::Plan& plan, size_t step) {
  std::vector<std::string> modules;
  for (const uint32_t node : plan.source.steps[step])
    if (plan.source.nodes[node].op == "MatMul") modules.push_back(plan.source.nodes[node].name);
  return modules;
}

float factor_at(const plan::Plan& plan, const plan::AttentionInput& input) {
  for (const plan::Step& step : plan.steps)
    if (const auto* gemm = std::get_if<plan::Gemm>(&step.op); gemm != nullptr && gemm->out == input.buffer)
      for (const plan::ColumnRange& range : gemm->ranges)
        if (input.column >= range.begin && input.column < range.end) return range.mul;
  return 1;
}

// The pool that a causal tower ends with; nullptr if all rows of every item matter.
const plan::Pool* causal_pool(const plan::Plan& plan) {
  const plan::Pool* found = nullptr;
  for (const plan::Step& step : plan.steps) {
    if (const auto* attention = std::get_if<plan::Attention>(&step.op); attention != nullptr && !attention->causal) return nullptr;
    if (const auto* pool = std::get_if<plan::Pool>(&step.op); pool != nullptr && pool->mode != plan::PoolMode::kIndex) found = pool;
  }
  return found;
}

// The mask of keys that all attentions share; kNoId if one has none or another.
plan::Id key_mask(const plan::Plan& plan) {
  std::optional<plan::Id> mask;
  for (const plan::Step& step : plan.steps)
    if (const auto* attention = std::get_if<plan::Attention>(&step.op)) {
      if (mask && *mask != attention->mask) return plan::kNoId;
      mask = attention->mask;
    }
  return mask.value_or(plan::kNoId);
}

}  // namespace

Calibration::Calibration(const plan::Plan& plan) : plan_(plan) {
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const plan::Step& step = plan.steps[i];
    if (const auto* gemm = std::get_if<plan::Gemm>(&step.op))
      for (const std::string& module : modules_of(plan, i)) add(gemm->a, 0, gemm->k, 1, module + ".input_quantizer");
    const auto* attention = std::get_if<plan::Attention>(&step.op);
    if (attention == nullptr) continue;
    std::string module = step.name;
    if (module.ends_with(kProductSuffix)) module.resize(module.size() - kProductSuffix.size());
    const int64_t width = int64_t{attention->heads} * attention->head_dim;
    const auto input = [&](const plan::AttentionInput& in, const char* name) {
      add(in.buffer, in.column, width, factor_at(plan, in), module + name);
    };
    input(attention->q, kAttentionQuantizers[0]);
    input(attention->k, kAttentionQuantizers[1]);
    input(attention->v, kAttentionQuantizers[2]);
    add(attention->out, 0, width, 1, module + kAttentionQuantizers[3]);
  }
}

void Calibration::add(plan::Id buffer, int64_t column, int64_t columns, float factor, std::string quantizer) {
  const auto same = [&](const CalibrationSite& s) { return s.buffer == buffer && s.column == column && s.columns == columns; };
  auto found = std::find_if(sites_.begin(), sites_.end(), same);
  if (found == sites_.end()) found = sites_.insert(found, {buffer, column, columns, factor, {}, {}});
  found->quantizers.push_back(std::move(quantizer));
}

namespace {

// An i32 or i64 input [batch, tokens].
HostTensor integers_of(const plan::Plan& plan, plan::Id buffer, std::span<const void* const> inputs, int64_t batch) {
  size_t input = 0;
  while (plan.inputs[input].buffer != buffer) ++input;
  const DType dtype = plan.buffers[buffer].dtype;
  const std::vector<int64_t> dims{batch, plan.buffers[buffer].dims.back()};
  const auto bytes = static_cast<size_t>(dims[0] * dims[1]) * size_of(dtype);
  return HostTensor(dtype, dims, {static_cast<const std::byte*>(inputs[input]), bytes}, nullptr);
}

// The row that `pool` takes of an item.
int64_t pooled_row(const plan::Pool& pool, const HostTensor& ids, int64_t item) {
  const int64_t tokens = ids.dims()[1];
  const auto id = [&](int64_t t) { return ids.at_int(item * tokens + t); };
  int64_t row = 0;
  if (pool.mode == plan::PoolMode::kArgMax) {
    for (int64_t t = 1; t < tokens; ++t)
      if (id(t) > id(row)) row = t;
    return row;
  }
  while (row < tokens && id(row) != pool.index) ++row;
  return row == tokens ? 0 : row;  // no such token: the engine pools row 0
}

}  // namespace

std::vector<bool> Calibration::rows_that_matter(std::span<const void* const> inputs, int64_t batch) const {
  std::vector<bool> matter;
  if (const plan::Id mask = key_mask(plan_); mask != plan::kNoId) {
    const HostTensor keys = integers_of(plan_, mask, inputs, batch);
    for (int64_t i = 0; i < keys.count(); ++i) matter.push_back(keys.at_int(i) != 0);
  } else if (const plan::Pool* pool = causal_pool(plan_)) {
    const HostTensor ids = integers_of(plan_, pool->ids, inputs, batch);
    for (int64_t item = 0; item < batch; ++item)
      for (int64_t row = 0, last = pooled_row(*pool, ids, item); row < ids.dims()[1]; ++row) matter.push_back(row <= last);
  }
  return matter;
}

void Calibration::observe(plan::Id id, std::span<const std::byte> output, const std::vector<bool>& matter) {
  const plan::Buffer& buffer = plan_.buffers[id];
  const int64_t cols = buffer.dims.back();
  const auto row_bytes = static_cast<size_t>(cols) * size_of(buffer.dtype);
  const auto rows = static_cast<int64_t>(output.size() / row_bytes);
  const bool tokens = buffer.dims.size() == 2 && rows == static_cast<int64_t>(matter.size());
  std::vector<float> values(static_cast<size_t>(cols));
  for (CalibrationSite& site : sites_) {
    if (site.buffer != id) continue;
    const auto slice = std::span(values).subspan(static_cast<size_t>(site.column), static_cast<size_t>(site.columns));
    for (int64_t row = 0; row < rows; ++row) {
      if (tokens && !matter[static_cast<size_t>(row)]) continue;
      decode_many(buffer.dtype, output.data() + static_cast<size_t>(row) * row_bytes, cols, values.data());
      if (site.factor != 1)
        for (float& v : slice) v /= site.factor;
      with_context([&] { return fmt::format("observing `{}`", buffer.name); }, [&] { site.observer.add(slice); });
    }
  }
}

void Calibration::run(Context& context, std::span<const void* const> inputs, int64_t batch) {
  const std::vector<bool> matter = rows_that_matter(inputs, batch);
  walk_steps(plan_, context, inputs, batch,
             [&](size_t step, std::span<const std::byte> output) { observe(plan::out_of(plan_.steps[step].op), output, matter); });
}

}  // namespace octet
