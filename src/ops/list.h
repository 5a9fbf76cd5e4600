// Every operator octet knows, by name. Adding one: its file pair, and one line in list.cpp.
#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "ir/op.h"

namespace octet {

// All descriptors, sorted by name.
std::span<const OpDef* const> all_ops();

// The operator a model file calls `name` in `domain`, or nullptr. "ai.onnx" is ""; in domain "trt" QuantizeLinear,
// DequantizeLinear, TRT_FP8QuantizeLinear and TRT_FP8DequantizeLinear are the standard Q/DQ.
const OpDef* find_op(std::string_view name, std::string_view domain);

// Fresh attributes for a node spelled so: OpDef::make, but TRT_FP8QuantizeLinear, which has no zero point, starts with
// output_dtype e4m3. nullptr if find_op is.
std::shared_ptr<void> make_attributes(std::string_view name, std::string_view domain);

}  // namespace octet
