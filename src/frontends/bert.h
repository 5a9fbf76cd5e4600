// A BERT encoder (Hugging Face BertModel, sentence-transformers) becomes an ONNX-level graph as CLIP's towers do (clip.h): inputs
// input_ids, attention_mask and token_type_ids, i64 [batch, T] each; output last_hidden_state [batch, T, width]. Keys with mask 0 are
// not seen. The pooler, if there is one, is left out and noted. Next: frontends/tower_builder.h.
#pragma once
#include "frontends/clip.h"

namespace octet {

bool is_bert(const Checkpoint& checkpoint);  // config.json's model_type is `bert`

// `tokens`: T, static; 0: max_position_embeddings. Of `options`, precision, opset, fp8_attention, modelopt_scales and ids count. FP8 where
// the checkpoint carries quantizers at BertModel's modules ("encoder.layer.0.attention.self.query.input_quantizer", q_bmm_quantizer
// and so on at "attention.self"). Error{kInvalid} for a config that contradicts itself or the tensors, Error{kUnsupported} for relative
// positions and more tokens than positions.
ClipGraph build_bert(const Checkpoint& checkpoint, const ClipExportOptions& options, int64_t tokens);

}  // namespace octet
