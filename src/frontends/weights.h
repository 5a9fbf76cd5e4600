// Checkpoint tensors made ready for a graph: checked, cast, transposed, quantized.
#pragma once
#include "frontends/checkpoint.h"

namespace octet {

// The tensor `name` with exactly these dims; throws Error{kInvalid} naming both otherwise. An e4m3 weight of a unified
// export comes as f32, code * scale: dividing by that scale, even rounded to a normal f16, gives the same codes again.
HostTensor checkpoint_tensor(const Checkpoint& checkpoint, const std::string& name, const std::vector<int64_t>& dims);
// Same values rounded once to `dtype`; the same bytes (a view) when it has it already. A finite value that overflows the
// target is Error{kInvalid}.
HostTensor cast_tensor(const HostTensor& tensor, DType dtype);
HostTensor transpose(const HostTensor& matrix);  // [a, b] -> [b, a]
// [out, in] of a float type -> e4m3 [in, out], code = e4m3(w / scale) divided in f32; scales: one, or one per row. `through_f16`: the
// quotient is rounded to f16 first, as ModelOpt's export of an f16 model does; about 0.4 % of the codes then differ by one.
HostTensor quantize_transposed(const HostTensor& matrix, const std::vector<float>& scales, bool through_f16 = false);

}  // namespace octet
