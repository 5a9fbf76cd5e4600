// trtexec's lists of input names: "name:128x3x224x224,'other:0':128x77" of --shapes and its kin, "name:file" of --loadInputs.
#pragma once
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plan/plan.h"

namespace octet::cli {

// (name, value) of each part, in order. Quotes keep colons and commas of a name, and are dropped. Error{kUsage} names `flag` and the
// offending part, a name given twice too. `last`: the value follows the last colon of an unquoted part, else the first.
std::vector<std::pair<std::string, std::string>> parse_named(const std::string& text, const std::string& flag, bool last);

using Shapes = std::map<std::string, std::vector<int64_t>>;
Shapes parse_shapes(const std::string& text, const std::string& flag = "--shapes");  // "name:scalar" and "name:" have no dims

// Names of `given` as those of `inputs`: equal ones; one * matches any text, and may match several; and, unless `strict`, any one name
// means the only input, which is said in `warnings`. Error{kUsage} for others, with the near miss.
struct NameRules {
  std::span<const std::string> inputs;
  std::string flag;
  bool strict = false;
};
std::map<std::string, std::string> resolve_names(const std::vector<std::string>& given, const NameRules& rules,
                                                 std::vector<std::string>& warnings);  // input -> given name
Shapes resolve(const Shapes& shapes, const NameRules& rules, std::vector<std::string>& warnings);

std::vector<std::string> input_names(const plan::Plan& plan);
// The batch that shapes ask for (1 if none); Error{kUsage} for inputs and dims the plan does not have.
int64_t batch_of(const plan::Plan& plan, const Shapes& shapes, const std::string& flag = "--shapes");

}  // namespace octet::cli
