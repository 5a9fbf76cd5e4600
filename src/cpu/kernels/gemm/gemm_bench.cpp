// Times GEMMs: gemm_bench [options]
// gemm:e4m3xe4m3->e4m3:2056x3072x1024[+bias][+quick_gelu|+gelu_erf|+gelu_tanh][+residual][+tiled_a][+tiled_out][+cold] (m x n x k). GFLOP/s
// counts 2 m n k. cold: every run reads weights that no cache holds, as a network larger than the caches does. Options:
// cpu/kernels/kernel_bench.h.
#include <cstring>

#include "cpu/kernels/gemm/gemm.h"
#include "cpu/kernels/kernel_bench.h"

namespace octet::cpu {
namespace {

using namespace kernel_bench;

constexpr size_t kColdBytes = size_t{512} << 20;  // beyond the L3 of every machine measured (300 MiB)

bool parse(const std::string& text, GemmProblem& p, int64_t& m) {
  char a_name[8], w_name[8], out_name[8];
  long rows, n, k;
  const int read =
      std::sscanf(text.c_str(), "gemm:%7[a-wyz0-9]x%7[a-wyz0-9]->%7[a-z0-9]:%ldx%ldx%ld", a_name, w_name, out_name, &rows, &n, &k);
  if (read != 6) return false;
  const auto a = parse_dtype(a_name), w = parse_dtype(w_name), out = parse_dtype(out_name);
  if (!a || !w || !out || rows < 0 || n < 0 || k < 0) return false;
  const auto has = [&](const char* flag) { return text.find(flag) != std::string::npos; };
  const Act act = has("+quick_gelu") ? Act::kQuickGelu : has("+gelu_tanh") ? Act::kGeluTanh : has("+gelu") ? Act::kGeluErf : Act::kNone;
  p = {*a, *w, *out, n, k, act, has("+residual"), has("+tiled_a"), has("+tiled_out")};
  m = rows;
  return true;
}

bool bench(const std::string& text, const Options& options) {
  GemmProblem p;
  int64_t m = 0;
  if (!parse(text, p, m)) return false;
  AlignedBytes a = random_values(p.a, m * p.k, 40);
  const AlignedBytes w = random_values(p.w, p.n * p.k, 40);
  if (p.tiled_a) {
    AlignedBytes tiled(tiled_bytes(m, p.k));
    tile_rows(p.a, a.data(), m, p.k, tiled.data());
    a = std::move(tiled);
  }
  const AlignedBytes residual = random_values(p.out, p.residual ? m * p.n : 0, 1);
  const AlignedBytes y(p.tiled_out ? tiled_bytes(m, p.n) : static_cast<size_t>(m * p.n) * size_of(p.out));
  const auto n = static_cast<size_t>(p.n);
  const std::vector<float> ones(n, 1.f), alpha(n, 1.f / (1600 * static_cast<float>(p.k))), bias(n, 0.1f),
      inv(n, p.out == DType::e4m3 ? 50.f : 1.f);
  for (const GemmKernel& row : gemm_kernels()) {
    if (!wanted(row, p, options)) continue;
    std::vector<AlignedBytes> packed;
    const size_t size = row.packed_bytes(p);
    row.pack(p, w.data(), packed.emplace_back(size).data());
    const size_t copies = size == 0 || text.find("+cold") == std::string::npos ? 1 : kColdBytes / size + 1;
    while (packed.size() < copies) std::memcpy(packed.emplace_back(size).data(), packed[0].data(), size);
    std::vector<AlignedBytes> scratch;
    for (int t = 0; t < options.threads; ++t) scratch.emplace_back(row.scratch_bytes(p, m, options.threads));
    const GemmArgs args{a.data(),    m,           nullptr,    alpha.data(),
                        bias.data(), ones.data(), inv.data(), p.residual ? residual.data() : nullptr,
                        y.data(),    nullptr};
    std::vector<size_t> runs(static_cast<size_t>(options.threads));  // by thread
    const double work = 2.0 * static_cast<double>(m) * static_cast<double>(p.n) * static_cast<double>(p.k);
    time_kernel(row.name, options, work, "GFLOP/s", [&](int thread) {
      GemmArgs mine = args;
      mine.packed = packed[runs[static_cast<size_t>(thread)]++ % copies].data();
      mine.scratch = scratch[static_cast<size_t>(thread)].data();
      row.run(p, mine, thread, options.threads);
    });
  }
  return true;
}

}  // namespace
}  // namespace octet::cpu

int main(int argc, char** argv) {
  return octet::cpu::kernel_bench::bench_main(
      argc, argv,
      {"gemm:e4m3xe4m3->e4m3:2056x3072x1024", "gemm:e4m3xe4m3->f16:2056x1024x1024+residual", "gemm:e4m3xe4m3->e4m3:2056x4096x1024+gelu",
       "gemm:e4m3xe4m3->f16:2056x1024x4096+residual", "gemm:bf16xbf16->bf16:2056x1024x1024", "gemm:f16xf16->f16:2056x1024x1024"},
      octet::cpu::bench);
}
