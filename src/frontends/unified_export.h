// ModelOpt's unified export (export_hf_checkpoint): FP8 weights stored as such, `<m>.weight` F8_E4M3 with `<m>.weight_scale` and
// `<m>.input_scale` = amax / 448, and hf_quant_config.json or config.json's quantization_config instead of modelopt_state.pth.
#pragma once
#include "frontends/checkpoint.h"

namespace octet {

// Whether the directory says that it holds such an export, or another one made for deployment.
bool is_unified_export(const Checkpoint& checkpoint);
// Fills checkpoint.quant with the quantizers that the scales stand for, k_bmm and v_bmm of attention included, and notes what
// the form lost: the scales of q, of the softmax and of the attention's output. Error{kUnsupported} for another algorithm than FP8;
// Error{kInvalid} where configuration and tensors contradict each other, or a scale is not one finite number > 0.
void read_unified_export(Checkpoint& checkpoint);

}  // namespace octet
