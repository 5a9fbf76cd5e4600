// The kernel every other one is measured against: f32 arithmetic, k in order, four rows by one panel of eight columns at a time.
// No intrinsics; the 32 sums live in registers. Next: gemm_fma.h.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "cpu/kernels/gemm/gemm_layout.h"
#include "cpu/kernels/gemm/gemm_rows.h"
#include "numeric/convert.h"

namespace octet::cpu {
namespace {

constexpr int kRows = 4, kWidth = kPortableWidth;

std::array<float, 256> e4m3_table() {
  std::array<float, 256> table{};
  for (int code = 0; code < 256; ++code) table[static_cast<size_t>(code)] = decode_e4m3(static_cast<uint8_t>(code));
  return table;
}

// `count` elements of `source` from `index` on, as f32.
void decode(DType type, const void* source, int64_t index, int64_t count, float* out) {
  static const std::array<float, 256> e4m3 = e4m3_table();
  const auto* bytes = static_cast<const uint8_t*>(source);
  uint16_t half;
  for (int64_t i = 0; i < count; ++i) switch (type) {
      case DType::e4m3:
        out[i] = e4m3[bytes[index + i]];
        break;
      case DType::f16:
        std::memcpy(&half, bytes + (index + i) * 2, 2), out[i] = decode_f16(half);
        break;
      case DType::bf16:
        std::memcpy(&half, bytes + (index + i) * 2, 2), out[i] = decode_bf16(half);
        break;
      default:
        std::memcpy(out + i, bytes + (index + i) * 4, 4);
    }
}

void encode(DType type, void* target, int64_t index, float value) {
  auto* bytes = static_cast<uint8_t*>(target);
  uint16_t half;
  switch (type) {
    case DType::e4m3:
      bytes[index] = encode_e4m3(value);
      break;
    case DType::f16:
      half = encode_f16(value), std::memcpy(bytes + index * 2, &half, 2);
      break;
    case DType::bf16:
      half = encode_bf16(value), std::memcpy(bytes + index * 2, &half, 2);
      break;
    default:
      std::memcpy(bytes + index * 4, &value, 4);
  }
}

float activate(Act act, float x) {
  switch (act) {
    case Act::kQuickGelu:
      return x / (1 + std::exp(-1.702f * x));
    case Act::kGeluErf:
      return x * (0.5f * std::erfc(x * -0.707106781f));
    case Act::kGeluTanh:
      return x / (1 + std::exp(-1.595769122f * x * (1 + 0.044715f * x * x)));
    default:
      return x;
  }
}

// One row of one panel from its sums.
void finish(const GemmProblem& p, const GemmArgs& args, int64_t row, int64_t first, const float* sums) {
  const int64_t columns = std::min<int64_t>(kWidth, p.n - first);
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t n = first + c;
    float y = activate(p.act, sums[c] * args.alpha[n] + args.bias[n]) * args.mul[n];
    if (args.residual != nullptr) {
      float residual;
      decode(p.out, args.residual, row * p.n + n, 1, &residual);
      y += residual;
    }
    encode(p.out, args.out, row * p.n + n, y * args.inv_out_scale[n]);
  }
}

using Four = float __attribute__((vector_size(16)));  // the compiler's own vectors: SSE here, and no ISA of ours

void multiply(const float* a, int64_t k, const float* panel, float (&sums)[kRows][kWidth]) {
  Four sum[kRows][2] = {};
  for (int64_t i = 0; i < k; ++i) {
    Four w[2];
    std::memcpy(w, panel + i * kWidth, sizeof(w));
    for (int r = 0; r < kRows; ++r) {
      const float x = a[r * k + i];
      sum[r][0] += Four{x, x, x, x} * w[0];
      sum[r][1] += Four{x, x, x, x} * w[1];
    }
  }
  std::memcpy(sums, sum, sizeof(sum));
}

}  // namespace

size_t scratch_gemm_portable(const GemmProblem& p, int64_t, int) {  // kRows rows of a, one panel of w, as f32
  return static_cast<size_t>(p.k) * (kRows + kWidth) * sizeof(float) + 64;
}

void run_gemm_portable(const GemmProblem& p, const GemmArgs& args, int thread, int threads) {
  const GemmShare mine = gemm_share(args.m, p.n, kRows, kWidth, thread, threads);
  float* panel = static_cast<float*>(args.scratch);
  float* a = panel + p.k * kWidth;
  float sums[kRows][kWidth];
  for (int64_t n = mine.col_begin; n < mine.col_end; n += kWidth) {
    decode(p.w, args.packed, n * p.k, p.k * kWidth, panel);
    for (int64_t m = mine.row_begin; m < mine.row_end; m += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, mine.row_end - m);
      std::fill(a + rows * p.k, a + kRows * p.k, 0.f);
      decode(p.a, args.a, m * p.k, rows * p.k, a);
      multiply(a, p.k, panel, sums);
      for (int64_t r = 0; r < rows; ++r) finish(p, args, m + r, n, sums[r]);
    }
  }
}

}  // namespace octet::cpu
