#include "cpu/tiled.h"

#include <algorithm>

#include "cpu/kernels/gemm/gemm.h"
#include "plan/uses.h"

namespace octet::cpu {
namespace {

// Read by `reader` as its rows, and by no other step.
bool only_read_by(const plan::Plan& plan, plan::Id id, const plan::Step& reader) {
  for (const plan::Step& step : plan.steps) {
    const std::vector<plan::Id> reads = plan::reads_of(step.op);
    const auto times = std::count(reads.begin(), reads.end(), id);
    if (times != (&step == &reader ? 1 : 0)) return false;
  }
  return true;
}

}  // namespace

TiledBuffers::TiledBuffers(const plan::Plan& plan) : tiled_(plan.buffers.size()) {
  for (size_t i = 0; i + 1 < plan.steps.size(); ++i) {
    const auto* from = std::get_if<plan::Gemm>(&plan.steps[i].op);
    const auto* to = std::get_if<plan::Gemm>(&plan.steps[i + 1].op);
    if (from == nullptr || to == nullptr || to->a != from->out || plan.buffers[from->out].bound) continue;
    if (from->rows != to->rows || from->n != to->k || !only_read_by(plan, from->out, plan.steps[i + 1])) continue;
    // One memory serves all: the step before must not leave one of its own for this one.
    if (holds(from->a)) continue;
    if (!accepts_forms(plan, *from, {false, true}) || !accepts_forms(plan, *to, {true, false})) continue;
    tiled_[from->out] = {plan.buffers[from->out].dtype, from->rows, from->n};
  }
}

size_t TiledBuffers::bytes(int64_t items) const {
  size_t most = 0;
  for (const Form& form : tiled_) most = std::max(most, tiled_bytes(items * form.rows, form.columns));
  return most;
}

void TiledBuffers::fill(const plan::Step& step, int64_t items, std::span<std::byte* const> plain, std::byte* tiled) const {
  for (const plan::Id id : plan::reads_of(step.op))
    if (holds(id)) tile_rows(tiled_[id].dtype, plain[id], items * tiled_[id].rows, tiled_[id].columns, tiled);
}
void TiledBuffers::empty(const plan::Step& step, int64_t items, const std::byte* tiled, std::span<std::byte* const> plain) const {
  const plan::Id id = plan::out_of(step.op);
  if (holds(id)) untile_rows(tiled_[id].dtype, tiled, items * tiled_[id].rows, tiled_[id].columns, plain[id]);
}

}  // namespace octet::cpu
