// Times fake_quantize: fake_quantize_bench [options] fake_quantize:f16->f16:2056x1024 (rows x cols). Options: cpu/kernels/kernel_bench.h.
#include "cpu/kernels/fake_quantize/fake_quantize.h"
#include "cpu/kernels/kernel_bench.h"

namespace octet::cpu {
namespace {

using namespace kernel_bench;

bool bench(const std::string& text, const Options& options) {
  const auto problem = parse_rows(text, "fake_quantize");
  if (!problem) return false;
  const auto [in, out, rows, cols] = *problem;
  const FakeQuantizeProblem p{in, out};
  const AlignedBytes x = random_values(in, rows * cols, 1);
  const AlignedBytes y(static_cast<size_t>(rows * cols) * size_of(out));
  for (const FakeQuantizeKernel& row : fake_quantize_kernels()) {
    if (!wanted(row, p, options)) continue;
    const FakeQuantizeArgs args{x.data(), y.data(), rows * cols, 0.01f};
    time_kernel(row.name, options, static_cast<double>(rows * cols), "G elements/s",
                [&](int thread) { row.run(p, args, thread, options.threads); });
  }
  return true;
}

}  // namespace
}  // namespace octet::cpu

int main(int argc, char** argv) {
  return octet::cpu::kernel_bench::bench_main(argc, argv, {"fake_quantize:f16->f16:2056x1024", "fake_quantize:f32->f32:2056x1024"},
                                              octet::cpu::bench);
}
