// Every row of every family compiles for its target, by NVRTC where there is one; no GPU is needed.
// OCTET_TEST_ALL=1: also for every other GPU that the row may run on.
#include "cuda/program.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "base/cache.h"
#include "cuda/kernels/attention/attention.h"
#include "cuda/kernels/attention/attention_unfused.h"
#include "cuda/kernels/embed/embed.h"
#include "cuda/kernels/fake_quantize/fake_quantize.h"
#include "cuda/kernels/gemm/gemm_finish.h"
#include "cuda/kernels/norm/norm.h"
#include "cuda/kernels/patch_embed/patch_embed.h"
#include "cuda/kernels/pointwise/pointwise.h"
#include "cuda/kernels/pool/pool.h"
#include "cuda/sources.h"
#include "cuda/testing.h"

namespace octet::cuda {
namespace {

using ::testing::HasSubstr;

Gpu gpu_of(int sm) {
  Gpu gpu;
  gpu.name = "a GPU";
  gpu.sm = sm;
  gpu.driver_version = 13000;
  gpu.multiprocessors = 132;
  gpu.shared_per_block = sm == 80 || sm == 90 || sm == 100 ? 227 << 10 : 99 << 10;
  gpu.memory = size_t{80} << 30;
  gpu.l2 = 50 << 20;
  return gpu;
}

std::vector<int> capabilities(const Target& target) {
  const bool all = std::getenv("OCTET_TEST_ALL") != nullptr;
  if (target.exact) return {target.sm};
  if (!all) return {std::max(target.sm, 80)};
  std::vector<int> sms;
  for (const int sm : {80, 89, 90, 120})
    if (sm >= target.sm) sms.push_back(sm);
  return sms;
}

// Compiles each row for the first of `problems` that it accepts, on each of its GPUs.
template <class Row>
void compile_rows(std::span<const Row> rows, std::initializer_list<typename Row::Problem> problems) {
  for (const Row& row : rows)
    for (const int sm : capabilities(row.target)) {
      const Gpu gpu = gpu_of(sm);
      bool accepted = false;
      for (const auto& problem : problems) {
        if (accepts_target(gpu, row.target) || row.accepts(problem, gpu)) continue;
        accepted = true;
        Program program = row.program(problem, gpu);
        program.target = row.target;
        EXPECT_NO_THROW({
          try {
            EXPECT_GT(compile(program, gpu).bytes.size(), 500u);
          } catch (const Error& error) {
            ADD_FAILURE() << row.name << " on sm_" << sm << ": " << error.render();
          }
        });
        if (std::getenv("OCTET_TEST_ALL") == nullptr) break;
      }
      EXPECT_TRUE(accepted) << row.name << " takes none of the test's problems on sm_" << sm;
    }
}

class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override { OCTET_NEEDS_NVRTC(); }
};

TEST_F(ProgramTest, GemmRows) {
  using enum DType;
  compile_rows(gemm_kernels(), {{e4m3, f16, 1024, 1024, Act::kNone, true},
                                {e4m3, e4m3, 4096, 1024, Act::kQuickGelu, false},
                                {f16, f16, 1024, 1024, Act::kGeluErf, false},
                                {f16, f32, 1024, 640, Act::kNone, false},
                                {bf16, bf16, 1024, 1024, Act::kGeluTanh, true},
                                {f32, f32, 30, 17, Act::kNone, false}});
}
TEST_F(ProgramTest, GemmFinishRows) {
  using enum DType;
  compile_rows(gemm_finish_kernels(), {{e4m3, e4m3, 4096, 1024, Act::kQuickGelu, false}, {f16, f32, 768, 768, Act::kNone, true}});
}
TEST_F(ProgramTest, NormRows) {
  using enum DType;
  compile_rows(norm_kernels(), {{f16, e4m3, 1024}, {bf16, bf16, 768}, {f32, f32, 24}, {f16, f16, 8192}, {f32, e4m3, 40000}});
}
TEST_F(ProgramTest, AttentionRows) {
  using enum DType;
  compile_rows(attention_kernels(), {{e4m3, e4m3, 257, 16, 64, false, true},
                                     {e4m3, f16, 77, 12, 64, true, true},
                                     {f16, f16, 257, 16, 64, false, false},
                                     {bf16, bf16, 77, 12, 64, true, false},
                                     {f32, f32, 5, 3, 8, true, false},
                                     {e4m3, e4m3, 577, 16, 80, false, true}});
}
TEST_F(ProgramTest, UnfusedAttention) {
  using enum DType;
  for (const AttentionUnfusedRow& row : attention_unfused_rows())
    for (const AttentionUnfusedKernel& kernel : {row.scores, row.softmax, row.values})
      compile_rows(std::span<const AttentionUnfusedKernel>(&kernel, 1), {{{f16, f16, 257, 16, 64, false, false}, true},
                                                                         {{f16, e4m3, 2048, 2, 24, true, false}, true},
                                                                         {{bf16, bf16, 77, 12, 128, true, false}, true}});
}
TEST(UnfusedAttention, SaysWhatItDoesNotTake) {
  const AttentionUnfusedKernel& kernel = attention_unfused_rows().front().scores;
  const AttentionUnfusedProblem fine{{DType::f16, DType::f16, 257, 16, 64, false, false}, true};
  EXPECT_FALSE(kernel.accepts(fine, gpu_of(90)));
  AttentionUnfusedProblem other = fine;
  other.quantize_p = true;
  EXPECT_THAT(kernel.accepts(other, gpu_of(90)).reason, HasSubstr("e4m3"));
  other = fine, other.aligned = false;
  EXPECT_THAT(kernel.accepts(other, gpu_of(90)).reason, HasSubstr("16 bytes"));
  other = fine, other.tokens = 2049;
  EXPECT_THAT(kernel.accepts(other, gpu_of(90)).reason, HasSubstr("2049"));
  EXPECT_EQ(attention_scores_bytes(fine, 2), size_t{2} * 16 * 257 * 264 * 4);
}
TEST_F(ProgramTest, EmbedPoolAndPatchRows) {
  using enum DType;
  compile_rows(embed_kernels(), {{i64, f16, 77, 768, 49408}, {i32, f32, 5, 17, 11}});
  compile_rows(pool_kernels(), {{f16, i64, 77, 768, 77, PoolMode::kArgMax}, {f32, i32, 7, 17, 7, PoolMode::kFirstEqual}});
  compile_rows(l2normalize_kernels(), {{f16, 768}, {f32, 17}});
  compile_rows(fake_quantize_kernels(), {{f16, f16}, {bf16, bf16}, {f32, f32}, {e4m3, f16}, {e4m3, f32}});
  compile_rows(pointwise_kernels(),
               {{e4m3, f16, Act::kQuickGelu, true}, {f32, e4m3, Act::kNone, false}, {e4m3, e4m3, Act::kGeluErf, false}});
  const PatchEmbedProblem vit{f16, f16, 3, 224, 224, 14, 1024, true}, odd{f32, bf16, 3, 6, 4, 2, 17, false};
  const PatchEmbedProblem bytes{u8, f16, 3, 224, 224, 14, 1024, true}, odd_bytes{u8, f32, 3, 6, 4, 2, 17, true, f32};
  compile_rows(patch_im2col_kernels(), {vit, odd, bytes, odd_bytes});
  compile_rows(patch_finish_kernels(), {vit, odd});
  compile_rows(patch_embed_kernels(), {vit, odd});
  compile_rows(patch_embed_kernels(), {bytes});
  compile_rows(patch_embed_kernels(), {odd_bytes});
}

Program norm_program(const Gpu& gpu) {
  const NormProblem problem{DType::f16, DType::e4m3, 1024};
  for (const NormKernel& row : norm_kernels())
    if (!accepts_target(gpu, row.target) && !row.accepts(problem, gpu)) {
      Program program = row.program(problem, gpu);
      program.target = row.target;
      return program;
    }
  throw Error(Code::kInternal, "no row");
}

TEST_F(ProgramTest, ArchitecturesFollowTheGpuAndTheCompiler) {
  Gpu gpu = gpu_of(90);
  EXPECT_EQ(architecture({90, true}, gpu), "sm_90a");
  EXPECT_EQ(architecture({80}, gpu), "sm_90");
  EXPECT_EQ(architecture({80}, gpu_of(86)), "sm_86");
  EXPECT_THAT(architecture({80}, gpu_of(999)), HasSubstr("compute_")) << "PTX for what NVRTC does not know";
  gpu.portable_code = true;
  EXPECT_EQ(architecture({80}, gpu), "compute_89");
  const Image ptx = compile(norm_program(gpu), gpu);
  EXPECT_THAT(std::string(reinterpret_cast<const char*>(ptx.bytes.data())), HasSubstr(".target sm_89"));
}

TEST_F(ProgramTest, CodeIsCachedAndDamageRepaired) {
  const Gpu gpu = gpu_of(90);
  const Program program = norm_program(gpu);
  compile(program, gpu);
  const Image again = compile(program, gpu);
  EXPECT_TRUE(again.cached);
  const auto file = cache_directory() / ("kernel-" + fingerprint(program, gpu));
  std::ofstream(file, std::ios::binary) << "damaged";
  EXPECT_FALSE(compile(program, gpu).cached);
  EXPECT_EQ(compile(program, gpu).bytes, again.bytes);
  Program other = program;
  other.defines.push_back("OTHER=1");
  EXPECT_NE(fingerprint(other, gpu), fingerprint(program, gpu));
  EXPECT_NE(fingerprint(program, gpu_of(80)), fingerprint(program, gpu));
}

TEST_F(ProgramTest, TheCompilersWordsAreInTheError) {
  Program program = norm_program(gpu_of(90));
  program.defines.push_back("IN=no_such_type");
  try {
    compile(program, gpu_of(90));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInternal);
    EXPECT_THAT(error.render(), HasSubstr("no_such_type"));
  }
}

TEST(Sources, IncludesAreFollowed) {
  std::vector<std::string> names;
  for (const nvrtc::Source& source : sources_of("gemm_mma.cu")) names.emplace_back(source.name);
  EXPECT_EQ(names.front(), "gemm_mma.cu");
  EXPECT_THAT(names, ::testing::Contains("common.cuh"));
  EXPECT_THROW(sources_of("nothing.cu"), Error);
}

}  // namespace
}  // namespace octet::cuda
