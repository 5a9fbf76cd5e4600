// Patches as a GEMM: a strip of patches is gathered from the picture into scratch (bytes by a table, in the order of floats), the GEMM
// family's row for the same instruction set multiplies it (bias and position added in its f32 epilogue, position as the residual), one pass
// rounds to the output dtype. The GEMM's rows do not depend on their neighbours, so strips may be cut anywhere: any split over threads
// gives the same bits. Next: cpu/kernels/gemm/gemm.h, round_row.h.
#include "cpu/kernels/patch_embed/patch_embed.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/kernels/gemm/gemm.h"
#include "cpu/kernels/patch_embed/round_row.h"
#include "numeric/convert.h"

namespace octet::cpu {

void round_row_portable(const float* from, DType dtype, void* to, int64_t count) { round_row<Native>(from, dtype, to, count); }

namespace {

using Problem = PatchEmbedProblem;

// Patches multiplied at a time. The packed weights stream from L3 once a strip; 128 rows make that cheaper than the product.
constexpr int64_t kStrip = 128;
// k is padded with zeros to what the tile kernels like.
constexpr size_t kPad = 32;

DType value_type(const Problem& p) { return p.pixels == DType::u8 ? p.table : p.pixels; }
int64_t depth(const Problem& p) { return p.channels * p.patch * p.patch; }
int64_t padded_depth(const Problem& p) { return static_cast<int64_t>(round_up(static_cast<size_t>(depth(p)), kPad)); }
int64_t grid_cols(const Problem& p) { return p.width / p.patch; }
int64_t patches(const Problem& p) { return p.height / p.patch * grid_cols(p); }

GemmProblem core_problem(const Problem& p) {
  const DType type = patch_operand(p);
  return {type, type, DType::f32, p.cols, padded_depth(p), Act::kNone, true};
}

// The best GEMM row within `isa`; pack() writes its place in the table at the start of the packed weights, for run().
size_t core_index(const Problem& p, uint32_t isa) {
  const auto rows = gemm_kernels();
  const GemmProblem problem = core_problem(p);
  for (size_t i = 0; i < rows.size(); ++i)
    if ((rows[i].isa & ~isa) == 0 && !rows[i].accepts(problem)) return i;
  return rows.size() - 1;
}
const GemmKernel& core(const Problem& p, uint32_t isa) { return gemm_kernels()[core_index(p, isa)]; }

constexpr size_t kHeader = 64;

template <uint32_t kIsa>
size_t packed_bytes(const Problem& p) {
  return kHeader + core(p, kIsa).packed_bytes(core_problem(p));
}

template <uint32_t kIsa>
void pack(const Problem& p, const void* w, void* packed) {
  const uint64_t index = core_index(p, kIsa);
  std::memset(packed, 0, kHeader);
  std::memcpy(packed, &index, sizeof index);
  const GemmProblem problem = core_problem(p);
  const int64_t k = depth(p);
  std::vector<float> row(static_cast<size_t>(problem.k));
  AlignedBytes rows(static_cast<size_t>(p.cols * problem.k) * size_of(problem.w));
  for (int64_t n = 0; n < p.cols; ++n) {
    decode_many(p.w, static_cast<const std::byte*>(w) + static_cast<size_t>(n * k) * size_of(p.w), k, row.data());
    encode_many(problem.w, row.data(), problem.k, rows.data() + static_cast<size_t>(n * problem.k) * size_of(problem.w));
  }
  gemm_kernels()[index].pack(problem, rows.data(), static_cast<std::byte*>(packed) + kHeader);
}

// A thread's scratch: the gathered strip, its f32 product, alpha and ones, then the GEMM's own.
struct Layout {
  size_t strip, product, alpha, ones, gemm, total;
};
Layout layout(const Problem& p, size_t gemm_bytes) {
  const GemmProblem problem = core_problem(p);
  const size_t cols = round_up(static_cast<size_t>(p.cols) * 4, 64);
  Layout l{};
  l.product = round_up(static_cast<size_t>(kStrip * problem.k) * size_of(problem.a), 64);
  l.alpha = l.product + static_cast<size_t>(kStrip) * cols;
  l.ones = l.alpha + cols;
  l.gemm = l.ones + cols;
  l.total = l.gemm + gemm_bytes;
  return l;
}

template <uint32_t kIsa>
size_t scratch_bytes(const Problem& p) {
  return layout(p, core(p, kIsa).scratch_bytes(core_problem(p), kStrip, 1)).total;
}

// The same of bytes [H, W, C].
template <class T>
void look_up(const Problem& p, const PatchEmbedArgs& a, int64_t b, int64_t first, int64_t count, T* strip) {
  const auto* picture = static_cast<const uint8_t*>(a.pixels) + b * p.height * p.width * p.channels;
  const int64_t cols = grid_cols(p), plane = p.patch * p.patch, k = padded_depth(p);
  for (int64_t i = 0; i < count; ++i, strip += k) {
    const int64_t top = (first + i) / cols * p.patch, left = (first + i) % cols * p.patch;
    for (int64_t y = 0; y < p.patch; ++y) {
      const uint8_t* line = picture + ((top + y) * p.width + left) * p.channels;
      for (int64_t c = 0; c < p.channels; ++c) {
        const T* table = static_cast<const T*>(a.table) + c * kPixelValues;
        T* to = strip + c * plane + y * p.patch;
        for (int64_t x = 0; x < p.patch; ++x) to[x] = table[line[x * p.channels + c]];
      }
    }
    std::fill(strip + depth(p), strip + k, T{});
  }
}

// Patches [first, first + count) of picture b, one row [C, P, P] each, zeros up to the padded depth.
void gather(const Problem& p, const PatchEmbedArgs& a, int64_t b, int64_t first, int64_t count, std::byte* strip) {
  const DType type = core_problem(p).a;
  if (p.pixels == DType::u8 && size_of(type) == 2) return look_up(p, a, b, first, count, reinterpret_cast<uint16_t*>(strip));
  if (p.pixels == DType::u8) return look_up(p, a, b, first, count, reinterpret_cast<uint32_t*>(strip));
  const int64_t k = padded_depth(p), cols = grid_cols(p);
  const size_t from_size = size_of(p.pixels), to_size = size_of(type);
  const auto* picture = static_cast<const std::byte*>(a.pixels) + static_cast<size_t>(b * p.channels * p.height * p.width) * from_size;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t top = (first + i) / cols * p.patch, left = (first + i) % cols * p.patch;
    std::byte* to = strip + static_cast<size_t>(i * k) * to_size;
    for (int64_t line = 0; line < p.channels * p.patch; ++line, to += static_cast<size_t>(p.patch) * to_size) {
      const int64_t channel = line / p.patch, y = top + line % p.patch;
      const auto* from = picture + static_cast<size_t>((channel * p.height + y) * p.width + left) * from_size;
      if (type == p.pixels) {
        std::memcpy(to, from, static_cast<size_t>(p.patch) * to_size);
      } else {
        decode_many(p.pixels, from, p.patch, reinterpret_cast<float*>(to));
      }
    }
    std::memset(to, 0, static_cast<size_t>(k - depth(p)) * to_size);
  }
}

template <RoundRow kRound>
void class_row(const Problem& p, const PatchEmbedArgs& a, float* sum, void* y) {
  for (int64_t n = 0; n < p.cols; ++n) sum[n] = a.class_token[n] + a.position[n];
  kRound(sum, p.out, y, p.cols);
}

template <RoundRow kRound>
void run(const Problem& p, const PatchEmbedArgs& a, int thread, int threads) {
  uint64_t index;
  std::memcpy(&index, a.packed, sizeof index);
  const GemmKernel& gemm = gemm_kernels()[index];
  const GemmProblem problem = core_problem(p);
  const Layout l = layout(p, 0);
  auto* scratch = static_cast<std::byte*>(a.scratch);
  auto* alpha = reinterpret_cast<float*>(scratch + l.alpha);
  auto* ones = reinterpret_cast<float*>(scratch + l.ones);
  auto* product = reinterpret_cast<float*>(scratch + l.product);
  std::fill_n(alpha, p.cols, a.scale);
  std::fill_n(ones, p.cols, 1.0f);

  const int64_t class_rows = p.class_token ? 1 : 0, count = patches(p);
  const Range mine = share(a.batch * count, thread, threads, std::min<int64_t>(16, count));
  for (int64_t at = mine.begin, rows = 0; at < mine.end; at += rows) {
    const int64_t b = at / count, first = at % count;
    rows = std::min({kStrip, mine.end - at, count - first});
    const int64_t s = first + class_rows;
    auto* y = static_cast<std::byte*>(a.y) + static_cast<size_t>((b * (count + class_rows) + s) * p.cols) * size_of(p.out);
    if (first == 0 && p.class_token) class_row<kRound>(p, a, product, y - static_cast<size_t>(p.cols) * size_of(p.out));
    gather(p, a, b, first, rows, scratch);
    void* out = p.out == DType::f32 ? static_cast<void*>(y) : product;
    gemm.run(problem,
             {scratch, rows, static_cast<const std::byte*>(a.packed) + kHeader, alpha, a.bias, ones, ones, a.position + s * p.cols, out,
              scratch + l.gemm},
             0, 1);
    if (p.out != DType::f32) kRound(product, p.out, y, rows * p.cols);
  }
}

Refusal accepts(const Problem& p) {
  const bool w = p.w == DType::f16 || p.w == DType::f32 || p.w == DType::e4m3 || p.w == DType::bf16;
  const DType value = value_type(p);
  const bool pixels = value == DType::f16 || value == DType::f32 || value == DType::bf16;
  const bool out = p.out == DType::f16 || p.out == DType::f32 || p.out == DType::bf16;
  if (!w || !pixels || !out)
    return {fmt::format("patch_embed of {} pixels, {} weights to {}", name_of(p.pixels), name_of(p.w), name_of(p.out))};
  if (p.patch <= 0 || p.channels <= 0 || p.cols <= 0 || p.height < p.patch || p.width < p.patch)
    return {fmt::format("patch_embed of {} x {} x {} in patches of {}", p.channels, p.height, p.width, p.patch)};
  return {};
}
template <DType kType>
Refusal accepts_pair(const Problem& p) {
  if (Refusal no = accepts(p)) return no;
  if (patch_operand(p) != kType) return {fmt::format("it multiplies {} pixels by {} or e4m3 weights", kType, kType)};
  return {};
}

template <uint32_t kIsa, RoundRow kRound>
constexpr PatchEmbedKernel row(std::string_view name, uint32_t needs, Refusal (*accepts)(const Problem&)) {
  return {name, needs, accepts, packed_bytes<kIsa>, pack<kIsa>, scratch_bytes<kIsa>, run<kRound>};
}

constexpr PatchEmbedKernel kKernels[] = {
    row<kAmx | kAvx512 | kAvx2, round_row_avx512>("patch_embed_bf16_any_bf16_amx", kAmx | kAvx512, accepts_pair<DType::bf16>),
    row<kAmx | kAvx512 | kAvx2, round_row_avx512>("patch_embed_f16_any_bf16x4_amx", kAmx | kAvx512, accepts_pair<DType::f16>),
    row<kAvx512Bf16 | kAvx512 | kAvx2, round_row_avx512>("patch_embed_bf16_any_bf16_avx512bf16", kAvx512Bf16 | kAvx512,
                                                         accepts_pair<DType::bf16>),
    row<kAvx512 | kAvx2, round_row_avx512>("patch_embed_any_any_f32_avx512", kAvx512, accepts),
    row<kAvx2, round_row_avx2>("patch_embed_any_any_f32_avx2", kAvx2, accepts),
    row<kPortable, round_row_portable>("patch_embed_any_any_f32_portable", kPortable, accepts),
};

}  // namespace

DType patch_operand(const PatchEmbedProblem& problem) {
  const DType type = value_type(problem);
  const bool half = (type == DType::f16 || type == DType::bf16) && (problem.w == type || problem.w == DType::e4m3);
  return half ? type : DType::f32;
}

std::span<const PatchEmbedKernel> patch_embed_kernels() { return kKernels; }

}  // namespace octet::cpu
