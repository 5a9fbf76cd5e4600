// What the warpgroup kernels share: reductions over a quad, stores, and a block of 64 queries with their whole rows of scores in
// registers (16 queries a warp; a lane's are `row()` and row() + 8, its scores s[4 * tile + 2 * r + e] those of keys 8 * tile + 2 * quad + e).
#pragma once
#include "attention_lanes.cuh"

OCTET_DEVICE float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
  return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}
OCTET_DEVICE float quad_sum(float x) {
  x += __shfl_xor_sync(~0u, x, 1);
  return x + __shfl_xor_sync(~0u, x, 2);
}
OCTET_DEVICE bool visible(int key, int row) { return key < TOKENS && (!CAUSAL || key <= row); }
// What exponentials are multiplied by before they are rounded.
OCTET_DEVICE float factor_of(const AttentionParams& p, float sum) { return p.inv_p_scale * reciprocal_approx(sum); }

// kCount values as neighbours in memory.
template <int kCount>
OCTET_DEVICE void store_values(OUT* to, const float (&x)[kCount]) {
  constexpr int kWords = kCount * int(sizeof(OUT)) / 4, kEach = kCount / kWords;
  uint32_t words[kWords];
#pragma unroll
  for (int i = 0; i < kWords; ++i) {
    if constexpr (is_same<OUT, e4m3>)
      words[i] = f32_to_e4m3x2(x[kEach * i], x[kEach * i + 1]) | uint32_t(f32_to_e4m3x2(x[kEach * i + 2], x[kEach * i + 3])) << 16;
    else if constexpr (is_same<OUT, f16>) words[i] = f32_to_f16x2(x[kEach * i], x[kEach * i + 1]);
    else if constexpr (is_same<OUT, bf16>) words[i] = f32_to_bf16x2(x[kEach * i], x[kEach * i + 1]);
    else words[i] = __float_as_uint(x[i]);
  }
  if constexpr (kWords % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kWords; i += 4)
      reinterpret_cast<uint4*>(to)[i / 4] = make_uint4(words[i], words[i + 1], words[i + 2], words[i + 3]);
  } else {
#pragma unroll
    for (int i = 0; i < kWords; ++i) reinterpret_cast<uint32_t*>(to)[i] = words[i];
  }
}

// The scores of 64 queries from `first` on with the first kCount tiles of keys.
template <int kCount>
struct Scores {
  float s[kCount * 4];
  float most[4] = {minus_infinity(), minus_infinity(), minus_infinity(), minus_infinity()}, sums[4] = {0, 0, 0, 0};  // two chains a row
  int first, last_tile;  // row of the block; tile of keys that this warp's rows see

  OCTET_DEVICE explicit Scores(int first) : first(first), last_tile(CAUSAL ? (first >> 3) + warp_id() * 2 + 1 : kCount) {}
  OCTET_DEVICE int row() const { return first + row_in_block(); }

  template <int kFrom, int kTo>
  OCTET_DEVICE void take_maxima() {
    const int quad = quad_id(), first_row = CAUSAL ? row() : 0;
#pragma unroll
    for (int j = kFrom; j < kTo; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        // Above the diagonal are only the last 8 tiles of a causal block.
        if ((8 * j + 8 > TOKENS || (CAUSAL && j + 8 >= kCount)) && !visible(8 * j + 2 * quad + (e & 1), first_row + 8 * (e >> 1)))
          s[4 * j + e] = minus_infinity();
        float& m = most[(e >> 1) + 2 * (e & 1)];
        m = fmaxf(m, s[4 * j + e]);
      }
  }
  OCTET_DEVICE void join_maxima() {
#pragma unroll
    for (int r = 0; r < 2; ++r) most[r] = quad_max(fmaxf(most[r], most[r + 2]));
  }
  OCTET_DEVICE void exponentials(float scale) {
#pragma unroll
    for (int j = 0; j < kCount; ++j) {
      const bool seen = !CAUSAL || j <= last_tile;
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float& x = s[4 * j + e];
        x = seen && 8 * j + (e & 1) < TOKENS ? exp2_approx(fmaf(x, scale, -most[e >> 1] * scale)) : 0.0f;
        sums[e] += x;
      }
    }
  }
  OCTET_DEVICE float sum(int r) const { return quad_sum(sums[2 * r] + sums[2 * r + 1]); }
};
