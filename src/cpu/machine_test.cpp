#include "cpu/machine.h"

#include <gtest/gtest.h>

#include "cpu/isa.h"

namespace octet::cpu {
namespace {

TEST(Machine, HasAName) {
  const std::string name = cpu_model();
  EXPECT_FALSE(name.empty());
  for (const char c : name) EXPECT_TRUE(c >= ' ' && c <= '~') << name;
}

TEST(Machine, MeasuresTheRowThatWouldRun) {
  for (const DType type : {DType::e4m3, DType::f16, DType::bf16, DType::f32}) {
    const GemmRate rate = measure_gemm(type, DType::f16, 33, 70, 64, 2, 1e-4);
    EXPECT_TRUE(rate.choice.kernel.starts_with("gemm_")) << rate.choice.kernel;
    EXPECT_EQ(rate.choice.problem, fmt::format("gemm:{0}x{0}->f16:33x70x64", name_of(type)));
    EXPECT_GE(rate.runs, 3);
    EXPECT_GT(rate.median_tflops, 0);
    EXPECT_GE(rate.best_tflops, rate.median_tflops);
    EXPECT_LT(rate.best_tflops, 1000) << "no CPU does that";
    if (usable_isa() == kPortable) {
      EXPECT_EQ(rate.choice.kernel, "gemm_any_any_f32_portable");
    }
  }
}

TEST(Machine, NamesAttentionRows) {
  for (const DType type : {DType::e4m3, DType::f16, DType::bf16, DType::f32})
    EXPECT_TRUE(choose_attention(type, type).kernel.starts_with("attention_"));
}

}  // namespace
}  // namespace octet::cpu
