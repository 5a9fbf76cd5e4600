// The table of GEMM kernels, best first. A kernel is one row here and a run function in an ISA file.
// Next: gemm_portable.cpp (the simplest), gemm_layout.h (packing), docs/kernels/gemm.md (what each step of the ladder gained).
#include "cpu/kernels/gemm/gemm.h"

#include "cpu/isa.h"
#include "cpu/kernels/gemm/gemm_layout.h"
#include "cpu/kernels/gemm/gemm_rows.h"

namespace octet::cpu {
namespace {

template <int kWidth>
size_t panel_bytes(const GemmProblem& p) {
  return column_panel_bytes(p, kWidth);
}
template <int kWidth>
void pack_panels(const GemmProblem& p, const void* w, void* packed) {
  pack_column_panels(p, kWidth, w, packed);
}

Refusal accept_all(const GemmProblem&) { return {}; }

constexpr GemmKernel kKernels[] = {
    {"gemm_any_any_f32_portable", kPortable, accept_all, panel_bytes<kPortableWidth>, pack_panels<kPortableWidth>, scratch_gemm_portable,
     run_gemm_portable},
};

}  // namespace

std::span<const GemmKernel> gemm_kernels() { return kKernels; }

}  // namespace octet::cpu
