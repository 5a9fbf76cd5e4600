// How the rows order packed weights, and which part of the output a thread owns. Plain x86-64 code, run at load.
// Next: gemm_layout.cpp, then the kernels: gemm_portable.cpp, gemm_fma.h, gemm_amx.cpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cpu/kernels/gemm/gemm.h"

namespace octet::cpu {

// Column panels: [ceil(n / width)][k][width] elements of the weight's own dtype, zeros beyond n. Width 8, 16 or 32.
size_t column_panel_bytes(const GemmProblem& problem, int width);
void pack_column_panels(const GemmProblem& problem, int width, const void* w, void* packed);

// Rectangle of the output that `thread` of `threads` computes: the threads form a grid of rows x columns, chosen so that the
// largest share is smallest and, among equals, what each thread must unpack (its rows of a, its columns of w) is smallest.
// Shares are whole blocks of row_block x col_block. Empty when there are more threads than blocks.
struct GemmShare {
  int64_t row_begin, row_end, col_begin, col_end;
};
GemmShare gemm_share(int64_t m, int64_t n, int64_t row_block, int64_t col_block, int thread, int threads);

}  // namespace octet::cpu
