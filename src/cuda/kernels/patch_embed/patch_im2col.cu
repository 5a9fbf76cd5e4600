// Patches as rows of a matrix: out[b * patches + patch, k] = pixels[b, c, y, x], k over [C, P, P] and zeros up to PADDED. A block for a
// band of patches next to each other: the band's lines of each channel lie together in memory, and so do all its rows of the matrix.
// Defines: IN, CHANNELS, HEIGHT, WIDTH, PATCH, PADDED.
#include "vectors.cuh"

struct Params {
  const IN* pixels;
  IN* patches;
  int32_t aligned;  // bands may be read 16 bytes at a time
};

constexpr int kDown = HEIGHT / PATCH, kAcross = WIDTH / PATCH, kDepth = CHANNELS * PATCH * PATCH;
constexpr int kPlane = PATCH * WIDTH;  // elements of a band of one channel
constexpr int kPerCopy = 16 / int(sizeof(IN));
constexpr bool kPairs = sizeof(IN) == 2 && PATCH % 2 == 0;  // then every pair of elements lies in one word of the band and of a patch

OCTET_DEVICE uint32_t bits_of(f16 x) { return x.bits; }
OCTET_DEVICE uint32_t bits_of(bf16 x) { return x.bits; }
OCTET_DEVICE uint32_t bits_of(float x) { return __float_as_uint(x); }

// The place in the band of element k of the first patch; of others PATCH elements on.
OCTET_DEVICE int place_of(int k) {
  const int channel = k / (PATCH * PATCH), rest = k % (PATCH * PATCH);
  return channel * kPlane + rest / PATCH * WIDTH + rest % PATCH;
}

OCTET_DEVICE void load_band(const Params& p, IN* band) {
  const int64_t item = blockIdx.x / kDown, down = blockIdx.x % kDown;
  const IN* from = p.pixels + (item * CHANNELS * HEIGHT + down * PATCH) * WIDTH;  // of channel 0
  constexpr int64_t kNextChannel = int64_t(HEIGHT) * WIDTH;
  if (kPlane % kPerCopy == 0 && p.aligned) {
    constexpr int kCopies = kPlane / kPerCopy;
    for (int i = int(threadIdx.x); i < CHANNELS * kCopies; i += int(blockDim.x)) {
      const uint32_t to = uint32_t(__cvta_generic_to_shared(band + i * kPerCopy));
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from + i / kCopies * kNextChannel + i % kCopies * kPerCopy));
    }
    asm volatile("cp.async.wait_all;" ::: "memory");
  } else {
    for (int i = int(threadIdx.x); i < CHANNELS * kPlane; i += int(blockDim.x)) band[i] = from[i / kPlane * kNextChannel + i % kPlane];
  }
}

extern "C" __global__ void __launch_bounds__(256) patch_im2col(const __grid_constant__ Params p) {
  extern __shared__ uint4 shared[];
  IN* band = reinterpret_cast<IN*>(shared);
  wait_for_predecessor();
  let_successor_start();
  load_band(p, band);
  __syncthreads();
  constexpr int kVectors = PADDED / kVector;
  IN* out = p.patches + int64_t(blockIdx.x) * kAcross * PADDED;
  for (int i = int(threadIdx.x); i < kAcross * kVectors; i += int(blockDim.x)) {
    const int k = i % kVectors * kVector;
    const IN* patch = band + i / kVectors * PATCH;
    Packed<IN> v;
#pragma unroll
    for (int word = 0; word < Packed<IN>::kWords; ++word) {
      constexpr int kPerWord = 4 / int(sizeof(IN));
      const int at = k + word * kPerWord;
      v.words[word] = 0;
      if constexpr (kPairs || sizeof(IN) == 4) {
        if (at < kDepth) v.words[word] = *reinterpret_cast<const uint32_t*>(patch + place_of(at));
      } else {
        if (at < kDepth) v.words[word] = bits_of(patch[place_of(at)]);
        if (at + 1 < kDepth) v.words[word] |= bits_of(patch[place_of(at + 1)]) << 16;
      }
    }
    v.store(out + int64_t(i) * kVector);
  }
}
