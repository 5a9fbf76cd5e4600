// The text form of a graph, for --dump-after, goldens and pass tests; parse(print(g)) gives an equal graph.
//
//   graph clip_text opset 20
//   input %input_ids: i64[batch,77]
//   const %w: e4m3[2,3] = {0x38,0x40,...}        ; big constants: "= xxh3:<hash>" (not parseable, print-only)
//   %y: f16[batch,3] = MatMul(%x, %w) "node name"
//   %z = Softmax(%y) {axis=-1}
//   output %z
#pragma once
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace octet {

struct PrintOptions {
  int64_t max_elements = 16;  // constants above this print as a hash; -1: print all
};
std::string print(const Graph& graph, const PrintOptions& options = {});
// `find_op(name, domain)` resolves operators (ops/list.h has it; ir knows none). Throws Error{kInvalid} with line and column.
Graph parse_graph(std::string_view text, const OpDef* (*find_op)(std::string_view name, std::string_view domain));

}  // namespace octet
