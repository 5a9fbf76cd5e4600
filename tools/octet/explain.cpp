#include "explain.h"

#include "console.h"

namespace octet::cli {

std::string explain_engine(const Engine& engine) {
  Table table({"step", "kind", "kernel", "problem at batch 1", "out"});
  const auto choices = engine.executable->choices();
  std::string reasons;
  for (size_t i = 0; i < engine.plan->steps.size(); ++i) {
    const plan::Step& step = engine.plan->steps[i];
    const auto out = std::visit([](const auto& op) { return op.out; }, step.op);
    table.add({step.name, std::string(plan::kind_of(step.op)), choices[i].kernel, choices[i].problem,
               std::string(name_of(engine.plan->buffers[out].dtype))});
    for (const auto& note : step.notes) reasons += fmt::format("  {}: {}\n", step.name, note);
    for (const auto& no : choices[i].refused) reasons += fmt::format("  {}: not {}\n", step.name, no);
  }
  return fmt::format("device: {}\n{}{}", engine.device, table.render(), reasons.empty() ? "" : "why not better:\n" + reasons);
}

}  // namespace octet::cli
