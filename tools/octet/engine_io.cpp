#include "engine_io.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "base/log.h"
#include "console.h"
#include "cpu/backend.h"
#include "cuda/backend.h"
#include "cuda/device.h"
#include "frontends/processor.h"
#include "numeric/convert.h"
#include "plan/io.h"
#include "plan/uses.h"

namespace octet::cli {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

HostTensor random_input(const plan::Plan& plan, const plan::Binding& binding, int64_t batch, std::mt19937_64& random) {
  HostTensor tensor(plan.buffers[binding.buffer].dtype, dims_at(plan, binding, batch));
  if (is_float(tensor.dtype())) {
    // Values on f16's grid in [-1, 1]: one draw an element, converted by table for speed at batch 128.
    std::vector<float> values(static_cast<size_t>(tensor.count()));
    for (float& v : values) v = static_cast<float>(random() >> 40) * 0x1p-23f - 1.0f;
    return from_f32(tensor.dtype(), tensor.dims(), values);
  }
  const int64_t vocabulary = tensor.dtype() == DType::u8 ? plan::kPixelValues : vocabulary_of(plan, binding.buffer);
  std::uniform_int_distribution<int64_t> draw(vocabulary ? 0 : -128, vocabulary ? vocabulary - 1 : 127);
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.set_int(i, draw(random));
  return tensor;
}

std::unique_ptr<Backend> cuda_backend(int ordinal, const DeviceOptions& options) {
  cuda::CudaOptions wanted;
  wanted.tune = options.tune;
  return cuda::make_backend(ordinal, cuda::from_environment(wanted));
}

bool has_gpu() {
  try {
    return !cuda::list_gpus().empty();
  } catch (const Error&) {
    return false;
  }
}

// What --prepack=bf16 came to: a step that has FP8 weights and keeps them in a byte says why among its refusals.
void say_prepacked(const Executable& executable) {
  const auto widened =
      std::ranges::count_if(executable.choices(), [](const StepChoice& c) { return c.kernel.starts_with("gemm_e4m3_bf16_"); });
  const auto keeps = [](const std::string& refusal) { return refusal.starts_with("prepack=bf16:"); };
  const auto kept = std::ranges::count_if(executable.choices(), [&](const StepChoice& c) { return std::ranges::any_of(c.refused, keeps); });
  log(Level::kInfo, "prepack=bf16: {} GEMMs keep FP8 weights widened to bf16, {} in one byte; {:.1f} MiB of weights in memory", widened,
      kept, static_cast<double>(executable.weight_bytes()) / (1 << 20));
}

}  // namespace

void DeviceOptions::add_to(CLI::App& app) {
  app.add_option("--device", device, "cpu, cuda or cuda:N; auto: cuda if there is a usable GPU, else cpu")->capture_default_str();
  app.add_option("--cpu-threads", threads, "compute threads (default: every usable core)")->check(CLI::Range(0, 1024));
  const auto choose = [this](const std::string& name) { prepack = name == "bf16" ? Prepack::kBf16 : Prepack::kStored; };
  app.add_option_function<std::string>(
         "--prepack", choose,
         "FP8 weights in memory, on the CPU: stored, one byte each; bf16, widened at load: twice the memory, the same results")
      ->check(CLI::IsMember({"stored", "bf16"}))
      ->default_str("stored");
}

std::shared_ptr<const Backend> make_backend(const DeviceOptions& options) {
  if (options.device == "cpu") return cpu::make_backend();
  if (options.device == "auto") try {
      return cuda_backend(0, options);
    } catch (const Error& error) {
      // Silent only where there is nothing: a GPU that is there and not used is worth a word.
      log(has_gpu() ? Level::kWarning : Level::kDebug, "no GPU is used: {}", error.message());
      return cpu::make_backend();
    }
  const int ordinal = cuda::ordinal_of(options.device);
  if (ordinal < 0) throw Error(Code::kUsage, fmt::format("unknown device `{}`", options.device), "use cpu, cuda or cuda:N");
  return with_context([&] { return "opening device " + options.device; }, [&] { return cuda_backend(ordinal, options); });
}

Engine prepare_engine(std::shared_ptr<const plan::Plan> plan, const Backend& backend, const DeviceOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  PrepareOptions prepare;
  prepare.threads = options.threads;
  prepare.chunk = options.chunk;
  prepare.prepack = options.prepack;
  Engine engine{plan, backend.prepare(plan, prepare), backend.name(), 0};
  engine.seconds = seconds_since(begin);
  if (options.prepack == Prepack::kBf16) say_prepacked(*engine.executable);
  return engine;
}

Engine load_engine(const std::filesystem::path& path, const DeviceOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  auto plan =
      std::make_shared<plan::Plan>(with_context([&] { return "loading engine " + path.string(); }, [&] { return plan::read(path); }));
  Engine engine = prepare_engine(std::move(plan), *make_backend(options), options);
  engine.seconds = seconds_since(begin);
  return engine;
}

bool is_plan(const std::filesystem::path& path) { return plan::looks_like_plan(MappedFile::open(path)->bytes()); }

Engine open_engine(const std::filesystem::path& path, const DeviceOptions& options, const CompileOptions& compile_options) {
  if (is_plan(path)) return load_engine(path, options);
  CompileOptions complete = compile_options;
  complete.processor_sha256 = processor_sha256(path.parent_path() / "processor");
  complete.backend = make_backend(options);
  return prepare_engine(compile(load_model(path), complete), *complete.backend, options);
}

std::vector<const void*> Tensors::input_pointers() const {
  std::vector<const void*> pointers;
  for (const auto& t : inputs) pointers.push_back(t.bytes().data());
  return pointers;
}

std::vector<void*> Tensors::output_pointers() {
  std::vector<void*> pointers;
  for (auto& t : outputs) pointers.push_back(t.mutable_data());
  return pointers;
}

std::vector<int64_t> dims_at(const plan::Plan& plan, const plan::Binding& binding, int64_t batch) {
  std::vector<int64_t> dims{batch};
  const auto& item = plan.buffers[binding.buffer].dims;
  dims.insert(dims.end(), item.begin(), item.end());
  return dims;
}

int64_t vocabulary_of(const plan::Plan& plan, plan::Id buffer) {
  for (const plan::Step& step : plan.steps)
    if (const int64_t rows = plan::table_rows(plan, step.op, buffer); rows > 0) return rows;
  return 0;
}

Tensors random_tensors(const plan::Plan& plan, int64_t batch) {
  std::mt19937_64 random;  // default seed: the same inputs every time
  Tensors tensors;
  for (const auto& binding : plan.inputs) tensors.inputs.push_back(random_input(plan, binding, batch, random));
  for (const auto& binding : plan.outputs) tensors.outputs.emplace_back(plan.buffers[binding.buffer].dtype, dims_at(plan, binding, batch));
  return tensors;
}

Bound bind(const Engine& engine, Tensors& tensors) {
  Bound bound{tensors.input_pointers(), tensors.output_pointers(), {}};
  const auto own = [&](size_t bytes) { return bound.memory.emplace_back(engine.executable->host_memory(bytes)).get(); };
  for (size_t i = 0; i < bound.in.size(); ++i)
    if (std::byte* memory = own(tensors.inputs[i].bytes().size()))
      bound.in[i] = std::memcpy(memory, bound.in[i], tensors.inputs[i].bytes().size());
  for (size_t i = 0; i < bound.out.size(); ++i)
    if (std::byte* memory = own(tensors.outputs[i].bytes().size())) bound.out[i] = memory;
  return bound;
}

void run_engine(const Engine&, Context& context, int64_t batch, Tensors& tensors, const StepHook* hook) {
  const auto in = tensors.input_pointers();
  const auto out = tensors.output_pointers();
  context.run(batch, in, out, hook);
}

}  // namespace octet::cli
