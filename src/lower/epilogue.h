// What may follow a product within its step, or within the pointwise step behind its rounded sum: [* vector] [+ bias] [activation]
// [* constant] [+ residual]. Next: match_gemm.cpp, match_pointwise.cpp.
#pragma once
#include <string>
#include <vector>

#include "lower/lowering.h"

namespace octet::lowering {

// Read from the graph without changing anything. `result` begins as the product or sum, `width` is its last axis.
struct Epilogue {
  ValueId result = kNone;
  int64_t width = 0;
  std::string bias_name = {};
  const HostTensor* bias = nullptr;
  const HostTensor* factor = nullptr;  // [width], multiplied onto the product: LayerScale
  bool factor_on_bias = false;
  plan::Activation activation = plan::Activation::kNone;
  float mul = 1;
  ValueId residual = kNone;
  std::vector<NodeId> nodes = {};
};

// Takes one more node; false when the next one does not fold.
bool extend(const Lowering& l, Epilogue& epilogue);

}  // namespace octet::lowering
