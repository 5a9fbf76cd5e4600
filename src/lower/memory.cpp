// The memory plan: every activation gets an offset per item so that values alive at the same time do not overlap.
#include <algorithm>

#include "base/aligned.h"
#include "lower/lowering.h"

namespace octet::lowering {
namespace {

constexpr uint64_t kAlignment = 64;

struct Lifetime {
  plan::Id id;
  uint64_t bytes;
  int64_t first, last;  // steps, inclusive
};

template <class Use>
void for_each_use(const plan::Operation& op, Use&& use) {
  struct {
    Use& use;
    void operator()(const plan::Embed& o) { use(o.ids), use(o.types), use(o.out); }
    void operator()(const plan::PatchEmbed& o) { use(o.pixels), use(o.out); }
    void operator()(const plan::Norm& o) { use(o.in), use(o.out); }
    void operator()(const plan::Gemm& o) { use(o.a), use(o.residual), use(o.out); }
    void operator()(const plan::Attention& o) { use(o.q.buffer), use(o.k.buffer), use(o.v.buffer), use(o.mask), use(o.out); }
    void operator()(const plan::Pool& o) { use(o.in), use(o.ids), use(o.out); }
    void operator()(const plan::L2Normalize& o) { use(o.in), use(o.out); }
    void operator()(const plan::Scores& o) { use(o.q.buffer), use(o.k.buffer), use(o.out); }
    void operator()(const plan::Softmax& o) { use(o.in), use(o.mask), use(o.out); }
    void operator()(const plan::Values& o) { use(o.in), use(o.v.buffer), use(o.out); }
    void operator()(const plan::FakeQuantize& o) { use(o.in), use(o.out); }
    void operator()(const plan::Pointwise& o) { use(o.in), use(o.residual), use(o.out); }
  } visitor{use};
  std::visit(visitor, op);
}

std::vector<Lifetime> lifetimes(const plan::Plan& plan) {
  std::vector<Lifetime> all;
  for (plan::Id id = 0; id < plan.buffers.size(); ++id)
    all.push_back({id, round_up(plan::bytes_per_item(plan.buffers[id]), kAlignment), -1, -1});
  for (size_t step = 0; step < plan.steps.size(); ++step)
    for_each_use(plan.steps[step].op, [&](plan::Id id) {
      if (id == plan::kNoId) return;
      if (all[id].first < 0) all[id].first = static_cast<int64_t>(step);
      all[id].last = static_cast<int64_t>(step);
    });
  std::erase_if(all, [&](const Lifetime& l) { return plan.buffers[l.id].bound || l.first < 0; });
  return all;
}

// The lowest gap that holds `bytes` beside the placed values that live at the same time.
uint64_t first_gap(const plan::Plan& plan, std::vector<Lifetime> neighbours, uint64_t bytes) {
  std::sort(neighbours.begin(), neighbours.end(), [&](auto& a, auto& b) { return plan.buffers[a.id].offset < plan.buffers[b.id].offset; });
  uint64_t offset = 0;
  for (const Lifetime& n : neighbours) {
    if (plan.buffers[n.id].offset >= offset + bytes) break;
    offset = std::max(offset, plan.buffers[n.id].offset + n.bytes);
  }
  return offset;
}

}  // namespace

void plan_memory(plan::Plan& plan) {
  std::vector<Lifetime> all = lifetimes(plan);
  std::stable_sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.bytes > b.bytes; });
  std::vector<Lifetime> placed;
  for (const Lifetime& value : all) {
    std::vector<Lifetime> neighbours;
    std::copy_if(placed.begin(), placed.end(), std::back_inserter(neighbours),
                 [&](auto& p) { return p.first <= value.last && value.first <= p.last; });
    plan.buffers[value.id].offset = first_gap(plan, std::move(neighbours), value.bytes);
    plan.arena_bytes_per_item = std::max(plan.arena_bytes_per_item, plan.buffers[value.id].offset + value.bytes);
    placed.push_back(value);
  }
}

}  // namespace octet::lowering
