// The instruction-set entries of fake_quantize, each over elements [begin, end); fake_quantize.cpp lists them. All run
// fake_quantize_inl.h.
#pragma once
#include "cpu/kernels/fake_quantize/fake_quantize.h"

namespace octet::cpu {

void fake_quantize_portable(const FakeQuantizeProblem& problem, const FakeQuantizeArgs& args, int64_t begin, int64_t end);
void fake_quantize_avx2(const FakeQuantizeProblem& problem, const FakeQuantizeArgs& args, int64_t begin, int64_t end);
void fake_quantize_avx512(const FakeQuantizeProblem& problem, const FakeQuantizeArgs& args, int64_t begin, int64_t end);

}  // namespace octet::cpu
