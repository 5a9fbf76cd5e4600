#include "plan/uses.h"

namespace octet::plan {
namespace {

std::vector<Id> present(std::initializer_list<Id> ids) {
  std::vector<Id> out;
  for (const Id id : ids)
    if (id != kNoId) out.push_back(id);
  return out;
}

struct Reads {
  std::vector<Id> operator()(const Embed& op) const { return present({op.ids, op.types}); }
  std::vector<Id> operator()(const PatchEmbed& op) const { return present({op.pixels}); }
  std::vector<Id> operator()(const Norm& op) const { return present({op.in}); }
  std::vector<Id> operator()(const Gemm& op) const { return present({op.a, op.residual}); }
  std::vector<Id> operator()(const Attention& op) const { return present({op.q.buffer, op.k.buffer, op.v.buffer, op.mask}); }
  std::vector<Id> operator()(const Pool& op) const { return present({op.in, op.ids}); }
  std::vector<Id> operator()(const L2Normalize& op) const { return present({op.in}); }
  std::vector<Id> operator()(const Scores& op) const { return present({op.q.buffer, op.k.buffer}); }
  std::vector<Id> operator()(const Softmax& op) const { return present({op.in, op.mask}); }
  std::vector<Id> operator()(const Values& op) const { return present({op.in, op.v.buffer}); }
  std::vector<Id> operator()(const FakeQuantize& op) const { return present({op.in}); }
  std::vector<Id> operator()(const Pointwise& op) const { return present({op.in, op.residual}); }
};

struct Weights {
  std::vector<Id> operator()(const Embed& op) const { return present({op.token, op.position, op.type}); }
  std::vector<Id> operator()(const PatchEmbed& op) const { return present({op.weight, op.bias, op.class_token, op.position, op.table}); }
  std::vector<Id> operator()(const Norm& op) const { return present({op.gamma, op.beta}); }
  std::vector<Id> operator()(const Gemm& op) const { return present({op.weight, op.bias, op.channel_scale}); }
  std::vector<Id> operator()(const Attention&) const { return {}; }
  std::vector<Id> operator()(const Pool&) const { return {}; }
  std::vector<Id> operator()(const L2Normalize&) const { return {}; }
  std::vector<Id> operator()(const Scores&) const { return {}; }
  std::vector<Id> operator()(const Softmax&) const { return {}; }
  std::vector<Id> operator()(const Values&) const { return {}; }
  std::vector<Id> operator()(const FakeQuantize&) const { return {}; }
  std::vector<Id> operator()(const Pointwise& op) const { return present({op.bias}); }
};

}  // namespace

std::vector<Id> reads_of(const Operation& op) { return std::visit(Reads{}, op); }
Id out_of(const Operation& op) {
  return std::visit([](const auto& o) { return o.out; }, op);
}
std::vector<Id> weights_of(const Operation& op) { return std::visit(Weights{}, op); }

int64_t table_rows(const Plan& plan, const Operation& op, Id buffer) {
  if (const auto* embed = std::get_if<Embed>(&op)) {
    if (embed->ids == buffer) return plan.weights.at(embed->token).dims.at(0);
    if (embed->types == buffer) return plan.weights.at(embed->type).dims.at(0);
  }
  const auto* attention = std::get_if<Attention>(&op);
  const auto* softmax = std::get_if<Softmax>(&op);
  const Id mask = attention != nullptr ? attention->mask : softmax != nullptr ? softmax->mask : kNoId;
  return mask != kNoId && mask == buffer ? 2 : 0;
}

}  // namespace octet::plan
