// y[b,s,:] = round(sum_k w[:,k] * patch(b, s - c)[k] * scale + bias + position[s,:]); k over [C, P, P]; c = 1 with a class token,
// whose row 0 is round(class_token + position[0]). Pixels f16, bf16 or f32 [batch, C, H, W], or u8 [batch, H, W, C], where
// byte b of channel c is the value table[c, b]; y f16, bf16 or f32 [batch, S, cols].
//
// Two ways. In tensor cores, three launches: patch_im2col lays the patches out as rows, a GEMM of kernels/gemm (in: the values' type,
// out: f32, n = cols, k = patch_gemm_k(), alpha = scale, bias zero) multiplies them with w padded to that k by zeros, and patch_finish
// adds the rest and rounds. It needs w in the values' type, exactly. Anything else is patch_embed's: one launch, w as f32.
#pragma once
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

struct PatchEmbedProblem {
  DType pixels = DType::f16, out = DType::f16;
  int64_t channels = 3, height = 0, width = 0, patch = 0, cols = 0;
  bool class_token = true;
  DType table = DType::f16;  // of u8 pixels

  DType value() const { return pixels == DType::u8 ? table : pixels; }
  int64_t patches() const { return (height / patch) * (width / patch); }
  int64_t tokens() const { return patches() + (class_token ? 1 : 0); }
  int64_t k() const { return channels * patch * patch; }
};
// The GEMM's k: patches are padded by zeros to whole 64s (128 bytes), so that the fastest GEMM rows take any patch size.
inline int64_t patch_gemm_k(const PatchEmbedProblem& problem) { return (problem.k() + 63) / 64 * 64; }

struct PatchIm2colArgs {
  Address pixels = 0, patches = 0;  // the picture -> [batch * patches(), patch_gemm_k()] of value(), 16-byte aligned
  Address table = 0;                // u8 pixels: [C, 256] of value()
  int64_t batch = 0;
};
using PatchIm2colKernel = KernelRow<PatchEmbedProblem, PatchIm2colArgs>;
std::span<const PatchIm2colKernel> patch_im2col_kernels();  // refuse bands of patches beyond shared memory

struct PatchFinishArgs {
  Address sums = 0, y = 0;                          // f32 [batch * patches(), cols] -> [batch, tokens(), cols]
  Address bias = 0, class_token = 0, position = 0;  // f32 [cols]; [cols] or 0; [tokens(), cols]; zeros if the plan has none
  int64_t batch = 0;
};
using PatchFinishKernel = KernelRow<PatchEmbedProblem, PatchFinishArgs>;
std::span<const PatchFinishKernel> patch_finish_kernels();  // accept everything

struct PatchEmbedArgs {
  Address pixels = 0, y = 0;
  Address w = 0;                                    // f32 [cols, k()]: every weight type fits
  Address bias = 0, class_token = 0, position = 0;  // as above
  Address table = 0;                                // as above
  float scale = 1;
  int64_t batch = 0;
};
using PatchEmbedKernel = KernelRow<PatchEmbedProblem, PatchEmbedArgs>;
std::span<const PatchEmbedKernel> patch_embed_kernels();  // accept everything

}  // namespace octet::cuda
