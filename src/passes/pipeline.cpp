#include "passes/pipeline.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/text.h"
#include "ir/text.h"

namespace octet::passes {
namespace {

constexpr Pass kPipeline[] = {
    {"fold-quantizers", "evaluates the Q of weights, and all else that constants give, before anything moves past it", fold_constants},
    {"expand-gemm", "a Gemm with a constant matrix becomes MatMul and Add", expand_gemm},
    {"expand-attention", "an Attention becomes its two products and the softmax between them", expand_attention},
    {"sink-dequantize", "moves a weight's DQ behind the Transpose that follows it; evaluates the DQ of a table", sink_dequantize},
    {"sink-expand", "what a batch repeats is repeated late, or by broadcasting", sink_expand},
    {"fold-constants", "evaluates nodes whose inputs are constants, and shapes that do not depend on the batch", fold_constants},
    {"gather-all", "a gather of every element in order becomes a Reshape", gather_all},
    {"shape-of-inputs", "the batch is asked of the graph inputs, so that no activation is read for its shape alone", shape_of_inputs},
    {"drop-identities", "removes Identity, casts to the same type, reshapes and transposes that change nothing", drop_identities},
    {"place-qdq", "moves a Q/DQ pair in front of layout changes, to the node whose result it rounds", place_qdq},
    {"merge-duplicates", "one node for equal nodes: q, k and v then share one Q/DQ of the LayerNorm output", merge_duplicates},
    {"collapse-qdq", "removes a second Q/DQ of the same scale behind layout changes", collapse_qdq},
    {"fuse-layer-norm", "a layer norm spelt as means, squares and a root becomes LayerNormalization", fuse_layer_norm},
    {"fuse-gelu", "GELU spelt with Erf, Tanh or Sigmoid becomes Gelu or QuickGelu", fuse_gelu},
    {"drop-nan-guard", "no test for rows masked whole where the mask, a constant, leaves each row a score", drop_nan_guard},
    {"unflatten-transpose", "a Transpose of flattened leading axes becomes one of the axes themselves", unflatten_transpose},
    {"pick-by-item", "a row picked from flattened items becomes one picked from each item", pick_by_item},
    {"pool-before-norm", "takes the pooled row before a row-wise LayerNorm, not after", pool_before_norm},
};

void check_disabled(const std::vector<std::string>& disabled) {
  std::vector<std::string> names;
  for (const Pass& pass : kPipeline) names.emplace_back(pass.name);
  names.emplace_back(kFuseAttention);
  for (const auto& name : disabled)
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string near = nearest(name, names);
      throw Error(Code::kUsage, fmt::format("--disable-pass: there is no pass `{}`", printable(name)),
                  near.empty() ? "passes: " + join(names, " ") : "did you mean `" + near + "`?");
    }
}

}  // namespace

std::span<const Pass> pipeline() { return kPipeline; }

std::vector<Report> run_pipeline(Graph& graph, const Options& options) {
  check_disabled(options.disabled);
  check_types(graph);
  std::vector<Report> reports;
  for (const Pass& pass : kPipeline) {
    Report report{std::string(pass.name), 0, 0, {}};
    const auto begin = std::chrono::steady_clock::now();
    const bool off = std::find(options.disabled.begin(), options.disabled.end(), pass.name) != options.disabled.end();
    if (off) report.notes.push_back("switched off");
    else
      with_context([&] { return fmt::format("running pass {}", pass.name); },
                   [&] {
                     report.rewrites = pass.run(graph, report.notes);
                     if (report.rewrites == 0) return;
                     graph.remove_dead();
                     graph.sort();
                     check_types(graph);
                   });
    report.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    if (options.dump && (options.dump_after == pass.name || options.dump_after == "all")) options.dump(pass.name, print(graph));
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace octet::passes
