// Times GEMM kernels: gemm_bench [--kernel=SUBSTRING] [--threads=N] [--seconds=S] PROBLEM...
// PROBLEM: gemm:e4m3xe4m3->e4m3:2056x3072x1024[+quick_gelu|+gelu_erf|+gelu_tanh][+residual] (m x n x k), as in octet's reports.
// Prints, per problem and usable row: the median and best time, and TFLOP/s by the median. Random finite operands.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/kernels/gemm/gemm.h"

namespace octet::cpu {
namespace {

using Bytes = std::unique_ptr<uint8_t, decltype(&std::free)>;
Bytes aligned(size_t size) {
  auto* p = static_cast<uint8_t*>(std::aligned_alloc(4096, (size + 8191) / 4096 * 4096));
  std::memset(p, 0, size);
  return {p, std::free};
}

struct Case {
  GemmProblem problem;
  int64_t m = 0;
};

bool parse(const std::string& text, Case& out) {
  char a[8], w[8], d[8];
  long m, n, k;
  if (std::sscanf(text.c_str(), "gemm:%4[efb0-9m]x%4[efb0-9m]->%7[a-z0-9]:%ldx%ldx%ld", a, w, d, &m, &n, &k) != 6) return false;
  const auto a_type = parse_dtype(a), w_type = parse_dtype(w), d_type = parse_dtype(d);
  if (!a_type || !w_type || !d_type) return false;
  out.m = m;
  out.problem = {*a_type, *w_type, *d_type, n, k, Act::kNone, text.find("+residual") != std::string::npos};
  if (text.find("+quick_gelu") != std::string::npos) out.problem.act = Act::kQuickGelu;
  if (text.find("+gelu_erf") != std::string::npos) out.problem.act = Act::kGeluErf;
  if (text.find("+gelu_tanh") != std::string::npos) out.problem.act = Act::kGeluTanh;
  return true;
}

// Finite values of moderate size in any of the dtypes: random bits with the exponent's top bit cleared or so.
void fill(uint8_t* p, DType type, size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t bits = random();
    const uint16_t half = static_cast<uint16_t>(type == DType::bf16 ? 0x3c00 + (bits & 0x83ff) : 0x2c00 + (bits & 0x8fff));
    const float single = static_cast<float>(static_cast<int32_t>(bits)) * 0x1p-31f;
    if (size_of(type) == 1) p[i] = static_cast<uint8_t>((bits & 0xbf) + 8);
    if (size_of(type) == 2) std::memcpy(p + 2 * i, &half, 2);
    if (size_of(type) == 4) std::memcpy(p + 4 * i, &single, 4);
  }
}

struct Options {
  std::string kernel;
  int threads = usable_cores();
  double seconds = 0.5;
};

void time_row(const GemmKernel& row, const Case& c, const Options& options) {
  const GemmProblem& p = c.problem;
  const auto area = static_cast<size_t>(c.m * p.n);
  Bytes a = aligned(static_cast<size_t>(c.m * p.k) * size_of(p.a)), w = aligned(static_cast<size_t>(p.n * p.k) * size_of(p.w));
  fill(a.get(), p.a, static_cast<size_t>(c.m * p.k), 1);
  fill(w.get(), p.w, static_cast<size_t>(p.n * p.k), 2);
  Bytes packed = aligned(row.packed_bytes(p)), out = aligned(area * size_of(p.out)), residual = aligned(area * size_of(p.out));
  row.pack(p, w.get(), packed.get());
  const std::vector<float> ones(static_cast<size_t>(p.n), 1.f), alpha(static_cast<size_t>(p.n), 0.01f), zeros(static_cast<size_t>(p.n), 0.f);
  ThreadPool pool(options.threads);
  std::vector<Bytes> scratch;
  for (int t = 0; t < options.threads; ++t) scratch.push_back(aligned(row.scratch_bytes(p, c.m, options.threads)));
  const GemmArgs args{a.get(), c.m, packed.get(), alpha.data(), zeros.data(), ones.data(), ones.data(),
                      p.residual ? residual.get() : nullptr, out.get(), nullptr};
  std::vector<double> times;
  double total = 0;
  while (total < options.seconds || times.size() < 5) {
    const auto start = std::chrono::steady_clock::now();
    pool.run([&](int t) {
      GemmArgs mine = args;
      mine.scratch = scratch[static_cast<size_t>(t)].get();
      row.run(p, mine, t, options.threads);
    });
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2], flop = 2.0 * static_cast<double>(c.m) * static_cast<double>(p.n * p.k);
  std::printf("  %-36s %9.3f ms median  %9.3f best  %7.3f TFLOP/s\n", std::string(row.name).c_str(), median * 1e3, times[0] * 1e3,
              flop / median * 1e-12);
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    Case c;
    if (arg.rfind("--kernel=", 0) == 0) {
      options.kernel = arg.substr(9);
    } else if (arg.rfind("--threads=", 0) == 0) {
      options.threads = std::max(1, std::atoi(arg.c_str() + 10));
    } else if (arg.rfind("--seconds=", 0) == 0) {
      options.seconds = std::atof(arg.c_str() + 10);
    } else if (parse(arg, c)) {
      std::printf("%s  threads=%d\n", arg.c_str(), options.threads);
      for (const GemmKernel& row : gemm_kernels())
        if ((row.isa & ~usable_isa()) == 0 && !row.accepts(c.problem) && row.name.find(options.kernel) != std::string::npos)
          time_row(row, c, options);
    } else {
      std::fprintf(stderr, "gemm_bench: cannot read \"%s\"\n", arg.c_str());
      return 2;
    }
  }
  return 0;
}

}  // namespace
}  // namespace octet::cpu

int main(int argc, char** argv) { return octet::cpu::run(argc, argv); }
