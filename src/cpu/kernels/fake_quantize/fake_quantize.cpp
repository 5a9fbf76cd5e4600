#include "cpu/kernels/fake_quantize/fake_quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/thread_pool.h"
#include "numeric/convert.h"

namespace octet::cpu {
namespace {

constexpr int64_t kChunk = 256;  // decoded at a time: no allocation here

// decode_e4m3(encode_e4m3(x)) by arithmetic, so that a compiler can vectorise the loop.
float through_e4m3(float x) {
  constexpr float kLargest = 448, kLeastNormal = 0x1p-6f, kSubnormalStep = 0x1p14f;  // a float of 2^14 ends at 2^-9
  const float a = std::abs(x) > kLargest ? kLargest : std::abs(x);                   // NaN stays NaN
  const uint32_t bits = std::bit_cast<uint32_t>(a);
  const float normal = std::bit_cast<float>((bits + 0x7ffffu + ((bits >> 20) & 1u)) & 0xfff00000u);  // 3 of 23 bits, half to even
  const float subnormal = (a + kSubnormalStep) - kSubnormalStep;
  return std::copysign(a != a ? a : a < kLeastNormal ? subnormal : normal, x);
}

}  // namespace

void fake_quantize(const FakeQuantizeArgs& a, int thread, int threads) {
  float values[kChunk];
  const auto* x = static_cast<const uint8_t*>(a.x);
  auto* y = static_cast<uint8_t*>(a.y);
  const Range mine = share((a.count + kChunk - 1) / kChunk, thread, threads);
  for (int64_t block = mine.begin; block < mine.end; ++block) {
    const int64_t at = block * kChunk, n = std::min(kChunk, a.count - at);
    decode_many(a.in, x + at * static_cast<int64_t>(size_of(a.in)), n, values);
    if (a.in != DType::e4m3)
      for (int64_t i = 0; i < n; ++i) values[i] = through_e4m3(values[i] / a.scale);
    for (int64_t i = 0; i < n; ++i) values[i] *= a.scale;
    encode_many(a.out, values, n, y + at * static_cast<int64_t>(size_of(a.out)));
  }
}

}  // namespace octet::cpu
