#include "quant/state.h"

#include "base/error.h"
#include "base/text.h"

namespace octet {
namespace {

using Kind = PickleValue::Kind;

// The value of `key`, or nullptr when it is missing or None: both mean TensorQuantizer's default.
const PickleValue* get(const PickleValue& state, std::string_view key) {
  const PickleValue* value = state.find(key);
  return value == nullptr || value->is_none() ? nullptr : value;
}
bool get_bool(const PickleValue& state, std::string_view key, bool missing) {
  const PickleValue* value = get(state, key);
  return value == nullptr ? missing : with_context([&] { return fmt::format("reading `{}`", key); }, [&] { return value->as_bool(); });
}

int get_bits(const PickleValue& value) {
  constexpr int64_t kMaxBits = 32;
  const int64_t bits = value.as_int();
  if (bits < 0 || bits > kMaxBits) fail(Code::kInvalid, "`_num_bits` holds {}", bits);
  return static_cast<int>(bits);
}

void read_bits(const PickleValue& state, QuantizerState& out) {
  const PickleValue* bits = get(state, "_num_bits");
  if (bits == nullptr) return;
  if (bits->kind() == Kind::kInt) return void(out.integer_bits = get_bits(*bits));
  const auto& items = bits->items();
  if (items.size() != 2) fail(Code::kInvalid, "`_num_bits` is neither an int nor a pair (exponent, mantissa)");
  out.exponent_bits = get_bits(items[0]);
  out.mantissa_bits = get_bits(items[1]);
  if (out.exponent_bits == 0) fail(Code::kInvalid, "`_num_bits` is a float format without exponent");
}

void read_axis(const PickleValue& state, QuantizerState& out) {
  const PickleValue* axis = get(state, "_axis");
  if (axis == nullptr) return;
  if (axis->kind() == Kind::kInt) return void(out.axis = axis->as_int());
  if (axis->items().size() != 1) fail(Code::kUnsupported, "`_axis` names {} axes; octet reads one", axis->items().size());
  out.axis = axis->items()[0].as_int();
}

// What an enabled quantizer may do to its tensor beyond rounding. octet does none of it, and must not pretend.
void refuse_extras(const PickleValue& state) {
  for (const char* key : {"_bias", "_rotate", "_use_constant_amax", "_constant_amax", "is_sequential_quantizer"}) {
    const PickleValue* value = get(state, key);
    if (value != nullptr && !(value->kind() == Kind::kBool && !value->as_bool()))
      fail(Code::kUnsupported, "`{}` is set, which octet does not reproduce", key);
  }
  if (!get_bool(state, "_fake_quant", true))
    fail(Code::kUnsupported, "`_fake_quant` is off: the weights are packed, which octet does not read");
}

QuantizerState read_quantizer(const std::string& name, const PickleValue& state) {
  QuantizerState out;
  out.name = name;
  // First of all: the other keys of a disabled quantizer say what it would be, not what it is.
  out.enabled = !get_bool(state, "_disabled", false) && get_bool(state, "_if_quant", true);
  out.dynamic = get_bool(state, "_dynamic", false);
  out.block = get(state, "_block_sizes") != nullptr;
  if (const auto* dtype = get(state, "_trt_high_precision_dtype")) out.trt_high_precision_dtype = dtype->as_string();
  if (out.enabled) refuse_extras(state);
  read_bits(state, out);
  if (out.enabled) read_axis(state, out);
  return out;
}

const PickleValue* last_quantizer_state(const PickleValue& value) {
  const PickleValue* last = nullptr;
  for (const auto& mode : value.at("modelopt_state_dict").items()) {
    if (mode.items().size() != 2) fail(Code::kInvalid, "a mode of `modelopt_state_dict` is not a pair (name, state)");
    const PickleValue* metadata = mode.items()[1].find("metadata");
    if (metadata == nullptr || metadata->is_none()) continue;
    if (const PickleValue* state = metadata->find("quantizer_state")) last = state;
  }
  return last;
}

PickleValue make_quantizer(const QuantizerState& q) {
  PickleValue::Entries buffers;
  if (q.amax) {
    const char* dtype = q.amax->dtype() == DType::f32 ? "float32" : q.amax->dtype() == DType::bf16 ? "bfloat16" : "float16";
    buffers.emplace_back("_amax", PickleValue::dict({{"shape", PickleValue::size(q.amax->dims())}, {"dtype", PickleValue::dtype(dtype)}}));
  }
  const bool is_float = q.exponent_bits > 0;
  return PickleValue::dict({
      {"_num_bits", is_float ? PickleValue::tuple({q.exponent_bits, q.mantissa_bits}) : PickleValue(q.integer_bits)},
      {"_axis", q.axis ? PickleValue(*q.axis) : PickleValue()},
      {"_block_sizes", {}},
      {"_disabled", !q.enabled},
      {"_if_quant", true},
      {"_if_calib", false},
      {"_fake_quant", true},
      {"_dynamic", q.dynamic},
      {"_unsigned", false},
      {"_narrow_range", false},
      {"_trt_high_precision_dtype", q.trt_high_precision_dtype},
      {"_enable_pre_quant_scale", true},
      {"_learn_amax", false},
      {"_pytorch_state_metadata", PickleValue::dict({{"params", PickleValue::dict()}, {"buffers", PickleValue::dict(std::move(buffers))}})},
  });
}

}  // namespace

QuantState read_modelopt_state(const PickleValue& value) {
  QuantState out;
  if (const PickleValue* version = get(value, "modelopt_version")) out.modelopt_version = version->as_string();
  const PickleValue* state = last_quantizer_state(value);
  if (state == nullptr) return out;
  for (const auto& entry : state->entries()) {
    const std::string& name = entry.first.as_string();
    with_context([&] { return fmt::format("reading quantizer `{}`", printable(name)); },
                 [&] { out.by_name.emplace(name, read_quantizer(name, entry.second)); });
  }
  return out;
}

PickleValue make_modelopt_state(const QuantState& state) {
  PickleValue::Entries quantizers;
  for (const auto& [name, quantizer] : state.by_name) {
    if (quantizer.block) fail(Code::kUnsupported, "quantizer `{}`: octet writes no block formats", printable(name));
    quantizers.emplace_back(name, make_quantizer(quantizer));
  }
  // The rule is overridden by the state of each quantizer; ModelOpt wants at least one.
  const auto all_off = PickleValue::dict({{"quantizer_name", "*"}, {"parent_class", {}}, {"cfg", {}}, {"enable", false}});
  const auto config = PickleValue::dict({{"quant_cfg", PickleValue::list({all_off})}, {"algorithm", "max"}});
  const auto metadata = PickleValue::dict({{"quantizer_state", PickleValue::dict(std::move(quantizers))}});
  const auto mode = PickleValue::tuple({"quantize", PickleValue::dict({{"config", config}, {"metadata", metadata}})});
  return PickleValue::dict({{"modelopt_state_dict", PickleValue::list({mode})}, {"modelopt_version", state.modelopt_version}});
}

}  // namespace octet
