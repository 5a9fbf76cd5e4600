// What the attention kernels share: their parameters, loads that decode 8 elements to 16 bits, the probability's rounding, stores.
// Specialised by -DIN, OUT (dtypes), TOKENS, HEADS, HEAD_DIM, CAUSAL, QUANTIZE_P.
#pragma once
#include "common.cuh"

struct AttentionParams {
  const IN *q, *k, *v;
  OUT* out;
  int64_t q_stride, k_stride, v_stride;  // elements between tokens
  float scale;                           // of scores, times log2(e)
  float inv_p_scale;                     // 1 if p is not quantized
  float out_scale;                       // p_scale * v_scale / out scale
  int aligned;                           // every row of q, k and v begins at a multiple of 16 bytes (8 for e4m3)
  // The warpgroup kernels: heads of one piece of work, pieces of each other head, pieces in all.
  int whole, parts, works;
  int last;  // begin with head `last` and go down; -1: begin with the first
};

// The type of the matrix operands: e4m3 is exact in f16.
template <bool kBf16>
struct HalfOf {
  using type = f16;
};
template <>
struct HalfOf<true> {
  using type = bf16;
};
constexpr bool kBf16 = is_same<IN, bf16>;
using Half = HalfOf<kBf16>::type;

// 8 elements (not f32) as Half.
template <class T>
OCTET_DEVICE uint4 load_halves(const T* from, bool aligned) {
  uint4 x;
  if constexpr (is_same<T, e4m3>) {
    uint2 codes;
    if (aligned) {
      codes = *reinterpret_cast<const uint2*>(from);
    } else {
      codes = make_uint2(0, 0);
      for (int i = 0; i < 4; ++i) {
        codes.x |= uint32_t(from[i].bits) << (8 * i);
        codes.y |= uint32_t(from[i + 4].bits) << (8 * i);
      }
    }
    x = make_uint4(e4m3x2_to_f16x2(uint16_t(codes.x)), e4m3x2_to_f16x2(uint16_t(codes.x >> 16)), e4m3x2_to_f16x2(uint16_t(codes.y)),
                   e4m3x2_to_f16x2(uint16_t(codes.y >> 16)));
  } else if (aligned) {
    x = *reinterpret_cast<const uint4*>(from);
  } else {
    const auto pair = [&](int i) { return uint32_t(from[i].bits) | (uint32_t(from[i + 1].bits) << 16); };
    x = make_uint4(pair(0), pair(2), pair(4), pair(6));
  }
  return x;
}

// Two probabilities as an operand: rounded to e4m3 (p already divided by p_scale) and widened again, or rounded to Half.
OCTET_DEVICE uint32_t pack_probabilities(float lo, float hi) {
  if constexpr (QUANTIZE_P) {
    const uint32_t halves = e4m3x2_to_f16x2(f32_to_e4m3x2(lo, hi));
    if constexpr (!kBf16) return halves;
    const float2 wide = f16x2_to_f32(halves);
    return f32_to_bf16x2(wide.x, wide.y);
  } else {
    return kBf16 ? f32_to_bf16x2(lo, hi) : f32_to_f16x2(lo, hi);
  }
}

OCTET_DEVICE void store_pair(OUT* to, float lo, float hi) {
  if constexpr (is_same<OUT, e4m3>) *reinterpret_cast<uint16_t*>(to) = f32_to_e4m3x2(lo, hi);
  else if constexpr (is_same<OUT, f16>) *reinterpret_cast<uint32_t*>(to) = f32_to_f16x2(lo, hi);
  else if constexpr (is_same<OUT, bf16>) *reinterpret_cast<uint32_t*>(to) = f32_to_bf16x2(lo, hi);
  else *reinterpret_cast<float2*>(to) = make_float2(lo, hi);
}

OCTET_DEVICE float minus_infinity() { return __uint_as_float(0xff800000u); }
