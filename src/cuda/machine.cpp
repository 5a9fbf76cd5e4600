#include "cuda/machine.h"

#include "cuda/driver/nvrtc.h"
#include "cuda/kernels/attention/attention.h"
#include "cuda/kernels/gemm/gemm.h"
#include "cuda/steps/step.h"

namespace octet::cuda {

Toolchain toolchain() {
  Toolchain tools;
  bool driver = false;
  try {
    tools.driver = fmt::format("CUDA {}.{}", driver::version() / 1000, driver::version() % 1000 / 10);
    driver = true;
  } catch (const Error& error) {
    tools.driver = error.message();
  }
  try {
    tools.nvrtc = fmt::format("{}.{} ({})", nvrtc::version().major, nvrtc::version().minor, nvrtc::path());
    tools.usable = driver;
  } catch (const Error& error) {
    tools.nvrtc = error.message();
  }
  return tools;
}

std::vector<TypeSupport> types_of(const Gpu& gpu) {
  std::vector<TypeSupport> types;
  for (const auto& [type, out] : {std::pair(DType::e4m3, DType::f16), std::pair(DType::f16, DType::f16),
                                  std::pair(DType::bf16, DType::bf16), std::pair(DType::f32, DType::f32)}) {
    TypeSupport one{type, out, {}, {}};
    one.gemm.problem = fmt::format("gemm:{0}x{0}->{1}:512x1024x1024", type, out);
    accepting(gemm_kernels(), GemmProblem{type, out, 1024, 1024, Act::kNone, false}, gpu, {}, one.gemm);
    one.attention.problem = fmt::format("attention:{0}->{0}:1x16x257x64", type);
    accepting(attention_kernels(), AttentionProblem{type, type, 257, 16, 64, false, type == DType::e4m3}, gpu, {}, one.attention);
    types.push_back(std::move(one));
  }
  return types;
}

std::string hardware_of(int sm) {
  if (sm < 75) return "FP16 at most; octet does not run here";
  if (sm < 80) return "FP16 and INT8; octet does not run here";
  if (sm < 89) return "FP16, BF16, TF32, INT8; no FP8: octet decodes E4M3 to FP16, exactly";
  if (sm < 90) return "FP8 (E4M3, E5M2), FP16, BF16, TF32, INT8 by mma";
  if (sm < 100) return "FP8 (E4M3, E5M2), FP16, BF16, TF32, INT8 by WGMMA";
  if (sm < 120) return "FP4, FP6, FP8, FP16, BF16 by tcgen05, which octet does not use yet: its mma rows run";
  return "FP4, FP6, FP8, FP16, BF16 by mma";
}

std::vector<Roof> roofs_of(const Gpu& gpu) {
  if (gpu.clock_hz <= 0 || gpu.memory_bytes_per_s <= 0) return {};
  // FLOP a clock and multiprocessor, from NVIDIA's whitepapers: dense, f32 accumulation. FP8 is twice FP16 from sm_89 on.
  const double f16 = gpu.sm >= 100 && gpu.sm < 120 ? 8192 : gpu.sm == 90 ? 4096 : gpu.sm == 80 ? 2048 : 1024;
  const double f32 = gpu.sm == 80 ? 128 : 256, clocks = gpu.clock_hz * gpu.multiprocessors;
  const std::string origin = fmt::format("nominal: {} multiprocessors at {:.2f} GHz", gpu.multiprocessors, gpu.clock_hz * 1e-9);
  std::vector<Roof> roofs;
  if (gpu.sm >= 89) roofs.push_back({"FP8 tensor cores", 2 * f16 * clocks, origin});
  roofs.push_back({"FP16 tensor cores", f16 * clocks, origin});
  roofs.push_back({"f32 cores", f32 * clocks, origin});
  roofs.push_back({"memory", gpu.memory_bytes_per_s, "nominal: bus width times clock"});
  return roofs;
}

std::string roof_of(std::string_view kernel, std::string_view operands) {
  if (kernel.find("simt") != std::string_view::npos || operands == "f32") return "f32 cores";
  // gemm_e4m3_f16_mma widens the codes to f16.
  return operands == "e4m3" && kernel.find("e4m3_f16") == std::string_view::npos ? "FP8 tensor cores" : "FP16 tensor cores";
}

}  // namespace octet::cuda
