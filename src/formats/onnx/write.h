// Graph -> ONNX. Written through in one go: only the graph's skeleton is held in memory, never a copy of the weights.
#pragma once
#include <filesystem>

#include "ir/graph.h"

namespace octet {

struct WriteOptions {
  bool external = false;                     // tensors above 1 KiB go to FILE.data beside the model
  uint64_t limit = (uint64_t{1} << 31) - 1;  // a model above it does that by itself: protobuf's limit for one message
};

// Writes live nodes, the constants they use, and the types of all typed values at the graph's opset, atomically: the file is
// the old one or the whole new one (FILE.data is replaced first). Graph outputs must be typed (infer_types). Attributes equal
// to their ONNX default are left out. Error{kUnsupported} for an op ONNX does not have, {kIo} from the disk.
void write_onnx(const Graph& graph, const std::filesystem::path& path, const WriteOptions& options = {});

}  // namespace octet
