// Data flow and memory: every buffer is written by one step before any reads it, and the arena buffers alive during a step
// do not overlap. The one exception is a residual that dies in its GEMM: the output may take its place, or be it.
#include <map>

#include "plan/uses.h"
#include "plan/validate_parts.h"

namespace octet::plan {
namespace {

class Memory {
 public:
  explicit Memory(const Plan& plan) : plan_(plan), written_(plan.buffers.size()), last_use_(plan.buffers.size()) {
    for (const Binding& input : plan.inputs) written_[input.buffer] = true;
    for (size_t i = 0; i < plan.steps.size(); ++i) {
      for (const Id id : reads_of(plan.steps[i].op)) last_use_[id] = i;
      last_use_[out_of(plan.steps[i].op)] = i;
    }
  }

  void run(size_t step) {
    const Operation& op = plan_.steps[step].op;
    const std::vector<Id> reads = reads_of(op);
    for (const Id id : reads) require(written_[id], "reads buffer `{}` before any step wrote it", name(id));
    write(op, step);
    for (const Id id : reads) release(id, step);
    release(out_of(op), step);
  }
  void finish() const {
    for (const Binding& output : plan_.outputs)
      require(written_[output.buffer], "output `{}` is written by no step", printable(output.name));
    for (Id id = 0; id < written_.size(); ++id) require(written_[id], "buffer `{}` is written by no step", name(id));
  }

 private:
  std::string name(Id id) const { return printable(plan_.buffers[id].name); }

  void write(const Operation& op, size_t step) {
    const Id out = out_of(op);
    const auto* gemm = std::get_if<Gemm>(&op);
    const Id residual = gemm ? gemm->residual : kNoId;
    if (out == residual) {
      for (const Binding& input : plan_.inputs) require(input.buffer != out, "writes to input `{}`", printable(input.name));
      return;
    }
    require(!written_[out], "writes buffer `{}` a second time", name(out));
    written_[out] = true;
    if (plan_.buffers[out].bound) return;
    if (residual != kNoId && takes_place(out, residual, step)) release(residual, step);
    occupy(out);
  }
  bool takes_place(Id out, Id residual, size_t step) const {
    const Buffer &a = plan_.buffers[out], &b = plan_.buffers[residual];
    return !b.bound && last_use_[residual] == step && a.offset == b.offset;  // equal sizes: validate_step
  }
  void occupy(Id id) {
    const uint64_t begin = plan_.buffers[id].offset, end = begin + bytes_per_item(plan_.buffers[id]);
    const auto next = live_.lower_bound(begin);
    if (next != live_.end())
      require(plan_.buffers[next->second].offset >= end, "`{}` overlaps `{}`, still in use", name(id), name(next->second));
    if (next != live_.begin()) {
      const Id before = std::prev(next)->second;
      require(plan_.buffers[before].offset + bytes_per_item(plan_.buffers[before]) <= begin, "`{}` overlaps `{}`, still in use", name(id),
              name(before));
    }
    live_.emplace(begin, id);
  }
  void release(Id id, size_t step) {
    const auto found = live_.find(plan_.buffers[id].offset);
    if (last_use_[id] == step && found != live_.end() && found->second == id) live_.erase(found);
  }

  const Plan& plan_;
  std::vector<bool> written_;
  std::vector<size_t> last_use_;
  std::map<uint64_t, Id> live_;  // by offset: the arena buffers in use, disjoint
};

}  // namespace

void validate_memory(const Plan& plan) {
  Memory memory(plan);
  for (size_t i = 0; i < plan.steps.size(); ++i) in_step(plan, i, [&] { memory.run(i); });
  memory.finish();
}

}  // namespace octet::plan
