// The table of embedding kernels, and the check of the ids before anything is read through them. The additions: embed_inl.h.
#include "cpu/kernels/embed/embed.h"

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/kernels/embed/embed_inl.h"

namespace octet::cpu {
namespace {

Refusal accepts(const EmbedProblem& p) {
  const bool ids = p.ids == DType::i32 || p.ids == DType::i64;
  const bool table = p.table == DType::f16 || p.table == DType::bf16 || p.table == DType::f32;
  if (!ids || !table)
    return {fmt::format("embed takes ids i32 or i64 and tables f16, bf16 or f32, not {} and {}", name_of(p.ids), name_of(p.table))};
  if (p.tokens <= 0 || p.cols <= 0 || p.vocabulary <= 0 || p.types < 0)
    return {fmt::format("embed of {} x {} from {} rows", p.tokens, p.cols, p.vocabulary)};
  return {};
}

template <class Id>
bool all_inside(const void* ids, int64_t vocabulary, Range rows) {
  const Id* id = static_cast<const Id*>(ids);
  bool inside = true;
  for (int64_t r = rows.begin; r < rows.end; ++r) inside &= id[r] >= 0 && id[r] < vocabulary;
  return inside;
}

template <void (*kRows)(const EmbedProblem&, const EmbedArgs&, int64_t, int64_t)>
bool run(const EmbedProblem& p, const EmbedArgs& a, int thread, int threads) {
  const Range rows = share(a.batch * p.tokens, thread, threads);
  const auto within = [&](const void* ids, int64_t table) {
    return p.ids == DType::i32 ? all_inside<int32_t>(ids, table, rows) : all_inside<int64_t>(ids, table, rows);
  };
  const bool inside = within(a.ids, p.vocabulary) && (p.types == 0 || within(a.types, p.types));
  if (inside) kRows(p, a, rows.begin, rows.end);
  return inside;
}

constexpr EmbedKernel kKernels[] = {
    {"embed_any_avx512", kAvx512, accepts, run<embed_rows_avx512>},
    {"embed_any_avx2", kAvx2, accepts, run<embed_rows_avx2>},
    {"embed_any_portable", kPortable, accepts, run<embed_rows_portable>},
};

}  // namespace

void embed_rows_portable(const EmbedProblem& p, const EmbedArgs& a, int64_t begin, int64_t end) { embed<Native>(p, a, begin, end); }

std::span<const EmbedKernel> embed_kernels() { return kKernels; }

}  // namespace octet::cpu
