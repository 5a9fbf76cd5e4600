// ONNX -> Graph. The file is mapped and its weights stay in it: every initializer with raw_data or external data is a view.
// Nothing the file claims about types is believed but the types of graph inputs and of constants. Next: onnx/attribute.h,
// onnx/tensor.h, onnx/external.h; the way back is onnx/write.h.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "ir/graph.h"

namespace octet {

// Reads opset 1 to 25 of ai.onnx, and whatever other domain ops/list.h knows. Nodes may come in any order; they leave sorted.
// Constant nodes become constants; Node::source is the node's name, or "Op_17" (its place in the file) if it has none.
// A dim_param "batch" becomes the symbol batch, "3*batch" its multiple, what is no visible ASCII name one fresh symbol per spelling.
// A graph input with an initializer is that constant. No types are inferred: see infer_types().
// Error{kInvalid}: damage (with byte offset) or contradiction; {kUnsupported}: an op, attribute or type that octet lacks,
// subgraphs, functions, sparse and string tensors; {kIo}: a missing file.
Graph read_onnx(const std::filesystem::path& path);

// The same for a model in memory; `owner` keeps `model` alive as long as the graph's constants. External data is looked for in
// `directory`; empty: refused.
Graph read_onnx(std::span<const std::byte> model, std::shared_ptr<const void> owner, const std::filesystem::path& directory = {});

}  // namespace octet
