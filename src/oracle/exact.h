// One step of a plan in f64: every product and sum as exact as double makes it, before the step's own single rounding.
// The reference that kernels are judged against. Next: oracle/compare.h (judging), oracle/backend.h (whole plans).
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "numeric/accumulation.h"
#include "plan/plan.h"

namespace octet::oracle {

// Rows of the output seen as [batch * rows per item, cols], row-major. In units of the stored type: y / out_scale for e4m3.
struct ExactOutput {
  std::vector<int64_t> rows;  // which rows
  int64_t cols = 0;
  std::vector<double> value, bound;  // [rows, cols]: the exact value, and how far f32 arithmetic may stray from it (bound.h)
};

// buffers[id] is the memory of plan buffer `id` for `batch` items; only those that the step reads are looked at.
// rows: all if empty. accumulation: of the kernel to be judged; it widens the bounds. An id outside the vocabulary is Error{kInvalid}.
ExactOutput exact_step(const plan::Plan& plan, size_t step, std::span<const std::byte* const> buffers, int64_t batch,
                       std::span<const int64_t> rows = {}, ThreadPool* pool = nullptr, const Accumulation& accumulation = {});

// Runs the step for the whole batch and writes its output, each value rounded once. out may be the memory of a residual.
void run_exact(const plan::Plan& plan, size_t step, std::span<const std::byte* const> buffers, int64_t batch, std::byte* out,
               ThreadPool* pool = nullptr);

int64_t rows_per_item(const plan::Plan& plan, const plan::Step& step);  // of the output; its cols are the last dim

// `count` values of dtype f32, f16, bf16 or e4m3 at element `begin` of `data`; and back, rounded once to nearest even.
void decode(DType dtype, const std::byte* data, int64_t begin, int64_t count, double* to);
void encode(DType dtype, const double* from, int64_t count, std::byte* data, int64_t begin);

}  // namespace octet::oracle
