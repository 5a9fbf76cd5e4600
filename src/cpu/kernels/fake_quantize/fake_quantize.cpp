// The table of fake_quantize kernels. The work is in fake_quantize_inl.h, compiled once per instruction set.
#include "cpu/kernels/fake_quantize/fake_quantize.h"

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/kernels/fake_quantize/fake_quantize_inl.h"

namespace octet::cpu {
namespace {

Refusal accepts(const FakeQuantizeProblem& p) {
  const bool out = p.out == DType::f16 || p.out == DType::bf16 || p.out == DType::f32;
  if (out && (p.in == p.out || p.in == DType::e4m3)) return {};
  return {fmt::format("fake_quantize keeps f16, bf16 or f32, or multiplies e4m3 codes, not {} to {}", name_of(p.in), name_of(p.out))};
}

constexpr int64_t kBlock = 256;  // elements: no two threads write one cache line of an aligned y

template <void (*kElements)(const FakeQuantizeProblem&, const FakeQuantizeArgs&, int64_t, int64_t)>
void run(const FakeQuantizeProblem& problem, const FakeQuantizeArgs& args, int thread, int threads) {
  const Range mine = share(args.count, thread, threads, kBlock);
  kElements(problem, args, mine.begin, mine.end);
}

constexpr FakeQuantizeKernel kKernels[] = {
    {"fake_quantize_any_any_avx512", kAvx512, accepts, run<fake_quantize_avx512>},
    {"fake_quantize_any_any_avx2", kAvx2, accepts, run<fake_quantize_avx2>},
    {"fake_quantize_any_any_portable", kPortable, accepts, run<fake_quantize_portable>},
};

}  // namespace

void fake_quantize_portable(const FakeQuantizeProblem& p, const FakeQuantizeArgs& a, int64_t begin, int64_t end) {
  fake_quantize<Native>(p, a, begin, end);
}

std::span<const FakeQuantizeKernel> fake_quantize_kernels() { return kKernels; }

}  // namespace octet::cpu
