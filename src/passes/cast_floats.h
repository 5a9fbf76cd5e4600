// A whole graph in another float type. Next: fix_types.h, which mends graphs whose types contradict each other.
#pragma once
#include "ir/graph.h"

namespace octet::passes {

// The tensor with each value rounded once; finite values clamp to the range of a 16-bit `to` (masks hold the lowest f32).
HostTensor retyped(const HostTensor& tensor, DType to);

// Every f32 tensor becomes `to` (f16 or bf16): constants, graph inputs and outputs, targets of Casts. E4M3 stays, its scales take the
// new type: f16 loses a scale that is not positive in it, which is Error{kInvalid}. Types are inferred anew.
void cast_floats(Graph& graph, DType to);

}  // namespace octet::passes
