// Mends a graph that strong typing refuses because f32 meets a 16-bit float, as raw ModelOpt files do around attention. An island is
// what must share one type: values that nodes other than Cast and Q/DQ connect. Next: passes/dynamic_batch.h.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"

namespace octet::passes {

struct TypeRepair {
  std::vector<std::string> changes;       // one line each, naming node or tensor
  std::vector<std::string> notes;         // what was left alone, and why
  std::vector<TypeViolation> violations;  // those that remain
};

// An f32 island that meets a 16-bit scale or activation becomes of that type: its constants are stored so (finite values clamp to the
// type's range), the Casts that led into it go, and a graph input or output of f32 keeps its type behind a Cast. A 16-bit constant
// that alone disagrees with an f32 island is stored as f32 instead. Islands whose types agree are left alone. Identities of constants
// go; Q and DQ of e4m3 activations gain the zero point 0 that onnxruntime needs. Types are inferred anew.
// Error{kUnsupported} for f8 Q/DQ below opset 19, which ONNX does not have.
TypeRepair fix_types(Graph& graph);

}  // namespace octet::passes
