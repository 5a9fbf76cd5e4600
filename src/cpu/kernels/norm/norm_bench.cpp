// Times LayerNorm: norm_bench [options] norm:f16->e4m3:2056x1024 (rows x cols). Options: cpu/kernels/kernel_bench.h.
#include "cpu/kernels/kernel_bench.h"
#include "cpu/kernels/norm/norm.h"

namespace octet::cpu {
namespace {

using namespace kernel_bench;

bool bench(const std::string& text, const Options& options) {
  const auto problem = parse_rows(text, "norm");
  if (!problem) return false;
  const auto [in, out, rows, cols] = *problem;
  const NormProblem p{in, out, cols};
  const AlignedBytes x = random_values(in, rows * cols, 1);
  const AlignedBytes y(static_cast<size_t>(rows * cols) * size_of(out));
  const std::vector<float> gamma(static_cast<size_t>(cols), 1.1f), beta(static_cast<size_t>(cols), 0.1f);
  for (const NormKernel& row : norm_kernels()) {
    if (!wanted(row, p, options)) continue;
    const NormArgs args{x.data(), y.data(), gamma.data(), beta.data(), 1e-5f, 100, rows};
    time_kernel(row.name, options, static_cast<double>(rows * cols), "G elements/s",
                [&](int thread) { row.run(p, args, thread, options.threads); });
  }
  return true;
}

}  // namespace
}  // namespace octet::cpu

int main(int argc, char** argv) {
  return octet::cpu::kernel_bench::bench_main(argc, argv, {"norm:f16->e4m3:2056x1024", "norm:f16->f16:2056x1024"}, octet::cpu::bench);
}
