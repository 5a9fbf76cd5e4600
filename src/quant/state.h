// What the quantizers of a model are, by name, as NVIDIA ModelOpt saves it: `modelopt_state.pth` holds the formats,
// `<quantizer>._amax` tensors of the checkpoint hold the ranges (scale = amax / 448 for E4M3). Next: frontends/checkpoint.h.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/torch_zip/pickle_value.h"
#include "numeric/host_tensor.h"

namespace octet {

struct QuantizerState {
  std::string name;  // "text_model.encoder.layers.0.mlp.fc1.input_quantizer"
  bool enabled = false;
  int exponent_bits = 0, mantissa_bits = 0;  // (4, 3) E4M3, (5, 2) E5M2, (2, 1) E2M1; 0, 0: an integer format
  int integer_bits = 8;                      // when both are 0
  std::optional<int64_t> axis;               // the axis that keeps its own ranges; none: one range for the tensor
  bool block = false;                        // ranges per block (MX, NVFP4, ...)
  bool dynamic = false;                      // ranges taken at run time: no amax
  std::string trt_high_precision_dtype = "Float";
  std::optional<HostTensor> amax;  // one element, or one per index of `axis`; finite and >= 0
  bool is_e4m3() const { return exponent_bits == 4 && mantissa_bits == 3 && !block; }
};

struct QuantState {
  std::map<std::string, QuantizerState, std::less<>> by_name;  // disabled ones too
  std::string modelopt_version;
};

// From the value of a modelopt_state.pth (formats/torch_zip): the last mode that has quantizer_state is taken. Keys are read by
// name, missing ones take TensorQuantizer's defaults; amax stays empty. Throws Error{kInvalid} for another structure, and
// Error{kUnsupported} for an enabled quantizer that octet cannot reproduce (rotated, biased, constant amax, packed weights).
QuantState read_modelopt_state(const PickleValue& value);
// The inverse: a state that ModelOpt restores (mode "quantize", algorithm "max"). `amax` gives only shape and dtype.
PickleValue make_modelopt_state(const QuantState& state);

}  // namespace octet
