// y[b,s,:] = round(sum_k w[:,k] * patch(b, s - c)[k] * scale + bias + position[s,:]); k over [C, P, P]; c = 1 with a class token,
// whose row 0 is round(class_token + position[0]). Pixels f16, bf16 or f32 [batch, C, H, W], or u8 [batch, H, W, C], where byte b of
// channel c is the value table[c, b]; w [cols, C*P*P] f16, bf16, f32 or e4m3, packed once; y f16, bf16 or f32 [batch, S, cols]. Products
// are exact and accumulate in f32. The picture is read in place. A u8 picture gives the bits that its values give as floats of the table's
// type.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "numeric/dtype.h"

namespace octet::cpu {

struct PatchEmbedProblem {
  DType pixels = DType::f16, w = DType::f16, out = DType::f16;
  int64_t channels = 3, height = 0, width = 0, patch = 0, cols = 0;
  bool class_token = true;
  DType table = DType::f16;  // of u8 pixels
};
inline constexpr int64_t kPixelValues = 256;
// The type in which pixels are multiplied: that of the pixels, or of their table, if the weights are exact in it too; else f32.
DType patch_operand(const PatchEmbedProblem& problem);

struct PatchEmbedArgs {
  const void* pixels;
  const void* packed;
  const float *bias, *class_token, *position;  // [cols] zeros if none; [cols] or nullptr; [S, cols]
  const void* table;                           // u8 pixels: [C, 256] of patch_operand()
  float scale;
  void* y;
  int64_t batch;
  void* scratch;
};
struct PatchEmbedKernel {
  std::string_view name;
  uint32_t isa;
  Refusal (*accepts)(const PatchEmbedProblem&);
  size_t (*packed_bytes)(const PatchEmbedProblem&);
  void (*pack)(const PatchEmbedProblem&, const void* w, void* packed);
  size_t (*scratch_bytes)(const PatchEmbedProblem&);
  void (*run)(const PatchEmbedProblem&, const PatchEmbedArgs&, int thread, int threads);
};
std::span<const PatchEmbedKernel> patch_embed_kernels();

}  // namespace octet::cpu
