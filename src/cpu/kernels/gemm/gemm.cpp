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

size_t tile_scratch(const GemmProblem& p, int64_t max_m, int) { return tile_scratch_bytes(p, max_m); }
size_t vector_scratch(const GemmProblem& p, int64_t, int) { return vector_scratch_bytes(p); }

Refusal accept_all(const GemmProblem& p) {
  if (p.tiled_a || p.tiled_out) return {"reads and writes plain rows"};
  return {};
}
template <DType kA, DType kW = kA>
Refusal accept(const GemmProblem& p) {
  if (p.a == kA && p.w == kW) return accept_all(p);
  return {fmt::format("multiplies {} by {}, not {} by {}", kA, kW, p.a, p.w)};
}
template <DType kA, DType kW = kA>
Refusal accept_tiled(const GemmProblem& p) {
  const bool can = p.a == kA && p.w == kW && (!p.tiled_out || ((p.out == DType::e4m3 || p.out == DType::bf16) && !p.residual));
  return can ? Refusal{} : accept<kA, kW>(p);
}

constexpr GemmKernel kKernels[] = {
    {"gemm_e4m3_e4m3_bf16_amx", kAmx | kAvx512, accept_tiled<DType::e4m3>, tile_bytes, pack_tiles, tile_scratch, run_gemm_e4m3_amx},
    {"gemm_e4m3_bf16_bf16_amx", kAmx | kAvx512, accept_tiled<DType::e4m3, DType::bf16>, tile_bytes, pack_tiles, tile_scratch,
     run_gemm_e4m3_by_bf16_amx},
    {"gemm_bf16_bf16_bf16_amx", kAmx | kAvx512, accept_tiled<DType::bf16>, tile_bytes, pack_tiles, tile_scratch, run_gemm_bf16_amx},
    {"gemm_f16_f16_bf16x4_amx", kAmx | kAvx512, accept<DType::f16>, tile_bytes, pack_tiles, tile_scratch, run_gemm_f16_amx},
    {"gemm_e4m3_e4m3_bf16_avx512bf16", kAvx512Bf16 | kAvx512, accept<DType::e4m3>, tile_bytes, pack_tiles, vector_scratch,
     run_gemm_e4m3_avx512bf16},
    {"gemm_e4m3_bf16_bf16_avx512bf16", kAvx512Bf16 | kAvx512, accept<DType::e4m3, DType::bf16>, tile_bytes, pack_tiles, vector_scratch,
     run_gemm_e4m3_by_bf16_avx512bf16},
    {"gemm_bf16_bf16_bf16_avx512bf16", kAvx512Bf16 | kAvx512, accept<DType::bf16>, tile_bytes, pack_tiles, vector_scratch,
     run_gemm_bf16_avx512bf16},
    {"gemm_e4m3_e4m3_f32_avx512", kAvx512, accept<DType::e4m3>, panel_bytes<32>, pack_panels<32>, vector_scratch, run_gemm_e4m3_avx512},
    {"gemm_f16_f16_f32_avx512", kAvx512, accept<DType::f16>, panel_bytes<32>, pack_panels<32>, vector_scratch, run_gemm_f16_avx512},
    {"gemm_bf16_bf16_f32_avx512", kAvx512, accept<DType::bf16>, panel_bytes<32>, pack_panels<32>, vector_scratch, run_gemm_bf16_avx512},
    {"gemm_f32_f32_f32_avx512", kAvx512, accept<DType::f32>, panel_bytes<32>, pack_panels<32>, vector_scratch, run_gemm_f32_avx512},
    {"gemm_e4m3_e4m3_f32_avx2", kAvx2, accept<DType::e4m3>, panel_bytes<16>, pack_panels<16>, vector_scratch, run_gemm_e4m3_avx2},
    {"gemm_f16_f16_f32_avx2", kAvx2, accept<DType::f16>, panel_bytes<16>, pack_panels<16>, vector_scratch, run_gemm_f16_avx2},
    {"gemm_bf16_bf16_f32_avx2", kAvx2, accept<DType::bf16>, panel_bytes<16>, pack_panels<16>, vector_scratch, run_gemm_bf16_avx2},
    {"gemm_f32_f32_f32_avx2", kAvx2, accept<DType::f32>, panel_bytes<16>, pack_panels<16>, vector_scratch, run_gemm_f32_avx2},
    {"gemm_any_any_f32_portable", kPortable, accept_all, panel_bytes<kPortableWidth>, pack_panels<kPortableWidth>, scratch_gemm_portable,
     run_gemm_portable},
};

}  // namespace

std::span<const GemmKernel> gemm_kernels() { return kKernels; }

}  // namespace octet::cpu
