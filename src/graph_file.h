// A graph in a file: ONNX, or octet's text, chosen by the name's ending. NAME.ir holds the text (ir/text.h); its constants of more than 64
// elements lie in NAME.ir.safetensors beside it, under their own names. Nothing is lost on the way there and back.
#pragma once
#include <filesystem>

#include "ir/graph.h"

namespace octet {

bool is_graph_text(const std::filesystem::path& path);  // ends in .ir
// Types are not checked yet. Throws Error{kIo, kInvalid, kUnsupported}; of a text with line and column.
Graph load_graph(const std::filesystem::path& path);
// Infers types first: text then shows them, and ONNX needs those of its outputs. Whatever rules the graph breaks stay broken.
void save_graph(Graph& graph, const std::filesystem::path& path);

}  // namespace octet
