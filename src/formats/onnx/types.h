// TypeProto <-> TensorType, symbolic dimensions included. Next: ir/types.h.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "formats/onnx/wire.h"
#include "ir/types.h"

namespace octet::onnx {

// The symbols of one file that are no plain names: one fresh symbol per spelling.
using OddSymbols = std::map<std::string, Dim, std::less<>>;

// Error{kUnsupported} for anything but a tensor of known rank and a type octet has.
TensorType read_type(WireReader type, OddSymbols& odd);
void write_type(const TensorType& type, uint32_t field, WireWriter& out);  // as nested message `field`

}  // namespace octet::onnx
