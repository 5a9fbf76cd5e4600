// Test side: operands in fenced memory, the f64 reference of a GEMM with its error bound, and a runner of table rows.
#pragma once
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "cpu/kernels/gemm/gemm.h"
#include "cpu/kernels/kernel_test.h"
#include "numeric/convert.h"

namespace octet::cpu {

using kernel_test::FencedBytes;

inline double element(DType type, const uint8_t* p, int64_t i) {
  uint16_t half;
  float single;
  switch (type) {
    case DType::e4m3:
      return decode_e4m3(p[i]);
    case DType::f16:
      std::memcpy(&half, p + 2 * i, 2);
      return decode_f16(half);
    case DType::bf16:
      std::memcpy(&half, p + 2 * i, 2);
      return decode_bf16(half);
    default:
      std::memcpy(&single, p + 4 * i, 4);
      return single;
  }
}
inline uint32_t encoded(DType type, double value) {
  switch (type) {
    case DType::e4m3:
      return encode_e4m3(value);
    case DType::f16:
      return encode_f16(value);
    case DType::bf16:
      return encode_bf16(value);
    default:
      return std::bit_cast<uint32_t>(encode_f32(value));
  }
}
inline void put(DType type, uint8_t* p, int64_t i, double value) {
  const uint32_t bits = encoded(type, value);
  std::memcpy(p + static_cast<int64_t>(size_of(type)) * i, &bits, size_of(type));
}

struct GemmCase {
  GemmProblem p;
  int64_t m;
  uint32_t seed;
  std::string text() const {
    return fmt::format("gemm:{}x{}->{}:{}x{}x{} act {}{} seed {}", p.a, p.w, p.out, m, p.n, p.k, static_cast<int>(p.act),
                       p.residual ? " residual" : "", seed);
  }
};

struct GemmData {
  GemmCase c;
  FencedBytes a, w, residual;
  std::vector<float> alpha, bias, mul, inv;
  std::vector<double> exact_a, exact_w;  // filled by decode()

  explicit GemmData(const GemmCase& of)
      : c(of), a(bytes(of.m, of.p.k, of.p.a)), w(bytes(of.p.n, of.p.k, of.p.w)), residual(bytes(of.m, of.p.n, of.p.out)) {
    std::mt19937 random(c.seed);
    std::uniform_real_distribution<double> unit(-1, 1);
    for (int64_t i = 0; i < c.m * c.p.k; ++i) put(c.p.a, a.data(), i, unit(random) * std::exp2(std::floor(4 * unit(random))));
    for (int64_t i = 0; i < c.p.n * c.p.k; ++i) put(c.p.w, w.data(), i, unit(random) * std::exp2(std::floor(4 * unit(random))));
    for (int64_t i = 0; i < c.m * c.p.n; ++i) put(c.p.out, residual.data(), i, 3 * unit(random));
    for (int64_t n = 0; n < c.p.n; ++n) {
      alpha.push_back(static_cast<float>(0.2 * (1.1 + unit(random))));
      bias.push_back(static_cast<float>(2 * unit(random)));
      mul.push_back(static_cast<float>(1.5 + unit(random)));
      inv.push_back(c.p.out == DType::e4m3 ? static_cast<float>(8 * (1.2 + unit(random))) : 1.f);
    }
  }
  void decode() {
    for (int64_t i = 0; i < c.m * c.p.k; ++i) exact_a.push_back(element(c.p.a, a.data(), i));
    for (int64_t i = 0; i < c.p.n * c.p.k; ++i) exact_w.push_back(element(c.p.w, w.data(), i));
  }
  static size_t bytes(int64_t rows, int64_t columns, DType type) { return static_cast<size_t>(rows * columns) * size_of(type); }
};

struct Expected {
  double value, bound;  // before the last rounding
};

inline double activated(Act act, double x) {
  switch (act) {
    case Act::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Act::kGeluErf:
      return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Act::kGeluTanh:
      return x * 0.5 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    default:
      return x;
  }
}

// The header's formula, term by term: u is half an ulp of f32. After d.decode().
inline Expected expected(const GemmData& d, int64_t row, int64_t n) {
  constexpr double u = 0x1p-24;
  const GemmProblem& p = d.c.p;
  const auto c = static_cast<size_t>(n);
  double sum = 0, size = 0;
  const double *a = d.exact_a.data() + row * p.k, *w = d.exact_w.data() + n * p.k;
  for (int64_t i = 0; i < p.k; ++i) {
    const double product = a[i] * w[i];
    sum += product;
    size += std::abs(product);
  }
  const double x = sum * d.alpha[c] + d.bias[c];
  double bound = static_cast<double>(p.k + 8) * u * (size * std::abs(d.alpha[c]) + std::abs(d.bias[c]));
  const double y = activated(p.act, x);
  if (p.act != Act::kNone) bound = 1.13 * bound + 8 * u * std::abs(x);  // the steepest slope of a GELU; 4 ulp of itself
  const double residual = p.residual ? element(p.out, d.residual.data(), row * p.n + n) : 0;
  const double z = y * d.mul[c] + residual;
  bound = bound * std::abs(d.mul[c]) + 2 * u * (std::abs(y * d.mul[c]) + std::abs(z));
  return {z * d.inv[c], (bound + 2 * u * std::abs(z)) * std::abs(d.inv[c])};
}

// As `threads` threads, one after the other, each with scratch that is checked.
inline void run_threads(const GemmKernel& row, const GemmProblem& p, int64_t max_m, GemmArgs args, int threads) {
  for (int t = 0; t < threads; ++t) {
    FencedBytes scratch(row.scratch_bytes(p, max_m, threads), 0xff, 64);
    args.scratch = scratch.data();
    row.run(p, args, t, threads);
    OCTET_CHECK(scratch.front_untouched(), row.name);
  }
}

// Runs `row` as `threads` threads, one after the other, on rows [first, first + count) of the data. Returns the output bytes;
// checks that nothing outside the output was written. `in_place`: the residual lies in the output.
inline std::vector<uint8_t> run_row(const GemmKernel& row, const GemmData& d, int threads = 1, int64_t first = 0, int64_t count = -1,
                                    bool in_place = false) {
  const GemmProblem& p = d.c.p;
  if (count < 0) count = d.c.m;
  FencedBytes packed(row.packed_bytes(p), 0xa5, 64), out(GemmData::bytes(count, p.n, p.out));
  row.pack(p, d.w.data(), packed.data());
  const uint8_t* residual = d.residual.data() + GemmData::bytes(first, p.n, p.out);
  if (in_place) std::memcpy(out.data(), residual, out.size());
  const GemmArgs args{d.a.data() + GemmData::bytes(first, p.k, p.a),
                      count,
                      packed.data(),
                      d.alpha.data(),
                      d.bias.data(),
                      d.mul.data(),
                      d.inv.data(),
                      in_place     ? out.data()
                      : p.residual ? residual
                                   : nullptr,
                      out.data(),
                      nullptr};
  run_threads(row, p, d.c.m, args, threads);
  OCTET_CHECK(out.front_untouched() && packed.front_untouched(), row.name);
  return {out.data(), out.data() + out.size()};
}

// The same for `p`, d's problem in a tiled form (gemm.h): a is tiled first; a tiled output is returned as it lies.
inline std::vector<uint8_t> run_tiled(const GemmKernel& row, const GemmData& d, const GemmProblem& p, int threads = 1) {
  FencedBytes packed(row.packed_bytes(p), 0xa5, 64), a(tiled_bytes(d.c.m, p.k), 0xff, 64);
  FencedBytes out(p.tiled_out ? tiled_bytes(d.c.m, p.n) : GemmData::bytes(d.c.m, p.n, p.out), 0xa5, 64);
  row.pack(p, d.w.data(), packed.data());
  if (p.tiled_a) tile_rows(p.a, d.a.data(), d.c.m, p.k, a.data());
  const GemmArgs args{p.tiled_a ? a.data() : d.a.data(),
                      d.c.m,
                      packed.data(),
                      d.alpha.data(),
                      d.bias.data(),
                      d.mul.data(),
                      d.inv.data(),
                      nullptr,
                      out.data(),
                      nullptr};
  run_threads(row, p, d.c.m, args, threads);
  OCTET_CHECK(out.front_untouched() && packed.front_untouched() && a.front_untouched(), row.name);
  return {out.data(), out.data() + out.size()};
}

// Everything this machine can execute, whatever is fastest.
inline uint32_t executable_isa() {
  uint32_t bits = kPortable;
  for (const char* name : {"avx2", "avx512", "avx512bf16", "amx"}) try {
      bits |= isa_from(name);
    } catch (const Error&) {}
  return bits;
}
inline std::vector<GemmKernel> usable_rows(const GemmProblem& p) {
  std::vector<GemmKernel> rows;
  for (const GemmKernel& row : gemm_kernels())
    if ((row.isa & ~executable_isa()) == 0 && !row.accepts(p)) rows.push_back(row);
  return rows;
}

}  // namespace octet::cpu
