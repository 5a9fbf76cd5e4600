// What each ISA file gives to the table in gemm.cpp. Internal.
#pragma once
#include "cpu/kernels/gemm/gemm.h"

namespace octet::cpu {

using GemmRun = void(const GemmProblem&, const GemmArgs&, int thread, int threads);
using GemmScratch = size_t(const GemmProblem&, int64_t max_m, int threads);

inline constexpr int kPortableWidth = 8;  // columns of a panel
GemmRun run_gemm_portable;
GemmScratch scratch_gemm_portable;

// Weights packed by pack_tiles.
GemmRun run_gemm_e4m3_amx, run_gemm_e4m3_by_bf16_amx, run_gemm_bf16_amx, run_gemm_f16_amx;
GemmRun run_gemm_e4m3_avx512bf16, run_gemm_e4m3_by_bf16_avx512bf16, run_gemm_bf16_avx512bf16;
// Weights packed by pack_column_panels, 32 and 16 wide.
GemmRun run_gemm_e4m3_avx512, run_gemm_f16_avx512, run_gemm_bf16_avx512, run_gemm_f32_avx512;
GemmRun run_gemm_e4m3_avx2, run_gemm_f16_avx2, run_gemm_bf16_avx2, run_gemm_f32_avx2;

}  // namespace octet::cpu
