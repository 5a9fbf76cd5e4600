// The passes, in order. Each rewrites the graph towards the form that lower/ matches: constants folded, no identities, one
// Q/DQ a tensor, activations as one node. One wrapper gives every pass its off switch, timer, verification, dump and count.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace octet::passes {

// Where a pass says why a near-match did not match: shown by --explain and kept with the engine's notes.
using Notes = std::vector<std::string>;

struct Pass {
  std::string_view name;                   // "fold-constants": the name of --disable-pass and --dump-after
  std::string_view summary;                // one line
  int (*run)(Graph& graph, Notes& notes);  // rewrites done
};
std::span<const Pass> pipeline();

// What lowering fuses, and `disabled` switches off as well. Not passes: they have no graph of their own to dump.
inline constexpr std::string_view kFuseAttention = "fuse-attention";

struct Report {
  std::string name;
  int rewrites = 0;
  double milliseconds = 0;
  Notes notes;
};
struct Options {
  std::vector<std::string> disabled;  // names, kFuseAttention among them; an unknown one is Error{kUsage}
  // Called after the pass named `dump_after` (or "all") with the pass's name and the graph's text.
  std::string dump_after;
  std::function<void(std::string_view pass, const std::string& text)> dump;
};
// Types are inferred before the first pass and verified after each that changed something.
std::vector<Report> run_pipeline(Graph& graph, const Options& options = {});

// One file each; the summaries are in pipeline.cpp.
int expand_gemm(Graph& graph, Notes& notes);
int expand_attention(Graph& graph, Notes& notes);
int sink_dequantize(Graph& graph, Notes& notes);
int sink_expand(Graph& graph, Notes& notes);
int fold_constants(Graph& graph, Notes& notes);
int evaluate_constants(Graph& graph);  // the part of it that knows constants alone, no shapes; for other uses than the pipeline's
int gather_all(Graph& graph, Notes& notes);
int shape_of_inputs(Graph& graph, Notes& notes);
int drop_identities(Graph& graph, Notes& notes);
int merge_duplicates(Graph& graph, Notes& notes);
int fuse_layer_norm(Graph& graph, Notes& notes);
int fuse_gelu(Graph& graph, Notes& notes);
int drop_nan_guard(Graph& graph, Notes& notes);
int unflatten_transpose(Graph& graph, Notes& notes);
int place_qdq(Graph& graph, Notes& notes);
int collapse_qdq(Graph& graph, Notes& notes);
int pick_by_item(Graph& graph, Notes& notes);
int pool_before_norm(Graph& graph, Notes& notes);

}  // namespace octet::passes
