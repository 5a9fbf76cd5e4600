// The table of pointwise kernels. The arithmetic: pointwise_inl.h.
#include "cpu/kernels/pointwise/pointwise.h"

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/kernels/pointwise/pointwise_inl.h"

namespace octet::cpu {
namespace {

bool is_taken(DType type) { return type == DType::e4m3 || type == DType::f16 || type == DType::bf16 || type == DType::f32; }

Refusal accepts(const PointwiseProblem& p) {
  if (!is_taken(p.in) || !is_taken(p.out))
    return {fmt::format("pointwise takes e4m3, f16, bf16 and f32, not {} to {}", name_of(p.in), name_of(p.out))};
  if (p.cols <= 0) return {fmt::format("pointwise over rows of {}", p.cols)};
  return {};
}

template <void (*kRows)(const PointwiseProblem&, const PointwiseArgs&, int64_t, int64_t)>
void run(const PointwiseProblem& p, const PointwiseArgs& a, int thread, int threads) {
  const Range rows = share(a.rows, thread, threads);
  kRows(p, a, rows.begin, rows.end);
}

constexpr PointwiseKernel kKernels[] = {
    {"pointwise_any_any_avx512", kAvx512, accepts, run<pointwise_rows_avx512>},
    {"pointwise_any_any_avx2", kAvx2, accepts, run<pointwise_rows_avx2>},
    {"pointwise_any_any_portable", kPortable, accepts, run<pointwise_rows_portable>},
};

}  // namespace

void pointwise_rows_portable(const PointwiseProblem& p, const PointwiseArgs& a, int64_t begin, int64_t end) {
  pointwise<Native>(p, a, begin, end);
}

std::span<const PointwiseKernel> pointwise_kernels() { return kKernels; }

}  // namespace octet::cpu
