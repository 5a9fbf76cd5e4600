// Times attention: attention_bench [options] attention:e4m3->e4m3:8x16x257x64[+causal][+e4m3_p|+float_p] (batch x heads x tokens x dim).
// GFLOP/s counts both products, 4 * batch * heads * tokens^2 * dim. Options: cpu/kernels/kernel_bench.h.
#include "cpu/kernels/attention/attention.h"
#include "cpu/kernels/kernel_bench.h"

namespace octet::cpu {
namespace {

using namespace kernel_bench;

bool bench(const std::string& text, const Options& options) {
  char in_name[8], out_name[8];
  long batch, heads, tokens, dim;
  if (std::sscanf(text.c_str(), "attention:%7[a-z0-9]->%7[a-z0-9]:%ldx%ldx%ldx%ld", in_name, out_name, &batch, &heads, &tokens, &dim) != 6)
    return false;
  const auto in = parse_dtype(in_name), out = parse_dtype(out_name);
  if (!in || !out) return false;
  const bool quantized = text.find("+e4m3_p") != std::string::npos || (*in == DType::e4m3 && text.find("+float_p") == std::string::npos);
  const AttentionProblem p{*in, *out, tokens, heads, dim, text.find("+causal") != std::string::npos, quantized};
  const int64_t width = heads * dim, stride = 3 * width;
  const AlignedBytes qkv = random_values(*in, batch * tokens * stride, 40);
  const AlignedBytes y(static_cast<size_t>(batch * tokens * width) * size_of(*out));
  const std::byte* x = qkv.data();
  const size_t part = static_cast<size_t>(width) * size_of(*in);
  for (const AttentionKernel& row : attention_kernels()) {
    if (!wanted(row, p, options)) continue;
    std::vector<AlignedBytes> scratch;
    for (int t = 0; t < options.threads; ++t) scratch.emplace_back(row.scratch_bytes(p));
    const AttentionArgs args{x,     x + part, x + 2 * part, stride, stride, stride, y.data(), 2e-4f, quantized ? 1.0f / 448 : 0,
                             0.01f, 1.0f,     batch,        nullptr};
    const double work = 4.0 * static_cast<double>(batch * heads * tokens) * static_cast<double>(tokens * dim);
    time_kernel(row.name, options, work, "GFLOP/s", [&](int thread) {
      AttentionArgs mine = args;
      mine.scratch = scratch[static_cast<size_t>(thread)].data();
      row.run(p, mine, thread, options.threads);
    });
  }
  return true;
}

}  // namespace
}  // namespace octet::cpu

int main(int argc, char** argv) {
  return octet::cpu::kernel_bench::bench_main(argc, argv, {"attention:e4m3->e4m3:8x16x257x64", "attention:f16->f16:8x16x257x64"},
                                              octet::cpu::bench);
}
