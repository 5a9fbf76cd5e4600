// Shape and Size: where symbolic dimensions become values. (octet::Shape is the type of shapes, hence the names.)
#pragma once
#include <limits>

#include "ir/graph.h"
#include "ir/op.h"

namespace octet {

// y = the dimensions [start, end) of x as i64; negative bounds count from the end, both are clamped (opset 15).
struct ShapeOp {
  static constexpr std::string_view kName = "Shape";
  int64_t start = 0;
  int64_t end = std::numeric_limits<int64_t>::max();
  static void fields(auto& self, auto&& visit) {
    visit("start", self.start);
    visit("end", self.end);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

// y = the number of elements of x, an i64 scalar.
struct SizeOp {
  static constexpr std::string_view kName = "Size";
  static void fields(auto&, auto&&) {}
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

namespace ops {

// As Graph::consumers(), without Shape and Size: they read no element, so a fused value may have them beside its one reader.
std::vector<std::vector<NodeId>> data_readers(const Graph& graph);

}  // namespace ops
}  // namespace octet
