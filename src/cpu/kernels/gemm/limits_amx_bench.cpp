// What bounds the AMX rows on this CPU, one thread, nothing but the loop in question: limits_amx_bench
// docs/kernels/gemm.md reads its figures. Best of many short runs: another tenant's work on the same core only slows down.
#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "base/aligned.h"
#include "cpu/isa.h"
#include "cpu/kernels/gemm/gemm_epilogue.h"
#include "cpu/simd/e4m3_avx512.h"
#include "cpu/simd/tile_config_amx.h"
#include "numeric/convert.h"

namespace octet::cpu {
namespace {

constexpr int kTile = 1024, kStep = 2 * kTile, kSteps = 32, kBlocks = 8;  // 64 KiB of a, 512 KiB of w
constexpr double kStepFlops = 4 * 2.0 * 16 * 16 * 32;
constexpr int kRuns = 60;

template <class Body>
double best_ns(double count, Body&& body) {
  double best = 1e30;
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    best = std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count());
  }
  return best / count;
}

// Normal values as bf16; e4m3: rounded to E4M3 first, as octet's operands are.
void fill(AlignedBytes& bytes, bool e4m3) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal(0, 1);
  auto* words = reinterpret_cast<uint16_t*>(bytes.data());
  for (size_t i = 0; i < bytes.size() / 2; ++i) {
    float x = normal(engine);
    if (e4m3) x = decode_e4m3(encode_e4m3(x));
    words[i] = encode_bf16(x);
  }
}

struct Memory {
  AlignedBytes a{2 << 20}, w{2 << 20}, sums{2 << 20}, out{2 << 20}, codes{2 << 20};
  const char* row(int step) const { return reinterpret_cast<const char*>(a.data()) + step * kStep; }
  const char* col(int step) const { return reinterpret_cast<const char*>(w.data()) + step * kStep; }
};

#define OCTET_STEP(load_a, load_w, a, w) \
  load_a(4, (a), 64);                    \
  load_w(6, (w), 64);                    \
  load_w(7, (w) + kTile, 64);            \
  load_a(5, (a) + kTile, 64);            \
  _tile_dpbf16ps(0, 4, 6);               \
  _tile_dpbf16ps(1, 4, 7);               \
  _tile_dpbf16ps(2, 5, 6);               \
  _tile_dpbf16ps(3, 5, 7)

double products(const char* operands) {
  _tile_loadd(4, operands, 64);
  _tile_loadd(5, operands + kTile, 64);
  _tile_loadd(6, operands + 2 * kTile, 64);
  _tile_loadd(7, operands + 3 * kTile, 64);
  return best_ns(2000, [] {
    for (int i = 0; i < 2000; ++i) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  });
}

// The kernel's loop: blocks of 32 steps, the strip's first half through L1, the rest streamed; `work` after every step.
template <bool kFromL2, class Work>
double steps(const Memory& m, Work&& work) {
  auto* sums = reinterpret_cast<char*>(m.sums.data());
  return best_ns(4 * kBlocks * kSteps, [&] {
    for (int block = 0; block < 4 * kBlocks; ++block) {
      for (int s = 0; s < kSteps; ++s) {
        if constexpr (!kFromL2) {
          OCTET_STEP(_tile_loadd, _tile_loadd, m.row(s % 8), m.col(s % 8));
        } else if (s < kSteps / 2) {
          OCTET_STEP(_tile_loadd, _tile_stream_loadd, m.row(s), m.col(block % kBlocks * kSteps + s));
        } else {
          OCTET_STEP(_tile_stream_loadd, _tile_stream_loadd, m.row(s), m.col(block % kBlocks * kSteps + s));
        }
        if (s % 16 == 15) _tile_stored(4, sums + 64 * kTile, 64);
        work();
      }
      _tile_stored(0, sums, 128);
      _tile_stored(1, sums + 64, 128);
      _tile_stored(2, sums + 2048, 128);
      _tile_stored(3, sums + 2048 + 64, 128);
    }
  });
}

void report(const char* name, double ns, double flops = 0) {
  if (flops > 0) std::printf("  %-66s %7.1f ns  %6.2f TFLOP/s\n", name, ns, flops / ns * 1e-3);
  else std::printf("  %-66s %7.1f ns\n", name, ns);
}

// One job of the vector units: alone, and after each tile step.
template <class Work>
void overlap(const Memory& m, const char* name, Work&& work) {
  const double alone = best_ns(1000, [&] {
    for (int i = 0; i < 1000; ++i) work();
  });
  const auto nothing = [] {};
  const double l1 = steps<false>(m, nothing), l2 = steps<true>(m, nothing);
  std::printf("  %-42s %6.1f ns alone; adds %5.1f to a step from L1, %5.1f from L2\n", name, alone, steps<false>(m, work) - l1,
              steps<true>(m, work) - l2);
}

template <Act kAct, DType kOut>
void overlap_epilogue(const Memory& m, const char* name) {
  static const std::vector<float> scale(64, 1e-3f);
  const FinishArgs args{nullptr, m.out.data(), 1024, {scale.data(), scale.data(), scale.data(), scale.data(), 0}};
  int64_t row = 0;
  overlap(m, name, [&] {
    finish_rows<F32x16, kAct, kOut, false>(args, reinterpret_cast<float*>(m.sums.data()) + 4096 + row * 32, 32, row, 1, 0, row == 0,
                                           row == 31);
    row = (row + 1) % 32;
  });
}

void overlap_widening(const Memory& m) {
  const E4m3ToBf16 table;
  int64_t at = 0;
  overlap(m, "widening 64 codes into L2", [&] {
    __m512i first, second;
    table.interleaved(_mm512_load_si512(m.codes.data() + at % 32768), first, second);
    _mm512_store_si512(m.out.data() + at % 32768 * 2, first);
    _mm512_store_si512(m.out.data() + at % 32768 * 2 + 64, second);
    at += 64;
  });
}

// Scores of attention: 32 rows x 16 columns over 64 k, with and without storing them.
void scores(const Memory& m, bool store) {
  auto* to = reinterpret_cast<char*>(m.sums.data());
  const double ns = best_ns(18 * 16, [&] {
    for (int column = 0; column < 18 * 16; ++column) {
      _tile_zero(0);
      _tile_zero(1);
      for (int s = 0; s < 2; ++s) {
        _tile_loadd(4, m.row(s), 64);
        _tile_loadd(5, m.row(s) + kTile, 64);
        _tile_loadd(6, m.col(column % 18) + s * kTile, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 6);
      }
      if (!store) continue;
      _tile_stored(0, to + column % 18 * 64, 1216);
      _tile_stored(1, to + column % 18 * 64 + 16 * 1216, 1216);
    }
  });
  report(store ? "scores 32 x 16 x 64, both tiles stored" : "scores 32 x 16 x 64, not stored", ns, kStepFlops);
}

int run() {
  _tile_loadconfig(&kTileConfig);
  Memory m;
  std::puts("tile products on registers (four: 32 x 32 x 32)");
  report("zeros", products(m.row(0)), kStepFlops);
  fill(m.a, true), fill(m.w, true);
  report("E4M3 values", products(m.row(0)), kStepFlops);
  report("step from L1, E4M3 values", steps<false>(m, [] {}), kStepFlops);
  report("step from L2, E4M3 values", steps<true>(m, [] {}), kStepFlops);
  fill(m.a, false), fill(m.w, false);
  report("bf16 values", products(m.row(0)), kStepFlops);
  report("step from L1, bf16 values", steps<false>(m, [] {}), kStepFlops);
  report("step from L2, bf16 values", steps<true>(m, [] {}), kStepFlops);
  scores(m, false), scores(m, true);
  std::puts("vector work beside tile steps (bf16 values)");
  overlap_epilogue<Act::kNone, DType::f16>(m, "row of 32 sums -> f16");
  overlap_epilogue<Act::kNone, DType::e4m3>(m, "row of 32 sums -> e4m3");
  overlap_epilogue<Act::kQuickGelu, DType::e4m3>(m, "row of 32 sums -> quick_gelu -> e4m3");
  overlap_widening(m);
  _tile_release();
  return 0;
}

}  // namespace
}  // namespace octet::cpu

int main() {
  if ((octet::cpu::usable_isa() & octet::cpu::kAmx) != 0) return octet::cpu::run();
  std::puts("this machine has no AMX (or OCTET_ISA hides it)");
  return 0;
}
