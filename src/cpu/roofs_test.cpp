#include "cpu/roofs.h"

#include <gtest/gtest.h>

#include "cpu/isa.h"

namespace octet::cpu {
namespace {

TEST(Roofs, AreMeasuredForEveryUsableClassAndMemory) {
  const std::vector<Roof> roofs = measure_roofs(1);
  ASSERT_GE(roofs.size(), 2u);
  for (const Roof& roof : roofs) EXPECT_GT(roof.rate, 1e8) << roof.name;  // a core of any machine of this century
  EXPECT_EQ(roofs.back().name, "memory");
  EXPECT_EQ(roofs[roofs.size() - 2].name, "SSE2 f32");
  EXPECT_EQ(roofs.front().name == "AMX bf16", (usable_isa() & kAmx) != 0);
}

TEST(Roofs, FollowFromTheKernelsName) {
  const auto is = [](std::string_view kernel, std::string_view name, double products) {
    const RoofOf roof = roof_of(kernel);
    EXPECT_EQ(roof.name, name) << kernel;
    EXPECT_EQ(roof.products, products) << kernel;
  };
  is("gemm_e4m3_e4m3_bf16_amx", "AMX bf16", 1);
  is("gemm_f16_f16_bf16x4_amx", "AMX bf16", 4);
  is("attention_f16_f16_bf16x4_amx", "AMX bf16", 3.5);
  is("values_f16_any_bf16x4_amx", "AMX bf16", 4);
  is("gemm_bf16_bf16_bf16_avx512bf16", "AVX-512 bf16", 1);
  is("norm_any_any_avx512", "AVX-512 f32", 1);
  is("gemm_f16_f16_f32_avx2", "AVX2 f32", 1);
  is("pool_portable", "SSE2 f32", 1);
}

}  // namespace
}  // namespace octet::cpu
