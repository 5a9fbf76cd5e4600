// The text form of a graph, for --dump-after, goldens and pass tests; parse(print(g)) gives an equal graph.
//
//   graph clip_text opset 20
//   producer "pytorch"                           ; both only if set
//   meta "key" = "value"
//   input %input_ids: i64[batch,77]
//   const %w: e4m3[2,3] = {0x38,0x40,...}        ; big constants: "xxh3:<hash>" (not parseable, print-only)
//   const %v: f16[512,512] = side                ; in a side file, under the constant's own name
//   %y: f16[batch,3] = MatMul(%x, %w) "node name"
//   %z = Softmax(%y) {axis=-1}                   ; attributes come before the node's name
//   %a, _ = octet.Pool(%z, _) "n" from ["p","q"] ; _: omitted input or output. A domain is a prefix. from: Node::source,
//   output %z                                    ;   left out where it is the node's own name
//
// Names with other characters than letters, digits and _ . / - + ? are quoted: %"onnx::x", ["height/2"]. A string escapes
// a quote and a backslash by a backslash, and has \n and \xNN. A float element is a number, or 0x and its bits (all of
// e4m3 e5m2 e8m0, and NaNs). White space and line ends only separate; a comment runs from ; to the end of the line.
// What no live node uses is not printed.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace octet {

struct PrintOptions {
  int64_t max_elements = 16;  // tensors above this print as a hash; -1: print all
  // Whether a constant above max_elements goes to a side file that the caller writes; others print in full then. Unset: hashes.
  std::function<bool(const std::string& name, const HostTensor& tensor)> aside = {};
};
std::string print(const Graph& graph, const PrintOptions& options = {});
std::string print_attributes(const Op& op, int opset, const PrintOptions& options = {});  // "axis=-1, keepdims=0"; "" without any
// `find_op(name, domain)` resolves operators (ops/list.h has it; ir knows none). Throws Error{kInvalid} with line and column.
// Values are defined before use; the types written after outputs are kept, infer_types() replaces them. `side` gives the tensors of the
// side file; unset: a constant that lies there is refused.
using SideTensors = std::function<HostTensor(const std::string& name)>;
Graph parse_graph(std::string_view text, const OpDef* (*find_op)(std::string_view name, std::string_view domain),
                  const SideTensors& side = {});

}  // namespace octet
