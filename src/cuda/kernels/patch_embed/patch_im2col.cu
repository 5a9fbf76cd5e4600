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
constexpr int kThreads = 256, kPerCopy = 16 / int(sizeof(IN));
constexpr bool kPairs = sizeof(IN) == 2 && PATCH % 2 == 0;  // then every pair of elements lies in one word of the band and of a patch

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

// Where one vector of a patch lies in the band: the same for every patch, but for the patch's own place.
struct Gather {
  static constexpr int kWords = Packed<IN>::kWords, kPerWord = 4 / int(sizeof(IN));
  static constexpr bool kWhole = kPairs || sizeof(IN) == 4;
  int place[kVector];  // of each word, or of each element where they lie apart; -1: padding

  OCTET_DEVICE explicit Gather(int k) {
#pragma unroll
    for (int i = 0; i < kVector; ++i) place[i] = k + i < kDepth ? place_of(k + i) : -1;
  }
  OCTET_DEVICE void copy(const IN* patch, IN* to) const {
    uint32_t words[kWords];
#pragma unroll
    for (int word = 0; word < kWords; ++word) {
      const int at = place[word * kPerWord];
      words[word] = 0;
      if constexpr (kWhole) {
        if (at >= 0) words[word] = *reinterpret_cast<const uint32_t*>(patch + at);
      } else {
        const int next = place[word * kPerWord + 1];
        if (at >= 0) words[word] = bits_of(patch[at]);
        if (next >= 0) words[word] |= bits_of(patch[next]) << 16;
      }
    }
#pragma unroll
    for (int word = 0; word < kWords; word += 4)
      store_together(to + word * kPerWord, make_uint4(words[word], words[word + 1], words[word + 2], words[word + 3]));
  }
};

extern "C" __global__ void __launch_bounds__(kThreads) patch_im2col(const __grid_constant__ Params p) {
  extern __shared__ uint4 shared[];
  IN* band = reinterpret_cast<IN*>(shared);
  wait_for_predecessor();
  let_successor_start();
  load_band(p, band);
  __syncthreads();
  // A thread takes one vector of every kGroups-th patch: it finds out once where that lies.
  constexpr int kVectors = PADDED / kVector, kTogether = kVectors < kThreads ? kVectors : kThreads, kGroups = kThreads / kTogether;
  IN* out = p.patches + int64_t(blockIdx.x) * kAcross * PADDED;
  const int group = int(threadIdx.x) / kTogether;
  if (group >= kGroups) return;
  for (int vector = int(threadIdx.x) % kTogether; vector < kVectors; vector += kTogether) {
    const Gather gather(vector * kVector);
#pragma unroll 2
    for (int patch = group; patch < kAcross; patch += kGroups)
      gather.copy(band + patch * PATCH, out + int64_t(patch) * PADDED + vector * kVector);
  }
}
