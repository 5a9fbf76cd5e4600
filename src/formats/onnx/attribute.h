// AttributeProto <-> the fields of an op's struct, through OpDef::visit. Next: onnx/tensor.h.
#pragma once
#include <memory>
#include <span>

#include "formats/onnx/tensor.h"
#include "formats/onnx/wire.h"
#include "ir/op.h"

namespace octet::onnx {

// The op with `attributes` set in `fields` (fresh ones of `def`). Error{kUnsupported} for an attribute the op does not know;
// Error{kInvalid} for a wrong type, a repeated attribute, or a missing one that ONNX requires; {kUnsupported} also for subgraphs and sparse
// tensors.
Op read_op(const OpDef& def, std::shared_ptr<void> fields, int opset, std::span<const WireReader> attributes, Source& source);

// Adds NodeProto.attribute for each field that differs from its default or that ONNX requires.
void write_attributes(const Op& op, int opset, WireWriter& node);

}  // namespace octet::onnx
