#include "cuda/machine.h"

#include <gtest/gtest.h>

namespace octet::cuda {
namespace {

double rate(const std::vector<Roof>& roofs, std::string_view name) {
  for (const Roof& roof : roofs)
    if (roof.name == name) return roof.rate;
  return 0;
}

// NVIDIA's data sheets: H200 989 and 1979 TFLOP/s dense at 1.83 GHz, RTX 6000 Ada 364 and 728 at 2.505 GHz, A100 312 at 1.41 GHz.
TEST(GpuRoofs, AreThoseOfTheDataSheets) {
  Gpu gpu;
  gpu.memory_bytes_per_s = 4.8e12;
  gpu.sm = 90, gpu.multiprocessors = 132, gpu.clock_hz = 1.83e9;
  EXPECT_NEAR(rate(roofs_of(gpu), "FP16 tensor cores"), 989e12, 2e12);
  EXPECT_NEAR(rate(roofs_of(gpu), "FP8 tensor cores"), 1979e12, 3e12);
  EXPECT_EQ(rate(roofs_of(gpu), "memory"), 4.8e12);
  gpu.sm = 89, gpu.multiprocessors = 142, gpu.clock_hz = 2.505e9;
  EXPECT_NEAR(rate(roofs_of(gpu), "FP16 tensor cores"), 364e12, 1e12);
  EXPECT_NEAR(rate(roofs_of(gpu), "FP8 tensor cores"), 728e12, 2e12);
  gpu.sm = 80, gpu.multiprocessors = 108, gpu.clock_hz = 1.41e9;
  EXPECT_NEAR(rate(roofs_of(gpu), "FP16 tensor cores"), 312e12, 1e12);
  EXPECT_EQ(rate(roofs_of(gpu), "FP8 tensor cores"), 0);
  EXPECT_TRUE(roofs_of(Gpu{}).empty());
}

TEST(GpuRoofs, FollowFromTheKernel) {
  EXPECT_EQ(roof_of("gemm_e4m3_wgmma_128x128", "e4m3"), "FP8 tensor cores");
  EXPECT_EQ(roof_of("gemm_e4m3_f16_mma", "e4m3"), "FP16 tensor cores");
  EXPECT_EQ(roof_of("attention_bf16_wgmma", "bf16"), "FP16 tensor cores");
  EXPECT_EQ(roof_of("gemm_any_simt", "e4m3"), "f32 cores");
}

}  // namespace
}  // namespace octet::cuda
