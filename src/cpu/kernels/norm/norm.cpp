// The table of LayerNorm kernels. The work is in norm_inl.h, compiled once per instruction set.
#include "cpu/kernels/norm/norm.h"

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/kernels/norm/norm_inl.h"

namespace octet::cpu {
namespace {

Refusal accepts(const NormProblem& p) {
  const bool in = p.in == DType::f16 || p.in == DType::bf16 || p.in == DType::f32;
  const bool out = p.out == DType::e4m3 || p.out == DType::f16 || p.out == DType::bf16 || p.out == DType::f32;
  if (!in || !out)
    return {fmt::format("norm reads f16, bf16 or f32 and writes these or e4m3, not {} to {}", name_of(p.in), name_of(p.out))};
  if (p.cols <= 0) return {fmt::format("norm needs columns, got {}", p.cols)};
  return {};
}

template <void (*kRows)(const NormProblem&, const NormArgs&, int64_t, int64_t)>
void run(const NormProblem& problem, const NormArgs& args, int thread, int threads) {
  const Range rows = share(args.rows, thread, threads);
  kRows(problem, args, rows.begin, rows.end);
}

constexpr NormKernel kKernels[] = {
    {"norm_any_any_avx512", kAvx512, accepts, run<norm_rows_avx512>},
    {"norm_any_any_avx2", kAvx2, accepts, run<norm_rows_avx2>},
    {"norm_any_any_portable", kPortable, accepts, run<norm_rows_portable>},
};

}  // namespace

void norm_rows_portable(const NormProblem& p, const NormArgs& a, int64_t begin, int64_t end) { norm<Native>(p, a, begin, end); }

std::span<const NormKernel> norm_kernels() { return kKernels; }

}  // namespace octet::cpu
