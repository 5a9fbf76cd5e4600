// Eight elements of a type at a time, as f32; sums over a warp. Shared by the kernels that move rows: norm, embed, pool, patches.
#pragma once
#include "common.cuh"

constexpr int kVector = 8;

OCTET_DEVICE uint32_t bits_of(f16 x) { return x.bits; }
OCTET_DEVICE uint32_t bits_of(bf16 x) { return x.bits; }
OCTET_DEVICE uint32_t bits_of(float x) { return __float_as_uint(x); }

// 16 bytes that are read once, by one thread: past L1, which keeps what is shared between rows.
OCTET_DEVICE uint4 load_once(const void* from) {
  uint4 v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from)
               : "memory");
  return v;
}

// One store of 16 or 8 bytes, which a compiler that has the words apart may else split.
OCTET_DEVICE void store_together(void* to, uint4 v) {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
OCTET_DEVICE void store_together(void* to, uint2 v) {
  asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(to), "r"(v.x), "r"(v.y) : "memory");
}

// A vector as it lies in memory: aligned to 16 bytes, or to its size where that is less.
template <class T>
struct Packed {
  static constexpr int kWords = kVector * int(sizeof(T)) / 4;
  uint32_t words[kWords];

  OCTET_DEVICE static Packed load(const T* from) {
    Packed v;
    static_assert(kWords % 4 == 0, "inputs are of 2 bytes or more");
    for (int i = 0; i < kWords; i += 4) {
      const uint4 part = load_once(reinterpret_cast<const uint32_t*>(from) + i);
      v.words[i] = part.x, v.words[i + 1] = part.y, v.words[i + 2] = part.z, v.words[i + 3] = part.w;
    }
    return v;
  }
  OCTET_DEVICE void store(T* to) const {
    uint32_t* out = reinterpret_cast<uint32_t*>(to);
    if constexpr (kWords == 2) {
      *reinterpret_cast<uint2*>(out) = make_uint2(words[0], words[1]);
    } else {
      for (int i = 0; i < kWords; i += 4)
        *reinterpret_cast<uint4*>(out + i) = make_uint4(words[i], words[i + 1], words[i + 2], words[i + 3]);
    }
  }
  OCTET_DEVICE void decode(float (&v)[kVector]) const {
    for (int i = 0; i < kVector / 2; ++i) {
      float2 pair;
      if constexpr (is_same<T, float>) pair = make_float2(__uint_as_float(words[2 * i]), __uint_as_float(words[2 * i + 1]));
      else if constexpr (is_same<T, f16>) pair = f16x2_to_f32(words[i]);
      else pair = bf16x2_to_f32(words[i]);
      v[2 * i] = pair.x, v[2 * i + 1] = pair.y;
    }
  }
  OCTET_DEVICE static Packed encode(const float (&v)[kVector]) {
    Packed p;
    for (int i = 0; i < kWords; ++i) {
      if constexpr (is_same<T, float>) p.words[i] = __float_as_uint(v[i]);
      else if constexpr (is_same<T, f16>) p.words[i] = f32_to_f16x2(v[2 * i], v[2 * i + 1]);
      else if constexpr (is_same<T, bf16>) p.words[i] = f32_to_bf16x2(v[2 * i], v[2 * i + 1]);
      else p.words[i] = f32_to_e4m3x2(v[4 * i], v[4 * i + 1]) | (uint32_t(f32_to_e4m3x2(v[4 * i + 2], v[4 * i + 3])) << 16);
    }
    return p;
  }
};

// Eight f32 that many threads read: through L1.
OCTET_DEVICE void load_shared(const float* from, float (&v)[kVector]) {
  for (int i = 0; i < kVector; i += 4) {
    const float4 part = *reinterpret_cast<const float4*>(from + i);
    v[i] = part.x, v[i + 1] = part.y, v[i + 2] = part.z, v[i + 3] = part.w;
  }
}

OCTET_DEVICE float sum_of_vector(const float (&v)[kVector]) { return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])); }
// The sum over the lanes of a warp, in every lane.
OCTET_DEVICE float sum_of_warp(float x) {
  for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(0xffffffffu, x, distance);
  return x;
}
// The sum over a block of whole warps, at most 32, in every thread; `shared` holds 32 floats and may be used again at once.
OCTET_DEVICE float sum_of_block(float x, float* shared) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  x = sum_of_warp(x);
  __syncthreads();
  if (lane == 0) shared[warp] = x;
  __syncthreads();
  return sum_of_warp(lane < blockDim.x / 32 ? shared[lane] : 0.0f);
}
