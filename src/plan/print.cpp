#include "plan/print.h"

#include <fmt/format.h>

#include "base/text.h"
#include "plan/uses.h"

namespace octet::plan {
namespace {

std::string type_of(const Buffer& buffer) { return fmt::format("{}[{}]", name_of(buffer.dtype), fmt::join(buffer.dims, ",")); }

std::string print_step(const Plan& plan, size_t i) {
  const Step& step = plan.steps[i];
  const Buffer& out = plan.buffers.at(out_of(step.op));
  std::string line = fmt::format("{} {}: {} ", i, printable(step.name), problem_of(plan, step, 1));
  const std::vector<Id> reads = reads_of(step.op);
  for (size_t r = 0; r < reads.size(); ++r)
    if (r == 0 || reads[r] != reads[r - 1]) line += printable(plan.buffers.at(reads[r]).name) + " ";
  line += fmt::format("-> {} {}", printable(out.name), type_of(out));
  if (!out.bound) line += fmt::format("@{}", out.offset);
  for (const std::string& note : step.notes) line += " ; " + printable(note);
  return line + "\n";
}

}  // namespace

std::string print(const Plan& plan) {
  std::string text = fmt::format("plan {} creator {} arena {} weights {}\n", printable(plan.name), printable(plan.creator),
                                 plan.arena_bytes_per_item, plan.weights.size());
  const auto binding = [&](const char* role, const Binding& b) {
    text += fmt::format("{} {}: {}\n", role, printable(b.name), type_of(plan.buffers.at(b.buffer)));
  };
  for (const Binding& input : plan.inputs) binding("input", input);
  for (size_t i = 0; i < plan.steps.size(); ++i) text += print_step(plan, i);
  for (const Binding& output : plan.outputs) binding("output", output);
  return text;
}

}  // namespace octet::plan
