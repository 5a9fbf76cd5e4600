#include "profile/work.h"

#include <set>

#include "plan/uses.h"

namespace octet::profile {
namespace {

// Multiply-adds of attention: queries times the keys each one sees.
double pairs(uint32_t tokens, bool causal) {
  const double t = tokens;
  return causal ? t * (t + 1) / 2 : t * t;
}

// Per item: the category, the buffer whose dtype names the precision, and the FLOPs.
struct Nature {
  const char* category;
  plan::Id typed;
  double flops = 0;
  bool products = false;
};
struct NatureOf {
  const plan::Plan& plan;
  Nature operator()(const plan::Embed& op) const { return {"embedding", op.out}; }
  Nature operator()(const plan::PatchEmbed& op) const {
    const double patches = static_cast<double>(op.height / op.patch) * (op.width / op.patch);
    const auto cols = static_cast<double>(plan.buffers.at(op.out).dims.back());
    return {"gemm", op.pixels, 2 * patches * cols * op.channels * op.patch * op.patch, true};
  }
  Nature operator()(const plan::Norm& op) const { return {"normalisation", op.in}; }
  Nature operator()(const plan::Gemm& op) const { return {"gemm", op.a, 2.0 * op.rows * op.n * op.k, true}; }
  Nature operator()(const plan::Attention& op) const {
    return {"attention", op.q.buffer, 4 * pairs(op.tokens, op.causal != 0) * op.heads * op.head_dim, true};
  }
  Nature operator()(const plan::Pool& op) const { return {"copy", op.in}; }
  Nature operator()(const plan::L2Normalize& op) const { return {"normalisation", op.in}; }
  Nature operator()(const plan::Scores& op) const {
    return {"unfused attention", op.q.buffer, 2 * pairs(op.tokens, op.causal != 0) * op.heads * op.head_dim, true};
  }
  Nature operator()(const plan::Softmax& op) const { return {"unfused attention", op.in}; }
  Nature operator()(const plan::Values& op) const {
    return {"unfused attention", op.in, 2 * pairs(op.tokens, op.causal != 0) * op.heads * op.head_dim, true};
  }
  Nature operator()(const plan::FakeQuantize& op) const { return {"quantization", op.in}; }
  Nature operator()(const plan::Pointwise& op) const { return {"quantization", op.in}; }
};

// A table is read row by row, not as a whole.
uint64_t bytes_read(const plan::Plan& plan, const plan::Operation& op, plan::Id weight, uint64_t rows) {
  const uint64_t all = plan.weight_bytes.at(weight).size();
  const auto* embed = std::get_if<plan::Embed>(&op);
  if (!embed || embed->token != weight) return all;
  return std::min(all, rows * (all / static_cast<uint64_t>(plan.weights[weight].dims.at(0))));
}

}  // namespace

Work work_of(const plan::Plan& plan, const plan::Operation& op, int64_t batch) {
  const Nature nature = std::visit(NatureOf{plan}, op);
  Work work{nature.category, std::string(name_of(plan.buffers.at(nature.typed).dtype)), nature.flops * static_cast<double>(batch)};
  work.products = nature.products;
  // Bytes are multiplied as what they stand for.
  const auto* patches = std::get_if<plan::PatchEmbed>(&op);
  if (patches && patches->table != plan::kNoId) work.precision = name_of(plan.weights.at(patches->table).dtype);
  const auto items = static_cast<uint64_t>(batch);
  const std::vector<plan::Id> reads = plan::reads_of(op);
  for (const plan::Id id : std::set<plan::Id>(reads.begin(), reads.end())) work.bytes += plan::bytes_per_item(plan.buffers[id]) * items;
  // A pooled row is one of many.
  if (const auto* pool = std::get_if<plan::Pool>(&op))
    work.bytes -= plan::bytes_per_item(plan.buffers[pool->in]) * items * (pool->rows - 1) / pool->rows;
  work.bytes += plan::bytes_per_item(plan.buffers[plan::out_of(op)]) * items;
  const auto* embed = std::get_if<plan::Embed>(&op);
  const uint64_t rows = embed ? items * static_cast<uint64_t>(plan.buffers[embed->ids].dims.back()) : 0;
  for (const plan::Id id : plan::weights_of(op)) work.weight_bytes += bytes_read(plan, op, id, rows);
  work.bytes += work.weight_bytes;
  return work;
}

}  // namespace octet::profile
