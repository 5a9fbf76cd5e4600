// octet support: what this machine is, what it may run, and how fast its GEMM rows are, measured now.
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "base/thread_pool.h"
#include "base/version.h"
#include "console.h"
#include "cpu/isa.h"
#include "cpu/machine.h"
#include "cuda/device.h"
#include "cuda/machine.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kM = 512, kN = 1024, kK = 1024;

struct Options {
  int threads = 0;
  double seconds = 0.1;
  bool json = false;
};

Json classes_of() {
  const uint32_t detected = cpu::detected_isa(), usable = cpu::usable_isa();
  const bool has_bf16 = cpu::vdpbf16ps_over_fma() > 0;
  Json out = Json::array();
  for (const uint32_t bit : {cpu::kAvx2, cpu::kAvx512, cpu::kAvx512Bf16, cpu::kAmx}) {
    const bool has = (detected & bit) != 0 || (bit == cpu::kAvx512Bf16 && has_bf16);
    out.push_back({{"name", cpu::isa_names(bit)}, {"cpu_has", has}, {"detected", (detected & bit) != 0}, {"usable", (usable & bit) != 0}});
  }
  return out;
}

Json bf16_of() {
  const double ratio = cpu::vdpbf16ps_over_fma();
  if (ratio == 0) return nullptr;
  return {{"vdpbf16ps_over_fma", ratio}, {"granted", (cpu::detected_isa() & cpu::kAvx512Bf16) != 0}};
}

Json rate_of(DType type, DType out, const Options& o) {
  const cpu::GemmRate rate = cpu::measure_gemm(type, out, kM, kN, kK, o.threads, o.seconds);
  return {{"operands", name_of(type)},     {"out", name_of(out)}, {"problem", rate.choice.problem},      {"kernel", rate.choice.kernel},
          {"threads", rate.threads},       {"runs", rate.runs},   {"median_tflops", rate.median_tflops}, {"best_tflops", rate.best_tflops},
          {"refused", rate.choice.refused}};
}

Json attention_of(DType type) {
  const StepChoice choice = cpu::choose_attention(type, type);
  return {{"operands", name_of(type)}, {"out", name_of(type)}, {"kernel", choice.kernel}, {"refused", choice.refused}};
}

Json kernels_of(const cuda::Gpu& gpu) {
  Json out = Json::array();
  for (const cuda::TypeSupport& type : cuda::types_of(gpu))
    out.push_back({{"operands", name_of(type.type)},
                   {"out", name_of(type.out)},
                   {"gemm", type.gemm.kernel},
                   {"gemm_refused", type.gemm.refused},
                   {"attention", type.attention.kernel},
                   {"attention_refused", type.attention.refused}});
  return out;
}

Json gpus_of(const cuda::Toolchain& tools) {
  Json out = Json::array();
  try {
    for (const cuda::Gpu& gpu : cuda::list_gpus()) {
      const Refusal no = cuda::usable(gpu);
      const std::string reason = no ? no.reason : tools.usable ? "" : tools.nvrtc;
      out.push_back({{"name", cuda::describe(gpu)},
                     {"compute_capability", fmt::format("{}.{}", gpu.sm / 10, gpu.sm % 10)},
                     {"memory", gpu.memory},
                     {"multiprocessors", gpu.multiprocessors},
                     {"usable", !no && tools.usable},
                     {"reason", reason},
                     {"hardware", cuda::hardware_of(gpu.sm)},
                     {"types", no ? Json::array() : kernels_of(gpu)}});
    }
  } catch (const Error&) {  // no driver: its message is in facts["cuda"]
  }
  return out;
}

Json facts_of(const Options& o) {
  const char* forced = std::getenv("OCTET_ISA");
  Json out{{"schema", "octet.support/1"}, {"octet", build_version()}};
  out["cpu"] = {{"model", cpu::cpu_model()}, {"cores_usable", usable_cores()}, {"cores_online", std::thread::hardware_concurrency()}};
  out["isa"] = {{"detected", cpu::isa_names(cpu::detected_isa())},
                {"usable", cpu::isa_names(cpu::usable_isa())},
                {"forced", forced == nullptr || *forced == 0 ? Json(nullptr) : Json(forced)},
                {"classes", classes_of()},
                {"bf16", bf16_of()}};
  out["gemm"] = Json::array(), out["attention"] = Json::array();
  for (const auto& [type, result] : {std::pair(DType::e4m3, DType::f16), std::pair(DType::f16, DType::f16),
                                     std::pair(DType::bf16, DType::bf16), std::pair(DType::f32, DType::f32)})
    out["gemm"].push_back(rate_of(type, result, o));
  for (const DType type : {DType::e4m3, DType::f16, DType::bf16, DType::f32}) out["attention"].push_back(attention_of(type));
  const cuda::Toolchain tools = cuda::toolchain();
  out["cuda"] = {{"driver", tools.driver}, {"nvrtc", tools.nvrtc}, {"usable", tools.usable}};
  out["gpus"] = gpus_of(tools);
  out["gpu_note"] = out["gpus"].empty() ? "none: " + tools.driver : "";
  return out;
}

std::string yes(const Json& value) { return value.get<bool>() ? "yes" : "no"; }

void print_isa(const Json& isa) {
  Table table({"instructions", "in the CPU", "detected", "usable"});
  for (const Json& one : isa["classes"])
    table.add({one["name"].get<std::string>(), yes(one["cpu_has"]), yes(one["detected"]), yes(one["usable"])});
  print_out(table.render());
  print_out(fmt::format("OCTET_ISA: {}\n",
                        isa["forced"].is_null() ? "not set" : printable(isa["forced"].get<std::string>()) + " (caps what is usable)"));
  if (const Json& bf16 = isa["bf16"]; !bf16.is_null())
    print_out(fmt::format("vdpbf16ps runs at {:.2f} of the f32 FMA's FLOP rate (measured now): the avx512bf16 rows are {}\n",
                          bf16["vdpbf16ps_over_fma"].get<double>(),
                          bf16["granted"].get<bool>() ? "used, where there is no AMX" : "not used"));
}

void print_kernels(const Json& facts) {
  print_out(
      fmt::format("\nGEMM {}x{}x{} on {} threads, packed weights, measured now in this process; other work on the machine lowers it\n", kM,
                  kN, kK, facts["gemm"][0]["threads"].get<int>()));
  Table table({"operands -> out", "kernel", "TFLOP/s median", "best", "runs"});
  for (const Json& rate : facts["gemm"])
    table.add({fmt::format("{0} x {0} -> {1}", rate["operands"].get<std::string>(), rate["out"].get<std::string>()),
               rate["kernel"].get<std::string>(), fmt::format("{:.3f}", rate["median_tflops"].get<double>()),
               fmt::format("{:.3f}", rate["best_tflops"].get<double>()), rate["runs"].dump()});
  print_out(table.render());
  print_out("\nattention (not measured; the row for 257 tokens, head_dim 64)\n");
  Table rows({"q, k, v -> out", "kernel"});
  for (const Json& row : facts["attention"])
    rows.add(
        {fmt::format("{} -> {}", row["operands"].get<std::string>(), row["out"].get<std::string>()), row["kernel"].get<std::string>()});
  print_out(rows.render());
}

void print_refusals(const Json& facts) {
  std::vector<std::string> seen;
  for (const char* family : {"gemm", "attention"})
    for (const Json& row : facts[family])
      for (const Json& no : row["refused"]) {
        const std::string text = no.get<std::string>();
        const bool missing = text.find(": needs ") != std::string::npos;  // not: rows for other types
        if (missing && std::ranges::find(seen, text) == seen.end()) seen.push_back(text);
      }
  if (seen.empty()) return;
  print_out("\nrows that this machine does not run\n");
  for (const std::string& text : seen) print_out("  " + text + "\n");
}

void print_gpus(const Json& facts) {
  if (facts["gpus"].empty()) return print_out(fmt::format("\nGPU: {}\n", facts["gpu_note"].get<std::string>()));
  print_out(
      fmt::format("\nNVIDIA driver {}, NVRTC {}\n", facts["cuda"]["driver"].get<std::string>(), facts["cuda"]["nvrtc"].get<std::string>()));
  for (const Json& gpu : facts["gpus"]) {
    print_out(fmt::format("GPU {}: {}, {} multiprocessors; {}\n", gpu["name"].get<std::string>(),
                          human_bytes(gpu["memory"].get<uint64_t>()), gpu["multiprocessors"].dump(),
                          gpu["usable"].get<bool>() ? "usable" : "not usable: " + gpu["reason"].get<std::string>()));
    print_out(fmt::format("tensor cores: {}\n", gpu["hardware"].get<std::string>()));
    Table table({"operands", "GEMM", "attention"});
    for (const Json& type : gpu["types"])
      table.add({type["operands"].get<std::string>(), type["gemm"].get<std::string>(), type["attention"].get<std::string>()});
    print_out(table.render());
  }
}

int support(const Options& o) {
  const Json facts = facts_of(o);
  if (o.json) {
    print_out(facts.dump(2) + "\n");
    return 0;
  }
  print_out(fmt::format("octet {}\nCPU: {}, {} of {} cores usable\n", build_version(), facts["cpu"]["model"].get<std::string>(),
                        usable_cores(), std::thread::hardware_concurrency()));
  print_isa(facts["isa"]);
  print_kernels(facts);
  print_refusals(facts);
  print_gpus(facts);
  return 0;
}

}  // namespace

Run add_support(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_flag("--json", o->json, "machine-readable output, schema octet.support/1");
  app.add_option("--cpu-threads", o->threads, "compute threads (default: every usable core)")->check(CLI::Range(0, 1024));
  app.add_option("--seconds", o->seconds, "how long to measure each type")->check(CLI::Range(0.001, 60.0))->capture_default_str();
  return [o] { return support(*o); };
}

}  // namespace octet::cli
