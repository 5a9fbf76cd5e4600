// trtexec's --shapes: "name:128x3x224x224,other:128x77".
#pragma once
#include <map>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace octet::cli {

using Shapes = std::map<std::string, std::vector<int64_t>>;
Shapes parse_shapes(const std::string& text);  // Error{kUsage} with the offending part
// The batch these shapes ask for (1 if none); Error{kUsage} for an unknown input or dims the plan does not have.
int64_t batch_of(const plan::Plan& plan, const Shapes& shapes);

}  // namespace octet::cli
