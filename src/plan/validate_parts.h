// The parts of validate(): each throws Error{kInvalid}. Later parts rely on what earlier ones proved.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "plan/plan.h"

namespace octet::plan {

template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(Code::kInvalid, format, std::forward<Args>(args)...);
}
template <class Body>
void in_step(const Plan& plan, size_t i, Body&& body) {
  with_context([&] { return fmt::format("checking step {} `{}`", i, printable(plan.steps[i].name)); }, body);
}

void validate_step(const Plan& plan, const Step& step);  // ids, dtypes, dims, scales of one step
void validate_memory(const Plan& plan);                  // written once and before read; live arena buffers apart

}  // namespace octet::plan
