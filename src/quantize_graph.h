// FP8 for an ONNX graph: Q/DQ where fused steps can take them, at ranges observed on the engine. What `octet quantize MODEL.onnx`
// does between reading its inputs and writing. A linear is a MatMul by a constant matrix, and is called by that node's name; an
// attention is called by the name of its second product. Next: calibrate.h, quantize.h (how ranges are chosen).
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "plan/plan.h"
#include "quantize.h"

namespace octet {

inline constexpr int kOldestFp8Opset = 20;  // TensorRT's parser wants 20 or later of files with FP8

// The graph that gets the Q/DQ: passes run, operators that are octet's own spelt in standard ones, nodes named, types inferred,
// at `opset` (kOldestFp8Opset to 25). Error{kInvalid} for a graph that holds FP8 already.
Graph prepare_to_quantize(Graph graph, int opset);

// The part of a prepared graph that compiles: all of it, or the longest beginning that fused steps cover.
struct Trunk {
  std::shared_ptr<const plan::Plan> plan;
  std::vector<std::string> left;  // the nodes that no step covers, each with the reason; empty if the whole graph compiles
  size_t nodes = 0;               // of the graph behind the trunk, those of `left` included
};
// Error{kUnsupported}, listing the nodes, if not even one linear compiles.
Trunk compile_trunk(const Graph& prepared, std::shared_ptr<const Backend> backend);

struct QuantizedGraph {
  Graph graph;
  std::vector<QuantizedTensor> tensors;  // in the order of the nodes
  std::vector<std::string> notes;        // what stays in its float type though the recipe asks for FP8, and why
};
// `sites`: of the trunk's plan, observed. Weights become E4M3 constants behind a DQ, activations get Q and DQ; every DQ carries its zero
// point and every scale has the type of the tensor it scales. Recipe fp8: q, k, v, softmax and output of each attention as well; the
// factor of its scores moves in front of them, its square root to q and to k.
QuantizedGraph quantize_graph(Graph prepared, std::span<const CalibrationSite> sites, const QuantizeOptions& options);

}  // namespace octet
